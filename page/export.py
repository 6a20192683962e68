"""A conversation as a file to keep: Markdown or PDF, with its sources and warnings."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from html import escape
from io import BytesIO
from typing import Any

import streamlit as st
from markdown_it.token import Token
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, HRFlowable, Paragraph, SimpleDocTemplate

from primum.page.client import Json
from primum.page.prose import MARKDOWN
from primum.page.view import day, dialog, place, signature, standing, web, why_quoted
from primum.page.words import say

DISCLAIMER = (
    "Primum informs; it does not replace a doctor. In an emergency call your local emergency number: 112, 911 or 999."
)
STATES = {
    "evidence_only": "Quoted from the library, word for word",
    "declined": "Outside what I answer",
    "unverified": "No proven answer",
    "emergency": "This may be an emergency",
    "waiting": "Waits for a clinician",
}
CHINESE_FONT = "STSong-Light"  # of Adobe's set that every PDF reader brings or replaces
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_NOT_OURS = re.compile(r"\[(?!\d{1,3}\])|(?<=\])[(:\[]|[<&!`~|]")


def show_export(turns: Sequence[Json]) -> None:
    if st.button(say("Save this conversation"), "save", type="tertiary", icon=":material/download:"):
        _offer(turns)


@dialog("Save this conversation")
def _offer(turns: Sequence[Json]) -> None:
    """The files, each by a button."""
    made = datetime.now(UTC).date()
    st.text(say("With its sources, warnings and date. The file holds what you said about your health: keep it safe."))
    with st.container(horizontal=True):
        st.download_button(
            say("As PDF"), to_pdf(turns, made), f"primum-{made}.pdf", "application/pdf", on_click="ignore",
            type="primary", icon=":material/picture_as_pdf:",
        )  # fmt: skip
        st.download_button(
            say("As Markdown"), to_markdown(turns, made), f"primum-{made}.md", "text/markdown", on_click="ignore",
            icon=":material/markdown:",
        )  # fmt: skip


def to_markdown(turns: Sequence[Json], made: date) -> str:
    """The conversation as Markdown, in which nothing that came from outside is a tag, a link or a picture."""
    parts = [f"# {say('Conversation with Primum')}", _saved(made), f"> {say(DISCLAIMER)}"]
    for turn in turns:
        parts += [f"## {_flat(turn['question'])}", *_answer(turn["answer"] or {})]
    return "\n\n".join(parts) + "\n"


def _flat(text: str) -> str:
    """The text in one line of Markdown, in which it says only itself."""
    return re.sub(r"([\\`*_\[\]<>&!~|#])", r"\\\1", " ".join(text.split()))


def _saved(made: date) -> str:
    return say("Saved on {day}", day=day(made.isoformat()))


def _state(answer: Json) -> str:
    """What kind of answer it is, where that is no plain one."""
    if (answer.get("signed") or {}).get("decision") == "refused":
        return say("A clinician asks you to speak with them")
    return say(STATES[answer["status"]]) if answer["status"] in STATES else ""


def _answer(answer: Json) -> Iterator[str]:
    if not answer:
        yield f"*{say('No answer could be made')}*"
        return
    if title := _state(answer):
        yield f"**{title}**"
    if answer["status"] == "evidence_only":
        yield _flat(why_quoted(answer))
    yield _NOT_OURS.sub(r"\\\g<0>", answer["text"])
    if told := signature(answer):
        yield f"*{told}*"
    if findings := answer.get("safety", {}).get("findings"):
        yield f"### {say('Safety checks')}"
        yield "\n".join(f"- {_flat(_finding(finding))}" for finding in findings)
    if answer["citations"]:
        yield f"### {say('Sources')}"
        yield "\n\n".join(_source(citation) for citation in answer["citations"])


def _finding(finding: Json) -> str:
    subjects = ", ".join(finding["subjects"])
    return f"{say(finding['severity'].capitalize())}: {subjects}. {finding['text']} ({finding['source']})"


def _source(citation: Json) -> str:
    lines = [f"**\\[{citation['marker']}\\] {_flat(citation['title'])}**, {_flat(place(citation))}"]
    lines += [f"> {_flat(citation['quote'])}", *(_flat(line) for line in _origins(citation))]
    return "  \n".join(lines[:1]) + "\n\n" + "\n\n".join(lines[1:])


def _origins(citation: Json) -> Iterator[str]:
    for source in citation.get("sources") or [citation]:
        told = [source.get("title", ""), source.get("publisher", ""), web(source.get("url", ""))]
        if line := ", ".join(part for part in told if part):
            yield line
    if line := standing(citation):
        yield line


def to_pdf(turns: Sequence[Json], made: date) -> bytes:
    """The conversation as a PDF of A4 pages. What Latin letters can't write is set in the Chinese font."""
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE_FONT))
    story: list[Flowable] = [
        _line(say("Conversation with Primum"), _TITLE),
        _line(_saved(made), _SMALL),
        _line(say(DISCLAIMER), _BOX),
    ]
    for turn in turns:
        story += [_line(turn["question"], _QUESTION), *_flow(turn["answer"] or {})]
    file = BytesIO()
    SimpleDocTemplate(
        file, pagesize=A4, title="Primum", leftMargin=22 * mm, rightMargin=22 * mm, topMargin=20 * mm,
        bottomMargin=20 * mm,
    ).build(story, onFirstPage=_number, onLaterPages=_number)  # fmt: skip
    return file.getvalue()


def _flow(answer: Json) -> Iterator[Flowable]:
    if not answer:
        yield _line(say("No answer could be made"), _BODY)
        return
    if title := _state(answer):
        yield _line(title, _STATE)
    if answer["status"] == "evidence_only":
        yield _line(why_quoted(answer), _SMALL)
    yield from _prose(answer["text"])
    if told := signature(answer):
        yield _line(told, _SMALL)
    if findings := answer.get("safety", {}).get("findings"):
        yield _line(say("Safety checks"), _HEADING)
        for finding in findings:
            yield _line(_finding(finding), _BOX)
    if answer["citations"]:
        yield _line(say("Sources"), _HEADING)
    for citation in answer["citations"]:
        yield _line(f"[{citation['marker']}] {citation['title']}, {place(citation)}", _SOURCE)
        yield _line(citation["quote"], _QUOTE)
        for line in _origins(citation):
            yield _line(line, _SMALL)
    yield HRFlowable(width="100%", color=_RULE, spaceBefore=8, spaceAfter=4)


def _prose(text: str) -> Iterator[Flowable]:
    """An answer's Markdown, by the same rules as on the page."""
    quoted, bullets, style = 0, list[str](), _BODY
    for token in MARKDOWN.parse(text):
        match token.type:
            case "blockquote_open" | "blockquote_close":
                quoted += token.nesting
            case "bullet_list_open":
                bullets.append("•")
            case "ordered_list_open":
                bullets.append(str(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                bullets.pop()
            case "heading_open":
                style = _HEADING
            case "heading_close":
                style = _BODY
            case "inline":
                marked = "".join(_marked(child) for child in token.children or [])
                yield _set(marked, _BOX if quoted else _ITEM if bullets else style, _bullet(bullets))
            case "list_item_close" if bullets[-1].isdecimal():
                bullets[-1] = str(int(bullets[-1]) + 1)


def _bullet(bullets: Sequence[str]) -> str | None:
    return f"{bullets[-1]}." if bullets and bullets[-1].isdecimal() else bullets[-1] if bullets else None


_MARKS = {
    "strong_open": "<b>", "strong_close": "</b>", "em_open": "<i>", "em_close": "</i>", "hardbreak": "<br/>",
    "softbreak": " ",
}  # fmt: skip


def _marked(token: Token) -> str:
    return _MARKS[token.type] if token.type in _MARKS else _lettered(token.content)


def _line(text: str, style: ParagraphStyle) -> Flowable:
    return _set(_lettered(" ".join(text.split())), style)


def _set(marked: str, style: ParagraphStyle, bullet: str | None = None) -> Flowable:
    if _WIDE.search(marked):  # which has no spaces to break a line at
        style = ParagraphStyle(style.name, parent=style, wordWrap="CJK")
    return Paragraph(marked, style, bulletText=bullet)


def _lettered(text: str) -> str:
    """The text as reportlab's markup, with no tag but the font of what Latin letters can't write."""
    runs = re.findall(r"[\x20-\x7e\xa0-\xff–—‘’“”•…€™]+|[^\x20-\x7e\xa0-\xff–—‘’“”•…€™]+", text)
    return "".join(
        escape(run) if re.match(r"[\x20-\x7e\xa0-\xff–—‘’“”•…€™]", run) else _in_chinese_font(run) for run in runs
    )


def _in_chinese_font(run: str) -> str:
    return f'<font name="{CHINESE_FONT}">{escape(run)}</font>'


def _number(canvas: Any, document: Any) -> None:
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(_MUTED)
    canvas.drawRightString(A4[0] - 22 * mm, 12 * mm, f"Primum · {document.page}")


_INK, _MUTED, _RULE, _TINT = (HexColor(code) for code in ("#182522", "#566763", "#d8e3df", "#eef4f2"))
_BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=10.5, leading=15, textColor=_INK, spaceAfter=6)
_TITLE = ParagraphStyle("title", parent=_BODY, fontName="Helvetica-Bold", fontSize=20, leading=26)
_HEADING = ParagraphStyle(
    "heading", parent=_BODY, fontName="Helvetica-Bold", fontSize=11.5, spaceBefore=8, keepWithNext=1
)
_QUESTION = ParagraphStyle("question", parent=_HEADING, fontSize=13, leading=18, spaceBefore=14, spaceAfter=8)
_STATE = ParagraphStyle("state", parent=_BODY, fontName="Helvetica-Bold")
_ITEM = ParagraphStyle("item", parent=_BODY, leftIndent=14, bulletIndent=3, spaceAfter=3)
_BOX = ParagraphStyle("box", parent=_BODY, backColor=_TINT, borderPadding=5, leading=14, spaceBefore=6, spaceAfter=10)
_SOURCE = ParagraphStyle(
    "source", parent=_BODY, fontName="Helvetica-Bold", fontSize=9.5, leading=13, spaceAfter=2, keepWithNext=1
)
_QUOTE = ParagraphStyle("quote", parent=_BODY, fontName="Helvetica-Oblique", fontSize=9.5, leading=13, leftIndent=12)
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=8.5, leading=12, textColor=_MUTED, spaceAfter=3)
