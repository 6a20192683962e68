"""The library's database and, where there is one, a replica that its readers ask first."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import MemoryUnavailable, RetrievalFailed
from primum.memory.identity import Identity
from primum.memory.session import Database

_REST = 30.0  # seconds for which a replica that did not answer is left alone
_LAG = 5.0  # seconds in which a replica has what was written on the primary

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Copies:
    """Reads of the library: from the replica, or from the primary for as long as the replica can't be reached.

    A replica may be some seconds behind. Only what documents say is read there, never a patient's rows.
    `vector_index` is the kind that the library's had when it was last asked.
    """

    def __init__(self, primary: Database, replica: Database | None = None) -> None:
        self.vector_index = "halfvec"
        self._primary = primary
        self._replica = replica
        self._rests_until = 0.0

    async def read(self, identity: Identity | None, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `work` gives, in one transaction, for an identity if one is given.

        Raises:
            MemoryUnavailable: the primary can't be reached either.
        """
        if self._replica is not None and monotonic() >= self._rests_until:
            try:
                return await _read(self._replica, identity, work)
            except MemoryUnavailable as error:
                log.warning("the replica does not answer, the primary is asked", reason=str(error))
                self._rests_until = monotonic() + _REST
            except RetrievalFailed:  # another embedder's: the replica may not have heard yet that it changed
                log.warning("the replica's library is another embedder's, the primary is asked")
        return await _read(self._primary, identity, work)

    def written(self) -> None:
        """Something is to be found that was written just now: the primary is asked for some seconds."""
        self._rests_until = max(self._rests_until, monotonic() + _LAG)

    async def health(self) -> dict[str, dict[str, str]]:
        """The replica's state, asked now; nothing if there is none."""
        if self._replica is None:
            return {}
        try:
            await self._replica.ping()
        except MemoryUnavailable as error:
            return {"replica": {"state": "down", "reason": str(error)}}
        return {"replica": {"state": "up"}}


async def _read(database: Database, identity: Identity | None, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async with database.begin(identity) as connection:
        return await work(connection)
