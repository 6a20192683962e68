"""An answer's Markdown as HTML. What it is made of is untrusted: no tag, link or picture of its own survives."""

import re
from collections.abc import Collection
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

# One or more markers, the space before them and the stop after them: the chips are shown after the stop.
_MARKS = re.compile(r"\s*((?:\[\d{1,3}\]\s?)*\[\d{1,3}\])([.,;:!?)]*)")
_NUMBER = re.compile(r"\d+")

# Links are left out: an answer's sources are its citations, which the library vouches for.
_RULES = ["paragraph", "heading", "list", "blockquote", "emphasis", "newline", "escape"]


def to_html(text: str, markers: Collection[int], card: str) -> str:
    """The text as HTML, each marker of `markers` as a chip that opens the citation card `<card>-<marker>`."""
    return _MARKDOWN.render(text, {"markers": markers, "card": card})


def chip(marker: int, card: str, label: str = "") -> str:
    """A numbered button that opens a citation card: HTML's own popover, so that no script is needed."""
    name = f"<span>{escape(label)}</span>" if label else ""
    about = "" if label else f' aria-label="Citation {marker}"'
    return f'<button type="button" class="pm-chip" popovertarget="{escape(card)}-{marker}"{about}>{marker}{name}</button>'


class _Renderer(RendererHTML):
    def text(self, tokens: list[Token], index: int, options: object, env: dict[str, Collection[int] | str]) -> str:
        return _with_chips(tokens[index].content, env["markers"], str(env["card"]))

    def heading_open(self, *_: object) -> str:
        return "<h4>"

    def heading_close(self, *_: object) -> str:
        return "</h4>"


def _with_chips(text: str, markers: Collection[int] | str, card: str) -> str:
    html, end = "", 0
    for match in _MARKS.finditer(text):
        numbers = [int(number) for number in _NUMBER.findall(match[1])]
        if all(number in markers for number in numbers):
            chips = "".join(chip(number, card) for number in numbers)
            html += f'{escape(text[end : match.start()] + match[2])}<span class="pm-marks">&#8239;{chips}</span>'
            end = match.end()
    return html + escape(text[end:])


_MARKDOWN = MarkdownIt("zero", renderer_cls=_Renderer).enable(_RULES)
