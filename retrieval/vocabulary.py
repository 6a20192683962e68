"""The words of the library, and what a misspelt word of a question can stand for among them."""

import re
from collections.abc import Mapping
from functools import cache

from spellchecker import SpellChecker

from primum.retrieval.terms import bare, folded, vocabulary
from primum.safety.language import SPANISH, Language
from primum.safety.lexicon import drugs, mentions
from primum.safety.remembered import remembered
from primum.safety.spelling import Spellings
from primum.safety.words import claims, stem

WORDS = 50_000  # stems that are read of a library, the most frequent ones
SEEN = 3  # chunks that a stem stands in, or it may be a slip itself
_SHORT = 5  # letters from which a word is corrected
_OPPOSED = re.compile(r"hyper|hypo")  # two slips apart, and never meant for each other
_WORD = re.compile(r"(?<![\w.'’-])[^\W\d_]+(?![\w'’-]|\.\w)")


class Vocabulary:
    """The library's stems with the number of chunks that each stands in."""

    def __init__(self, stems: Mapping[str, int]) -> None:
        self._stems = stems
        usual = [word for word, seen in stems.items() if seen >= SEEN and len(word) >= 4 and word.isalpha()]
        self._spellings = Spellings(usual)

    def corrected(self, question: str, language: Language) -> str:
        """The question with misspelt words put right; Chinese stays as it is, and so do numbers and capitals."""
        if language == "zh":
            return question
        return _WORD.sub(lambda place: self._right(place.group(), language) or place.group(), question)

    def _right(self, word: str, language: Language) -> str:
        """What a word that nobody knows stands for; nothing if it is known, or could be several things."""
        plain = folded(word)
        if len(plain) < _SHORT or word[1:] != word[1:].lower() or self._known(plain, language):
            return ""
        near = _near(plain, language) or (self._nearest_stem(plain) if language == "en" else ())
        near = tuple(one for one in near if _OPPOSED.match(one) is None or one[:4] == plain[:4])
        meant = {one for one in near if not drugs(one)}
        medicines = {mention.name for mention in mentions(plain)} | {name for one in near for name in drugs(one)}
        # A medicine is taken only where nothing else is as near: a wrong one is worse than none.
        if medicines:
            return medicines.pop().replace("-", " ") if len(medicines) == 1 and not meant else ""
        return max(sorted(meant), key=self._seen) if len({stem(one) for one in meant}) == 1 else ""

    def _known(self, word: str, language: Language) -> bool:
        if word in _dictionary(language) or word in vocabulary(language) or drugs(word):
            return True
        if language == "es":
            return any(bare(word, "es") == bare(one, "es") for one in _near(word)) or self._known(word, "en")
        return stem(word) in self._stems or not claims(word)

    def _nearest_stem(self, word: str) -> tuple[str, ...]:
        """Words of the library, by their stems, since these are all that its index keeps."""
        return tuple(map(_surface, self._spellings.nearest(stem(word))))

    def _seen(self, word: str) -> int:
        return self._stems.get(stem(word), 0)


@cache
def _dictionary(language: Language) -> frozenset[str]:
    """The language's own words. Source: the frequency lists of pyspellchecker, from film subtitles."""
    listed = SpellChecker(language=language).word_frequency.dictionary
    return frozenset(map(folded, [*listed, *(SPANISH if language == "es" else ())]))


@cache
def _spellings(language: Language) -> Spellings:
    return Spellings(sorted(word for word in vocabulary(language) if len(word) >= _SHORT))


def _near(word: str, language: Language = "es") -> tuple[str, ...]:
    return _spellings(language).nearest(word)


@remembered(maxsize=4096)
def _surface(of: str) -> str:
    """The shortest written word of a stem; the stem where no list has one."""
    opening = of[: max(4, len(of) - 1)]
    words = (word for word in vocabulary("en") | _dictionary("en") if word.startswith(opening) and stem(word) == of)
    return min(words, key=lambda word: (len(word), word), default=of)
