"""Threads and their turns: a question is kept before it is acknowledged, its answer when it is audited."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import BadInput, ThreadBusy, UnknownThread
from primum.memory import drafts, jobs, reviews
from primum.memory.audit import Audit
from primum.memory.drafts import Drafted
from primum.memory.identity import Identity
from primum.memory.session import Database
from primum.memory.tables import Thread, Turn
from primum.safety.remembered import forget_texts

UNKNOWN = "There is no such conversation."
BUSY = "This conversation's last question is still being answered. Wait for its answer."
FULL = "This conversation has as many questions waiting as it may. Wait for an answer."
REUSED = "This idempotency key was used for another question. Use a new key for a new question."
TITLE = 80  # characters of the first question that name its thread
LEASE = 15.0  # seconds after the last sign of life of its process in which a turn may be taken over
ATTEMPTS = 3  # times that a turn is begun; one that takes its process down with it would do so for ever
WAITING = 8  # questions of one thread that may wait in a queue

Status = Literal["queued", "running", "waiting", "done", "failed"]

# What every turn does is written out: put together anew each time, these took a turn five milliseconds.
_OWN = text("""
with tenant as (insert into tenants (id) values (:tenant) on conflict do nothing),
patient as (insert into patients (tenant, id) values (:tenant, :patient) on conflict do nothing),
known as (update threads set updated_at = now() where id = :thread and patient = :patient returning key),
made as (
  insert into threads (tenant, id, patient, title)
  select :tenant, :thread, :patient, :title where not exists (select from known)
  on conflict do nothing returning key
)
select key from known union all select key from made
""")
_RUNNING = "select from turns where thread_id = :thread and status in ('queued', 'running')"
_UNFINISHED = "select from turns where thread_id = :thread and status in ('queued', 'running', 'waiting')"
_ADMIT = text(f"""
insert into turns (run_id, tenant, patient, thread_id, question, request, idempotency_key, status, holder, lease_until)
select :run_id, :tenant, :patient, :thread, :question, :request, :idempotency_key,
  case when exists ({_UNFINISHED}) then 'queued' else 'running' end, :holder, now() + make_interval(secs => {LEASE})
where (select count(*) from ({_UNFINISHED}) as unfinished) <= :may_wait
returning status
""").bindparams(bindparam("request", type_=JSONB))
_SUBMITTED = text("select run_id, question, status, answer from turns where idempotency_key = :idempotency_key")
_BEGIN = text("""
update turns set status = 'running' where run_id = :run_id and status = 'queued' and not exists (
  select from turns as earlier where earlier.thread_id = turns.thread_id
  and earlier.status in ('queued', 'running', 'waiting') and earlier.number < turns.number
)
returning run_id
""")
_LOOK = text("select run_id, question, status, answer from turns where run_id = :run_id")
_END = text("""
update turns set status = :status, answer = :answer, error = :error, finished_at = now(), lease_until = null
where run_id = :run_id and status in ('queued', 'running') and holder = :holder
returning run_id
""").bindparams(bindparam("answer", type_=JSONB(none_as_null=True)))
_WAIT = text("""
update turns set status = 'waiting', lease_until = null
where run_id = :run_id and status = 'running' and holder = :holder returning run_id
""")
# As the worker, which sees all tenants' turns but no word of them.
_BEAT = text(f"""
update turns set lease_until = now() + make_interval(secs => {LEASE})
where run_id = any(:runs) and holder = :holder and status in ('queued', 'running')
""")
_RELEASE = text("""
update turns set lease_until = now() - interval '1 second', attempts = greatest(attempts - 1, 0)
where run_id = any(:runs) and holder = :holder and status in ('queued', 'running')
""")
_WHOSE = text("select tenant, patient from turns where run_id = :run_id")
_CLAIM = text(f"""
update turns set holder = :holder, lease_until = now() + make_interval(secs => {LEASE}), attempts = attempts + 1
where run_id = (
  select run_id from turns where status in ('queued', 'running') and lease_until < now()
  order by number limit 1 for update skip locked
)
returning run_id, tenant, patient, attempts
""")


@dataclass(frozen=True)
class ThreadRow:
    id: str
    title: str
    updated_at: datetime


@dataclass(frozen=True)
class TurnRow:
    run_id: UUID
    number: int
    thread_id: str
    thread_key: UUID
    question: str
    request: Mapping[str, Any]
    status: Status
    answer: Mapping[str, Any] | None
    error: str | None
    created_at: datetime


@dataclass(frozen=True)
class Admitted:
    """A question that was taken: as `run_id`, new, or an earlier one that this repeats, with its answer if it has one.

    `thread_key` names its thread in the checkpoints.
    """

    run_id: UUID
    thread_key: UUID
    status: Status
    repeats: bool = False
    answer: Mapping[str, Any] | None = None


class Threads:
    """Conversations; each call names whose it is. `holder` is this process, in the leases of its turns."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self.database = database
        self.audit = audit
        self.holder = uuid4()

    async def admit(
        self,
        identity: Identity,
        run_id: UUID,
        thread: str,
        question: str,
        request: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        may_queue: bool = False,
    ) -> Admitted:
        """Keeps a question; from here on it is answered, by another process if this one dies.

        Raises:
            UnknownThread: the thread is another patient's.
            ThreadBusy: its last question is still being answered, or as many wait as may.
            BadInput: the idempotency key was used for another question.
        """
        who = {"tenant": identity.tenant, "patient": identity.patient}
        given = {**who, "thread": thread, "title": " ".join(question.split())[:TITLE]}
        turn = {
            **who,
            "run_id": run_id,
            "thread": thread,
            "question": question,
            "request": dict(request),
            "idempotency_key": idempotency_key,
            "holder": self.holder,
            "may_wait": WAITING if may_queue else 0,
        }
        async with self.database.begin(identity) as connection:
            # Locks the thread. Of two that make it at once the second waits, and finds it when it looks again.
            key = await connection.scalar(_OWN, given) or await connection.scalar(_OWN, given)
            if key is None:
                raise UnknownThread(UNKNOWN)
            if idempotency_key is not None:
                found = await connection.execute(_SUBMITTED, {"idempotency_key": idempotency_key})
                if row := found.one_or_none():
                    if row.question != question:
                        raise BadInput(REUSED)
                    return Admitted(row.run_id, key, row.status, True, row.answer)
            status = await connection.scalar(_ADMIT, turn)
            if status is None:
                raise ThreadBusy(FULL if may_queue else BUSY)
            return Admitted(run_id, key, status)

    async def begin(self, identity: Identity, run_id: UUID) -> bool:
        """Whether a queued turn is its thread's next; it is running then."""
        async with self.database.begin(identity) as connection:
            return await connection.scalar(_BEGIN, {"run_id": run_id}) is not None

    async def look(self, identity: Identity, run_id: UUID) -> tuple[Status, Mapping[str, Any] | None]:
        """How a turn stands, and its answer once it has one. Raises UnknownThread."""
        async with self.database.begin(identity) as connection:
            row = (await connection.execute(_LOOK, {"run_id": run_id})).one_or_none()
            if row is None:
                raise UnknownThread(UNKNOWN)
            return row.status, row.answer

    async def finish(
        self,
        identity: Identity,
        run_id: UUID,
        answer: Mapping[str, Any],
        actor: str,
        made_of: Mapping[str, Any],
        drafted: Drafted | None = None,
    ) -> bool:
        """Keeps an answer, the event that says what it was made of, and the job of what is to be remembered of it.

        What was drafted is kept where the patient consented. False, and nothing is kept, if the turn is another
        process's by now.
        """
        async with self.database.begin(identity) as connection:
            if not await self._end(connection, run_id, "done", answer=dict(answer)):
                return False
            await drafts.keep(connection, run_id, drafted)
            await jobs.later(connection, identity, run_id)
            await self.audit.add(connection, identity, actor, "answer", made_of, run_id)
            return True

    async def wait(
        self,
        identity: Identity,
        run_id: UUID,
        answer: Mapping[str, Any],
        actor: str,
        drafted: Drafted | None = None,
    ) -> bool:
        """Keeps an answer until a clinician decides on it, and drafts as `finish`. False, and nothing is kept, too."""
        async with self.database.begin(identity) as connection:
            if await connection.scalar(_WAIT, {"run_id": run_id, "holder": self.holder}) is None:
                return False
            await reviews.wait(connection, run_id, answer)
            await drafts.keep(connection, run_id, drafted)
            await self.audit.add(connection, identity, actor, "wait", {}, run_id)
            return True

    async def fail(self, identity: Identity, run_id: UUID, error: str, actor: str) -> None:
        """Keeps that a turn came to nothing, and why."""
        async with self.database.begin(identity) as connection:
            if await self._end(connection, run_id, "failed", error=error):
                await self.audit.add(connection, identity, actor, "fail", {"error": error}, run_id)

    async def _end(
        self,
        connection: AsyncConnection,
        run_id: UUID,
        status: Status,
        *,
        answer: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> bool:
        given = {"run_id": run_id, "status": status, "answer": answer, "error": error, "holder": self.holder}
        return await connection.scalar(_END, given) is not None

    async def beat(self, runs: Collection[UUID]) -> None:
        """A sign of life for turns of this process."""
        async with self.database.begin_as_worker() as connection:
            await connection.execute(_BEAT, {"runs": list(runs), "holder": self.holder})

    async def release(self, runs: Collection[UUID]) -> None:
        """Gives up turns that an outage of the database cut off, to whoever claims them; it was no fault of theirs."""
        async with self.database.begin_as_worker() as connection:
            await connection.execute(_RELEASE, {"runs": list(runs), "holder": self.holder})

    async def claim(self) -> tuple[Identity, TurnRow] | None:
        """One turn whose process died, now this process's; none if there is none."""
        async with self.database.begin_as_worker() as connection:
            claimed = (await connection.execute(_CLAIM, {"holder": self.holder})).one_or_none()
        if claimed is None:
            return None
        identity = Identity(claimed.tenant, claimed.patient)
        if claimed.attempts > ATTEMPTS:
            await self.fail(identity, claimed.run_id, "GivenUp", "system")
            return await self.claim()
        async with self.database.begin(identity) as connection:
            turns = await self._turns(connection, Turn.run_id == claimed.run_id)
        return (identity, turns[0]) if turns else await self.claim()  # or it was erased in between

    async def turn(self, run_id: UUID) -> tuple[Identity, TurnRow] | None:
        """A turn by its run, whosever it is; none if it is gone."""
        async with self.database.begin_as_worker() as connection:
            found = (await connection.execute(_WHOSE, {"run_id": run_id})).one_or_none()
        if found is None:
            return None
        identity = Identity(found.tenant, found.patient)
        async with self.database.begin(identity) as connection:
            turns = await self._turns(connection, Turn.run_id == run_id)
        return (identity, turns[0]) if turns else None

    async def of_patient(self, identity: Identity, limit: int = 50) -> Sequence[ThreadRow]:
        """A patient's threads, the latest first."""
        async with self.database.begin(identity) as connection:
            rows = await connection.execute(
                select(Thread.id, Thread.title, Thread.updated_at).order_by(Thread.updated_at.desc()).limit(limit)
            )
            return [ThreadRow(*row) for row in rows]

    async def turns(self, identity: Identity, thread: str) -> Sequence[TurnRow]:
        """A thread's turns, the first first. Raises UnknownThread."""
        async with self.database.begin(identity) as connection:
            await self._own(connection, thread)
            return await self._turns(connection, Turn.thread_id == thread)

    async def delete(self, identity: Identity, thread: str, actor: str = "patient") -> UUID:
        """Removes a thread and its turns; its name in the checkpoints, which are the saver's. Raises as `admit`."""
        async with self.database.begin(identity) as connection:
            key = await self._own(connection, thread)
            if (await connection.execute(text(_RUNNING), {"thread": thread})).first() is not None:
                raise ThreadBusy(BUSY)
            await connection.execute(delete(Thread).where(Thread.id == thread))
            await self.audit.add(connection, identity, actor, "remove conversation", {"removed": [str(key)]})
        forget_texts()
        return key

    async def _own(self, connection: AsyncConnection, thread: str) -> UUID:
        key = await connection.scalar(select(Thread.key).where(Thread.id == thread).with_for_update())
        if key is None:
            raise UnknownThread(UNKNOWN)
        return key

    async def _turns(self, connection: AsyncConnection, condition: Any) -> list[TurnRow]:
        rows = await connection.execute(
            select(
                Turn.run_id,
                Turn.number,
                Turn.thread_id,
                Thread.key,
                Turn.question,
                Turn.request,
                Turn.status,
                Turn.answer,
                Turn.error,
                Turn.created_at,
            )
            .join(Thread, (Thread.tenant == Turn.tenant) & (Thread.id == Turn.thread_id))
            .where(condition)
            .order_by(Turn.number)
        )
        return [TurnRow(*row) for row in rows]
