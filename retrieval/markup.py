"""Markdown, HTML, PDF and plain text files as plain text with `## Heading` lines."""

import io
import logging
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from primum.retrieval.plaintext import clean, line

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)(.*)", re.DOTALL)
_TITLE_LINE = re.compile(r"\A\s*#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)")
_OWN_LINE = re.compile(r"#{1,6} |[-*+•] |\d+[.)] |\|")
_DROPPED = (
    "script, style, noscript, template, svg, iframe, nav, footer, aside, form, button, body > header, "
    "[hidden], [aria-hidden=true], [role=navigation], [role=banner], [role=contentinfo]"
)
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_BLOCKS = [
    *("p", "div", "section", "article", "ul", "ol", "dl", "dt", "dd", "table"),
    *("blockquote", "pre", "figure", "figcaption", "header", "main", "details", "summary"),
]


@dataclass(frozen=True)
class PlainPage:
    """What a reader makes of one file; `meta` holds what else the file says about itself."""

    title: str
    text: str
    meta: dict[str, Any] = field(default_factory=dict)


def markdown_page(data: bytes, name: str) -> PlainPage:
    """A Markdown page, with or without YAML front matter. Raises ValueError if that is broken."""
    text = _decoded(data)
    meta: dict[str, Any] = {}
    if found := _FRONT_MATTER.match(text):
        try:
            given = yaml.safe_load(found[1])
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ValueError("its front matter is not YAML") from None
        meta, text = (given if isinstance(given, dict) else {}), found[2]
    title = line(str(meta.get("title") or ""))
    if heading := _TITLE_LINE.match(text):
        text = text[heading.end() :]
        title = title or line(_without_marks(heading[1]))
    return PlainPage(title or name, clean(_unwrapped(_without_marks(text))), meta)


def text_page(data: bytes, name: str) -> PlainPage:
    """A plain text file; a short first line followed by an empty one is its title."""
    text = clean(_decoded(data))
    first, _, rest = text.partition("\n\n")
    if rest and "\n" not in first and len(first) <= 100:
        return PlainPage(line(first), _unwrapped(rest))
    return PlainPage(name, _unwrapped(text))


def html_page(data: bytes, name: str) -> PlainPage:
    """The main content of an HTML page, its title and canonical address."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(data, "lxml")
    if soup.contains_replacement_characters:
        raise ValueError("not text in the encoding that it names")
    canonical = soup.select_one("link[rel~=canonical][href]")
    meta = {"url": canonical["href"]} if canonical else {}
    for part in soup.select(_DROPPED):
        part.decompose()
    content = soup.select_one("main, [role=main]") or soup.select_one("article") or soup.body or soup
    heading = content.find("h1") or soup.find("h1")
    title = line(heading.get_text(" ")) if heading else ""
    if heading:
        heading.decompose()
    if not title and soup.title:
        title = line(soup.title.get_text())
    return PlainPage(title or name, _html_text(content), meta)


def _html_text(content: Any) -> str:
    for text in content.find_all(string=True):
        if not text.find_parent("pre"):
            text.replace_with(re.sub(r"\s+", " ", text))
    for tag in content.find_all(True):
        if tag.name in _HEADINGS:
            tag.string = f"\n\n{'#' * max(2, int(tag.name[1]))} {' '.join(tag.get_text(' ').split())}\n\n"
        elif tag.name == "br":
            tag.replace_with("\n")
        elif tag.name == "li":
            tag.insert(0, "\n- ")
        elif tag.name == "tr":
            tag.insert(0, "\n")
        elif tag.name in ("td", "th"):
            tag.append("; ")
        elif tag.name in _BLOCKS:
            tag.insert(0, "\n\n")
            tag.append("\n\n")
    return re.sub(r"\n- *\n+(?=\S)", "\n- ", clean(content.get_text()))


def pdf_page(data: bytes, name: str) -> PlainPage:
    """The text of a PDF, page after page. Raises ValueError if it is broken, locked or a scan."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("a PDF locked with a password")
        title = line(str(reader.metadata.title or "")) if reader.metadata else ""
        text = "\n".join(page.extract_text() for page in reader.pages)
    except ValueError:
        raise
    except Exception as error:  # a broken PDF raises nearly anything: KeyError, AttributeError, RecursionError
        raise ValueError(f"a broken PDF ({type(error).__name__})") from None
    if not text.strip():
        raise ValueError("a PDF without text (a scan?)")
    text = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", clean(text))
    return PlainPage(title or name, _unwrapped(text))


def _decoded(data: bytes) -> str:
    text = data.decode("utf-8-sig")
    unprintable = sum(1 for char in text[:4096] if char < " " and char not in "\t\n\r\f")
    if unprintable * 10 > len(text[:4096]):
        raise ValueError("binary, not text")
    return text.replace("\r\n", "\n")


def _without_marks(text: str) -> str:
    """Markdown without its inline marks: what a reader sees."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*(?![\w*])", r"\1", text)
    return re.sub(r"`([^`\n]+)`", r"\1", text)


def _unwrapped(text: str) -> str:
    """Lines that were only wrapped joined again; list items, headings and paragraphs keep their lines."""
    rows: list[str] = []
    for row in text.split("\n"):
        row = row.strip()
        if rows and rows[-1] and row and not rows[-1].startswith("#") and not _OWN_LINE.match(row):
            rows[-1] += f" {row}"
        else:
            rows.append(row)
    return "\n".join(rows)
