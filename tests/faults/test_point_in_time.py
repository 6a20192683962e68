"""Postgres is set back to before a mistake, as docs/operations.md says, and who was erased since goes again."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from primum.graph.errors import UnknownPatient
from primum.memory import backup, removals, schema
from primum.memory.audit import Audit
from primum.memory.consent import Consents
from primum.memory.erasure import Erasure
from primum.memory.identity import Identity
from primum.memory.secret import Secret
from primum.memory.session import Database
from primum.server import postgres
from tests.rows import rows

ANNA, BEN, CARL = (Identity("main", name) for name in ("anna", "ben", "carl"))
SECRET = Secret("s" * 40)
PATIENCE = 30  # seconds until a segment is in the archive, or played back


def owned(path: Path, like: Path) -> None:
    """Gives a folder to the user that the server runs as."""
    owner = like.stat()
    for one in (path, *path.rglob("*")):
        os.chown(one, owner.st_uid, owner.st_gid)


def run(data: Path, statement: str) -> str:
    with psycopg.connect(postgres.url(data, "postgres"), autocommit=True) as connection:
        result = connection.execute(statement.encode())
        return str(result.fetchone()[0]) if result.description else ""  # type: ignore[index]


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A server that keeps its write-ahead log in `archive`."""
    folder, archive = tmp_path / "postgres", tmp_path / "archive"
    archive.mkdir()
    with (tmp_path / "log").open("ab") as log:
        postgres.start(folder, log)
        try:
            owned(archive, folder)
            with (folder / "pg_hba.conf").open("a") as file:
                file.write("local replication postgres peer map=primum\n")
            run(folder, "alter system set archive_mode = on")
            run(folder, f"alter system set archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'")
            postgres.stop(folder)
            postgres.start(folder, log)
            yield folder
        finally:
            postgres.stop(folder)


@pytest.fixture
def again(data: Path, tmp_path: Path) -> Iterator[Path]:
    """Where the server is set back to; ended at the end."""
    yield tmp_path / "again"
    if (tmp_path / "again").exists():
        postgres.stop(tmp_path / "again")


def set_back(base: Path, again: Path, data: Path, moment: str) -> None:
    """As the guide says: the base, the archive, the moment, and a start."""
    shutil.copytree(base, again)
    (again / "recovery.signal").touch()
    with (again / "postgresql.auto.conf").open("a") as file:
        file.write(
            f"restore_command = 'cp {data.parent}/archive/%f %p'\n"
            f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n"
            "archive_mode = off\n"
        )
    owned(again, data)
    again.chmod(0o700)


def archived(data: Path) -> None:
    """Waits until all that was written is in the archive."""
    segment = run(data, "select pg_walfile_name(pg_switch_wal())")
    wait_for(data, f"select last_archived_wal >= '{segment}' from pg_stat_archiver")


def wait_for(data: Path, question: str) -> None:
    """Until the server says yes."""
    until = time.monotonic() + PATIENCE
    while run(data, question) != "True":
        assert time.monotonic() < until, question
        time.sleep(0.05)


async def test_a_dropped_table_comes_back_and_an_erased_patient_does_not(
    data: Path, again: Path, tmp_path: Path
) -> None:
    url = postgres.url(data)
    schema.upgrade(url)
    database = Database(url)
    audit = Audit(database, SECRET)
    consents = Consents(database, audit)
    await database.check(SECRET)
    for identity in (ANNA, BEN):
        await consents.record(identity, True, "test")
    base = [str(postgres.binaries() / "pg_basebackup"), "--pgdata", str(tmp_path / "base"), "--checkpoint", "fast"]
    base += ["--dbname", postgres.url(data, "postgres")]
    await asyncio.to_thread(subprocess.run, base, check=True, capture_output=True)
    await consents.record(CARL, True, "test")
    moment = run(data, "select clock_timestamp()")
    await Erasure(database, audit).erase(ANNA, "test")
    removals.write(backup.list_removals(url, SECRET), tmp_path / "removals.jsonl", SECRET)
    with psycopg.connect(url) as connection:
        connection.execute("drop table facts, feedback cascade")
    archived(data)
    await database.close()
    postgres.stop(data)

    set_back(tmp_path / "base", again, data, moment)
    with (tmp_path / "log").open("ab") as log:
        postgres.start(again, log)
    wait_for(again, "select not pg_is_in_recovery()")
    url = postgres.url(again)
    there = Database(url)
    audit = Audit(there, SECRET)
    assert schema.is_current(url) and (await audit.verify("main")).events == 3
    for identity in (ANNA, BEN, CARL):  # Carl came after the base
        assert await rows(there, "select consent from patients", identity) == [(True,)]
    assert await rows(there, "select count(*) from facts", ANNA) == [(0,)]
    gone = removals.read(tmp_path / "removals.jsonl", SECRET)
    assert backup.take_out_again(url, [gone], SECRET).patients == 1
    with pytest.raises(UnknownPatient):
        await Erasure(there, audit).erase(ANNA, "test")
    assert await rows(there, "select count(*) from patients", BEN) == [(1,)]
    await there.close()
