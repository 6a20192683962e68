"""What a user imported, shared by a whole process for as long as anyone there uses it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class InUse(Generic[T]):
    """One version of a thing at a time. `value` is None, and `version` empty, while nobody uses any."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._users = 0
        self.value: T | None = None
        self.version = ""

    @contextmanager
    def using(self, version: str, make: Callable[[], T | None]) -> Iterator[None]:
        """As long as it is open, this version is there; the first that uses it makes it.

        Raises:
            ValueError: the process uses another version already.
        """
        with self._lock:
            if self._users and self.version != version:
                raise ValueError(f"this process uses other {self._name} already; use a process of its own")
            if not self._users:
                self.value, self.version = make(), version
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self.value, self.version = None, ""
