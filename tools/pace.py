"""How fast a service is asked: evenly, with pauses where it wants them, and not while it is down."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from primum.graph.errors import LookUpFailed

_FAILURES = 3  # in a row, after which a service is left alone
_REST = 60.0  # seconds for which it is


@dataclass(frozen=True)
class Clock:
    """Where time comes from."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Pace:
    """At most so many requests a second, each in its turn, and none before a service wants to be asked again."""

    def __init__(self, per_second: float, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._apart = 1 / per_second
        self._next = 0.0
        self._first = asyncio.Lock()

    async def turn(self) -> None:
        """Returns when the next request may go. Whoever stops waiting takes no turn from those behind."""
        async with self._first:
            while (left := self._next - self.clock.now()) > 0:  # again, for a pause may come while one waits
                await self.clock.sleep(left)
            self._next = self.clock.now() + self._apart

    def hold(self, seconds: float) -> None:
        """No request for so many seconds, also of those who wait already."""
        self._next = max(self._next, self.clock.now() + seconds)


class Breaker:
    """Leaves a service that fails again and again alone for a while, so that nobody waits for it in vain.

    After that one request alone tries it: if it works the service is asked as before, else it is left alone again.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name, self._clock = name, clock
        self._failures, self._until = 0, 0.0
        self._left_alone = self._being_tried = False

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around a request, whose end it notes. Raises LookUpFailed while the service is left alone."""
        self.check()
        if self._being_tried:
            raise LookUpFailed(f"{self._name} failed or asked for a pause; another request tries it just now.")
        tries = self._being_tried = self._left_alone
        try:
            yield
        except LookUpFailed:
            self.failed()
            raise
        else:
            self._worked()
        finally:
            if tries:
                self._being_tried = False

    def check(self) -> None:
        """Raises LookUpFailed while the service is left alone."""
        if self._rests:
            left = self._until - self._clock.now()
            raise LookUpFailed(f"{self._name} failed or asked for a pause; it is asked again in {left:.0f} seconds.")

    def failed(self) -> None:
        """Notes that the service gave no answer; what was asked before it was left alone tells nothing new."""
        if not self._rests:
            self._failures += 1
            if self._failures >= _FAILURES:
                self.rest(_REST)

    def rest(self, seconds: float) -> None:
        """Leaves the service alone for so many seconds."""
        self._until = max(self._until, self._clock.now() + seconds)
        self._left_alone = True

    def _worked(self) -> None:
        """Nor does an answer that comes late: a pause that the service wants is kept."""
        if not self._rests:
            self._failures, self._left_alone = 0, False

    @property
    def _rests(self) -> bool:
        return self._until > self._clock.now()


def wanted_pause(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After, which is a number or a date; nothing where there is none that can be read."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return float(given[:9])
    try:
        then = parsedate_to_datetime(given)
    except (ValueError, TypeError):
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
