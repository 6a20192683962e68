"""PDF files: the text of each page in reading order, headings, tables as rows that read alone, no running heads."""

import io
import logging
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from primum.retrieval.pdf_table import Table, tables_on
from primum.retrieval.plaintext import clean, line
from primum.retrieval.prose import Prose
from primum.retrieval.reading_order import Word, in_order
from primum.retrieval.running_lines import without_running_lines
from primum.retrieval.source import PlainPage
from primum.retrieval.symbols import shown
from primum.retrieval.table import table_lines

MAX_PAGES = 5_000
MAX_STREAM = 400 * 2**20  # bytes that one compressed part may unpack to; a page scanned at 600 dpi has 100 MB
_BLOCK = 2**18  # bytes
_NO_TITLE = re.compile(
    r"\.(?:docx?|pdf|indd|qxd|tex|rtf|pptx?|xlsx?)$|^(?:microsoft|untitled|slide|layout|\(anonymous)", re.I
)
_BOLD = re.compile(r"bold|black|heavy|demi", re.I)
_UNMAPPED = re.compile(r"\(cid:\d+\)")
_STREAM = re.compile(rb"stream\r?\n")


@dataclass(slots=True)
class _Page:
    """A page's words outside its tables, and the tables."""

    height: float
    words: list[Word]
    tables: list[Table] = field(default_factory=list)


def pdf_page(data: bytes, name: str) -> PlainPage:
    """The text of a PDF. Raises ValueError if it is broken, locked, a scan or a bomb."""
    _refuse_bombs(data)
    try:
        pages, meta = _read(data)
    except ValueError:
        raise
    except Exception as error:  # a broken PDF raises nearly anything: KeyError, AttributeError, RecursionError
        raise ValueError(_why(error)) from None
    _refuse_textless(pages)
    for page, words in zip(pages, without_running_lines([(page.height, page.words) for page in pages]), strict=True):
        page.words = words
    prose = Prose(_body_size(pages))
    tables: list[Table] = []
    for page in pages:
        tables = _continued(tables, page)
        prose.begin_page()
        prose.add(in_order(page.words, [(table.box, table_lines(table.grid, table.heads)) for table in page.tables]))
    title = line(str(meta.pop("title", "") or ""))
    if len(title) < 4 or _NO_TITLE.search(title):
        title = prose.title()
    text, starts = prose.text(without=title)
    return PlainPage(title or name, text, meta, starts)


def _refuse_bombs(data: bytes) -> None:
    for found in _STREAM.finditer(data):
        unpacker, size = zlib.decompressobj(), 0
        for start in range(found.end(), len(data), _BLOCK):
            packed = data[start : start + _BLOCK]
            while packed and not unpacker.eof:
                try:
                    size += len(unpacker.decompress(packed, _BLOCK))
                except zlib.error:
                    break
                packed = unpacker.unconsumed_tail
                if size > MAX_STREAM:
                    raise ValueError(f"a part of it unpacks to more than {MAX_STREAM // 2**20} MB")
            if packed or unpacker.eof:
                break


def _why(error: Exception) -> str:
    from pdfminer.pdfdocument import PDFPasswordIncorrect

    cause = next((cause for cause in error.args if isinstance(cause, Exception)), error)  # pdfplumber wraps it
    if isinstance(cause, PDFPasswordIncorrect):
        return "a PDF locked with a password; save a copy without one"
    return f"a broken PDF ({type(cause).__name__})"


def _read(data: bytes) -> tuple[list[_Page], dict[str, Any]]:
    import pdfplumber

    logging.getLogger("pdfminer").setLevel(logging.CRITICAL)
    pages: list[_Page] = []
    with pdfplumber.open(io.BytesIO(data)) as pdf:
        if len(pdf.pages) > MAX_PAGES:
            raise ValueError(f"more than {MAX_PAGES} pages")
        for page in pdf.pages:
            pages.append(_page(page))
            page.close()  # or each page's letters stay in memory
        if not pages:
            raise ValueError("a broken PDF (no page)")
        meta: dict[str, Any] = {"title": pdf.metadata.get("Title")}
        language = pdf.doc.catalog.get("Lang")
        if isinstance(language, bytes):
            meta["language"] = language.decode("latin-1")
    return pages, meta


def _page(page: Any) -> _Page:
    found = page.extract_words(
        x_tolerance_ratio=0.12, keep_blank_chars=False, extra_attrs=["size", "fontname", "upright"], use_text_flow=False
    )
    words = [
        Word(_text(w), w["x0"], w["x1"], w["top"], w["bottom"], w["size"], bool(_BOLD.search(w["fontname"])))
        for w in found
        if w["upright"] and _text(w)
    ]
    tables = list(tables_on(page, words))
    outside = [word for word in words if not any(table.holds(word) for table in tables)]
    return _Page(float(page.height), outside, tables)


def _text(word: dict[str, Any]) -> str:
    text = shown(word["text"], word["fontname"])
    return "•" if _UNMAPPED.fullmatch(text) else clean(text)


def _refuse_textless(pages: Sequence[_Page]) -> None:
    texts = [word.text for page in pages for word in page.words]
    texts += [cell for page in pages for table in page.tables for row in table.grid for cell in row]
    letters = sum(map(len, texts))
    if not letters:
        raise ValueError("has no text: it is a scan; run OCR first")
    if sum(len(found) for text in texts for found in _UNMAPPED.findall(text)) * 2 > letters:
        raise ValueError("its fonts don't say which letters they show; run OCR first")


def _body_size(pages: Sequence[_Page]) -> float:
    sizes: Counter[float] = Counter()
    for page in pages:
        for word in page.words:
            sizes[round(word.size * 2) / 2] += len(word.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def _continued(before: Sequence[Table], page: _Page) -> list[Table]:
    """The page's tables; the first one takes the headings of a table that broke off at the end of the page before."""
    if before and page.tables and page.tables[0].continues(before[-1]):
        above = before[-1]
        page.tables[0] = replace(page.tables[0], grid=[*above.head_rows, *page.tables[0].grid], heads=above.heads)
    return page.tables
