"""Documents that nearly repeat each other, vectors too long for a row, and the two ways into the library at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from primum.graph.errors import BadInput
from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.ingest import Change, IngestReport, embed, prepare, store, write
from primum.retrieval.loaders import Source
from primum.retrieval.reembed import reembed
from primum.retrieval.search import Retriever
from tests.fakes import FakeEmbedder

STORY = " ".join(f"Sentence {number} tells of gout, its causes and its cure." for number in range(60))
OTHER = " ".join(f"Line {number} is on gout in the young, and how cure follows cause." for number in range(60))
EMBEDDER = FakeEmbedder()


def source(name: str, said: str = STORY, **fields: Any) -> Source:
    return replace(Source(uri=name, title="Gout", text=f"{said} Told by {name}."), **fields)


async def put(database: Database, *sources: Source) -> None:
    async with database.begin() as connection:
        await index.claim(connection, EMBEDDER)
    change = await prepare(sources, database, EMBEDDER, "")
    embed(change, EMBEDDER)
    await write(change, database, EMBEDDER, "", IngestReport())


async def take(database: Database, *uris: str) -> None:
    async with database.begin() as connection:
        await index.lock(connection)
        await index.remove(connection, uris, "")


async def found(database: Database) -> list[str]:
    """By their names, what a search finds."""
    passages = await Retriever(database, EMBEDDER).search(["causes and cure of gout"], 20)
    async with database.begin() as connection:
        names = await connection.scalars(
            text("select uri from documents where id = any(:ids) order by uri"),
            {"ids": [passage.document_id for passage in passages]},
        )
        return list(names)


async def test_what_says_the_same_of_something_else_is_found_beside_it(database: Database) -> None:
    await put(database, source("a"), source("b", title="Pseudogout"), source("c", title="GOUT"))
    assert await found(database) == ["a", "b"]


async def test_a_new_version_stands_for_its_repeats_as_the_older_one_did(database: Database) -> None:
    await put(database, source("a"))
    await put(database, source("b"))
    await put(database, source("a", f"{STORY} Mended."))
    assert await found(database) == ["a"]
    await put(database, source("a", OTHER))
    assert await found(database) == ["a", "b"]


async def test_of_several_repeats_of_what_is_gone_one_is_found(database: Database) -> None:
    await put(database, source("a"))
    await put(database, source("b"), source("c"))
    assert await found(database) == ["a"]
    await take(database, "a")
    assert await found(database) == ["b"]


async def test_what_was_retracted_stands_for_nothing_that_was_not(database: Database) -> None:
    await put(database, source("a", retracted=True))
    await put(database, source("b"))
    assert "b" in await found(database)
    await put(database, source("c", retracted=True))
    assert "c" not in await found(database)


async def test_what_goes_earlier_stands_for_nothing_that_stays_longer(database: Database) -> None:
    now = datetime.now(UTC)
    await store([source("a")], database, EMBEDDER, now + timedelta(hours=1))
    await store([source("b")], database, EMBEDDER, now + timedelta(hours=2))
    await store([source("c")], database, EMBEDDER, now + timedelta(hours=1))
    assert await found(database) == ["a", "b"]
    await store([source("c")], database, EMBEDDER, now + timedelta(hours=3))
    assert await found(database) == ["a", "b", "c"]


async def test_what_was_put_in_for_good_while_it_was_fetched_stays(database: Database) -> None:
    async with database.begin() as connection:
        await index.claim(connection, EMBEDDER)
    fetched = source("a", "Fetched.")
    change: Change = await prepare([fetched], database, EMBEDDER, "", expiring=True)
    embed(change, EMBEDDER)
    await put(database, source("a", "Put in."))
    report = IngestReport()
    await write(change, database, EMBEDDER, "", report, datetime.now(UTC) + timedelta(hours=1))
    assert (report.added, report.replaced, report.unchanged) == (0, 0, 1)
    async with database.begin() as connection:
        (kept,) = (await connection.execute(text("select text from documents where replaced_at is null"))).scalars()
    assert kept.startswith("Put in.")


@pytest.mark.parametrize(("old", "new"), [(64, 3_900), (3_900, 64), (2_500, 2_560)])
async def test_long_vectors_are_stored_and_take_the_place_of_others(database: Database, old: int, new: int) -> None:
    before, after = FakeEmbedder("before", old), FakeEmbedder("after", new)
    async with database.begin() as connection:
        await index.claim(connection, before)
    change = await prepare([source("a")], database, before, "")
    embed(change, before)
    await write(change, database, before, "", IngestReport())
    assert await Retriever(database, before).search(["gout"], 3)
    assert await reembed(database, after) > 0
    assert await Retriever(database, after).search(["gout"], 3)


async def test_vectors_that_no_index_takes_are_refused_before_anything_is_written(database: Database) -> None:
    longest = FakeEmbedder("longest", 4_096)
    async with database.begin() as connection:
        with pytest.raises(BadInput, match="4096 numbers, and an index takes 4000 at most"):
            await index.claim(connection, longest)
    await put(database, source("a"))
    with pytest.raises(BadInput, match="4096"):
        await reembed(database, longest)
    assert await found(database) == ["a"]
