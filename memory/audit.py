"""The audit trail: who did what, in a chain in which any change shows. No patient text is in it, and no patient's name.

Each event's hash is over its fields and the hash of the event before it, made with a key that the database does not
have. A changed, removed or inserted event breaks the chain at its place; removed from the end, the head is missing that
the last receipt, or whoever kept it, has.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb
from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.memory.identity import Identity
from primum.memory.secret import Secret
from primum.memory.session import Database

_TAKE_TURN = text("select pg_advisory_xact_lock(hashtextextended('primum.audit ' || :tenant, 0))")
# One row, also where there is no event yet: the database's clock, and the secret that is in use by now.
_HEAD = text("""
select clock_timestamp() as at, (select secret_check from installation) as secret, number, hash
from (select) one left join lateral
  (select number, hash from audit_events where tenant = :tenant order by number desc limit 1) last on true
""")
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
        last = (await connection.execute(_HEAD, tenant)).one()
        event = _next(self.secret, last, identity, actor, action, details, run_id)
        await connection.execute(_ADD, {**vars(event), **tenant, "details": dict(details)})
        return event.hash

    async def note(self, identity: Identity, actor: str, action: str, details: Mapping[str, Any]) -> None:
        """Adds an event in a transaction of its own."""
        async with self.database.begin(identity) as connection:
            await self.add(connection, identity, actor, action, details)

    async def verify(self, tenant: str) -> Verdict:
        """Goes through a tenant's whole chain."""
        previous, number, place = b"", 0, 0
        while page := await self._page(tenant, number):
            for event in page:
                if event.number != number + 1:
                    return Verdict(number, previous.hex(), number + 1, "an event is missing")
                found = self.secret.chained_by(previous, content(tenant, event), event.hash, place)
                if found is None:
                    return Verdict(number, previous.hex(), event.number, "the event, or one before it, was changed")
                previous, number, place = event.hash, event.number, found
        if number and self.secret.find(self.secret.line[place].check) is None:
            return Verdict(number, previous.hex(), number, "its end was made with a secret that is no longer in use")
        return Verdict(number, previous.hex())

    async def of_run(self, tenant: str, run_id: UUID) -> Sequence[Event]:
        """What is recorded of one run."""
        async with self.database.begin(Identity(tenant, "")) as connection:
            return [_event(row) for row in await connection.execute(_OF_RUN, {"tenant": tenant, "run_id": run_id})]

    async def _page(self, tenant: str, after: int) -> list[Event]:
        async with self.database.begin(Identity(tenant, "")) as connection:
            return [_event(row) for row in await connection.execute(_PAGE, {"tenant": tenant, "after": after})]


def add(
    connection: psycopg.Connection[Any],
    secret: Secret,
    identity: Identity,
    actor: str,
    action: str,
    details: Mapping[str, Any],
) -> None:
    """`Audit.add` on a plain connection, which may write events of the tenant."""
    tenant = {"tenant": identity.tenant}
    connection.execute(_plain(_TAKE_TURN.text), tenant)
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        last: Any = cursor.execute(_plain(_HEAD.text), tenant).fetchone()
    event = _next(secret, last, identity, actor, action, details, None)
    connection.execute(_plain(_ADD.text), {**vars(event), **tenant, "details": Jsonb(dict(details))})


def _plain(statement: str) -> bytes:
    """With its parameters as psycopg names them."""
    return re.sub(r":(\w+)", r"%(\1)s", statement).encode()


def _next(
    secret: Secret,
    last: Any,
    identity: Identity,
    actor: str,
    action: str,
    details: Mapping[str, Any],
    run_id: UUID | None,
) -> Event:
    """The event that comes after the last one, chained to it with the secret that is in use by now."""
    secret.use(last.secret)
    subject = secret.pseudonym(identity)
    event = Event((last.number or 0) + 1, last.at, actor, action, subject, run_id, details, b"")
    return replace(event, hash=secret.chained(last.hash or b"", content(identity.tenant, event)))


def _event(row: Row[Any]) -> Event:
    return Event(**row._asdict())


def content(tenant: str, event: Event) -> bytes:
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
