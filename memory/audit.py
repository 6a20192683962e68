"""The audit trail: who did what, in a chain in which any change shows. No patient text is in it, and no patient's name.

Each event's hash is over its fields and the hash of the event before it, made with a key that the database does not
have. A changed, removed or inserted event breaks the chain at its place; removed from the end, the head is missing that
the last receipt, or whoever kept it, has.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.memory.identity import Identity
from primum.memory.secret import Secret
from primum.memory.session import Database

_TAKE_TURN = text("select pg_advisory_xact_lock(hashtextextended('primum.audit ' || :tenant, 0))")
_HEAD = text("select number, hash from audit_events where tenant = :tenant order by number desc limit 1")
_ADD = text("""
insert into audit_events (tenant, number, at, actor, action, subject, run_id, details, hash)
values (:tenant, :number, :at, :actor, :action, :subject, :run_id, :details, :hash)
""").bindparams(bindparam("details", type_=JSONB))
_PAGE = text("""
select number, at, actor, action, subject, run_id, details, hash from audit_events
where tenant = :tenant and number > :after order by number limit 1000
""")
_OF_RUN = text("""
select number, at, actor, action, subject, run_id, details, hash from audit_events
where tenant = :tenant and run_id = :run_id order by number
""")


@dataclass(frozen=True)
class Event:
    """One thing that was done. `subject` is a pseudonym."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    run_id: UUID | None
    details: Mapping[str, Any]
    hash: bytes


@dataclass(frozen=True)
class Verdict:
    """Whether a tenant's chain holds: its events, its head, and where and how it is broken first."""

    events: int
    head: str
    broken_at: int | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        return self.broken_at is None


class Audit:
    """Writes and proves the trail of each tenant."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self.database = database
        self.secret = secret

    async def add(
        self,
        connection: AsyncConnection,
        identity: Identity,
        actor: str,
        action: str,
        details: Mapping[str, Any],
        run_id: UUID | None = None,
    ) -> bytes:
        """Adds an event in the transaction of what it is about, as its last statement; the new head of the chain."""
        tenant = {"tenant": identity.tenant}
        # Two statements: one that waits for the lock still sees the rows of before it waited.
        await connection.execute(_TAKE_TURN, tenant)
        last = (await connection.execute(_HEAD, tenant)).one_or_none()
        event = Event(
            number=(last.number if last else 0) + 1,
            at=datetime.now(UTC),
            actor=actor,
            action=action,
            subject=self.secret.pseudonym(identity),
            run_id=run_id,
            details=details,
            hash=b"",
        )
        made = self.secret.chained(last.hash if last else b"", _content(identity.tenant, event))
        await connection.execute(_ADD, {**vars(event), **tenant, "details": dict(details), "hash": made})
        return made

    async def note(self, identity: Identity, actor: str, action: str, details: Mapping[str, Any]) -> None:
        """Adds an event in a transaction of its own."""
        async with self.database.begin(identity) as connection:
            await self.add(connection, identity, actor, action, details)

    async def verify(self, tenant: str) -> Verdict:
        """Goes through a tenant's whole chain."""
        previous, number = b"", 0
        while page := await self._page(tenant, number):
            for event in page:
                if event.number != number + 1:
                    return Verdict(number, previous.hex(), number + 1, "an event is missing")
                if self.secret.chained(previous, _content(tenant, event)) != event.hash:
                    return Verdict(number, previous.hex(), event.number, "the event, or one before it, was changed")
                previous, number = event.hash, event.number
        return Verdict(number, previous.hex())

    async def of_run(self, tenant: str, run_id: UUID) -> Sequence[Event]:
        """What is recorded of one run."""
        async with self.database.begin(Identity(tenant, "")) as connection:
            return [_event(row) for row in await connection.execute(_OF_RUN, {"tenant": tenant, "run_id": run_id})]

    async def _page(self, tenant: str, after: int) -> list[Event]:
        async with self.database.begin(Identity(tenant, "")) as connection:
            return [_event(row) for row in await connection.execute(_PAGE, {"tenant": tenant, "after": after})]


def _event(row: Row[Any]) -> Event:
    return Event(**row._asdict())


def _content(tenant: str, event: Event) -> bytes:
    """The fields of an event as the same bytes each time."""
    fields = [
        tenant,
        event.number,
        event.at.astimezone(UTC).isoformat(),
        event.actor,
        event.action,
        event.subject,
        str(event.run_id or ""),
        event.details,
    ]
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
