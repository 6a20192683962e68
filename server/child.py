"""A child process that answers over HTTP: the model server, the API, the page."""

import http.client
import os
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from primum.graph.errors import LocalServerFailed
from primum.server import process, record
from primum.server.logs import open_log, tail

# Without -P, modules of the current folder would come before ours.
PRIMUM = (sys.executable, "-P", "-m", "primum")


@dataclass(frozen=True)
class Child:
    """How to start it, where it answers, and where it says that it is well."""

    home: Path
    name: str
    argv: Sequence[str]
    url: str
    health: str
    well: Collection[int] = (200,)  # HTTP statuses
    env: Mapping[str, str] = field(default_factory=dict)  # besides ours
    cwd: Path | None = None
    patience: float = 600  # seconds: one that ends is known at once; on a busy machine a first start takes minutes

    def is_alive(self) -> bool:
        return record.read(self.home, self.name) is not None

    def ensure(self) -> str:
        """Its address, once it is well there: it is started unless it runs.

        Raises:
            LocalServerFailed: it ended, or does not answer; the text holds the end of its log.
        """
        with open_log(self.home, self.name) as log:
            position = log.seek(0, os.SEEK_END)
            if not self.is_alive():
                cwd = str(self.cwd) if self.cwd else None
                started = process.spawn(self.argv, log, {**os.environ, **self.env}, cwd)
                record.write(self.home, self.name, record.Record.of(started.pid, self.url))
            if not self.is_well(self.patience):
                self.stop()
                raise LocalServerFailed(f"The {self.name} did not start. Its log ends:\n{tail(log, position)}")
        return self.url

    def is_well(self, patience: float) -> bool:
        """True once it answers; False if it ends before that, or `patience` (seconds) does."""
        limit = time.monotonic() + patience
        while self.is_alive() and time.monotonic() < limit:
            if status(self.health) in self.well:
                return True
            time.sleep(0.05)
        return False

    def stop(self) -> None:
        """End it; its record goes too."""
        known = record.read(self.home, self.name)
        if known is not None:
            process.end(known.pid, known.born)
        record.forget(self.home, self.name)


def status(url: str) -> int | None:
    """The HTTP status that a GET of `url` brings; None without an answer. No proxy is asked."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
