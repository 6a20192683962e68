"""Words on a page, by their places, as lines in the order in which a reader takes them: column after column."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from primum.retrieval.plaintext import superscript

_SPLIT = 0.9  # of the letters' size: a gap from which on words of one row may belong to different columns
_SPACE = 0.12  # of the letters' size: a gap from which on two pieces are two words
_COLUMN = 80  # points: lines of a column are wider in the middle; what is narrower is a table or a list
_BULLETS = frozenset("•▪◦●■○‣·*–-")  # of any size beside their lines
_FULL = 0.7  # of a row's width: words fill at least that in prose, however widely it is set
_LINES = 4  # of each column, at least


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a piece of one in one font, and its box in points from the page's upper left corner."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    size: float
    bold: bool


@dataclass(slots=True)
class Line:
    """A line of text, or a whole table as lines (`rows`); `edge` is where its column ends on the right."""

    words: list[Word]
    row: int
    rows: list[str] = field(default_factory=list)
    edge: float = 0.0

    @property
    def left(self) -> float:
        return min(word.left for word in self.words)

    @property
    def right(self) -> float:
        return max(word.right for word in self.words)

    @property
    def top(self) -> float:
        return min(word.top for word in self.words)

    @property
    def bottom(self) -> float:
        return max(word.bottom for word in self.words)

    @property
    def size(self) -> float:
        return max(self.words, key=lambda word: len(word.text)).size

    @property
    def bold(self) -> bool:
        return all(word.bold for word in self.words)

    @property
    def text(self) -> str:
        return joined(self.words)


def rows_of(words: Iterable[Word]) -> list[list[Word]]:
    """Words that stand side by side, from the top down; raised and lowered ones stay with their row."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (-round(word.size), word.top, word.left)):
        beside = [row for row in rows if _beside(row, word)]
        if beside:
            max(beside, key=lambda row: (_touches(row, word), _overlap(row[0], word))).append(word)
        else:
            rows.append([word])
    for row in rows:
        row.sort(key=lambda word: word.left)
    return sorted(rows, key=lambda row: median(word.bottom for word in row))


def _beside(row: Sequence[Word], word: Word) -> bool:
    """Whether a word stands in a row, judged by the row's largest word; a heading of the other column is tall."""
    first = row[0]
    low, high = sorted((first.bottom - first.top, word.bottom - word.top))
    bullet = (first.text in _BULLETS or word.text in _BULLETS) and high <= 2.2 * low
    if (low > 0.85 * high or bullet) and _overlap(first, word) >= 0.5 * low:
        return True
    if low > 0.85 * high or high > 2.2 * low or _overlap(first, word) < 0.2 * low:
        return False
    return _touches(row, word) or abs(first.bottom - word.bottom) < 0.15 * low


def _overlap(one: Word, other: Word) -> float:
    return min(one.bottom, other.bottom) - max(one.top, other.top)


def _touches(row: Sequence[Word], raised: Word) -> bool:
    """Whether a small word sticks to a larger one of the row, as a raised number does."""
    return raised.size < 0.9 * row[0].size and any(abs(raised.left - word.right) < 0.2 * word.size for word in row)


def joined(words: Sequence[Word]) -> str:
    """The text of words of one row, from left to right; a raised number stays raised: 10⁹."""
    text = ""
    for before, word in zip([None, *words], words, strict=False):
        if before is not None and word.left - before.right >= _SPACE * max(before.size, word.size):
            text += " "
            text += word.text
        elif before is not None and word.size < 0.85 * before.size and word.bottom < before.bottom - 0.15 * before.size:
            text += superscript(word.text)
        else:
            text += word.text
    return text


def in_order(words: Iterable[Word], tables: Iterable[tuple[Word, list[str]]] = ()) -> list[Line]:
    """Lines in reading order.

    Args:
        tables: a word with the box of each, and its lines; they are kept whole.
    """
    pieces = [
        Line(part, number) for number, row in enumerate(rows_of(words)) for part in _split(row, _SPLIT, lambda _: True)
    ]
    pieces += [Line([box], -number, rows) for number, (box, rows) in enumerate(tables, 1)]
    return list(_ordered(pieces))


def _split(row: Sequence[Word], gap: float, at: Callable[[Word], bool]) -> Iterator[list[Word]]:
    part: list[Word] = []
    for word in row:
        if part and word.left - part[-1].right > gap * max(word.size, part[-1].size) and at(word):
            yield part
            part = []
        part.append(word)
    if part:
        yield part


def _ordered(pieces: list[Line]) -> Iterator[Line]:
    start = _second_column(pieces)
    if start is None:
        yield from _lines(pieces)
        return
    pieces = [
        Line(part, piece.row, piece.rows)
        for piece in pieces
        for part in _split(piece.words, 0.4, lambda word: abs(word.left - start) < 3)
    ]
    left: list[Line] = []
    right: list[Line] = []
    across: list[Line] = []
    for piece in sorted(pieces, key=lambda piece: piece.top):
        if piece.left < start - 2 and piece.right > start + 2:
            yield from _ordered(left)
            yield from _ordered(right)
            left, right = [], []
            across.append(piece)
            continue
        if across:
            yield from _lines(across)
            across = []
        (left if piece.left < start - 2 else right).append(piece)
    yield from _lines(across)
    yield from _ordered(left)
    yield from _ordered(right)


def _second_column(pieces: Sequence[Line]) -> float | None:
    """Where the right one of two columns of prose starts; None if there is only one."""
    best, found = _LINES - 1, None
    for start in sorted({round(piece.left) for piece in pieces}):
        left = [piece for piece in pieces if piece.right < start]
        right = [piece for piece in pieces if piece.left >= start - 2]
        aligned = [piece for piece in right if piece.left < start + 3]
        lines = min(len(left), len(right), len(aligned) * 2)
        if lines > best and _is_prose(left) and _is_prose(right) and _side_by_side(left, right):
            best, found = lines, float(start)
    return found


def _is_prose(pieces: Sequence[Line]) -> bool:
    """Whether most rows are wide and full; those of a table are narrow, or mostly gaps."""
    rows: dict[int, list[Line]] = {}
    for piece in pieces:
        rows.setdefault(piece.row, []).append(piece)
    widths = [max(piece.right for piece in row) - min(piece.left for piece in row) for row in rows.values()]
    filled = [sum(piece.right - piece.left for piece in row) for row in rows.values()]
    full = median(part / max(1.0, width) for part, width in zip(filled, widths, strict=True))
    return median(widths) >= _COLUMN and full >= _FULL


def _side_by_side(left: Sequence[Line], right: Sequence[Line]) -> bool:
    top = max(min(piece.top for piece in left), min(piece.top for piece in right))
    bottom = min(max(piece.bottom for piece in left), max(piece.bottom for piece in right))
    return bottom > top


def _lines(pieces: Sequence[Line]) -> Iterator[Line]:
    """The pieces of one column put together to lines, from the top down."""
    if not pieces:
        return
    edge = max(piece.right for piece in pieces)
    by_row: dict[int, list[Line]] = {}
    for piece in pieces:
        by_row.setdefault(piece.row, []).append(piece)
    lines = []
    for row, parts in by_row.items():
        words = sorted((word for part in parts for word in part.words), key=lambda word: word.left)
        lines.append(Line(words, row, parts[0].rows, edge))
    yield from sorted(lines, key=lambda line: line.top)
