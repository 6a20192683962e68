"""`primum up` for real: four parts, killed one by one and all together."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import httpx
import pytest

from primum.graph.settings import Settings
from primum.memory.session import Database
from primum.retrieval.ingest import ingest
from primum.retrieval.starter import STARTER
from primum.server import process, record
from primum.server.local import DATABASE, embedded, url_of
from primum.server.port import free_port
from tests.fakes import FakeEmbedder
from tests.server.conftest import copy

PARTS = ("page", "api", "model", "postgres")
PATIENCE = 300  # seconds until a run that hangs is killed, so that reading its output ends


class Up:
    """One `primum up`, and what it says."""

    def __init__(self, home: Path, ports: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "primum", "up"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PRIMUM_HOME": str(home), **ports},
        )
        self.said: list[str] = []
        self._timer = Timer(PATIENCE, self.process.kill)
        self._timer.start()

    def until(self, *wanted: str) -> None:
        """Read on until each of these was said since the last call."""
        missing = set(wanted)
        assert self.process.stdout is not None
        while missing:
            line = self.process.stdout.readline()
            assert line, f"ended without: {missing}\n{''.join(self.said)}"
            self.said.append(line)
            missing = {text for text in missing if text not in line}

    @property
    def addresses(self) -> dict[str, str]:
        pairs = (line.split() for line in self.said)
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0] in (*PARTS, "database")}

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        assert self.process.stdout is not None
        self.said.extend(self.process.stdout)
        self._timer.cancel()
        return self.process.wait()


async def _fill(home: Path) -> None:
    """The starter library, under the name of the real embedder: `up` must find nothing to do."""
    async with embedded(Settings(home=home), need=DATABASE) as ready:
        database = Database(url_of(ready), pool=2, owner=True)
        await ingest([STARTER], database, FakeEmbedder("minilm", 384))
        await database.close()


@pytest.fixture(scope="module")
def home(made_postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("up")
    copy(made_postgres, folder / "postgres")
    asyncio.run(_fill(folder))
    yield folder
    for part in PARTS:
        if left := record.read(folder, part):
            process.end(left.pid, left.born)


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, str]]:
    """Free ones, but the page's is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield {
            "PRIMUM_API_PORT": str(free_port(0)),
            "PRIMUM_MODEL_PORT": str(free_port(0)),
            "PRIMUM_PAGE_PORT": str(taken.getsockname()[1]),
        }


@pytest.fixture(scope="module")
def up(home: Path, ports: dict[str, str]) -> Iterator[Up]:
    running = Up(home, ports)
    running.until("database ", "Ctrl-C")
    yield running
    running.end(signal.SIGKILL)


def living(home: Path) -> dict[str, int]:
    records = {part: record.read(home, part) for part in PARTS}
    return {part: found.pid for part, found in records.items() if found}


def answers(url: str) -> bool:
    return httpx.get(url, timeout=60).status_code == 200


def test_it_prints_addresses_that_answer_and_says_which_port_was_taken(up: Up, ports: dict[str, str]) -> None:
    assert up.addresses["api"] == f"http://127.0.0.1:{ports['PRIMUM_API_PORT']}"
    assert any(f"Port {ports['PRIMUM_PAGE_PORT']} is taken: the page gets" in line for line in up.said)
    assert answers(up.addresses["page"])
    assert answers(f"{up.addresses['model']}/models")
    health = httpx.get(f"{up.addresses['api']}/health", timeout=60).json()
    assert (health["database"]["state"], health["model"]["state"]) == ("up", "up")


def test_a_second_one_prints_the_same_addresses_and_ends(up: Up, home: Path, ports: dict[str, str]) -> None:
    before = living(home)
    second = Up(home, ports)
    second.until("Primum is up already", "database ")
    assert second.end(signal.SIGCONT) == 0
    assert second.addresses == up.addresses
    assert living(home) == before


def test_a_part_that_is_killed_comes_back(up: Up, home: Path) -> None:
    before = living(home)
    assert before.keys() == set(PARTS)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    up.until(*(f"{part} is back" for part in PARTS))
    assert living(home).keys() == set(PARTS)
    assert not set(before.values()) & set(living(home).values())
    health = httpx.get(f"{up.addresses['api']}/health", timeout=60).json()
    assert (health["database"]["state"], health["model"]["state"]) == ("up", "up")


def test_after_all_was_killed_it_starts_again_and_ctrl_c_leaves_nothing(
    up: Up, home: Path, ports: dict[str, str]
) -> None:
    up.end(signal.SIGKILL)
    left = living(home)
    assert left.keys() == set(PARTS)
    os.kill(left["postgres"], signal.SIGKILL)
    again = Up(home, ports)
    again.until("database ", "Ctrl-C")
    now = living(home)
    assert now.keys() == set(PARTS)
    assert now["model"] == left["model"]
    assert not {left["api"], left["page"]} & set(now.values())
    assert answers(f"{again.addresses['api']}/health")
    assert again.end(signal.SIGINT) == 0
    assert living(home) == {}
    assert all(process.birth(pid) is None for pid in (*now.values(), left["api"], left["page"]))
    assert not (home / "run" / "up.json").exists()
