"""Word files (.docx): headings, paragraphs, lists, and tables as rows that read alone."""

import io
import re
from collections.abc import Iterator
from typing import Any

from primum.retrieval.archive import refuse_unsafe_office
from primum.retrieval.plaintext import clean, line, superscript
from primum.retrieval.source import PlainPage
from primum.retrieval.symbols import shown, symbol
from primum.retrieval.table import CAPTION, table_lines

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_GONE = {f"{_W}{name}" for name in ("del", "moveFrom", "instrText", "delText")} | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}
_HOLDERS = {f"{_W}{name}" for name in ("sdt", "sdtContent", "ins", "customXml")}
_SPAN = 100  # columns that a cell spans, at most


def word_page(data: bytes, name: str) -> PlainPage:
    """A Word file as it reads with all changes accepted. Raises ValueError if it is broken, locked or a bomb."""
    from docx import Document

    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValueError("locked with a password, or an old .doc file; save it as .docx without a password")
    refuse_unsafe_office(data)
    try:
        document = Document(io.BytesIO(data))
        title, blocks = "", []
        for kind, text in _blocks(document):
            if kind == "title" and not title:
                title = line(text)
            else:
                blocks.append((kind, text))
        properties = document.core_properties
        meta = {"language": properties.language}
        title = title or line(properties.title or "")
    except ValueError:
        raise
    except Exception as error:  # a broken file raises nearly anything: KeyError, AttributeError, XMLSyntaxError
        raise ValueError(f"a broken Word file ({type(error).__name__})") from None
    return PlainPage(title or name, _joined(list(_captioned(blocks))), meta)


def _captioned(blocks: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The blocks; a table's caption is a heading over its rows, and what comes after is under the old one again."""
    heading, under = "", False
    for (kind, text), after in zip(blocks, [*blocks[1:], ("", "")], strict=False):
        if kind == "heading":
            heading = text
        elif heading and kind == "prose" and after[0] == "row" and CAPTION.fullmatch(text):
            under = True
            yield "heading", f"###### {line(text)}"
            continue
        elif under and kind != "row":
            yield "heading", heading
        under = under and kind == "row"
        yield kind, text


def _joined(blocks: list[tuple[str, str]]) -> str:
    text = ""
    for number, (kind, block) in enumerate(blocks):
        close = number and kind == blocks[number - 1][0] and kind in ("item", "row")
        text += ("\n" if close else "\n\n") + block
    return clean(text)


def _blocks(document: Any) -> Iterator[tuple[str, str]]:
    from docx.text.paragraph import Paragraph

    for element in _content(document.element.body):
        if element.tag == f"{_W}tbl":
            yield from (("row", row) for row in _rows(element))
        elif block := _block(Paragraph(element, document)):
            yield block


def _content(parent: Any) -> Iterator[Any]:
    """Paragraphs and tables in their order, also those that stand in fields to fill in."""
    for element in parent:
        if element.tag in (f"{_W}p", f"{_W}tbl"):
            yield element
        elif element.tag in _HOLDERS:
            yield from _content(element)


def _block(paragraph: Any) -> tuple[str, str] | None:
    text = _text(paragraph._p)
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    if not text.strip() or style.lower().startswith("toc "):
        return None
    if style == "Title":
        return "title", text
    level = re.fullmatch(r"Heading (\d)", style)
    if level:
        return "heading", f"{'#' * min(6, int(level[1]) + 1)} {line(text)}"
    numbered = paragraph._p.pPr is not None and paragraph._p.pPr.numPr is not None
    if numbered or style.startswith("List"):
        return "item", f"- {line(text)}"
    return "prose", text


def _text(element: Any) -> str:
    """All text under an element, also inserted and linked text, but none that was deleted or moved away."""
    text = ""
    for child in element:
        if child.tag in _GONE:
            continue
        if child.tag == f"{_W}t":
            text += shown(child.text or "", _font(element))
        elif child.tag == f"{_W}sym":
            text += _symbol(child)
        elif child.tag in (f"{_W}br", f"{_W}cr"):
            text += "\n"
        elif child.tag == f"{_W}tab":
            text += " "
        elif child.tag == f"{_W}noBreakHyphen":
            text += "-"
        elif child.tag == f"{_W}r" and child.find(f"{_W}rPr/{_W}vertAlign[@{_W}val='superscript']") is not None:
            text += superscript(_text(child))
        else:
            text += _text(child)
    return text


def _font(run: Any) -> str:
    fonts = run.find(f"{_W}rPr/{_W}rFonts")
    return fonts.get(f"{_W}ascii", "") if fonts is not None else ""


def _symbol(element: Any) -> str:
    """An inserted symbol; one of a font of pictures is only a mark."""
    code = element.get(f"{_W}char", "")
    known = element.get(f"{_W}font", "").startswith("Symbol") and re.fullmatch("[0-9A-Fa-f]{2,4}", code)
    return symbol(int(code, 16)) if known else "•"


def _rows(table: Any) -> list[str]:
    grid: list[list[str]] = []
    heads = 0
    for row in table.tr_lst:
        above = grid[-1] if grid else []
        texts: list[str] = []
        for cell in row.tc_lst:
            goes_on = cell.vMerge == "continue" and len(texts) < len(above)
            texts += [above[len(texts)] if goes_on else _cell_text(cell)] * min(_SPAN, cell.grid_span)
        grid.append(texts)
        heads += row.find(f"{_W}trPr/{_W}tblHeader") is not None
    width = max(map(len, grid), default=0)
    return table_lines([texts + [""] * (width - len(texts)) for texts in grid], heads or None)


def _cell_text(cell: Any) -> str:
    return "\n".join(_text(paragraph) for paragraph in cell.iter(f"{_W}p"))
