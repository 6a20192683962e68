import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from primum.graph.errors import BadInput
from primum.memory.session import Database
from primum.retrieval import index, search
from primum.retrieval.ingest import ingest
from primum.retrieval.reembed import reembed
from primum.retrieval.search import EVERYTHING, Filter, Passage, Retriever
from tests.fakes import FakeEmbedder
from tests.pages import write_pages
from tests.retrieval.test_ingest import rows

ASKED = ["how is gout treated", "ibuprofen while pregnant", "a cough that does not end"]
KINDS = ["halfvec", "binary", "none"]


@pytest.fixture
async def library(database: Database, tmp_path: Path) -> Database:
    await ingest([write_pages(tmp_path)], database, FakeEmbedder())
    (tmp_path / "own.md").write_text("# Our gout\n\nGout is treated with colchicine in our clinic.")
    await ingest([tmp_path / "own.md"], database, FakeEmbedder(), tenant="clinic")
    return database


async def found(database: Database, tenant: str = "", only: Filter = EVERYTHING) -> list[Passage]:
    """With its vectors compared, as in a library in which words alone don't bring every chunk."""
    retriever = Retriever(database, FakeEmbedder(), tenant)
    return [passage for query in ASKED for passage in await retriever.search([query], 5, only)]


async def indexes(database: Database) -> list[str]:
    defined = "select indexdef from pg_indexes where tablename = 'chunks_shared' and indexdef like '%hnsw%'"
    return [str(row[0]) for row in await rows(database, defined)]


@pytest.mark.parametrize("tenant", ["", "clinic"])
@pytest.mark.parametrize("only", [EVERYTHING, Filter(languages=("en",))])
async def test_every_kind_of_index_finds_the_same(
    library: Database, tenant: str, only: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_FEW_CHUNKS", 0)  # nothing is compared one by one
    before = await found(library, tenant, only)
    assert {p.title for p in before} >= ({"Our gout"} if tenant else {"Gout"})
    for kind in ("binary", "none", "halfvec"):
        assert await index.change_vector_index(library, kind)
        assert await found(library, tenant, only) == before
        assert not await index.change_vector_index(library, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tenant", ["", "clinic"])
@pytest.mark.parametrize("only", [EVERYTHING, Filter(languages=("en",))])
async def test_in_a_library_of_many_chunks_more_of_them_are_scored(
    library: Database, kind: str, tenant: str, only: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index.change_vector_index(library, kind)
    monkeypatch.setattr(search, "_FEW_CHUNKS", 0)
    monkeypatch.setattr(search, "_DEPTH", 1)

    async def scored() -> int:
        return len(await Retriever(library, FakeEmbedder(), tenant).search(ASKED[:1], 50, only))

    few = await scored()
    monkeypatch.setattr(search, "_LARGE", 0)
    assert 1 <= few < await scored()


async def test_searches_find_the_same_before_while_and_after_the_index_changes(library: Database) -> None:
    retriever = Retriever(library, FakeEmbedder())
    before = await retriever.search(ASKED, 5)
    changing = asyncio.create_task(index.change_vector_index(library, "binary"))
    while not changing.done():
        assert await retriever.search(ASKED, 5) == before
    assert await changing and await retriever.search(ASKED, 5) == before


@pytest.mark.parametrize(("kind", "distance"), [("halfvec", "halfvec_cosine_ops"), ("binary", "bit_hamming_ops")])
async def test_the_index_of_that_kind_is_there_and_searches_use_it(library: Database, kind: str, distance: str) -> None:
    await index.change_vector_index(library, kind)
    (defined,) = await indexes(library)
    assert distance in defined
    statement = search.statement(64, "", "", kind)
    given = {
        "vectors": [str([1.0] * 64)],
        "texts": ["gout"],
        "k": 3,
        "of_one": 2,
        "fingerprint": "fake-64",
        "tenant": "",
    }
    async with library.begin() as connection:
        await connection.execute(text("set local enable_seqscan = off"))
        await connection.execute(text("set local enable_sort = off"))
        plan = "\n".join(row[0] for row in await connection.execute(text(f"explain {statement}"), given))
    assert f"Index Scan using {defined.split()[2]}" in plan


@pytest.mark.parametrize("kind", KINDS)
async def test_a_new_embedder_keeps_the_kind(library: Database, kind: str) -> None:
    await index.change_vector_index(library, kind)
    await reembed(library, FakeEmbedder("new", 128))
    defined = await indexes(library)
    assert len(defined) == (kind != "none") and all("(128)" in one for one in defined)
    assert (await Retriever(library, FakeEmbedder("new", 128)).search(ASKED[:1], 1))[0].title == "Gout"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_library_that_was_emptied_keeps_the_kind(library: Database, kind: str, tmp_path: Path) -> None:
    await index.change_vector_index(library, kind)
    async with library.begin() as connection:
        await index.lock(connection)
        for tenant in ("", "clinic"):
            uris = await rows(library, f"select uri from documents where tenant = '{tenant}'")
            await index.remove(connection, [str(uri) for (uri,) in uris], tenant)
    (tmp_path / "one.md").write_text("# Flu\n\nRest helps.")
    await ingest([tmp_path / "one.md"], library, FakeEmbedder("new", 32))
    assert (await Retriever(library, FakeEmbedder("new", 32)).search(["flu"], 1))[0].title == "Flu"
    assert await rows(library, "select vector_index from corpus") == [(kind,)]
    assert len(await indexes(library)) == (kind != "none")


async def test_what_a_broken_change_left_is_no_hindrance(library: Database) -> None:
    async with library.begin() as connection:
        await connection.execute(text("create index ix_chunks_other_embedding on chunks (ordinal)"))
    assert await index.change_vector_index(library, "binary")
    assert ["bit_hamming_ops" in one for one in await indexes(library)] == [True]


async def test_an_empty_database_has_no_index_to_change(database: Database) -> None:
    with pytest.raises(BadInput, match="put documents into it first"):
        await index.change_vector_index(database, "binary")
