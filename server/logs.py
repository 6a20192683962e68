"""The logs of the embedded parts: PRIMUM_HOME/logs/<part>.log, each with one older half."""

import shutil
from pathlib import Path
from typing import BinaryIO

LIMIT = 5_000_000  # bytes


def open_log(home: Path, name: str) -> BinaryIO:
    """The log of a part, for appending."""
    folder = home / "logs"
    folder.mkdir(mode=0o700, exist_ok=True)
    bound(home)
    return (folder / f"{name}.log").open("ab")


def bound(home: Path) -> None:
    """Move what is too long aside. The parts append, so a file that was emptied goes on from its start."""
    for log in (home / "logs").glob("*.log"):
        if log.stat().st_size > LIMIT:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            with log.open("r+b") as file:
                file.truncate(0)


def tail(log: BinaryIO, position: int = 0) -> str:
    """The end of what was logged since `position`."""
    with Path(log.name).open("rb") as file:
        file.seek(position)
        return file.read()[-1500:].decode(errors="replace").strip()
