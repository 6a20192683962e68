from dataclasses import replace

import pytest

from primum.retrieval.search import Passage
from primum.retrieval.sufficiency import ENOUGH, NOTHING, sufficiency

OTHER = "an embedder that nobody calibrated"


PASSAGE = Passage(
    *(1, 1, "", "", "", "page", "text", 0, 4, None, [], None, None, "", "", "en", "", False),
    score=1.0,
    similarity=0.0,
    words=0.0,
)


def found(*scores: tuple[float, float]) -> list[Passage]:
    """Passages of these likenesses and words."""
    return [replace(PASSAGE, similarity=similarity, words=words) for similarity, words in scores]


def test_nothing_found_is_not_enough() -> None:
    assert sufficiency([], "minilm") == 0


@pytest.mark.parametrize("embedder", ["minilm", OTHER])
def test_what_is_alike_and_holds_the_questions_words_is_enough(embedder: str) -> None:
    assert sufficiency(found((0.75, 0.5), (0.6, 0.1)), embedder) >= ENOUGH


def test_what_is_neither_alike_nor_holds_its_words_is_nothing() -> None:
    assert sufficiency(found((0.4, 0.05)), "minilm") < NOTHING


def test_an_embedder_that_nobody_calibrated_never_leads_to_nothing() -> None:
    assert NOTHING <= sufficiency(found((0.0, 0.0)), OTHER) < ENOUGH
    assert sufficiency(found((0.9, 0.1)), OTHER) == sufficiency(found((0.1, 0.1)), OTHER)


@pytest.mark.parametrize("embedder", ["minilm", OTHER])
def test_it_never_falls_with_more_words(embedder: str) -> None:
    rising = [sufficiency(found((0.6, words / 10)), embedder) for words in range(11)]
    assert rising == sorted(rising)
