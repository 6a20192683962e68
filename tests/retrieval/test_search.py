from pathlib import Path

import pytest

from primum.memory.session import Database
from primum.retrieval.ingest import ingest
from primum.retrieval.search import Passage, Retriever
from tests.fakes import FakeEmbedder

PAGES = {
    "diabetes": "---\naliases: [sugar sickness]\nreviewed: 2026-01-02\n---\n# Type 2 diabetes\n\n"
    "Blood glucose is too high.\n\n## Symptoms\nThirst, tiredness and passing urine often.",
    "ibuprofen": "# Ibuprofen\n\nIbuprofen treats pain and fever.\n\n## Pregnancy\nAvoid it while pregnant.",
    "flu": "# Flu\n\nPain, fever and tiredness are common with flu.\n\n## Treatment\nRest and water treat flu.",
    "zoster": "# Shingles\n\nA painful rash. The cause is varicella.\n\n## Treatment\nRest treats pain and fever.",
}


@pytest.fixture
async def library(database: Database, tmp_path: Path) -> Retriever:
    for name, page in PAGES.items():
        (tmp_path / f"{name}.md").write_text(page)
    embedder = FakeEmbedder()
    await ingest([tmp_path], database, embedder)
    return Retriever(database, embedder)


def places(passages: list[Passage]) -> list[tuple[str, str]]:
    return [(passage.title, passage.heading) for passage in passages]


async def test_the_passage_of_the_asked_section_comes_first(library: Retriever) -> None:
    found = await library.search(["symptoms of type 2 diabetes"], 3)
    assert places(found)[0] == ("Type 2 diabetes", "Symptoms")
    assert [passage.score for passage in found] == sorted((p.score for p in found), reverse=True)


async def test_a_passage_carries_what_a_citation_needs(library: Retriever) -> None:
    (found,) = await library.search(["thirst and tiredness"], 1)
    assert (found.title, found.heading, found.reviewed) == ("Type 2 diabetes", "Symptoms", "2026-01-02")
    assert found.text == "Thirst, tiredness and passing urine often."
    assert found.stop - found.start == len(found.text)
    assert 0 < found.similarity <= 1


async def test_a_rare_word_finds_its_passage_among_frequent_ones(library: Retriever) -> None:
    assert places(await library.search(["pain of varicella"], 1)) == [("Shingles", "")]


async def test_an_alias_finds_the_page(library: Retriever) -> None:
    assert (await library.search(["sugar sickness"], 1))[0].title == "Type 2 diabetes"


async def test_several_queries_are_searched_together_and_nothing_comes_twice(library: Retriever) -> None:
    found = await library.search(["ibuprofen pregnancy", "flu treatment", "flu treatment"], 8)
    assert {("Ibuprofen", "Pregnancy"), ("Flu", "Treatment")} == set(places(found)[:2])
    assert len({passage.chunk_id for passage in found}) == len(found) == 8


async def test_k_limits_what_is_found(library: Retriever) -> None:
    assert len(await library.search(["fever"], 2)) == 2


@pytest.mark.parametrize(
    "query", ["", "the of and", "?!", "頭痛", "'; drop table chunks; --", "x" * 10_000, "\0\ud800"]
)
async def test_a_query_without_a_known_word_still_answers(library: Retriever, query: str) -> None:
    assert len(await library.search([query], 3)) == 3


async def test_an_empty_library_and_no_query_find_nothing(database: Database, library: Retriever) -> None:
    assert await library.search([], 3) == []


async def test_a_library_without_documents_finds_nothing(database: Database) -> None:
    empty = Retriever(database, FakeEmbedder())
    assert await empty.search(["fever"], 3) == []
    assert await empty.version() == ""
    assert (await empty.state())["documents"] == 0


async def test_passages_are_read_again_in_the_given_order_and_missing_ones_left_out(library: Retriever) -> None:
    first, second = (await library.search(["flu treatment"], 2))[:2]
    read = await library.read([second.chunk_id, 10**9, first.chunk_id])
    assert [(p.chunk_id, p.text) for p in read] == [(p.chunk_id, p.text) for p in (second, first)]


async def test_a_document_is_read_in_its_order(library: Retriever) -> None:
    (found,) = await library.search(["ibuprofen pregnancy"], 1)
    assert [p.heading for p in await library.document(found.document_id)] == ["", "Pregnancy"]
    assert await library.document(10**9) == []


async def test_the_state_counts_documents_and_chunks(library: Retriever) -> None:
    state = await library.state()
    assert (state["documents"], state["chunks"], state["embedder"]) == (4, 8, "fake")


async def test_texts_are_embedded_to_compare_them(library: Retriever) -> None:
    one, same, other = await library.embed(["a fever", "fever a", "shingles rash"])
    assert one == same
    assert sum(a * b for a, b in zip(one, other, strict=True)) < 0.5
