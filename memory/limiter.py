"""How often somebody may come in a minute, counted by all processes of a database together.

Each process counts by itself, and once a second tells the others in the background, in one transaction of all that is
new. Before that it lets nobody through more often than a share of their limit without asking: of n processes no more
than n - 1 shares come through beyond a limit. While the database is away, each holds the limits alone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import text

from primum.graph.errors import MemoryUnavailable
from primum.memory.secret import Secret
from primum.memory.session import Database

SLOT = 5  # seconds that are counted as one: a hit counts for a minute, and for less than a slot more
SLOTS = 60 // SLOT + 1
SHARE = 10  # the part of a limit, a tenth, that a process lets through untold
EVERY = 1.0  # seconds between two tellings
PATIENCE = 5.0  # seconds that a request waits for one

# In order, so that no two processes wait for each other.
_TELL = text("""
insert into hits (who, slot, times)
select * from unnest(cast(:who as text[]), cast(:slot as bigint[]), cast(:times as bigint[])) order by 1, 2
on conflict (who, slot) do update set times = hits.times + excluded.times
""")
_LEARN = text("select who, slot, times from hits where who = any(:who) and slot > :before")
# By the database's clock: one that goes wrong elsewhere clears away nothing that still counts.
_CLEAR = text(f"delete from hits where slot < cast(extract(epoch from now()) as bigint) / {SLOT} - {2 * SLOTS}")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Tally:
    """Somebody's hits of a slot: those of all processes, as was last told, and those here since."""

    known: int = 0
    new: int = 0


class Limiter:
    """The limits of a process. `sharing` while it is open; else it counts alone."""

    def __init__(self, database: Database, secret: Secret, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._secret = secret
        self._clock = clock
        self._slots: dict[int, dict[str, _Tally]] = {}
        self._together = True
        self._telling: asyncio.Task[None] | None = None

    async def hit(self, limit: int, *who: str) -> float:
        """Counts somebody who comes, unless they came as often as they may: the seconds until then, or 0."""
        mark = self._secret.mark("\0".join(("limit", *who)).encode())
        while not (wait := self._wait(limit, mark)) and self._together and self._untold(mark) >= max(1, limit // SHARE):
            await self.tell()
        if not wait:
            self._tally(mark, self._now()).new += 1
        return wait

    @asynccontextmanager
    async def sharing(self) -> AsyncIterator[None]:
        """While it is open, the processes tell each other."""
        task = asyncio.create_task(self._share())
        try:
            yield
        finally:
            task.cancel()
            await self.tell()

    async def tell(self) -> None:
        """Tells the others what is new here, and learns what they counted."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())
        done, _ = await asyncio.wait({self._telling}, timeout=PATIENCE)
        if not done:
            self._is_together(False)

    async def _share(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.tell()

    async def _tell(self) -> None:
        before = self._now() - SLOTS
        for slot in [slot for slot in self._slots if slot <= before]:
            del self._slots[slot]
        new = [(who, slot, one.new) for slot, found in self._slots.items() for who, one in found.items() if one.new]
        if not new and self._together:
            return
        together = False
        try:
            learnt = await self._exchanged(new, before)
            for who, slot, told in new:
                tally = self._tally(who, slot)
                tally.known, tally.new = tally.known + told, tally.new - told
            for who, slot, times in learnt:
                tally = self._tally(who, slot)
                tally.known = max(tally.known, times)  # less is there where the table was lost with its server
            together = True
        except MemoryUnavailable:
            pass  # what is new stays so
        finally:
            self._is_together(together)

    async def _exchanged(self, new: Sequence[tuple[str, int, int]], before: int) -> Sequence[tuple[str, int, int]]:
        who = [one[0] for one in new]
        told = {"who": who, "slot": [one[1] for one in new], "times": [one[2] for one in new]}
        async with self._database.begin() as connection:
            await connection.execute(_CLEAR)
            await connection.execute(_TELL, told)
            learnt = await connection.execute(_LEARN, {"who": who, "before": before})
            return [(row.who, row.slot, row.times) for row in learnt]

    def _is_together(self, together: bool) -> None:
        if together and not self._together:
            log.info("limits.together")
        if self._together and not together:
            log.warning("limits.alone")
        self._together = together

    def _wait(self, limit: int, who: str) -> float:
        """The seconds until there is room for one more."""
        first = self._now() - SLOTS + 1
        times = [tally.known + tally.new if tally else 0 for tally in self._tallies(who, first)]
        total, wait = sum(times), 0.0
        for slot, gone in enumerate(times, first):
            if total < limit:
                break
            total -= gone
            wait = (slot + SLOTS) * SLOT - self._clock()
        return wait

    def _untold(self, who: str) -> int:
        return sum(tally.new for tally in self._tallies(who, self._now() - SLOTS + 1) if tally)

    def _tallies(self, who: str, first: int) -> list[_Tally | None]:
        return [self._slots.get(slot, {}).get(who) for slot in range(first, first + SLOTS)]

    def _tally(self, who: str, slot: int) -> _Tally:
        return self._slots.setdefault(slot, {}).setdefault(who, _Tally())

    def _now(self) -> int:
        return int(self._clock() // SLOT)
