"""On embedded defaults nothing of the main path needs a network, or tries to reach one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from primum.retrieval.starter import STARTER

pytestmark = pytest.mark.local
GUARD = Path(__file__).parent / "offline"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of what was tried."""
    return tmp_path_factory.mktemp("offline") / "tried"


@pytest.fixture
def run(tried: Path, tmp_path: Path) -> Iterator[Run]:
    """Runs Python with these arguments, without a network."""
    path = os.pathsep.join([str(GUARD), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRIMUM_")}
    given = {
        "PYTHONPATH": path,
        "TRIED": str(tried),
        "PRIMUM_HOME": str(tmp_path / "home"),
        "PRIMUM_TURN_TIMEOUT": "60",
    }

    def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=kept | given, capture_output=True, text=True, cwd=tmp_path)

    tried.write_text("")
    yield python


TRIES = {
    "a connection": "import socket; socket.create_connection(('192.0.2.1', 80))",
    "a look-up": "import socket; socket.getaddrinfo('example.org', 443)",
    "a connection of uvloop": "import asyncio, uvloop; uvloop.run(asyncio.open_connection('192.0.2.1', 80))",
    "a look-up of a library's": "import httpx; httpx.get('https://example.org')",
}


@pytest.mark.parametrize("code", TRIES.values(), ids=TRIES)
def test_the_guard_denies_and_notes(run: Run, tried: Path, code: str) -> None:
    assert run("-c", code).returncode == 1
    assert tried.read_text().startswith("socket.")


def test_ingest_ask_check_facts_and_export_reach_for_no_network(run: Run, tried: Path) -> None:
    def primum(*arguments: str) -> str:
        done = run("-m", "primum", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "1 added" in primum("ingest", str(STARTER / "gout.md"))
    asked = "I'm allergic to penicillin. How is an attack of gout treated?"
    answer = json.loads(primum("ask", asked, "--patient", "anna", "--json"))
    assert answer["status"] in ("answered", "evidence_only") and answer["citations"]
    assert "findings" in json.loads(primum("check", "I take warfarin and ibuprofen 800 mg.", "--json"))
    assert "penicillin" in primum("facts", "list", "--patient", "anna", "--json")
    assert "AllergyIntolerance" in primum("facts", "export", "--patient", "anna")
    assert tried.read_text() == ""
