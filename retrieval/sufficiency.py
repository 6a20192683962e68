"""Whether what was found is enough to answer from, as a probability."""

import math
from collections.abc import Sequence

from primum.retrieval.search import Passage

ENOUGH, NOTHING = 0.5, 0.1

# Logistic regression on MedQuAD's questions with their topic in the library, and with all pages of that title taken
# out: `primum eval sufficiency` prints the fit. By likeness and words together, and by words alone for an embedder
# whose likenesses mean something else. Area under the curve on the other half of the questions: 0.91 and 0.88.
_FITTED = {"minilm": (-13.4, 11.5, 21.0)}
_BY_WORDS = (-5.65, 0.0, 22.4)


def sufficiency(passages: Sequence[Passage], embedder: str) -> float:
    """How likely the best of these passages belong to the question's topic, 0 to 1; words alone never say "nothing"."""
    if not passages:
        return 0.0
    bias, of_likeness, of_words = _FITTED.get(embedder, _BY_WORDS)
    likeness, words = features(passages)
    found = 1 / (1 + math.exp(-(bias + of_likeness * likeness + of_words * words)))
    return found if embedder in _FITTED else max(NOTHING, found)


def features(passages: Sequence[Passage]) -> tuple[float, float]:
    """The likeness of the nearest passage, and the words of the first."""
    return max(passage.similarity for passage in passages), passages[0].words
