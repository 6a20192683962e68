"""Tables on a page of a PDF: those drawn with lines around their cells, and those with rules above and below."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from primum.retrieval.reading_order import Word, joined, rows_of
from primum.retrieval.table import Grid, heads_of

_DRAWN = 3_000  # lines on a page; with more it is a drawing, in which looking for cells takes minutes
_RULE = 100  # points: a rule is at least this long
_RULES = 3  # of a table, at least
_EMPTY = 12  # points: more than this between two rules, and nothing in it, is no double rule
_GAP = 0.8  # of the letters' size: what parts two columns
_SAME = 3  # points within which two places are the same

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Table:
    """A table's cells, how many of its rows are headings, and where it stands; `edges` are its columns' left sides."""

    grid: Grid
    heads: int
    box: Word
    edges: tuple[float, ...]
    page_height: float

    @property
    def head_rows(self) -> Grid:
        return self.grid[: self.heads]

    def holds(self, word: Word) -> bool:
        """Whether a word stands in it."""
        across, down = (word.left + word.right) / 2, (word.top + word.bottom) / 2
        return self.box.left <= across <= self.box.right and self.box.top <= down <= self.box.bottom

    def crosses(self, left: float, right: float, top: float) -> bool:
        """Whether a rule belongs to it."""
        beside = right <= self.box.left + _SAME or left >= self.box.right - _SAME
        return not beside and self.box.top - _SAME <= top <= self.box.bottom + _SAME

    def continues(self, other: "Table") -> bool:
        """Whether it goes on with a table of the page before without repeating its headings."""
        return (
            other.heads > 0
            and self.grid[: other.heads] != other.head_rows
            and len(self.edges) == len(other.edges)
            and all(abs(one - two) <= _SAME for one, two in zip(self.edges, other.edges, strict=True))
            and other.box.bottom > 0.75 * self.page_height
            and self.box.top < 0.25 * self.page_height
        )


def tables_on(page: Any, words: Sequence[Word]) -> Iterator[Table]:
    """The tables with at least two rows and two columns of text, from the top down."""
    if len(page.edges) > _DRAWN:
        return
    found: list[Table] = []
    for drawn in page.find_tables():
        table = _boxed(drawn, words, float(page.height))
        if table:
            found.append(table)
    for region in _ruled(page, words, found):
        inside = [word for word in words if _within(word, region)]
        if inside and not any(table.holds(word) for table in found for word in inside):
            table = _open(region, inside, page)
            if table:
                found.append(table)
    yield from sorted(found, key=lambda table: table.box.top)


def _boxed(drawn: Any, words: Sequence[Word], height: float) -> Table | None:
    rows = [row.cells for row in drawn.rows]
    width = max(map(len, rows), default=0)
    if len(rows) < 2 or width < 2:
        return None
    middles = [_middle([row[column] for row in rows if column < len(row) and row[column]]) for column in range(width)]
    grid = []
    for row in drawn.rows:
        down = (row.bbox[1] + row.bbox[3]) / 2
        grid.append([_text_at(drawn.cells, across, down, words) for across in middles])
    return _checked(grid, drawn.bbox, tuple(middles), height, _bold_rows(drawn.rows, words))


def _middle(cells: Sequence[Box]) -> float:
    narrow = min(cells, key=lambda cell: cell[2] - cell[0], default=(0.0, 0.0, 0.0, 0.0))
    return (narrow[0] + narrow[2]) / 2


def _text_at(cells: Sequence[Box], across: float, down: float, words: Sequence[Word]) -> str:
    """The text of the cell at a point, one that spans several columns or rows included."""
    cell = next((c for c in cells if c[0] <= across <= c[2] and c[1] <= down <= c[3]), None)
    return _text(word for word in words if _within(word, cell)) if cell else ""


def _text(words: Any) -> str:
    text = ""
    for row in rows_of(words):
        part = joined(row)
        hyphen = text.endswith("-") and text[-2:-1].islower() and part[:1].islower()
        text = text[:-1] + part if hyphen else f"{text} {part}".strip()
    return text


def _within(word: Word, box: Box) -> bool:
    across, down = (word.left + word.right) / 2, (word.top + word.bottom) / 2
    return box[0] <= across <= box[2] and box[1] <= down <= box[3]


def _bold_rows(rows: Sequence[Any], words: Sequence[Word]) -> int:
    """How many rows from the top are all in bold."""
    for number, row in enumerate(rows):
        inside = [word for word in words if _within(word, row.bbox)]
        if not inside or not all(word.bold for word in inside):
            return number
    return 0


def _ruled(page: Any, words: Sequence[Word], found: Sequence[Table]) -> Iterator[Box]:
    """Regions between three or more rules of one length, one under the other, as journals set their tables."""
    rules = sorted(
        {(round(e["x0"]), round(e["x1"]), round(e["top"], 1)) for e in page.edges if e["orientation"] == "h"}
    )
    stacks: dict[tuple[int, int], list[float]] = {}
    for left, right, top in rules:
        if right - left < _RULE or any(table.crosses(left, right, top) for table in found):
            continue
        key = next((k for k in stacks if abs(k[0] - left) <= _SAME and abs(k[1] - right) <= _SAME), (left, right))
        stacks.setdefault(key, []).append(top)
    for (left, right), tops in stacks.items():
        tops.sort()
        levels = [tops[0], *(two for one, two in pairwise(tops) if two - one > _SAME)]
        for part in _parted(levels, float(left), float(right), words):
            if len(part) >= _RULES:
                yield float(left), part[0], float(right), part[-1]


def _parted(levels: list[float], left: float, right: float, words: Sequence[Word]) -> Iterator[list[float]]:
    """The rules of each table: between two tables, enough rules for each, stands text without columns, or nothing."""
    for end in range(_RULES, len(levels) - _RULES + 1):
        between = (left, levels[end - 1], right, levels[end])
        rows = rows_of(word for word in words if _within(word, between))
        if (len(_columns(rows)) < 2) if rows else between[3] - between[1] > _EMPTY:
            yield levels[:end]
            yield from _parted(levels[end:], left, right, words)
            return
    yield levels


def _open(region: Box, words: Sequence[Word], page: Any) -> Table | None:
    """A table without lines between its columns: they are where no word of any row stands."""
    rows = rows_of(words)
    columns = _columns(rows)
    if len(columns) < 2:
        return None
    second = min(
        (e["top"] for e in page.edges if e["orientation"] == "h" and region[1] + _SAME < e["top"] < region[3] - _SAME),
        default=region[1],
    )
    grid: Grid = []
    heads = 0
    for row in rows:
        cells = [joined([word for word in row if a <= (word.left + word.right) / 2 <= b]) for a, b in columns]
        in_head = row[0].bottom <= second + _SAME
        wrapped = not cells[0] or (cells[0][0].islower() and not any(cells[1:]))
        if grid and wrapped and in_head == (heads == len(grid)):
            grid[-1] = [f"{one} {two}".strip() for one, two in zip(grid[-1], cells, strict=True)]
            continue
        grid.append(cells)
        heads += in_head
    if heads > 1:
        names = [" ".join(filter(None, column)) for column in zip(*grid[:heads], strict=True)]
        grid, heads = [names, *grid[heads:]], 1
    return _checked(grid, region, tuple(a for a, _ in columns), float(page.height), heads)


def _columns(rows: Sequence[Sequence[Word]]) -> list[tuple[float, float]]:
    spans: list[list[float]] = []
    size = max(word.size for row in rows for word in row)
    for word in sorted((word for row in rows for word in row), key=lambda word: word.left):
        if spans and word.left - spans[-1][1] < _GAP * size:
            spans[-1][1] = max(spans[-1][1], word.right)
        else:
            spans.append([word.left, word.right])
    return [(left, right) for left, right in spans]


def _checked(grid: Grid, box: Box, edges: tuple[float, ...], height: float, heads: int) -> Table | None:
    if sum(1 for row in grid if sum(map(bool, row)) > 1) < 2:
        return None
    place = Word("", box[0], box[2], box[1], box[3], 0.0, False)
    return Table(grid, heads if 0 < heads < len(grid) else heads_of(grid), place, edges, height)
