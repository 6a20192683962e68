"""Answers that wait for a clinician, and what they made of them. Each is decided once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import AlreadyDecided, UnknownThread
from primum.memory.audit import Audit
from primum.memory.identity import Identity
from primum.memory.session import Database

Choice = Literal["approved", "edited", "refused"]

_UNKNOWN = "No such answer waits."
_ADD = text("""
insert into reviews (run_id, tenant, patient, question, answer)
select run_id, tenant, patient, question, :answer from turns where run_id = :run_id
on conflict do nothing
""").bindparams(bindparam("answer", type_=JSONB))
_WAITING = text("""
select run_id, patient, question, answer, asked_at from reviews where decision is null order by asked_at limit :limit
""")
_ANSWER = text("select answer from reviews where run_id = :run_id")
_WHOSE = text("select patient, decision from reviews where run_id = :run_id")
_DECIDE = text("""
update reviews set decision = :decision, text = :text, actor = :actor, decided_at = :at
where run_id = :run_id and decision is null returning run_id
""")
_GO_ON = text("""
update turns set status = 'running', holder = :holder, lease_until = now() + make_interval(secs => :lease)
where run_id = :run_id and status = 'waiting' returning run_id
""")
_DECISION = text("""
select decision, coalesce(text, '') as text, actor as by, decided_at as at from reviews
where run_id = :run_id and decision is not null
""")


@dataclass(frozen=True)
class Waiting:
    """An answer that nobody has looked at yet."""

    run_id: UUID
    patient: str
    question: str
    answer: Mapping[str, Any]
    asked_at: datetime


async def wait(connection: AsyncConnection, run_id: UUID, answer: Mapping[str, Any]) -> None:
    """Keeps an answer until a clinician decides, in the transaction of its turn."""
    await connection.execute(_ADD, {"run_id": run_id, "answer": dict(answer)})


class Reviews:
    """The answers of a tenant that wait."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self.database = database
        self.audit = audit

    async def waiting(self, tenant: str, limit: int = 50) -> Sequence[Waiting]:
        """Those that wait, the longest waiting first. Raises MemoryUnavailable."""
        async with self.database.begin(Identity(tenant, "")) as connection:
            return [Waiting(**row._asdict()) for row in await connection.execute(_WAITING, {"limit": limit})]

    async def answer(self, identity: Identity, run_id: UUID) -> Mapping[str, Any]:
        """The answer that waits, or waited, as it was made; for a tenant's clinicians the patient is empty.

        Raises:
            UnknownThread: there is no such answer.
            MemoryUnavailable: the database can't be reached.
        """
        async with self.database.begin(identity) as connection:
            found: Mapping[str, Any] | None = await connection.scalar(_ANSWER, {"run_id": run_id})
        if found is None:
            raise UnknownThread(_UNKNOWN)
        return found

    async def decide(
        self,
        tenant: str,
        run_id: UUID,
        decision: Choice,
        actor: str,
        edited: str | None = None,
        *,
        holder: UUID,
        lease: float,
    ) -> Identity:
        """Keeps a decision, and takes its turn over for so many seconds; the patient.

        Raises:
            UnknownThread: the tenant has no such answer.
            AlreadyDecided: somebody was faster.
            MemoryUnavailable: the database can't be reached.
        """
        async with self.database.begin(Identity(tenant, "")) as connection:
            row = (await connection.execute(_WHOSE, {"run_id": run_id})).one_or_none()
        if row is None:
            raise UnknownThread(_UNKNOWN)
        identity = Identity(tenant, row.patient)
        given = {"run_id": run_id, "decision": decision, "text": edited, "actor": actor, "at": datetime.now(UTC)}
        async with self.database.begin(identity) as connection:
            if await connection.scalar(_DECIDE, given) is None:
                raise AlreadyDecided("Somebody has decided on this answer already.")
            await connection.execute(_GO_ON, {"run_id": run_id, "holder": holder, "lease": lease})
            mark = self.audit.secret.mark(edited.encode()) if edited is not None else None
            await self.audit.add(connection, identity, actor, "sign", {"decision": decision, "text": mark}, run_id)
        return identity

    async def decision(self, identity: Identity, run_id: UUID) -> dict[str, str] | None:
        """What was decided on a turn's answer; none if nothing was."""
        async with self.database.begin(identity) as connection:
            row = (await connection.execute(_DECISION, {"run_id": run_id})).one_or_none()
        return None if row is None else {**row._asdict(), "at": row.at.isoformat()}
