"""The jobs of one patient: one at a time, in their order, and each as soon as the last one has ended."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from primum.graph.agent import Agent
from primum.memory.identity import Identity
from primum.memory.jobs import Worker, later, open_worker
from primum.memory.session import Database
from tests.rows import rows

ANNA, BEN = Identity("main", "anna"), Identity("main", "ben")
SECONDS = 10  # for 60 jobs, which took a minute when only a look each second found the next


class Work:
    """Notes the runs in the order in which they are done, and how many are being done at once."""

    def __init__(self, wanted: int) -> None:
        self.done: list[UUID] = []
        self.doing = self.most = 0
        self.all = asyncio.Event()
        self._wanted = wanted

    async def __call__(self, run: UUID) -> None:
        self.doing += 1
        self.most = max(self.most, self.doing)
        await asyncio.sleep(0)
        self.doing -= 1
        self.done.append(run)
        if len(self.done) == self._wanted:
            self.all.set()


async def nothing() -> None:
    pass


async def deferred(database: Database, identity: Identity, count: int) -> list[UUID]:
    who = {"tenant": identity.tenant, "patient": identity.patient}
    await rows(database, "insert into tenants (id) values (:tenant) on conflict do nothing", identity, tenant="main")
    await rows(database, "insert into patients (tenant, id) values (:tenant, :patient)", identity, **who)
    runs = [uuid4() for _ in range(count)]
    for run in runs:
        async with database.begin(identity) as connection:
            await later(connection, identity, run)
    return runs


async def worked_off(database: Database, work: Work) -> None:
    async with open_worker(database.url, work, nothing) as worker:
        running = asyncio.create_task(worker.run())
        try:
            async with asyncio.timeout(SECONDS):
                await work.all.wait()
        finally:
            running.cancel()
            await asyncio.wait((running,))


async def test_a_patients_jobs_follow_each_other_at_once_and_in_their_order(database: Database) -> None:
    runs = await deferred(database, ANNA, 60)
    work = Work(len(runs))
    await worked_off(database, work)
    assert work.done == runs and work.most == 1


async def test_each_patient_has_an_order_of_their_own(database: Database) -> None:
    annas, bens = await deferred(database, ANNA, 20), await deferred(database, BEN, 20)
    work = Work(40)
    await worked_off(database, work)
    assert [run for run in work.done if run in annas] == annas
    assert [run for run in work.done if run in bens] == bens


async def test_the_end_of_a_job_that_is_gone_is_said_and_no_error(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    runs = await deferred(database, ANNA, 2)

    class Overtaken(Work):
        async def __call__(self, run: UUID) -> None:
            if run == runs[0]:
                async with database.begin() as connection:
                    await connection.execute(text("set local search_path = jobs"))
                    gone = text("delete from procrastinate_jobs where args ->> 'run_id' = :run")
                    await connection.execute(gone, {"run": str(run)})
            await super().__call__(run)

    work = Overtaken(len(runs))
    with capture_logs() as logs:
        await worked_off(database, work)
    assert work.done == runs
    assert [entry["event"] for entry in logs] == ["jobs.gone"]
    assert "exception" not in caplog.text.casefold()


async def test_a_worker_whose_jobs_break_off_says_so(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Worker) -> None:
        raise RuntimeError("anna takes warfarin")

    monkeypatch.setattr(Worker, "run", broken)
    with capture_logs() as logs:
        async with agent.working():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
    (said,) = [log for log in logs if log["event"] == "a task in the background broke"]
    assert said["error"] == "RuntimeError" and "anna" not in str(said)
