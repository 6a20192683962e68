"""Known phrases in a text, whatever its accents, capitals and spaces."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import pairwise

from primum.safety.remembered import remembered

_CJK = re.compile(r"[\u3400-\u9fff]")
_SCRIPTS = re.compile(r"(?<=[\u3400-\u9fff])(?=[a-z])|(?<=[a-z])(?=[\u3400-\u9fff])")
_NO_WORD = re.compile(r"[^\w+]|_")
_PLAIN_WORD = re.compile(r"[\w+]+")
_IN_ES = re.compile(r"(?:[sxz]|[cs]h)es$")  # of "hives" no plural of "hiv"
_GAP = 3  # characters between two words of a phrase
_CLOSE = 0.86  # how alike a misspelling must be; below it "hepatic" meets "herpetic"


@remembered(maxsize=4096)
def plain(text: str) -> str:
    """The text in lower case without accents, its words parted by one space."""
    bare = text.lower()
    if not bare.isascii():
        bare = "".join(c for c in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(c))
        bare = _SCRIPTS.sub(" ", bare)
    return " ".join(_NO_WORD.sub(" ", bare).split())


def _anyhow_spaced(phrase: str) -> str:
    """The expression of a Chinese phrase that may hold letters, as `维生素 b6` does, with or without the space."""
    return re.escape(phrase).replace(r"\ ", r"\s?") + (r"(?![a-z\d])" if phrase[-1].isascii() else "")


class Phrases:
    """Known phrases, found in a text the longest first, none inside another."""

    def __init__(self, meanings: Mapping[str, str]) -> None:
        self.meanings = {plain(phrase): meaning for phrase, meaning in meanings.items()}
        chinese = sorted(filter(_CJK.search, self.meanings), key=len, reverse=True)
        self._chinese = re.compile("|".join(map(_anyhow_spaced, chinese)) or "(?!)")
        self._alike: dict[str, list[str]] = {}
        sizes: dict[str, set[int]] = {}
        for phrase in self.meanings:
            self._alike.setdefault(phrase[:4], []).append(phrase)
            if " " in phrase:
                sizes.setdefault(phrase.split(" ", 1)[0], set()).add(phrase.count(" ") + 1)
        self._sizes = {word: sorted(lengths, reverse=True) for word, lengths in sizes.items()}
        self.nearest = remembered(maxsize=4096)(self._nearest)

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """Start and stop in `plain(text)`, and what the phrase means."""
        return self.places(plain(text))

    def places(self, text: str) -> list[tuple[int, int, str]]:
        """Start and stop in a text of small letters without accents, and what the phrase means."""
        han = self._chinese.finditer(text) if _CJK.search(text) else ()
        signs = [(match.start(), match.end(), self.meanings[plain(match.group())]) for match in han]
        found = signs.copy()
        words = [(*match.span(), match.group()) for match in _PLAIN_WORD.finditer(text)]
        place = 0
        while place < len(words):
            size, meaning = self._longest(words, place)
            start, stop = words[place][0], words[place + size - 1][1]
            if meaning and all(stop <= a or start >= b for a, b, _ in signs):
                found.append((start, stop, meaning))
            place += size
        return sorted(found)

    def _longest(self, words: list[tuple[int, int, str]], place: int) -> tuple[int, str]:
        """How many words the longest phrase here has, and what it means: one and nothing, if there is none."""
        for size in self._sizes.get(words[place][2], ()):
            here = words[place : place + size]
            near = len(here) == size and all(b[0] - a[1] <= _GAP for a, b in pairwise(here))
            if near and (said := self._said(" ".join(word for *_, word in here))):
                return size, said
        return 1, self._said(words[place][2])

    def _said(self, phrase: str) -> str:
        """What a phrase means, in the singular or in the plural."""
        meaning = self.meanings.get(phrase)
        if meaning is None and phrase.endswith("s"):
            meaning = self.meanings.get(phrase[:-1])
        if meaning is None and _IN_ES.search(phrase):
            meaning = self.meanings.get(phrase[:-2])
        return meaning or ""

    def _nearest(self, text: str) -> str | None:
        """The meaning of a misspelt phrase whose first four letters are right, so that hypo- is never hyper-."""
        words = plain(text).split()
        for size in range(min(4, len(words)), 0, -1):
            for start in range(len(words) - size + 1):
                phrase = " ".join(words[start : start + size])
                if len(phrase) < 6 or "stage" in phrase:
                    continue
                if close := get_close_matches(phrase, self._alike.get(phrase[:4], ()), n=1, cutoff=_CLOSE):
                    return self.meanings[close[0]]
        return None


def blanked(text: str, places: Iterable[tuple[int, int, str]]) -> str:
    """The plain text with the places that `Phrases.find` gave left out."""
    rest = plain(text)
    for start, stop, _ in sorted(places, reverse=True):
        rest = f"{rest[:start]};{rest[stop:]}"
    return rest
