"""Markdown, HTML and plain text files as plain text with `## Heading` lines."""

import re
import warnings
from typing import Any

import yaml

from primum.retrieval.plaintext import clean, decoded, line, superscript
from primum.retrieval.source import PlainPage
from primum.retrieval.symbols import shown
from primum.retrieval.table import Cell, spread, table_lines

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)(.*)", re.DOTALL)
_TITLE_LINE = re.compile(r"\A\s*#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)")
_PIPES = re.compile(r"(?m)^ *\|.*\n *\|(?: *:?-+:? *\|)+ *\n(?: *\|.*(?:\n|\Z))+")
_OWN_LINE = re.compile(r"#{1,6} |[-*+•] |\d+[.)] |\|")
_DROPPED = (
    "script, style, noscript, template, svg, iframe, nav, footer, aside, form, button, body > header, "
    "[hidden], [aria-hidden=true], [role=navigation], [role=banner], [role=contentinfo]"
)
_PUBLISHED = ", ".join(
    f'meta[{key}="{name}" i][content]'
    for key, name in (
        *(("property", "article:published_time"), ("name", "citation_publication_date")),
        *(("name", "dc.date"), ("name", "dcterms.issued"), ("itemprop", "datePublished")),
    )
)
_INLINE = "a abbr b bdi bdo cite code em font i ins kbd mark q s samp small span strong sub u var".split()
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_BLOCKS = [
    *("p", "div", "section", "article", "ul", "ol", "dl", "dt", "dd", "table"),
    *("blockquote", "pre", "figure", "figcaption", "header", "main", "details", "summary"),
]


def markdown_page(data: bytes, name: str) -> PlainPage:
    """A Markdown page, with or without YAML front matter. Raises ValueError if that is broken."""
    text = decoded(data)
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
    return PlainPage(title or name, clean(_PIPES.sub(_pipe_table, unwrapped(_without_marks(text)))), meta)


def _pipe_table(found: re.Match[str]) -> str:
    rows = [re.split(r"(?<!\\)\|", row.strip().strip("|")) for row in found[0].strip().split("\n")]
    width = max(len(row) for row in rows)
    grid = [[cell.replace("\\|", "|") for cell in row] + [""] * (width - len(row)) for row in rows]
    return "\n".join(table_lines([grid[0], *grid[2:]], 1)) + "\n"


def text_page(data: bytes, name: str) -> PlainPage:
    """A plain text file; a short first line followed by an empty one is its title."""
    text = clean(decoded(data))
    first, _, rest = text.partition("\n\n")
    if rest and "\n" not in first and len(first) <= 100:
        return PlainPage(line(first), unwrapped(rest))
    return PlainPage(name, unwrapped(text))


def html_page(data: bytes, name: str) -> PlainPage:
    """The main content of an HTML page, its title and canonical address."""
    soup = _soup(data)
    if soup.contains_replacement_characters:
        raise ValueError("not text in the encoding that it names")
    canonical = soup.select_one("link[rel~=canonical][href]")
    meta: dict[str, Any] = {"url": canonical["href"]} if canonical else {}
    meta |= _said(soup)
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


def html_text(html: str) -> str:
    """A piece of HTML, such as a field of another format holds, as plain text with `## Heading` lines."""
    soup = _soup(html)
    for part in soup.select(_DROPPED):
        part.decompose()
    return _html_text(soup.body or soup)


def _soup(html: bytes | str) -> Any:
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # XHTML is read as the HTML that it is
        return BeautifulSoup(html, "lxml")


def _said(soup: Any) -> dict[str, str]:
    """What the head of a page says of its language, licence and day."""
    meta = {"language": soup.html["lang"]} if soup.html and soup.html.get("lang") else {}
    if licence := soup.select_one("link[rel~=license][href]"):
        meta["licence"] = licence["href"]
    if day := soup.select_one(_PUBLISHED):
        meta["published"] = day["content"].replace("/", "-")
    return meta


def _html_text(content: Any) -> str:
    for text in content.find_all(string=True):
        if not text.find_parent("pre"):
            text.replace_with(re.sub(r"\s+", " ", text))
    for raised in content.find_all("sup"):
        raised.replace_with(superscript(raised.get_text()))
    for font in content.find_all("font", face=re.compile("^symbol", re.IGNORECASE)):
        font.string = shown(font.get_text(), "Symbol")
    for tag in content.find_all(_INLINE):
        tag.unwrap()
    content.smooth()  # or the pieces of a word, as in H<sub>2</sub>O, would be told apart
    for table in reversed(content.find_all("table")):  # an inner one first
        _lay_out(table)
    for tag in content.find_all(True):
        if tag.name in _HEADINGS:
            tag.string = f"\n\n{'#' * max(2, int(tag.name[1]))} {' '.join(tag.get_text(' ').split())}\n\n"
        elif tag.name == "br":
            tag.replace_with("\n")
        elif tag.name == "li":
            tag.insert(0, "\n- ")
        elif tag.name in _BLOCKS:
            tag.insert(0, "\n\n")
            tag.append("\n\n")
    return re.sub(r"\n- *\n+(?=\S)", "\n- ", clean(content.get_text()))


def _lay_out(table: Any) -> None:
    """A table of data as rows that read alone; one that only places its content keeps that content."""
    rows = table.find_all("tr")
    cells = [row.find_all(["td", "th"]) for row in rows]
    if max((len(row) for row in cells), default=0) < 2 or table.find(["table", *_HEADINGS]):
        return
    heads = sum(1 for row in rows if row.find_parent("thead")) or None
    if heads is None and cells[0] and all(cell.name == "th" for cell in cells[0]):
        heads = 1
    grid = spread(
        [
            [Cell(cell.get_text(" "), _span(cell.get("colspan")), _span(cell.get("rowspan"))) for cell in row]
            for row in cells
        ]
    )
    caption = table.caption.get_text(" ") if table.caption else ""
    table.string = "\n".join(filter(None, [line(caption), *table_lines(grid, heads)]))


def _span(value: Any) -> int:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5 else 1


def _without_marks(text: str) -> str:
    """Markdown without its inline marks: what a reader sees."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*(?![\w*])", r"\1", text)
    return re.sub(r"`([^`\n]+)`", r"\1", text)


def unwrapped(text: str) -> str:
    """Lines that were only wrapped joined again; list items, headings and paragraphs keep their lines."""
    rows: list[str] = []
    for row in text.split("\n"):
        row = row.strip()
        if rows and rows[-1] and row and not rows[-1].startswith("#") and not _OWN_LINE.match(row):
            rows[-1] += f" {row}"
        else:
            rows.append(row)
    return "\n".join(rows)
