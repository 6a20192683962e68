"""Tables as lines that read alone: each row repeats the headings of its columns."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from primum.retrieval.plaintext import line

Grid = list[list[str]]

MAX_CELLS = 200_000  # of one table; a cell may claim to span a million columns
_DATUM = re.compile(r"[<>≤≥~±+–-]?\s*\d[\d.,\s/–-]*(?:%|[a-zµ]{1,4}(?:/[a-z]{1,4})?)?(?:\s*\(.*\))?|[-–—]|n/?a", re.I)
CAPTION = re.compile(r"(?:table|tabla|tabela|tableau|tabelle|表) ?[\dA-Z]{1,3}\b.{0,250}", re.IGNORECASE | re.DOTALL)
_GROUP = 80  # characters of a row that names a group of rows, at most
# A line made here: at least two "Heading: value" pairs.
ROW = re.compile(r"[^:;\n]{1,160}: [^\n]*?(?:; [^:;\n]{1,160}: [^\n]*)+")


@dataclass(frozen=True)
class Cell:
    """A cell as markup gives it, with the columns and rows that it spans."""

    text: str
    columns: int = 1
    rows: int = 1


def spread(rows: Sequence[Sequence[Cell]]) -> Grid:
    """Rows of equal length: a cell that spans others is repeated in them. Raises ValueError if that is too much."""
    grid: list[dict[int, str]] = [{} for _ in rows]
    cells = 0
    for number, row in enumerate(rows):
        column = 0
        for cell in row:
            while column in grid[number]:
                column += 1
            cells += max(1, cell.columns) * max(1, cell.rows)
            if cells > MAX_CELLS:
                raise ValueError(f"a table of more than {MAX_CELLS} cells")
            for below in grid[number : number + max(1, cell.rows)]:
                below.update(dict.fromkeys(range(column, column + max(1, cell.columns)), cell.text))
            column += max(1, cell.columns)
    width = max((max(row, default=-1) + 1 for row in grid), default=0)
    return [[row.get(column, "") for column in range(width)] for row in grid]


def table_lines(grid: Sequence[Sequence[str]], heads: int | None = None, groups: bool = True) -> list[str]:
    """One line a row: "Drug: amoxicillin; Dose: 500 mg". A row that only names a group is told in each row under it.

    Args:
        heads: how many rows are headings, if the document says so; else it is judged by their cells.
        groups: whether a row with nothing but its first cell names a group; in a file of values it is only incomplete.
    """
    rows = [[line(cell) for cell in row] for given in grid for row in _unstacked(given)]
    rows = [row for row in rows if any(row)]
    if not rows:
        return []
    if len(rows[0]) == 1:
        return [row[0] for row in rows]
    caption, rows = captioned(rows)
    if caption:
        return [caption, *table_lines(rows, None if heads is None else max(0, heads - 1), groups)]
    heads = heads_of(rows) if heads is None else min(heads, len(rows) - 1)
    names = [_name(column) for column in zip(*rows[:heads], strict=True)] if heads else [""] * len(rows[0])
    body = rows[heads:]
    if groups:
        names, body = _more_heads(names, body) if heads else (names, body)
        _fill_down(body)
    return list(_told(names, body, groups))


def _unstacked(row: Sequence[str]) -> Sequence[Sequence[str]]:
    """A row whose cells hold one value under the other, as that many rows."""
    parts = [cell.strip(" ").split("\n") for cell in row]
    sizes = {len(part) for part in parts}
    values = [value.strip() for part in parts[1:] for value in part]
    if len(sizes) == 1 and len(parts[0]) > 1 and all(not value or _DATUM.fullmatch(value) for value in values):
        return list(zip(*parts, strict=True))
    return [row]


def _more_heads(names: list[str], body: Grid) -> tuple[list[str], Grid]:
    """Rows right under the headings that go on with them: (N = 705), or the first column's own name."""
    while len(body) > 1 and not body[0][0] and any(body[0]):
        names = [f"{name} {cell}".strip() for name, cell in zip(names, body[0], strict=True)]
        body = body[1:]
    if len(body) > 2 and not names[0] and _label(body[0]) and _label(body[1]):
        names, body = [_label(body[0]), *names[1:]], body[1:]
    return names, body


def _fill_down(body: Grid) -> None:
    """An empty first cell stands for the one above it, but not for a row that names a group."""
    above = ""
    for row in body:
        if row[0]:
            above = "" if _label(row) else row[0]
        elif above:
            row[0] = above


def _told(names: Sequence[str], body: Grid, groups: bool) -> Iterator[str]:
    group, told = "", True
    for row in body:
        if label := _label(row) if groups else "":
            if not told:
                yield group
            group, told = label, False
            continue
        if len(set(row)) == 1:
            yield row[0]
            continue
        yield (f"{group} – " if group else "") + _line(names, row)
        told = True
    if not told:
        yield group


def captioned(grid: Sequence[Sequence[str]]) -> tuple[str, Grid]:
    """A first row that spans the whole table, which is its caption, and the other rows."""
    rows = [list(row) for row in grid]
    if len(rows) > 1 and len(rows[0]) > 1 and rows[0][0].strip() and len(set(rows[0])) == 1:
        return line(rows[0][0]), rows[1:]
    return "", rows


def heads_of(rows: Sequence[Sequence[str]]) -> int:
    """How many rows, from the top, name the columns, as far as their cells tell."""
    if len(rows) < 2 or _is_data(rows[0]):
        return 0
    spans = any(one and one == other for one, other in zip(rows[0], rows[0][1:], strict=False))
    if spans and len(rows) > 2 and len(set(rows[0])) > 1 and not _is_data(rows[1][1:]):
        return 2
    return 1


def _is_data(row: Sequence[str]) -> bool:
    filled = [cell for cell in row if cell]
    return sum(1 for cell in filled if _DATUM.fullmatch(cell)) * 2 >= max(1, len(filled))


def _name(column: Sequence[str]) -> str:
    return " – ".join(dict.fromkeys(cell.rstrip(" :") for cell in column if cell))


def _label(row: Sequence[str]) -> str:
    """The text of a row that spans the table or fills only its first cell."""
    alone = row[0] if row[0] and (len(set(row)) == 1 or not any(row[1:])) else ""
    return alone.rstrip(" :") if len(alone) <= _GROUP and not _DATUM.fullmatch(alone) else ""


def _line(names: Sequence[str], row: Sequence[str]) -> str:
    if not any(names) and len(row) == 2 and all(row):
        return f"{row[0].rstrip(' :')}: {row[1]}"
    pairs: list[tuple[str, str]] = []
    for name, cell in zip(names, row, strict=True):
        if cell and (not pairs or (name, cell) != pairs[-1]):
            pairs.append((name, cell))
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs)
