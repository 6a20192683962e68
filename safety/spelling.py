"""What a misspelt word can stand for: the known words nearest to it, by the same cautious rules for every list."""

from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA, Indel

_LONG = 10  # letters from which on two slips are forgiven


class Spellings:
    """Known words, to be found by their misspellings."""

    def __init__(self, words: Iterable[str]) -> None:
        self._by_first: dict[str, list[str]] = {}
        for word in dict.fromkeys(words):
            self._by_first.setdefault(word[0], []).append(word)

    def nearest(self, word: str) -> tuple[str, ...]:
        """The known words that are the fewest slips away, in the order in which they were given; mostly none or one.

        They open with the same letter, and are one slip away, or two if they have ten letters or more. A slip is a
        letter changed, left out, put in, swapped with the next (optimal string alignment), or moved.
        """
        known = self._by_first.get(word[:1], [])
        near = process.extract(word, known, scorer=OSA.distance, score_cutoff=2, limit=None)
        slips = {place: _slips(word, name, int(distance)) for name, distance, place in near}
        forgiven = {place: count for place, count in slips.items() if count <= (2 if len(known[place]) >= _LONG else 1)}
        fewest = min(forgiven.values(), default=0)
        return tuple(known[place] for place, count in sorted(forgiven.items()) if count == fewest)


def _slips(word: str, known: str, distance: int) -> int:
    moved = distance == 2 and Indel.distance(word, known) == 2 and sorted(word) == sorted(known)
    return 1 if moved else distance
