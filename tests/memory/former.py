"""The version before: its code as it was, of the last commit before the newest migration, and a process of it.

It is kept here (former.tar.xz), since a clone may have no history. With a new migration, once it is committed:
`python -m tests.memory.former` takes the commit before it from git. The starter library is left out.
"""

import lzma
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from primum.memory.schema import SCRIPTS
from primum.server.port import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = Path(__file__).with_name("former.tar.xz")
ROOMS = ("src", "graph", "nodes", "tools", "memory", "retrieval", ":!retrieval/starter", "safety", "server", "alembic")
PATIENCE = 120  # seconds to start on a busy machine


class Former:
    """The former code, in a folder; processes of it with settings in the environment."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder = folder
        with tarfile.open(KEPT) as kept:
            kept.extractall(folder, filter="data")
        self._log = folder / "log"
        given = {f"PRIMUM_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment = {**os.environ, "PYTHONPATH": str(folder / "src"), **given}

    def python(self, code: str) -> str:
        """What a line of code prints."""
        return self._run("-c", code)

    def primum(self, *arguments: str) -> str:
        return self._run("-m", "primum", *arguments)

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-P", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """Its API, from the moment at which it listens."""
        port = free_port(0)
        command = [sys.executable, "-P", "-m", "primum", "serve", "api", "--port", str(port)]
        with self._log.open("wb") as log:
            process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
                while not _listens(client):
                    assert process.poll() is None, self._log.read_text()
                    time.sleep(0.1)
                yield client
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _listens(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").is_success
    except httpx.ConnectError:
        return False


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def main() -> None:
    newest = max(SCRIPTS.joinpath("versions").glob("*.py")).name
    added = _git("log", "--diff-filter=A", "--format=%H", "--", f"alembic/versions/{newest}").decode().split()
    if not added:
        raise SystemExit(f"{newest} is not committed yet: commit it, then run this.")
    KEPT.write_bytes(lzma.compress(_git("archive", f"{added[-1]}^", "--", *ROOMS), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
