"""What services answered, kept for a while: known by a hash, with no query and no patient in it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import bindparam

from primum.memory.session import Database
from primum.retrieval.loaders import Source
from primum.tools.deidentify import Query

_FORMAT = 1  # raise it when what the services make of their answers changes
_OF_NOTHING = 1.0  # days for which it is kept that a service found nothing
_LEFT = 90  # days after its time for which an answer may still stand in for a service that is down
_SOURCES = TypeAdapter(list[Source])

_READ = text("select body, fetched_at, expires_at > now() as fresh from fetched where key = :key")
_KEEP = text(
    "insert into fetched (key, service, body, expires_at) "
    "values (:key, :service, :body, now() + make_interval(secs => :seconds)) "
    "on conflict (key) do update set body = excluded.body, fetched_at = now(), expires_at = excluded.expires_at"
).bindparams(bindparam("body", type_=JSONB))
_CLEAR = text("delete from fetched where expires_at < now() - make_interval(days => :days)")


@dataclass(frozen=True)
class Kept:
    """An answer of earlier; `fresh` while its time has not passed."""

    documents: list[Source]
    fetched_at: datetime
    fresh: bool


class Fetched:
    """The table `fetched`, for the whole installation."""

    def __init__(self, database: Database, days: float = 7) -> None:
        self._database = database
        self._days = days

    async def read(self, service: str, query: Query, limit: int) -> Kept | None:
        """The answer to a query, also one whose time has passed. Raises MemoryUnavailable."""
        async with self._database.begin() as connection:
            row = (await connection.execute(_READ, {"key": _key(service, query, limit)})).one_or_none()
        try:
            return None if row is None else Kept(_SOURCES.validate_python(row.body), row.fetched_at, row.fresh)
        except ValidationError:
            return None

    async def keep(self, service: str, query: Query, limit: int, documents: Sequence[Source]) -> None:
        """Keeps an answer, and lets go of those that are long past their time. Raises MemoryUnavailable."""
        days = self._days if documents else min(self._days, _OF_NOTHING)
        values = {
            "key": _key(service, query, limit),
            "service": service,
            "body": _SOURCES.dump_python(list(documents), mode="json"),
            "seconds": days * 86_400,
        }
        async with self._database.begin() as connection:
            await connection.execute(_KEEP, values)
            await connection.execute(_CLEAR, {"days": _LEFT})


def _key(service: str, query: Query, limit: int) -> str:
    return hashlib.sha256(f"{_FORMAT}\n{service}\n{limit}\n{query.text}".encode()).hexdigest()
