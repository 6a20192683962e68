"""Drug labels as the FDA publishes them: structured product labels (SPL, HL7 version 3)."""

import re
from collections.abc import Iterator
from typing import Any

from primum.retrieval.plaintext import clean, line, superscript
from primum.retrieval.source import PlainPage, day
from primum.retrieval.table import Cell, captioned, spread, table_lines

ORIGIN = "dailymed"
LICENCE = "public domain (US FDA drug label)"
PUBLISHER = "DailyMed, National Library of Medicine"
SPL = "{urn:hl7-org:v3}"
_BOXED = "34066-1"
_LEFT_OUT = {"48780-1", "51945-4", "43683-2"}  # product data, pictures of packages, and a list of recent changes
_OTC = "34390-5"
_BLOCKS = {"paragraph", "caption", "footnote", "table", "list"}
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def address(set_id: str) -> str:
    """Where DailyMed shows a label."""
    return f"https://dailymed.nlm.nih.gov/dailymed/drugInfo.cfm?setid={set_id}"


def label_page(root: Any, name: str) -> PlainPage:
    """A label, its boxed warning first. Raises ValueError if it has no text."""
    sections = list(root.iterfind(f"{SPL}component/{SPL}structuredBody/{SPL}component/{SPL}section"))
    sections.sort(key=lambda section: _code(section) != _BOXED)
    text = clean("\n\n".join(part for section in sections for part in _section(section, 2)))
    text = re.sub(r"(?m)^[•·▪] ?", "- ", text)
    brands, generics = _names(root)
    set_id = line(_attribute(root, "setId", "root"))
    title = _title(brands, generics) or line("".join(root.xpath("string(*[local-name()='title'])"))) or name
    meta = {
        "kind": "medicine",
        "url": address(set_id) if set_id else "",
        "aliases": list(dict.fromkeys([*brands, *generics])),
        "sources": [{"title": title, "publisher": _publisher(root), "url": address(set_id) if set_id else ""}],
        "language": _attribute(root, "languageCode", "code") or "en",
        "audience": "patient" if _code(root) == _OTC else "clinician",
        "licence": LICENCE,
        "evidence": "label",
        "published": day(_attribute(root, "effectiveTime", "value")),
    }
    identity = f"{ORIGIN}:{set_id}" if set_id else ""
    return PlainPage(title, text, meta, identity=identity, origin=ORIGIN)


def _code(element: Any) -> str:
    return _attribute(element, "code", "code")


def _attribute(element: Any, tag: str, name: str) -> str:
    found = element.find(f"{SPL}{tag}")
    return found.get(name, "") if found is not None else ""


def _names(root: Any) -> tuple[list[str], list[str]]:
    """The product's brand and generic names."""
    products = root.iter(f"{SPL}manufacturedProduct")
    brands, generics = [], []
    for product in products:
        brands += [line(" ".join(name.itertext())) for name in product.iterfind(f"{SPL}name")]
        path = f"{SPL}asEntityWithGeneric/{SPL}genericMedicine/{SPL}name"
        generics += [line("".join(name.itertext())) for name in product.iterfind(path)]
    return list(dict.fromkeys(filter(None, brands))), list(dict.fromkeys(filter(None, generics)))


def _title(brands: list[str], generics: list[str]) -> str:
    brand, generic = brands[0] if brands else "", generics[0] if generics else ""
    if brand and generic and brand.lower() != generic.lower():
        return f"{brand} ({generic.lower()}), drug label"
    return f"{brand or generic}, drug label" if brand or generic else ""


def _publisher(root: Any) -> str:
    path = f"{SPL}author/{SPL}assignedEntity/{SPL}representedOrganization/{SPL}name"
    maker = line(root.findtext(path) or "")
    return f"{maker}, at {PUBLISHER}" if maker else PUBLISHER


def _section(section: Any, level: int) -> Iterator[str]:
    if _code(section) in _LEFT_OUT:
        return
    title = section.find(f"{SPL}title")
    heading = line(_inline(title)) if title is not None else ""
    mark = f"{'#' * min(level, 6)} {heading}" if heading else ""
    text = section.find(f"{SPL}text")
    body = clean(_flow(text, mark, min(level + 1, 6))) if text is not None else ""
    under = section.iterfind(f"{SPL}component/{SPL}section")
    inner = [part for child in under for part in _section(child, level + bool(heading))]
    if mark and (body or inner):
        yield f"{mark}\n{body}".strip()
    elif body:
        yield body
    yield from inner


def _flow(element: Any, heading: str, level: int) -> str:
    """The blocks of a text. A table's caption is a heading over its rows; what comes after is under `heading` again."""
    text = _plain(element.text)
    for child in element:
        tag = _tag(child)
        if tag == "table":
            caption, rows = _table(child)
            if caption and rows:
                text += f"\n\n{'#' * level} {caption}\n{rows}\n\n"
                text += f"{heading}\n" if heading and _has_more(child) else ""
            else:
                text += f"\n\n{caption}{rows}\n\n"
        elif tag == "list":
            text += "\n" + "\n".join(f"- {line(_inline(item))}" for item in child.iterfind(f"{SPL}item")) + "\n\n"
        elif tag in ("paragraph", "footnote", "caption"):
            text += f"\n\n{_flow(child, heading, level).strip()}\n\n"
        elif tag == "content" and any(_tag(inner) in _BLOCKS for inner in child):
            text += _flow(child, heading, level)
        else:
            text += _one(child)
        text += _plain(child.tail)
    return text


def _has_more(element: Any) -> bool:
    return any("".join(after.itertext()).strip() for after in element.itersiblings())


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "")


def _tag(element: Any) -> str:
    return element.tag.removeprefix(SPL) if isinstance(element.tag, str) else ""


def _inline(element: Any) -> str:
    """All text under an element on one line."""
    return _plain(element.text) + "".join(_one(child) + _plain(child.tail) for child in element)


def _one(element: Any) -> str:
    tag = _tag(element)
    text = _inline(element) if tag else ""
    if tag == "sup":
        return superscript(text)
    if tag == "sub":
        return text.translate(_SUBSCRIPT) if text.isdigit() else text
    if tag == "br":
        return "\n"
    if tag == "footnote":
        return f" ({text.strip()}) "
    if tag == "footnoteRef":
        return _referred(element)
    return f" {text} " if tag in _BLOCKS or tag == "item" else text


def _referred(reference: Any) -> str:
    """The note that a second mark in the same table stands for."""
    path = "ancestor::*[local-name()='table'][1]//*[local-name()='footnote'][@ID=$mark]"
    notes = reference.xpath(path, mark=reference.get("IDREF", ""))
    return f" ({_inline(notes[0]).strip()}) " if notes else ""


def _table(table: Any) -> tuple[str, str]:
    """Its caption and its rows; a note to a heading is told once, below, and a note to a row in that row."""
    caption = table.find(f"{SPL}caption")
    rows: list[list[Cell]] = []
    heads = 0
    notes: list[str] = []
    for row in table.iter(f"{SPL}tr"):
        part = _tag(row.getparent())
        if part == "tfoot":
            notes.append(line(_inline(row)))
            continue
        cells = [cell for cell in row if _tag(cell) in ("td", "th")]
        if part == "thead":
            heads += 1
            notes += [_lift_note(note) for cell in cells for note in cell.findall(f".//{SPL}footnote")]
        rows.append([Cell(_cell(cell), _span(cell, "colspan"), _span(cell, "rowspan")) for cell in cells])
    title = line(_inline(caption)) if caption is not None else ""
    grid = spread(rows)
    if not title:
        title, grid = captioned(grid)
        heads -= bool(title and heads)
    return title, "\n".join([*table_lines(grid, heads or None), *filter(None, notes)])


def _lift_note(note: Any) -> str:
    """A note taken out of its cell, with the words that it is about."""
    text = line(_inline(note))
    note.text = None
    del note[:]
    note.tag = f"{SPL}content"
    return f"Note on {line(_inline(note.getparent()))}: {text}"


def _cell(cell: Any) -> str:
    return "\n".join(line(part) for part in _inline(cell).strip(" ").lstrip(",").split("\n"))


def _span(cell: Any, name: str) -> int:
    value = cell.get(name, "1")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 5 else 1
