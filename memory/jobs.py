"""Work after the reply: jobs in Postgres (procrastinate), in a schema of their own.

A job holds the id of a run and nothing else; its lock is the patient's key, so that a patient's jobs run in the order
of their turns, one at a time. It is deferred in the transaction that keeps the answer: there is no answer without it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import procrastinate
import psycopg
import structlog
from procrastinate import exceptions
from procrastinate.connector import Notify
from procrastinate.schema import SchemaManager
from procrastinate.sql import queries
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import MemoryUnavailable, ModelUnavailable
from primum.memory.identity import Identity
from primum.memory.session import APP, WORKER, Pool, locally

SCHEMA = "jobs"
AT_ONCE = 4  # jobs of different patients that one worker does at the same time
POLL = 1.0  # seconds between looks for what nobody announces: a job that waited for its next attempt
STALLED = 30  # seconds without a sign of life of a worker, after which its jobs are another's
ATTEMPTS, WAIT = 40, 10  # an outage of the model of two hours is waited for; seconds, more with each attempt

log = structlog.get_logger(__name__)

_LOOK, _END = queries["fetch_job"], queries["finish_job"]
_NEWS = json.dumps({"type": "job_inserted", "job_id": 0})  # by which procrastinate wakes a worker

# What the application may do with the jobs of the patient for whom it acts: add one, remove all.
_FUNCTIONS = f"""
create or replace function remember_later(run uuid, patient uuid) returns void
language sql security definer set search_path = {SCHEMA} as $$
  select procrastinate_defer_jobs_v1(array[row(
    'memory', 'remember', 0, patient::text, null, jsonb_build_object('run_id', run), null
  )::procrastinate_job_to_defer_v1])
$$;
create or replace function forget_jobs(patient uuid) returns bigint
language sql security definer set search_path = {SCHEMA} as $$
  with gone as (delete from procrastinate_jobs where lock = patient::text returning id) select count(*) from gone
$$;
revoke all on function remember_later, forget_jobs from public;
grant execute on function remember_later, forget_jobs to {APP};
grant all on all tables in schema {SCHEMA} to {WORKER};
grant all on all sequences in schema {SCHEMA} to {WORKER};
"""
_LATER = text("select jobs.remember_later(:run_id, (select key from patients where id = :patient))")
_FORGET = text("select jobs.forget_jobs((select key from patients where id = :patient))")

Work = Callable[[UUID], Awaitable[None]]
Chore = Callable[[], Awaitable[None]]


def setup(url: str) -> None:
    """Makes or changes procrastinate's tables; the schema `jobs` must be there, and the migrations' lock be held."""
    with psycopg.connect(url, options=f"-c search_path={SCHEMA}") as connection:
        for statements in _missing(connection):
            connection.execute(statements.encode())
        connection.execute(_FUNCTIONS.encode())
        connection.execute(f"comment on schema {SCHEMA} is '{library()}'".encode())


def library() -> str:
    return version("procrastinate")


def _missing(connection: psycopg.Connection) -> list[str]:
    """All of the schema, or the migrations since the version that made it."""
    made_by = connection.execute("select obj_description(to_regnamespace(%s), 'pg_namespace')", [SCHEMA]).fetchone()
    if made_by is None or made_by[0] is None:
        return [SchemaManager.get_schema()]
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return [file.read_text() for file in files if _numbers(file.name.partition("_")[0]) > _numbers(made_by[0])]


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


async def later(connection: AsyncConnection, identity: Identity, run_id: UUID) -> None:
    """Defers what is done after the reply of a run, in the patient's transaction."""
    await connection.execute(_LATER, {"run_id": run_id, "patient": identity.patient})


async def forget(connection: AsyncConnection, identity: Identity) -> int:
    """Removes a patient's jobs; how many there were."""
    return int(await connection.scalar(_FORGET, {"patient": identity.patient}) or 0)


class Connector(procrastinate.PsycopgConnector):
    """Has the worker look for the next job as soon as one has ended, which procrastinate leaves to its polling.

    And knows when a write was `lost`: the end of a job that nobody would look for, since its worker lives.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.lost = asyncio.Event()
        self._ended = 0
        self._wake: Notify | None = None

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        self._wake = on_notification
        await super().listen_notify(on_notification, channels)

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        try:
            await super().execute_query_async(query, **arguments)
        except exceptions.ConnectorException as error:
            if isinstance(error.__cause__, psycopg.OperationalError):
                self.lost.set()
            if query != _END or not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise
            # Nobody's job any more: its patient was erased, or its worker seemed dead and another has done it.
            log.info("jobs.gone", job=arguments.get("job_id"))
        if query == _END:
            self._ended += 1
            if self._wake:
                await self._wake(channel="", payload=_NEWS)

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        while True:
            ended = self._ended
            row: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
            # One may wait for what ended meanwhile, and procrastinate drops a wake-up that comes while it looks.
            if query != _LOOK or row["id"] is not None or ended == self._ended:
                return row


class Worker:
    """Does the jobs of a database, in this process."""

    def __init__(self, app: procrastinate.App, connector: Connector) -> None:
        self._app = app
        self._connector = connector

    async def run(self) -> None:
        """Works until it is cancelled; survives a database that is away for a while."""
        while True:
            self._connector.lost.clear()
            try:
                await self._retry_stalled()
                await self._work()
            except (exceptions.ProcrastinateException, psycopg.Error, OSError) as error:
                log.warning("jobs.away", error=type(error).__name__)
            await asyncio.sleep(1)

    async def _work(self) -> None:
        """Until a write was lost; the next to begin finds the job of a worker that is gone."""
        work = asyncio.ensure_future(
            self._app.run_worker_async(
                concurrency=AT_ONCE,
                fetch_job_polling_interval=POLL,
                install_signal_handlers=False,
                delete_jobs="successful",
                shutdown_graceful_timeout=2,
                stalled_worker_timeout=STALLED,
            )
        )
        lost = asyncio.ensure_future(self._connector.lost.wait())
        try:
            await asyncio.wait((work, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            work.cancel()
            await asyncio.wait((work,))
        if not work.cancelled():
            work.result()

    async def _retry_stalled(self) -> None:
        """Puts the jobs of workers that died back in their queue."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED):
            with contextlib.suppress(exceptions.ConnectorException):  # another worker was faster
                await manager.retry_job(job)


@asynccontextmanager
async def open_worker(url: str, remember: Work, retain: Chore) -> AsyncIterator[Worker]:
    """A worker on a small pool of its own.

    Args:
        remember: what is done after the reply of a run.
        retain: what is done each night with what is older than it may be.
    """
    connector = Connector(
        pool_factory=Pool,
        url=url,
        begins=locally(WORKER, search_path=SCHEMA),
        min_size=1,
        max_size=AT_ONCE + 2,
    )
    app = procrastinate.App(connector=connector)

    # An error of another kind would come again, and a patient's later jobs would wait for it. A job is cancelled when
    # its process ends first; procrastinate's type leaves that out.
    again: Any = (ModelUnavailable, MemoryUnavailable, asyncio.CancelledError)
    retry = procrastinate.RetryStrategy(max_attempts=ATTEMPTS, linear_wait=WAIT, retry_exceptions=again)

    @app.task(name="remember", queue="memory", retry=retry)
    async def _remember(run_id: str) -> None:
        await remember(UUID(run_id))

    @app.periodic(cron="* * * * *")
    @app.task(name="retry_stalled", queue="memory", queueing_lock="retry_stalled")
    async def _retry_stalled(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's)
        await worker._retry_stalled()

    @app.periodic(cron="17 3 * * *")
    @app.task(name="retain", queue="memory", queueing_lock="retain")
    async def _retain(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's)
        await retain()

    worker = Worker(app, connector)
    async with app.open_async():
        yield worker
