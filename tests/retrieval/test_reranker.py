from collections.abc import Sequence
from pathlib import Path

import pytest

from primum.graph.errors import RetrievalFailed
from primum.memory.session import Database
from primum.retrieval.ingest import ingest
from primum.retrieval.reranker import load_reranker
from primum.retrieval.search import Retriever
from tests.fakes import FakeEmbedder
from tests.pages import write_pages

TEXTS = ["asthma makes breathing hard", "the heart pumps blood", "asthma"]


class Counting:
    """Ranks by how often a text has the letter z."""

    name = "counting"

    def __init__(self) -> None:
        self.read: list[str] = []

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        self.read += texts
        return [text.count("z") / len(text) for text in texts]


async def test_what_a_search_found_is_ranked_by_the_reranker(database: Database, tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    await ingest([write_pages(tmp_path)], database, embedder)
    plain, reranker = Retriever(database, embedder), Counting()
    found = await Retriever(database, embedder, reranker=reranker).of("").search(["pain", "fever"], 3)
    everything = await plain.search(["pain", "fever"], 40)
    assert len(reranker.read) == 2 * len(everything)
    best = max(everything, key=lambda p: f"{p.title}{p.heading}{p.text}".count("z") / len(p.text))
    assert len(found) == 3 and found[0].chunk_id == best.chunk_id
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_a_cross_encoder_scores_each_text_between_0_and_1_the_same_alone_and_among_others(tiny_reranker: Path) -> None:
    reranker = load_reranker(str(tiny_reranker))
    together = reranker.score("the heart", TEXTS)
    assert together == pytest.approx([reranker.score("the heart", [text])[0] for text in TEXTS], abs=1e-3)
    assert all(0 <= score <= 1 for score in together) and len({round(score, 6) for score in together}) == 3
    assert reranker.score("the heart", []) == []


def test_bge_m3_ranks_a_text_that_repeats_the_question_first(tiny_m3: Path) -> None:
    reranker = load_reranker(f"m3:{tiny_m3}")
    scores = reranker.score(TEXTS[1], TEXTS)
    assert max(scores) == scores[1] and all(0 <= score <= 1 for score in scores)
    assert reranker.score("asthma", []) == []


def test_a_reranker_that_is_nowhere_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(RetrievalFailed, match="PRIMUM_RERANKER=no such model"):
        load_reranker("no such model")
    with pytest.raises(RetrievalFailed, match="can't be loaded"):
        load_reranker(str(tmp_path))
