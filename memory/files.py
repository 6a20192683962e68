"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from primum.graph.errors import BadInput


@contextmanager
def drafted(path: Path) -> Iterator[BinaryIO]:
    """A file for its owner alone that takes its name when it is whole and on the disk. Raises BadInput."""
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        with open(beside, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            beside.unlink()
