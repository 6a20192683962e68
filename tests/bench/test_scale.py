"""The measurement of a growing library sees what a run that was broken off left half done."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench import scale
from primum.memory.session import Database
from primum.retrieval import index
from tests.fakes import FakeEmbedder

CHUNKS = 8


@pytest.fixture
async def grown(database: Database, database_url: str, tmp_path: Path) -> str:
    async with database.begin() as connection:
        await index.claim(connection, FakeEmbedder())
    assert grow(database_url, tmp_path)
    return database_url


@pytest.fixture
def connection(grown: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(grown, autocommit=True) as connection:
        yield connection


def grow(url: str, home: Path, chunks: int = CHUNKS) -> dict[str, float]:
    return scale.grow(url, home, FakeEmbedder(), chunks)


def test_what_is_all_there_is_left_alone(grown: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    assert scale.is_whole(connection, FakeEmbedder().dimensions)
    assert grow(grown, tmp_path) == {}


@pytest.mark.parametrize(
    "left",
    [
        "drop index ix_chunks_embedding_64",
        "drop index ix_chunks_lexemes",
        "drop index ix_chunks_embedding_64, ix_chunks_lexemes",
        "update corpus set chunks = 0",
    ],
)
def test_what_a_broken_run_left_is_noticed_and_built(
    grown: str, connection: psycopg.Connection, tmp_path: Path, left: str
) -> None:
    connection.execute(left.encode())
    assert not scale.is_whole(connection, FakeEmbedder().dimensions)
    assert "vector_index_s" in grow(grown, tmp_path)
    assert scale.is_whole(connection, FakeEmbedder().dimensions)


def test_it_grows_by_what_is_missing(grown: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    grow(grown, tmp_path, 2 * CHUNKS)
    row = connection.execute("select count(*), count(distinct (document_id, ordinal)) from chunks").fetchone()
    assert row == (2 * CHUNKS, 2 * CHUNKS)


def test_a_home_that_holds_more_is_refused(grown: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds 8 chunks already, more than 4"):
        grow(grown, tmp_path, 4)


async def test_recall_is_told_by_how_many_are_in_view_with_the_number_of_questions(grown: str) -> None:
    found = await scale.measured(grown, FakeEmbedder(), 3)
    assert found["exact_questions"] == 3 and found["questions"] > 3
    of_all = found["everything"]
    assert set(of_all["by_in_view"]) == {*scale.IN_VIEW} and of_all["in_view"] == 200
    assert of_all["recall@10_of_vectors"] == of_all["by_in_view"][200] == 1.0
    assert found["thousandth"]["recall@10_of_hybrid"] is None  # of eight chunks none is of a rare kind
