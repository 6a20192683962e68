"""An answer's Markdown as HTML. What it is made of is untrusted: no tag, link or picture of its own survives."""

import re
from collections.abc import Collection, MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from primum.page.words import say

# One or more markers, the space before them and the stop after them: the chips are shown after the stop.
_MARKS = re.compile(r"\s*((?:\[\d{1,3}\]\s?)*\[\d{1,3}\])([.,;:!?)]*)")
_NUMBER = re.compile(r"\d+")

# Links are left out: an answer's sources are its citations, which the library vouches for.
_RULES = ["paragraph", "heading", "list", "blockquote", "emphasis", "newline", "escape"]

# The browser's own popover, so that a citation opens without a script.
_CHIP = Markup(
    '<button type="button" class="pm-chip" popovertarget="{card}-{marker}" aria-label="{label}">{marker}</button>'
)


def to_html(text: str, markers: Collection[int], card: str) -> Markup:
    """The text as HTML, each marker of `markers` as a chip that opens the element `<card>-<marker>`."""
    return Markup(MARKDOWN.render(text, {"markers": markers, "card": card}))  # noqa: S704 (the renderer escapes)


class _Renderer(RendererHTML):
    def text(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: object,  # noqa: ARG002
        env: MutableMapping[str, Any],
    ) -> str:
        return _with_chips(tokens[idx].content, env["markers"], env["card"])

    def heading_open(self, *_: object) -> str:
        return "<h4>"

    def heading_close(self, *_: object) -> str:
        return "</h4>"


def _with_chips(text: str, markers: Collection[int], card: str) -> Markup:
    html, end = Markup(), 0
    for match in _MARKS.finditer(text):
        numbers = [int(number) for number in _NUMBER.findall(match[1])]
        if all(number in markers for number in numbers):
            chips = Markup().join(_chip(card, number) for number in numbers)
            before = escape(text[end : match.start()] + match[2])
            html += before + Markup('<span class="pm-marks">&#8239;{}</span>').format(chips)
            end = match.end()
    return html + escape(text[end:])


def _chip(card: str, marker: int) -> Markup:
    return _CHIP.format(card=card, marker=marker, label=say("Citation {marker}", marker=marker))


MARKDOWN = MarkdownIt("zero", renderer_cls=_Renderer).enable(_RULES)
