"""An answer's Markdown as HTML: what is kept of it, and that nothing else survives."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.page.prose import to_html


def html(text: str, *markers: int) -> str:
    return str(to_html(text, markers, "c"))


class Tags(HTMLParser):
    """The start tags of a text, each with its attributes' names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[tuple[str, ...]] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, *(name for name, _ in attrs)))


OURS = {
    *((tag,) for tag in ("p", "h4", "ul", "ol", "li", "blockquote", "strong", "em", "br")),
    ("ol", "start"),
    ("span", "class"),
    ("button", "type", "class", "popovertarget", "aria-label"),
}


def test_a_marker_becomes_a_chip_after_the_stop() -> None:
    found = html("It helps [1]. It harms [2][3], at times.", 1, 2, 3)
    assert re.sub(r"<button[^>]*>(\d)</button>", r"(\1)", found) == (
        '<p>It helps.<span class="pm-marks">&#8239;(1)</span> It harms,'
        '<span class="pm-marks">&#8239;(2)(3)</span> at times.</p>\n'
    )
    assert 'popovertarget="c-2" aria-label="Citation 2"' in found


def test_a_number_that_is_no_citation_stays_as_it_is() -> None:
    assert html("See [7] and [1][8].", 1) == "<p>See [7] and [1][8].</p>\n"


def test_headings_lists_and_emphasis_are_kept() -> None:
    found = html("# Why\n\n1. **Rest** *now*\n2. Drink [1]\n\n> so they say", 1)
    assert Tags(found).found >= {("h4",), ("ol",), ("li",), ("strong",), ("em",), ("blockquote",), ("span", "class")}


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[click](javascript:alert(1))",
        "![see](https://evil.example/pixel.png)",
        "<https://evil.example>",
        "[1]: javascript:alert(1)\n\nSee [1]",
        '"><button popovertarget=x onclick=alert(1)>',
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<style>*{display:none}</style>",
        "```html\n<script>alert(1)</script>\n```",
        "**<b onmouseover=alert(1)>** [1]<svg/onload=alert(1)>",
    ],
)
def test_html_links_and_pictures_are_shown_as_text(attack: str) -> None:
    assert Tags(html(attack, 1)).found <= OURS


@given(st.text(alphabet=st.sampled_from("<>&\"'[]()!#*_>-`~\\/:1a \n\t"), max_size=60) | st.text(max_size=60))
def test_no_text_becomes_a_tag_that_is_not_ours(text: str) -> None:
    assert Tags(html(text, 1, 11)).found <= OURS
