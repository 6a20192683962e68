"""Words with a capital, in rows as names are written."""

import re
from dataclasses import dataclass
from functools import cache

from primum.safety.personal_words import any_of, fold, folded, is_eponym, places
from primum.safety.remembered import remembered

_LETTER = r"[^\W\d_][\u0300-\u036f]*"
_WORD = re.compile(rf"(?:{_LETTER}\.)(?:-?{_LETTER}\.)*|(?:{_LETTER})+(?:['’ʼ](?!s\b)(?:{_LETTER})+|-(?:{_LETTER})+)*")
_GAP = re.compile(r"[^\S\n]{1,2}")
_FOLLOWING = 40  # characters behind a name in which what it names is told


@dataclass(frozen=True)
class Capital:
    """A word at `start:end` that has a capital, or a particle such as "van" between two of them."""

    start: int
    end: int
    word: str

    @property
    def is_initial(self) -> bool:
        return len(self.word.strip(".")) == 1 or self.word.endswith(".")

    @property
    def is_place(self) -> bool:
        return fold(self.word) in places()


def words_of(text: str) -> list[Capital]:
    """Every word of a text."""
    return [Capital(*found.span(), found.group()) for found in _WORD.finditer(text)]


@remembered(maxsize=64)
def capitals(text: str) -> list[list[Capital]]:
    """Rows of words with a capital, only a space between two of them."""
    rows: list[list[Capital]] = [[]]
    for one in words_of(text):
        if rows[-1] and not _GAP.fullmatch(text, rows[-1][-1].end, one.start):
            rows.append([])
        if one.word[0].isupper() or (rows[-1] and fold(one.word) in folded("particles")):
            rows[-1].append(one)
        elif rows[-1]:
            rows.append([])
    return [trimmed for row in rows if (trimmed := _trimmed(row))]


def _trimmed(row: list[Capital]) -> list[Capital]:
    """A row without particles at its end."""
    last = max((at for at, one in enumerate(row) if one.word[0].isupper()), default=-1)
    return row[: last + 1]


@cache
def _thing_after() -> re.Pattern[str]:
    return re.compile(rf"(?:['’]s?)?(?:[\s-]+[\w'’-]+)?[\s-]+{any_of('thing_after')}\b", re.IGNORECASE)


def is_thing(text: str, start: int, end: int) -> bool:
    """Whether a name is that of a condition, a sign, a test or a device: "Crohn's disease", "Foley catheter"."""
    following = text[end : end + _FOLLOWING]
    direct = re.match(r"(?:['’]s?)?[\s-]+([^\W\d_]+)", following)
    if direct and fold(direct[1]) in folded("thing_after"):
        return True
    words = re.findall(r"[^\W\d_]+", text[start:end])
    return bool(words) and all(map(is_eponym, words)) and bool(_thing_after().match(following))
