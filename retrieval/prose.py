"""Lines of a paged document put together to headings, paragraphs, lists and table rows; where pages start is kept."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from primum.retrieval.plaintext import clean, line
from primum.retrieval.reading_order import Line
from primum.retrieval.table import CAPTION

_ITEM = re.compile(r"(?:[-*+•▪◦●■–]|\d{1,2}[.)]|\(?[a-z]\)) +(?=\S)")
_BULLET = re.compile(r"^[*+•▪◦●■] *")
_ENDED = re.compile(r"[.!?:;。！？：；]['\"”’)\]]*$")
_HYPHEN = re.compile(r"(?<=[a-zà-ÿ])[-\u00ad\u2010]$")
_LEADER = re.compile(r"(?:\. ?){4,}[ \divxl]*$")  # a line of a table of contents
_LARGER = 1.12  # than the body's letters: from there on a short line is a heading
_TITLE = 1.3
_HEADING = 120  # characters, at most
_LEVELS = (2, 5)
_HEADS = frozenset({"heading", "caption"})


@dataclass(slots=True)
class _Block:
    """A paragraph, item, table row or heading; `page` is the number on which it starts."""

    text: str
    page: int
    kind: str  # heading, caption, prose, item, row
    size: float = 0.0
    bold: bool = False
    turns: tuple[tuple[int, int], ...] = ()  # (offset, page) where it goes on on another page


class Prose:
    """Takes a document's lines page after page and gives its text."""

    def __init__(self, body: float) -> None:
        self._body = body
        self._blocks: list[_Block] = []
        self._page = 0
        self._last: Line | None = None

    def begin_page(self) -> None:
        """What is added from here on stands on the next page."""
        self._page += 1

    def add(self, lines: Iterable[Line]) -> None:
        """Lines of the page, in reading order."""
        given = list(lines)
        leading = self._leading(given)
        for at, current in enumerate(given):
            if current.rows:
                self._blocks += [_Block(row, self._page, "row") for row in map(line, current.rows) if row]
                self._last = current
                continue
            after = given[at + 1] if at + 1 < len(given) else None
            self._add(current, after, leading)

    def title(self) -> str:
        """What is set largest on the first page, if it is larger than a heading."""
        first = [b for b in self._blocks if b.page == 1 and b.kind == "heading" and b.size >= _TITLE * self._body]
        return max(first, key=lambda block: block.size).text if first else ""

    def text(self, without: str = "") -> tuple[str, list[int]]:
        """The whole text, less the heading that is its title, and where in it each page starts."""
        parts: list[str] = []
        starts: dict[int, int] = {}
        position = 0
        levels = self._levels()
        dropped = False
        blocks = list(self._captioned())
        for before, block in zip([None, *blocks], blocks, strict=False):
            if block.kind == "heading" and not dropped and block.text.lower() == without.lower():
                dropped = True
                continue
            close = before is not None and before.kind == block.kind and block.kind in ("item", "row")
            text = self._marked(block, levels)
            gap = "" if not parts else "\n" if close or (before and before.kind in _HEADS) else "\n\n"
            parts += [gap, text]
            position += len(gap)
            starts.setdefault(block.page, position)
            for offset, page in block.turns:
                starts.setdefault(page, position + offset)
            position += len(text)
        return "".join(parts), self._filled(starts, position)

    def _captioned(self) -> Iterator[_Block]:
        """The blocks; a table's caption is a heading over its rows, and what comes after is under the old one again."""
        heading, under = None, False
        for block, after in zip(self._blocks, [*self._blocks[1:], None], strict=False):
            rows = after is not None and after.kind == "row"
            if block.kind == "heading":
                heading = block
            elif heading and rows and block.kind == "prose" and not block.turns and CAPTION.fullmatch(block.text):
                under = True
                yield replace(block, kind="caption")
                continue
            elif under and heading and block.kind != "row":
                yield replace(heading, page=block.page)
            under = under and block.kind == "row"
            yield block

    def _marked(self, block: _Block, levels: dict[tuple[float, bool], int]) -> str:
        level = {"heading": levels.get((block.size, block.bold), 0), "caption": _LEVELS[1] + 1}.get(block.kind, 0)
        return f"{'#' * level} {block.text}" if level else block.text

    def _filled(self, starts: dict[int, int], end: int) -> list[int]:
        """A start for each page, also for one without text: where the next one starts."""
        pages = [end] * self._page
        for number in range(self._page, 0, -1):
            pages[number - 1] = starts.get(number, pages[number] if number < self._page else end)
        return pages

    def _levels(self) -> dict[tuple[float, bool], int]:
        kinds = sorted({(b.size, b.bold) for b in self._blocks if b.kind == "heading"}, reverse=True)
        low, high = _LEVELS
        return {kind: min(high, low + at) for at, kind in enumerate(kinds)}

    def _leading(self, lines: list[Line]) -> float:
        gaps = [below.top - above.bottom for above, below in pairwise(lines)]
        gaps = [gap for gap in gaps if -2 < gap < 2 * self._body]
        return median(gaps) if gaps else 0.2 * self._body

    def _add(self, current: Line, after: Line | None, leading: float) -> None:
        text = clean(current.text).replace("\n", " ")
        last, self._last = self._last, current
        if not text or _LEADER.search(text):
            return
        kind = self._kind(current, text, last, after, leading)
        block = self._blocks[-1] if self._blocks else None
        if kind == "heading":
            size = round(current.size * 2) / 2
            same = block and block.kind == "heading" and (block.size, block.bold) == (size, current.bold)
            if block and same and last and 0 <= current.top - last.top < 2 * current.size + leading:
                block.text = f"{block.text} {text}"
            else:
                self._blocks.append(_Block(text, self._page, kind, size, current.bold))
        elif kind == "prose" and block and last and not self._breaks(last, current, block, leading):
            self._join(block, text)
        else:
            self._blocks.append(_Block(_BULLET.sub("- ", text) if kind == "item" else text, self._page, kind))

    def _kind(self, current: Line, text: str, last: Line | None, after: Line | None, leading: float) -> str:
        if self._is_heading(current, text, last, after, leading):
            return "heading"
        return "item" if _ITEM.match(text) else "prose"

    def _is_heading(self, current: Line, text: str, last: Line | None, after: Line | None, leading: float) -> bool:
        if len(text) > _HEADING or not re.search(r"[^\W\d_]{2}", text) or re.search(r"[.;,]$", text):
            return False
        if current.size >= _LARGER * self._body:
            return True
        if not current.bold or _BULLET.match(text) or text.endswith(":"):
            return False
        if last is None or last.rows or last.bold:
            return True
        close = 0 <= current.top - last.bottom <= leading + 0.15 * self._body
        return not close or bool(after and not after.bold and _ENDED.search(last.text))

    def _breaks(self, last: Line, current: Line, block: _Block, leading: float) -> bool:
        """Whether a line of prose begins a paragraph of its own."""
        ended = bool(_ENDED.search(block.text))
        if block.kind not in ("prose", "item") or last.rows or abs(last.size - current.size) > 0.15 * self._body:
            return True
        if current.top < last.bottom - 0.5 * self._body or self._page != self._page_of(block):  # next column or page
            goes_on = current.text[:1].islower() or _HYPHEN.search(block.text) or last.right > last.edge - 30
            return ended or not goes_on
        if current.top - last.bottom > max(1.5 * leading, leading + 0.3 * self._body):
            return True
        if block.kind == "item":
            return ended and current.left < last.left - 0.5 * self._body
        indented = current.left > last.left + 0.7 * self._body
        short = last.right < last.edge - 0.2 * max(1.0, last.edge - last.left)
        return ended and (indented or short)

    def _page_of(self, block: _Block) -> int:
        return block.turns[-1][1] if block.turns else block.page

    def _join(self, block: _Block, text: str) -> None:
        hyphen = bool(_HYPHEN.search(block.text)) and text[:1].islower()
        joined = block.text[:-1] if hyphen else f"{block.text} "
        if self._page_of(block) != self._page:
            block.turns = (*block.turns, (len(joined), self._page))
        block.text = joined + text
