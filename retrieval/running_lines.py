"""Running heads, running feet and page numbers: the lines of a page that are no part of its text.

A line is one only if it stands in the upper or lower margin, apart from the text, and comes back at the same height:
word for word on most pages (or on most left or right ones), or with a number that counts the pages. A line that tells
a dose or another quantity never is one: a repeated line too many does no harm, a dose too few may.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial

from primum.retrieval.reading_order import Word, joined, rows_of
from primum.safety.units import quantities

_EDGE = 0.1  # of a page's height: the margins
_BEYOND = 40  # points further in, where the text begins that a line may belong to
_APART = 0.7  # of the letters' size: a gap that parts a running line from the text
_SAME = 3  # points within which two lines stand at the same height
_ALONE = 1.5  # of the letters' size: a gap that parts a page number from the words beside it
_COUNTED = 3  # pages on which a number that counts them is seen, or all if there are fewer
_MOST = 3  # pages on which a line comes back, at least: of a leaflet of two pages nothing is dropped
_NUMBER = re.compile(r"(?:p\.|第)?[-–|]*(?:(\d{1,4})|([ivxl]{1,6}))[-–|]*(?:/\d+|页)?", re.IGNORECASE)
_BEFORE = frozenset("page pages p p. pg pg. seite página pagina pág. 第 | - – — · •".split())
_AFTER = frozenset("of / von de 页 | - – — · •".split())
_ONLY_PAGE = re.compile(r"(?:page|seite|página|第) ?1(?: ?(?:of|von|de|/|页) ?1)?页?", re.IGNORECASE)
# What `quantities` does not know: doses in words, other languages, units joined to other signs.
_DOSE = re.compile(
    r"\d\s*(?:%|‰|°|[µμmnk]?g\b|mcg|[µμmdc]?l\b|[µμmnp]?mol|m?eq\b|[iu]\.?[iu]\.?\b|u\b|x\b|unidades|horas?\b|d[ií]as?\b"
    r"|semanas?\b|meses\b|años\b|comprimid|c[aá]psul|gotas?\b|dosis|veces|tab|cap|amp|[次片粒滴毫微克天周岁]|小时|单位)"
    r"|\b(?:once|twice|thrice|daily|hourly|nightly|bedtime|diari[oa]s?|cada)\b|每[日天次晚周]",
    re.IGNORECASE,
)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}

Row = list[Word]
_Lying = tuple[float, float, Row]  # how far from the edge of the page a row begins and ends
_Seen = dict[tuple[str, str, int], set[int]]  # pages by what a row says, at which edge, and how far from it


def without_running_lines(pages: Sequence[tuple[float, Sequence[Word]]]) -> list[list[Word]]:
    """The words of each page, given with its height, that are its text."""
    margins = [[(edge, round(near / _SAME), row) for edge, near, row in _margins(*page)] for page in pages]
    seen: _Seen = {}
    for number, rows in enumerate(margins):
        for edge, height, row in rows:
            for says in _sayings(row, number):
                seen.setdefault((says, edge, height), set()).add(number)
    kept = []
    for number, ((_, words), rows) in enumerate(zip(pages, margins, strict=True)):
        running = (row for edge, height, row in rows if _is_running(row, number, len(pages), (edge, height), seen))
        gone = {id(word) for row in running for word in row}
        kept.append([word for word in words if id(word) not in gone])
    return kept


def _margins(height: float, words: Sequence[Word]) -> Iterator[tuple[str, float, Row]]:
    """The rows in the margins that stand apart from the text: the edge, how far from it, the row."""
    margin = height * _EDGE
    for edge in ("head", "foot"):
        span = _from_top if edge == "head" else partial(_from_bottom, height)
        rows = rows_of(word for word in words if span([word])[1] < margin + _BEYOND)
        for block in _blocks([(*span(row), row) for row in rows]):
            if block[-1][1] >= margin:
                break
            yield from ((edge, near, row) for near, _, row in block)


def _from_top(row: Row) -> tuple[float, float]:
    return min(word.top for word in row), max(word.bottom for word in row)


def _from_bottom(height: float, row: Row) -> tuple[float, float]:
    return height - max(word.bottom for word in row), height - min(word.top for word in row)


def _blocks(rows: list[_Lying]) -> Iterator[list[_Lying]]:
    """The rows from the edge inwards, those together that stand close to each other."""
    block: list[_Lying] = []
    for row in sorted(rows, key=lambda row: row[0]):
        if block and row[0] - block[-1][1] >= _APART * max(word.size for word in row[2]):
            yield block
            block = []
        block.append(row)
    if block:
        yield block


def _sayings(row: Row, page: int) -> Iterator[str]:
    """What a row says, and for each number that stands alone in it: the same, with how far it is from the page's."""
    words = [word.text.lower() for word in row]
    yield " ".join(words)
    for place, word in enumerate(row):
        found = _NUMBER.fullmatch(word.text)
        if found and _stands_alone(row, place, roman=bool(found[2])):
            ahead = (int(found[1]) if found[1] else _roman(found[2].lower())) - page
            yield " ".join([*words[:place], f"<{ahead}>", *words[place + 1 :]])


def _stands_alone(row: Row, place: int, roman: bool) -> bool:
    """Whether a number is parted from the words beside it, by a gap, a mark or "page"; Roman ones are words as well."""
    word, size = row[place], _ALONE * row[place].size
    before, after = row[place - 1] if place else None, row[place + 1] if place + 1 < len(row) else None
    named = before is not None and before.text.lower() in _BEFORE
    parted = named or before is None or word.left - before.right >= size
    ends = after is None or after.text.lower() in _AFTER or after.left - word.right >= size
    return parted and ends and (not roman or named or len(row) == 1)


def _roman(number: str) -> int:
    values = [_ROMAN[sign] for sign in number]
    return sum(-one if one < two else one for one, two in zip(values, [*values[1:], 0], strict=True))


def _is_running(row: Row, page: int, pages: int, place: tuple[str, int], seen: _Seen) -> bool:
    text = joined(row)
    if _DOSE.search(text) or any(quantity.unit for quantity in quantities(text)):
        return False
    same, *counted = (_pages(seen, says, place) for says in _sayings(row, page))
    return (
        _on_most(same, pages)
        or any(len(found) >= min(_COUNTED, max(2, pages)) for found in counted)
        or (pages == 1 and bool(_ONLY_PAGE.fullmatch(text)))
    )


def _pages(seen: _Seen, says: str, place: tuple[str, int]) -> set[int]:
    """The pages on which this is said at about this height."""
    edge, height = place
    return set().union(*(seen.get((says, edge, near), set()) for near in (height - 1, height, height + 1)))


def _on_most(found: set[int], pages: int) -> bool:
    """Whether these are most pages, or most of the left or of the right ones."""
    sides = (range(first, pages, 2) for first in (0, 1))
    return len(found) >= _MOST and any(2 * len(found.intersection(side)) > len(side) for side in sides)
