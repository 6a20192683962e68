"""Words as the support check sees them: stemmed, without small words, synonyms as one."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from math import ceil

import snowballstemmer

from primum.safety.remembered import remembered

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:[.,]\d+)*")
_DATA = files("primum.safety") / "data"
_STOP = frozenset(
    "a an and are as at be by for from he her his i in is it its of on or she that the their them they to was we "
    "were will with you your yours am been being but can could did do does had has have if into may might must "
    "no nor not shall should so such than then there these this those too very would also any some most more "
    "s t don t doesn isn aren won shouldn mustn cannot never without ll re ve".split()
)
_stemmer = snowballstemmer.stemmer("english")
# What judges must not share its stem with what does not: "severe" and "several", "effective" and "effect".
_OWN_STEM = {word: word for word in ("several", "quite", "effective", "ineffective")} | {
    "effectively": "effective", "taken": "take", "took": "take", "given": "give", "gave": "give", "seen": "see",
    "felt": "feel", "gone": "go", "went": "go", "got": "get", "made": "make", "eaten": "eat", "ate": "eat",
    "drank": "drink", "drunk": "drink", "slept": "sleep", "began": "begin", "begun": "begin", "worn": "wear",
    "grew": "grow", "grown": "grow", "broken": "break", "broke": "break", "kept": "keep", "left": "leave",
    "lost": "lose", "held": "hold", "came": "come", "found": "find", "fed": "feed", "bled": "bleed", "fell": "fall",
    "fallen": "fall", "rose": "rise", "risen": "rise", "spread": "spread", "swollen": "swell", "women": "woman",
    "men": "man", "feet": "foot", "teeth": "tooth", "worse": "worse",
}  # fmt: skip


def tokens(text: str) -> list[str]:
    """The words of the text in lower case, contractions cut at the apostrophe."""
    words = _WORD.findall(text.lower())
    if "'" not in text and "’" not in text:
        return words
    return [part for word in words for part in re.split(r"['’]", word) if part]


@remembered(maxsize=65536)
def stem(word: str) -> str:
    return _OWN_STEM.get(word) or str(_stemmer.stemWord(word))


@cache
def _general() -> frozenset[str]:
    lines = (_DATA / "general_words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(stem(word) for line in lines if not line.startswith("#") for word in line.split())


def is_common(word: str) -> bool:
    """Whether it is a small or a general word, which carries no claim."""
    return word.lower() in _STOP or stem(word.lower()) in _general()


@cache
def _synonyms() -> tuple[dict[str, frozenset[int]], dict[tuple[str, ...], frozenset[int]]]:
    """Groups by single stem and by several stems in a row."""
    single: dict[str, set[int]] = {}
    several: dict[tuple[str, ...], set[int]] = {}
    lines = (_DATA / "synonyms.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(row for row in lines if row and not row.startswith("#")):
        for term in line.split(","):
            stems = tuple(stem(word) for word in tokens(term))
            if len(stems) == 1:
                single.setdefault(stems[0], set()).add(number)
            else:
                several.setdefault(stems, set()).add(number)
    return (
        {key: frozenset(value) for key, value in single.items()},
        {key: frozenset(value) for key, value in several.items()},
    )


class Bag:
    """The stems and synonym groups of a text, to ask whether it says a word."""

    def __init__(self, stems: frozenset[str], groups: frozenset[int]) -> None:
        self.stems = stems
        self.groups = groups
        self._said: dict[str, bool] = {}
        self._heads: dict[str, list[str]] | None = None

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Bag":
        bags = [_bag(text) for text in texts]
        return cls(frozenset().union(*(b.stems for b in bags)), frozenset().union(*(b.groups for b in bags)))

    def says(self, word: str) -> bool:
        """Whether the word, a synonym or one of the same family stands in the text."""
        said = self._said.get(word)
        if said is None:
            one = stem(word)
            single, _ = _synonyms()
            said = one in self.stems or not self.groups.isdisjoint(single.get(one, ())) or self._family(one)
            self._said[word] = said
        return said

    def _family(self, one: str) -> bool:
        """`diagnos` and `diagnosi`, `asthma` and `asthmat`: four fifths of a long word in common."""
        if len(one) < 6:
            return False
        if self._heads is None:
            self._heads = {}
            for other in self.stems:
                self._heads.setdefault(other[:5], []).append(other)
        size = max(5, ceil(len(one) * 0.8))
        head = one[:size]
        return any(other.startswith(head) and len(other) * 0.8 <= size for other in self._heads.get(one[:5], ()))


@remembered(maxsize=16384)
def _bag(text: str) -> Bag:
    single, several = _synonyms()
    stems = [stem(word) for word in tokens(text)]
    groups = {group for one in stems for group in single.get(one, ())}
    for position in range(len(stems) - 1):
        for size in (2, 3):
            groups |= several.get(tuple(stems[position : position + size]), frozenset())
    return Bag(frozenset(stems), frozenset(groups))


@remembered(maxsize=8192)
def content(text: str) -> tuple[str, ...]:
    """All words but the small ones, each once, no numbers."""
    found = (word for word in tokens(text) if not word[0].isdigit() and word not in _STOP and len(word) > 1)
    return tuple({stem(word): word for word in found}.values())


@remembered(maxsize=8192)
def claims(text: str) -> tuple[str, ...]:
    """The words that claim something: neither small words nor general ones, each once, no numbers."""
    general = _general()
    return tuple(word for word in content(text) if stem(word) not in general)


def says_phrase(bag: Bag, text: str) -> set[str]:
    """Words of the text that belong to a term of several words whose synonym the bag says ("pins and needles")."""
    return {word for run, groups in _terms(text) if groups & bag.groups for word in run}


@remembered(maxsize=8192)
def _terms(text: str) -> tuple[tuple[list[str], frozenset[int]], ...]:
    """The terms of several words in a text, each with its groups of synonyms."""
    _, several = _synonyms()
    words = tokens(text)
    runs = (words[position : position + size] for position in range(len(words)) for size in (2, 3))
    return tuple((run, groups) for run in runs if (groups := several.get(tuple(map(stem, run)))))
