"""What runs for a PRIMUM_HOME: `run/<part>.json`, readable by its owner alone."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from primum.graph.errors import BadInput
from primum.server import process


@dataclass(frozen=True)
class Record:
    """A process and the address that it answers at."""

    pid: int
    born: str | None
    url: str

    @classmethod
    def of(cls, pid: int, url: str) -> Self:
        return cls(pid, process.birth(pid), url)

    def is_alive(self) -> bool:
        return self.born is not None and process.birth(self.pid) == self.born


def run_folder(home: Path) -> Path:
    """Made on first use, as PRIMUM_HOME itself is.

    Raises:
        BadInput: it can't be made or written.
    """
    folder = home / "run"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadInput(f"PRIMUM_HOME can't be used: {error.strerror}: {error.filename}") from None
    return folder


def last(home: Path, part: str) -> Record | None:
    """What was last written about a part, which may be gone."""
    try:
        return Record(**json.loads((run_folder(home) / f"{part}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def read(home: Path, part: str) -> Record | None:
    """The record of a part, if its process still lives and is that very process."""
    found = last(home, part)
    return found if found and found.is_alive() else None


def write(home: Path, part: str, record: Record) -> None:
    draft = run_folder(home) / f"{part}.json.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(record)))
    draft.rename(run_folder(home) / f"{part}.json")


def forget(home: Path, part: str) -> None:
    (run_folder(home) / f"{part}.json").unlink(missing_ok=True)
