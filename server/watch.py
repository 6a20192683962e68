"""Parts that end while they should run are started again."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from primum.graph.errors import PrimumError
from primum.server.logs import bound
from primum.server.shared import Say

PACE = 0.5  # seconds between two looks
LONGEST_PAUSE = 60.0  # seconds between two tries
STEADY = 60.0  # seconds after which a part that was started again counts as mended


class Part(Protocol):
    @property
    def name(self) -> str: ...
    def is_alive(self) -> bool: ...
    def ensure(self) -> str: ...


@dataclass
class Watched:
    """A part, how often in a row it was started again, when last, and when it may be next."""

    part: Part
    tries: int = 0
    last: float = 0
    due: float = 0

    async def look(self, say: Say) -> None:
        now = time.monotonic()
        if self.part.is_alive():
            if now - self.last > STEADY:
                self.tries = 0
            return
        if now < self.due:
            return
        pause = min(LONGEST_PAUSE, 2.0**self.tries)
        self.tries, self.last, self.due = self.tries + 1, now, now + pause
        say(f"{self.part.name} ended: starting it again")
        try:
            await asyncio.to_thread(self.part.ensure)
        except PrimumError as error:
            say(f"{error}\nTrying again in {pause:.0f} s.")
        else:
            say(f"{self.part.name} is back")


async def watch(home: Path, parts: Sequence[Part], say: Say) -> None:
    """Look after the parts, and the length of their logs, until cancelled."""

    async def keep(one: Watched) -> None:
        while True:
            await one.look(say)
            await asyncio.sleep(PACE)

    async def keep_logs_short() -> None:
        while True:
            bound(home)
            await asyncio.sleep(PACE)

    await asyncio.gather(keep_logs_short(), *(keep(Watched(part)) for part in parts))
