import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from primum.memory.session import Database
from primum.retrieval.ingest import ingest
from primum.retrieval.loaders import Source, load
from primum.retrieval.starter import STARTER, fill, is_wanted
from tests.fakes import FakeEmbedder
from tests.pages import write_pages


async def test_the_starter_library_is_wanted_until_it_is_there_and_when_a_page_changes(database: Database) -> None:
    assert await is_wanted(database, "fake")
    report = await ingest([STARTER], database, FakeEmbedder())
    assert report.added == len(list(STARTER.glob("*.md"))) and report.skipped == []
    assert not await is_wanted(database, "fake")
    assert await is_wanted(database, "another")
    async with database.begin() as connection:
        await connection.execute(
            text("update documents set content_hash = 'old' where uri = 'starter:asthma-in-children'")
        )
    assert await is_wanted(database, "fake")
    assert (await ingest([STARTER], database, FakeEmbedder())).replaced == 1
    assert not await is_wanted(database, "fake")


async def test_a_page_that_this_version_no_longer_has_is_taken_out(database: Database) -> None:
    await ingest([STARTER], database, FakeEmbedder())
    async with database.begin() as connection:
        await connection.execute(
            text("update documents set uri = 'starter:gone' where uri = 'starter:asthma-in-children'")
        )
    assert await is_wanted(database, "fake")
    report = await ingest([STARTER], database, FakeEmbedder())
    assert (report.added, report.removed) == (1, 1)
    assert not await is_wanted(database, "fake")


async def test_an_empty_library_is_filled_and_one_of_somebody_is_left_alone(database: Database, tmp_path: Path) -> None:
    for _ in range(2):
        await fill(database.url, FakeEmbedder())
        assert not await is_wanted(database, "fake")
    async with database.begin() as connection:
        await connection.execute(text("delete from documents where uri = 'starter:gout'"))
    await fill(database.url, FakeEmbedder())  # one that was broken off is gone on with
    assert not await is_wanted(database, "fake")
    await ingest([write_pages(tmp_path)], database, FakeEmbedder())
    async with database.begin() as connection:
        await connection.execute(text("update documents set content_hash = 'old' where uri = 'starter:gout'"))
    await fill(database.url, FakeEmbedder())  # older pages of it are brought up to date, beside others
    assert not await is_wanted(database, "fake")
    async with database.begin() as connection:
        await connection.execute(text("delete from documents where starts_with(uri, 'starter:')"))
    assert not await is_wanted(database, "fake")
    await fill(database.url, FakeEmbedder())
    async with database.begin() as connection:
        assert not await connection.scalar(text("select count(*) from documents where starts_with(uri, 'starter:')"))


def test_every_page_of_the_starter_library_says_what_it_rests_on() -> None:
    pages = [page for page in load(STARTER) if isinstance(page, Source)]
    assert len(pages) == len(list(STARTER.glob("*.md")))
    for page in pages:
        assert page.uri.startswith("starter:") and page.reviewed and page.kind != "page"
        assert page.sources and all(source["url"].startswith("https://") for source in page.sources), page.uri
        assert "## When to get medical help" in page.text, page.uri


def test_looking_whether_it_is_wanted_loads_no_model() -> None:
    code = "import sys, primum.retrieval.starter; print({'torch', 'transformers', 'FlagEmbedding'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
