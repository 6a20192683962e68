"""Whether what was found is enough to answer from, as a probability."""

import math
from collections.abc import Sequence

from primum.retrieval.search import Passage

ENOUGH, NOTHING = 0.5, 0.1

# Logistic regression on two sets of questions, each with its topic in the library and with it taken out: MedQuAD's
# (413 and 440) and MedicationQA's among 2,000 other documents (595 and 647). By likeness and words together, and by
# words alone for an embedder whose likenesses mean something else; `primum eval sufficiency` prints a fit.
#                         area under the curve   there, but < NOTHING   gone, and < NOTHING   gone, but >= ENOUGH
#   MedQuAD / MedicationQA      0.90 / 0.91            0 % / 2 %             24 % / 58 %           27 % / 15 %
_FITTED = {"minilm": (-9.59, 10.82, 9.08)}
_BY_WORDS = (-2.95, 0.0, 10.71)


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
