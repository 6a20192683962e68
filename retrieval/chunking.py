"""Sources cut into chunks at section, paragraph and sentence borders; positions are kept to the character."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from primum.retrieval.source import Source
from primum.retrieval.table import ROW

TARGET = 200  # tokens that a chunk of a longer section aims at
LIMIT = 256  # tokens that a chunk has at most, its title and heading counted
_LEAST = 64  # tokens left to the text, however long the title is
_HEADING = re.compile(r"^(#{1,6}) +(.+)$", re.MULTILINE)
_WORST_TOKEN = 16  # characters; a tokenizer may make one token of a word of any length

CountTokens = Callable[[str], int]


@dataclass(frozen=True)
class Chunk:
    """`source.text[start:stop]`, which is `text`, under `heading`; it starts on `page`, if the source has pages."""

    heading: str
    start: int
    stop: int
    text: str
    page: int | None = None


@dataclass(frozen=True)
class _Unit:
    """What is never cut: a sentence, a line of a list, or a piece of a sentence that alone is too long."""

    start: int
    stop: int
    tokens: int
    opens: bool  # it begins a paragraph


def chunk(source: Source, count_tokens: CountTokens) -> list[Chunk]:
    """All text of a source but its heading lines, in order, in chunks of at most LIMIT tokens."""
    chunks: list[Chunk] = []
    text = source.text
    for heading, start, stop in sections(text):
        head = count_tokens(f"{source.title}\n{heading}\n") + 2  # two special tokens
        room = max(_LEAST, LIMIT - head)
        units = list(_units(text, start, stop, room, count_tokens))
        chunks.extend(Chunk(heading, a, b, text[a:b], _page(source.pages, a)) for a, b in _packed(units, room))
    return chunks


def _page(pages: Sequence[int], start: int) -> int | None:
    return bisect_right(pages, start) or None


def sections(text: str) -> Iterator[tuple[str, int, int]]:
    """(heading, start, stop) of each section; a deeper heading is named after the one that it stands under."""
    path: list[tuple[int, str]] = []
    start = 0
    for found in _HEADING.finditer(text):
        yield " – ".join(name for _, name in path), start, found.start()
        level = len(found[1])
        path = [(depth, name) for depth, name in path if depth < level]
        path.append((level, found[2].strip()))
        start = found.end()
    yield " – ".join(name for _, name in path), start, len(text)


def _units(text: str, start: int, stop: int, room: int, count_tokens: CountTokens) -> Iterator[_Unit]:
    opens = True
    for row in re.finditer(r"[^\n]+|\n\n", text[start:stop]):
        if row[0] == "\n\n":
            opens = True
            continue
        place = start + row.start(), start + row.end()
        # A table's row tells the headings of its columns once, so it is cut only where it is too long.
        for a, b in [place] if ROW.fullmatch(row[0]) else _sentences(text, *place):
            for c, d, tokens in _pieces(text, a, b, room, count_tokens):
                yield _Unit(c, d, tokens, opens)
                opens = False


def _sentences(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    from sentencex import get_sentence_boundaries

    for found in get_sentence_boundaries("en", text[start:stop]):
        yield start + found["start_index"], start + found["end_index"]


def _pieces(text: str, start: int, stop: int, room: int, count_tokens: CountTokens) -> Iterator[tuple[int, int, int]]:
    """The trimmed span, halved near a space for as long as it has more than `room` tokens."""
    piece = text[start:stop]
    start, stop = start + len(piece) - len(piece.lstrip()), stop - len(piece) + len(piece.rstrip())
    if start >= stop:
        return
    tokens = max(count_tokens(text[start:stop]), ceil((stop - start) / _WORST_TOKEN))
    if tokens <= room or stop - start == 1:
        yield start, stop, tokens
        return
    middle = (start + stop) // 2
    space = text.rfind(" ", start + 1, middle)
    if space < start + (stop - start) // 4:
        space = middle
    yield from _pieces(text, start, space, room, count_tokens)
    yield from _pieces(text, space, stop, room, count_tokens)


def _packed(units: list[_Unit], room: int) -> Iterator[tuple[int, int]]:
    """Spans of consecutive units, of about equal size, so that no short end is left over."""
    rest = sum(unit.tokens for unit in units)
    parts = 1 if rest <= room else ceil(rest / min(TARGET, room))
    begun, size = 0, 0
    for at, unit in enumerate(units):
        goal = rest / parts
        full = size + unit.tokens > room or size + unit.tokens / 2 > goal
        if at > begun and (full or (unit.opens and parts > 1 and size >= 0.8 * goal)):
            yield units[begun].start, units[at - 1].stop
            rest, parts = rest - size, max(1, parts - 1)
            begun, size = at, 0
        size += unit.tokens
    if units:
        yield units[begun].start, units[-1].stop
