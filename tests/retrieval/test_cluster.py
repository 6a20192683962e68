"""Ray in a process of its own, as `primum ingest --ray` has it: it is killed in some of these tests."""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from primum.graph.errors import BadInput
from primum.memory.session import Database
from primum.retrieval.cluster import ingest_on_workers
from primum.retrieval.ingest import IngestReport, ingest
from primum.retrieval.origins import parts, read
from tests.fakes import FakeEmbedder
from tests.retrieval import documents
from tests.retrieval.test_ingest import assert_counts_are_right, rows

needs_ray = pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed: pip install 'primum[ray]'")

PATIENCE = 150  # seconds; Ray alone takes twenty to start on a busy machine
LONG = "Fever is a high temperature of the body, which {n} of {m} doctors treat with rest. " * 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of rows, a page, and what can't be read."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for m in range(2):
        lines = [json.dumps({"_id": n, "title": f"Page {n}", "text": LONG.format(n=n, m=m)}) for n in range(150)]
        (folder / f"rows{m}.jsonl").write_text("\n".join(lines))
    (folder / "gout.md").write_text("# Gout\n\nGout is a painful arthritis.\n\n## Treatment\nIbuprofen helps early.")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 oops")
    return folder


def start(url: str, folder: Path, *told: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.retrieval.many", url, str(folder), *told]
    given = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=given)


def report(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


LIBRARY = """
    select uri, content_hash, d.chunks, count(c.id), sum(length(c.lexemes)), min(c.embedding::text)
    from documents d join chunks c on c.document_id = d.id where replaced_at is null
    group by d.id order by uri
"""


async def count(database: Database, which: str) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(text(f"select count(*) from documents where {which}")) or 0)


async def assert_same_library(database: Database, other: Database) -> None:
    assert await rows(database, LIBRARY) == await rows(other, LIBRARY) != []
    for counts in ("select lexeme, chunks from lexemes order by 1", "select version, chunks from corpus"):
        assert await rows(database, counts) == await rows(other, counts)
    await assert_counts_are_right(database)


@pytest.fixture
async def plain(folder: Path, empty_database_url: str) -> Any:
    """The library that an ingest in one process makes."""
    from primum.memory.schema import upgrade

    upgrade(empty_database_url)
    database = Database(empty_database_url, owner=True)
    await ingest([folder], database, FakeEmbedder())
    yield database
    await database.close()


@needs_ray
async def test_many_workers_make_the_library_that_one_makes_although_one_is_killed(
    database: Database, plain: Database, folder: Path, tmp_path: Path
) -> None:
    """A second run finds nothing to do; one of a changed file replaces its document and no other."""
    mark = tmp_path / "killed"
    first = report(start(database.url, folder, str(mark)))
    assert mark.exists()  # a worker was killed in the middle of its block
    await assert_same_library(database, plain)
    assert first["added"] + first["unchanged"] == 301
    assert [Path(name).name for name, _ in first["skipped"]] == ["broken.pdf"]

    (folder / "gout.md").write_text("# Gout\n\nColchicine helps too.")
    second = report(start(database.url, folder))
    assert {name: second[name] for name in ("added", "replaced", "unchanged", "chunks")} == {
        "added": 0,
        "replaced": 1,
        "unchanged": 300,
        "chunks": 1,
    }
    assert await ingest([folder], plain, FakeEmbedder()) == IngestReport(
        replaced=1, unchanged=300, chunks=1, skipped=[tuple(one) for one in second["skipped"]]
    )
    await assert_same_library(database, plain)


@needs_ray
async def test_a_killed_run_leaves_whole_documents_and_the_next_does_the_rest(
    database: Database, plain: Database, folder: Path
) -> None:
    process = start(database.url, folder, "", "tell")
    with psycopg.connect(database.url, autocommit=True) as connection:
        assert process.stdout
        process.stdout.readline()  # something is stored
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        connection.execute("select pg_advisory_lock(1347569997)")  # who wrote at that moment has ended
        connection.execute("select pg_advisory_unlock(1347569997)")
        stored = connection.execute("select count(*) from documents").fetchone()
        assert stored and 0 < stored[0] < 301
    half = "select uri from documents d where chunks <> (select count(*) from chunks c where c.document_id = d.id)"
    assert await rows(database, half) == []
    await assert_counts_are_right(database)
    rest = report(start(database.url, folder))
    assert rest["added"] + rest["unchanged"] == 301 and rest["unchanged"] >= stored[0]
    await assert_same_library(database, plain)


@needs_ray
async def test_a_writer_killed_between_its_commit_and_its_answer_writes_nothing_twice(
    database: Database, plain: Database, folder: Path
) -> None:
    process = start(database.url, folder, "", "die")
    said, _ = process.communicate(timeout=PATIENCE)
    stored = await count(database, "true")
    assert process.returncode == -signal.SIGKILL and said == "" and 0 < stored < 301
    rest = report(start(database.url, folder))
    assert (rest["added"], rest["replaced"], rest["unchanged"]) == (301 - stored, 0, stored)
    assert await count(database, "replaced_at is not null") == 0
    await assert_same_library(database, plain)


@needs_ray
async def test_of_two_documents_with_one_identity_the_first_given_stays_in_every_run(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    pages: dict[str, bytes | str] = {f"{n}.md": f"# Page {n}\n\n{LONG.format(n=n, m=n)}" for n in range(60)}
    (folder / "a.zip").write_bytes(documents.zipped({**pages, "label.xml": documents.LABEL}))  # read more slowly
    (folder / "b.xml").write_text(documents.LABEL.replace("drowsy", "very drowsy"))
    (folder / "c.xml").write_text(documents.LABEL)
    twice = [[f"dailymed:{documents.SET_ID}", "the same identity as an earlier document of this run"]]
    kept = "select text from documents where uri like 'dailymed:%'"
    first = report(start(database.url, folder))
    assert (first["added"], first["replaced"], first["skipped"]) == (61, 0, twice)
    ((stays,),) = await rows(database, kept)
    assert "make drowsy" in str(stays)
    second = report(start(database.url, folder))
    assert (second["replaced"], second["unchanged"], second["skipped"]) == (0, 61, twice)
    assert await rows(database, kept) == [(stays,)]


@needs_ray
async def test_an_embedder_that_the_library_is_not_made_with_is_refused(database: Database, folder: Path) -> None:
    await ingest([folder / "gout.md"], database, FakeEmbedder("other"))
    process = start(database.url, folder)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "change the library: primum reembed" in said


@needs_ray
def test_a_worker_with_another_model_ends_the_run_with_a_plain_sentence(database: Database, folder: Path) -> None:
    process = start(database.url, folder, "different")
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and said.strip().endswith("give all machines the same model.")


@needs_ray
def test_more_workers_than_there_is_room_for_are_refused(database: Database, folder: Path) -> None:
    process = start(database.url, folder, "", "", "1000")
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "not enough for 1000 workers" in said


@needs_ray
async def test_an_empty_folder_needs_no_workers(database: Database, tmp_path: Path) -> None:
    assert await ingest_on_workers([tmp_path], database, FakeEmbedder) == IngestReport()


async def test_without_ray_it_is_said_what_to_install(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(BadInput, match=r"pip install 'primum\[ray\]'"):
        await ingest_on_workers([folder], database, FakeEmbedder)
    assert await rows(database, "select count(*) from corpus") == [(0,)]


def test_a_folder_is_read_in_parts_that_give_what_it_gives_as_a_whole(folder: Path) -> None:
    apart = [item for part in parts(folder) for item in read(part)]
    assert apart == [*read(folder.resolve())] and len(parts(folder)) == 4
    assert parts("dailymed:aspirin") == ["dailymed:aspirin"]
    remote = [item for part in parts(f"file://{folder}") for item in read(part)]
    assert remote == [*read(f"file://{folder}")] and len(remote) == len(apart)
