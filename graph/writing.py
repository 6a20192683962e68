"""Files that are written for somebody: where that fails, it is said of which, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primum.graph.errors import PrimumError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises PrimumError where the disk is full, or takes nothing there."""
    try:
        yield
    except OSError as error:
        raise PrimumError(f"{path} can't be written to ({error.strerror}): make room there, or give another.") from None
