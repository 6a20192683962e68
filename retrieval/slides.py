"""PowerPoint files (.pptx): one page a slide, its title as the heading, its notes at the end."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from primum.retrieval.archive import refuse_unsafe_office
from primum.retrieval.plaintext import clean, line
from primum.retrieval.source import PlainPage
from primum.retrieval.symbols import shown
from primum.retrieval.table import Cell, spread, table_lines


def slides_page(data: bytes, name: str) -> PlainPage:
    """A presentation, hidden slides left out. Raises ValueError if it is broken, locked or a bomb."""
    from pptx import Presentation

    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValueError("locked with a password, or an old .ppt file; save it as .pptx without a password")
    refuse_unsafe_office(data)
    try:
        presentation = Presentation(io.BytesIO(data))
        slides = [_slide(slide, number) for number, slide in enumerate(presentation.slides, 1)]
        title = line(presentation.core_properties.title or "")
        language = presentation.core_properties.language
    except ValueError:
        raise
    except Exception as error:  # a broken file raises nearly anything: KeyError, AttributeError, XMLSyntaxError
        raise ValueError(f"a broken PowerPoint file ({type(error).__name__})") from None
    text = ""
    pages: list[int] = []
    for slide in slides:
        pages.append(len(text) + 2 if text else 0)
        text += ("\n\n" if text and slide else "") + slide
    if title in ("", "PowerPoint Presentation"):
        title = next((slide.partition("\n")[0].lstrip("# ") for slide in slides if slide), "")
    return PlainPage(title or name, text, {"language": language}, [min(start, len(text)) for start in pages])


def _slide(slide: Any, number: int) -> str:
    if slide.element.get("show") == "0":
        return ""
    heading = slide.shapes.title
    named = heading.shape_id if heading is not None else None
    parts = [part for shape in _by_place(slide.shapes) if shape.shape_id != named for part in _parts(shape)]
    notes = clean(shown(slide.notes_slide.notes_text_frame.text)) if _has_notes(slide) else ""
    body = clean("\n\n".join([*parts, *([f"Notes: {notes}"] if notes else [])]))
    if not body:
        return ""
    title = line(heading.text_frame.text) if heading is not None else ""
    return f"## {title or f'Slide {number}'}\n{body}"


def _has_notes(slide: Any) -> bool:
    return bool(slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None)


def _by_place(shapes: Iterable[Any]) -> list[Any]:
    return sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0))


def _parts(shape: Any) -> Iterator[str]:
    if hasattr(shape, "shapes"):  # a group
        for inner in _by_place(shape.shapes):
            yield from _parts(inner)
    elif getattr(shape, "has_table", False) and shape.has_table:
        cells = [[_cell(cell) for cell in row.cells if not cell.is_spanned] for row in shape.table.rows]
        yield "\n".join(table_lines(spread(cells), 1 if shape.table.first_row and len(cells) > 1 else 0))
    elif shape.has_text_frame:
        paragraphs = [line(shown(paragraph.text)) for paragraph in shape.text_frame.paragraphs]
        paragraphs = [paragraph for paragraph in paragraphs if paragraph]
        mark = "- " if len(paragraphs) > 1 else ""
        yield "\n".join(f"{mark}{paragraph}" for paragraph in paragraphs)


def _cell(cell: Any) -> Cell:
    spans = (cell.span_width, cell.span_height) if cell.is_merge_origin else (1, 1)
    return Cell(shown(cell.text_frame.text), *spans)
