"""Answers of services are kept for a while, in Postgres, with nothing in them of who asked."""

from datetime import date

import pytest
from sqlalchemy import exc, text

from primum.graph.errors import MemoryUnavailable
from primum.memory.session import Database
from primum.retrieval.loaders import Source
from primum.tools.fetched import Fetched
from tests.tools.test_pubmed import query

PAPER = Source(
    "pubmed:1", "Asthma", "## Background\n\nText.", sources=[{"title": "Asthma", "year": "2024"}], origin="pubmed",
    evidence="review", published=date(2024, 3, 5), retracted=True,
)  # fmt: skip


async def aged(database: Database, days: int) -> None:
    async with database.begin() as connection:
        await connection.execute(text(f"update fetched set expires_at = expires_at - interval '{days} days'"))


async def test_what_is_kept_is_read_as_it_was(database: Database) -> None:
    cache = Fetched(database)
    assert await cache.read("pubmed", query("asthma"), 5) is None
    await cache.keep("pubmed", query("asthma"), 5, [PAPER])
    kept = await cache.read("pubmed", query("asthma"), 5)
    assert kept is not None and kept.fresh and kept.documents == [PAPER]


async def test_the_role_of_the_turns_has_no_way_to_it(database: Database) -> None:
    app = Database(database.url, pool=1)
    with pytest.raises(exc.ProgrammingError, match="permission denied"):
        await Fetched(app).read("pubmed", query("asthma"), 5)
    await app.close()


async def test_each_service_query_and_length_has_its_own(database: Database) -> None:
    cache = Fetched(database)
    await cache.keep("pubmed", query("asthma"), 5, [PAPER])
    for service, words, limit in (("europepmc", "asthma", 5), ("pubmed", "gout", 5), ("pubmed", "asthma", 9)):
        assert await cache.read(service, query(words), limit) is None


async def test_an_answer_is_stale_after_its_days_and_a_new_one_takes_its_place(database: Database) -> None:
    cache = Fetched(database, days=2)
    await cache.keep("pubmed", query("asthma"), 5, [PAPER])
    await aged(database, 3)
    kept = await cache.read("pubmed", query("asthma"), 5)
    assert kept is not None and not kept.fresh and kept.documents == [PAPER]
    await cache.keep("pubmed", query("asthma"), 5, [])
    kept = await cache.read("pubmed", query("asthma"), 5)
    assert kept is not None and kept.fresh and kept.documents == []


async def test_that_nothing_was_found_is_kept_for_a_day(database: Database) -> None:
    await Fetched(database, days=30).keep("pubmed", query("asthma"), 5, [])
    await aged(database, 2)
    kept = await Fetched(database).read("pubmed", query("asthma"), 5)
    assert kept is not None and not kept.fresh


async def test_what_is_long_past_its_time_goes(database: Database) -> None:
    cache = Fetched(database)
    await cache.keep("pubmed", query("asthma"), 5, [PAPER])
    await aged(database, 100)
    await cache.keep("pubmed", query("gout"), 5, [PAPER])
    assert await cache.read("pubmed", query("asthma"), 5) is None


async def test_the_table_holds_no_query(database: Database) -> None:
    await Fetched(database).keep("pubmed", query("asthma wheezing"), 5, [])
    async with database.begin() as connection:
        rows = [str(tuple(row)) for row in await connection.execute(text("select * from fetched"))]
    assert len(rows) == 1 and "asthma" not in rows[0] and "wheez" not in rows[0]


async def test_an_answer_in_an_older_form_counts_as_none(database: Database) -> None:
    cache = Fetched(database)
    await cache.keep("pubmed", query("asthma"), 5, [PAPER])
    async with database.begin() as connection:
        await connection.execute(text("""update fetched set body = '[{"name": 1}]'"""))
    assert await cache.read("pubmed", query("asthma"), 5) is None


async def test_a_database_that_is_gone_is_told() -> None:
    cache = Fetched(Database("postgresql://primum@127.0.0.1:1/primum"))
    with pytest.raises(MemoryUnavailable):
        await cache.read("pubmed", query("asthma"), 5)
