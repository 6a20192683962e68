"""How fast a service is asked: evenly, with pauses where it wants them, and not while it is down."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
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

    async def turn(self) -> None:
        """Returns when the next request may go."""
        now = self.clock.now()
        start = max(self._next, now)
        self._next = start + self._apart
        if start > now:
            await self.clock.sleep(start - now)

    def hold(self, seconds: float) -> None:
        """No request for so many seconds."""
        self._next = max(self._next, self.clock.now() + seconds)


class Breaker:
    """Leaves a service that fails again and again alone for a while, so that nobody waits for it in vain."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name, self._clock = name, clock
        self._failures, self._until = 0, 0.0

    def check(self) -> None:
        """Raises LookUpFailed while the service is left alone."""
        if (left := self._until - self._clock.now()) > 0:
            raise LookUpFailed(f"{self._name} failed or asked for a pause; it is asked again in {left:.0f} seconds.")

    def worked(self) -> None:
        self._failures, self._until = 0, 0.0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= _FAILURES:
            self.rest(_REST)

    def rest(self, seconds: float) -> None:
        """Leaves the service alone for so many seconds."""
        self._until = max(self._until, self._clock.now() + seconds)


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
