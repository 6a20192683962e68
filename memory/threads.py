"""Threads and their turns: a question is kept before it is acknowledged, its answer when it is audited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import ThreadBusy, UnknownThread
from primum.memory.session import Database
from primum.memory.tables import Thread, Turn

UNKNOWN = "There is no such conversation."
BUSY = "This conversation's last question is still being answered. Wait for its answer."
TITLE = 80  # characters of the first question that name its thread

# What every turn does is written out: put together anew each time, these took a turn five milliseconds.
_OWN = text("""
insert into threads (id, patient, title) values (:thread, :patient, :title)
on conflict (id) do update set updated_at = now() where threads.patient = :patient
returning id
""")
_RUNNING = """
select from turns
where thread_id = :thread and status = 'running' and started_at > now() - make_interval(secs => :stale)
"""
_ADMIT = text(f"""
insert into turns (run_id, thread_id, question, request)
select :run_id, :thread, :question, :request where not exists ({_RUNNING})
returning run_id
""").bindparams(bindparam("request", type_=JSONB))
_END = text("""
update turns set status = :status, answer = :answer, error = :error, finished_at = now() where run_id = :run_id
""").bindparams(bindparam("answer", type_=JSONB(none_as_null=True)))


@dataclass(frozen=True)
class ThreadRow:
    id: str
    title: str
    updated_at: datetime


@dataclass(frozen=True)
class TurnRow:
    run_id: UUID
    thread_id: str
    patient: str
    question: str
    request: Mapping[str, Any]
    status: str
    answer: Mapping[str, Any] | None
    error: str | None
    created_at: datetime


class Threads:
    """The conversations of all patients; each call names the patient that it is for."""

    def __init__(self, database: Database, turn_timeout: float) -> None:
        self.database = database
        self._stale = turn_timeout + 10  # seconds after which a running turn's process must have died

    async def admit(self, run_id: UUID, thread: str, patient: str, question: str, request: Mapping[str, Any]) -> None:
        """Keeps a question; from here on it is answered, by another process if this one dies.

        Raises:
            UnknownThread: the thread is another patient's.
            ThreadBusy: its last question is still being answered.
        """
        given = {"thread": thread, "patient": patient, "title": " ".join(question.split())[:TITLE]}
        turn = {"run_id": run_id, "question": question, "request": dict(request), "stale": self._stale}
        async with self.database.begin() as connection:
            if await connection.scalar(_OWN, given) is None:  # locks the thread
                raise UnknownThread(UNKNOWN)
            if await connection.scalar(_ADMIT, {"thread": thread, **turn}) is None:
                raise ThreadBusy(BUSY)

    async def finish(self, run_id: UUID, answer: Mapping[str, Any]) -> None:
        await self._end(run_id, "done", answer=dict(answer))

    async def fail(self, run_id: UUID, error: str) -> None:
        await self._end(run_id, "failed", error=error)

    async def claim(self) -> TurnRow | None:
        """One turn whose process died, now this process's; none if there is none."""
        async with self.database.begin() as connection:
            stale = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, self._stale)
            orphan = (
                select(Turn.run_id)
                .where(Turn.status == "running", Turn.started_at <= stale)
                .order_by(Turn.number)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            claimed = update(Turn).where(Turn.run_id == orphan.scalar_subquery()).values(started_at=func.now())
            run_id = await connection.scalar(claimed.returning(Turn.run_id))
            rows = await self._turns(connection, Turn.run_id == run_id) if run_id else []
            return rows[0] if rows else None

    async def of_patient(self, patient: str, limit: int = 50) -> Sequence[ThreadRow]:
        """A patient's threads, the latest first."""
        async with self.database.begin() as connection:
            rows = await connection.execute(
                select(Thread.id, Thread.title, Thread.updated_at)
                .where(Thread.patient == patient)
                .order_by(Thread.updated_at.desc())
                .limit(limit)
            )
            return [ThreadRow(*row) for row in rows]

    async def turns(self, thread: str, patient: str) -> Sequence[TurnRow]:
        """A thread's turns, the first first. Raises UnknownThread."""
        async with self.database.begin() as connection:
            await self._own(connection, thread, patient)
            return await self._turns(connection, Turn.thread_id == thread)

    async def delete(self, thread: str, patient: str) -> None:
        """Removes a thread and its turns, not its checkpoints, which are the saver's. Raises as `admit` does."""
        async with self.database.begin() as connection:
            await self._own(connection, thread, patient)
            running = await connection.execute(text(_RUNNING), {"thread": thread, "stale": self._stale})
            if running.first() is not None:
                raise ThreadBusy(BUSY)
            await connection.execute(delete(Thread).where(Thread.id == thread))

    async def _own(self, connection: AsyncConnection, thread: str, patient: str) -> None:
        owned = select(Thread.id).where(Thread.id == thread, Thread.patient == patient).with_for_update()
        if await connection.scalar(owned) is None:
            raise UnknownThread(UNKNOWN)

    async def _turns(self, connection: AsyncConnection, condition: Any) -> list[TurnRow]:
        rows = await connection.execute(
            select(
                Turn.run_id,
                Turn.thread_id,
                Thread.patient,
                Turn.question,
                Turn.request,
                Turn.status,
                Turn.answer,
                Turn.error,
                Turn.created_at,
            )
            .join(Thread, Thread.id == Turn.thread_id)
            .where(condition)
            .order_by(Turn.number)
        )
        return [TurnRow(*row) for row in rows]

    async def _end(
        self, run_id: UUID, status: str, answer: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        async with self.database.single() as connection:
            await connection.execute(_END, {"run_id": run_id, "status": status, "answer": answer, "error": error})
