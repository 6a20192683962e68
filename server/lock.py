"""Locks between processes. The kernel frees them when their holder ends, also by `kill -9`."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def _open(path: Path) -> BinaryIO:
    path.touch(mode=0o600)
    return path.open("rb+")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until nobody else is in here."""
    with _open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def share(path: Path) -> BinaryIO:
    """Become a user of `path`, until the file is closed."""
    file = _open(path)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def claim(path: Path) -> BinaryIO | None:
    """`path` for us alone, until the file is closed; None if it has a user or an owner."""
    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
