"""Behind PgBouncer in transaction mode, where transactions share sessions: all works, and nothing is left in them."""

import asyncio
import itertools
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url

from primum.graph.agent import Agent
from primum.graph.errors import MemoryUnavailable
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory import backup, schema
from primum.memory.identity import Identity
from primum.memory.secret import find_secret
from primum.memory.session import Database
from primum.retrieval.ingest import ingest
from primum.server import doctor
from primum.server.port import free_port
from tests.fakes import FakeEmbedder, FakeVLLM
from tests.faults.pgbouncer import PROGRAM, configured
from tests.faults.proxy import Proxy, address_of
from tests.faults.test_outages import ASKED, FOUND, GOOD, TELLING
from tests.rows import rows

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")
SESSIONS = 3  # that all share
TURNS = 20  # at once
PATIENCE = 30  # seconds
PARTS = ("database", "pgvector", "tables", "patients")
LEFT = "select current_user, current_setting('app.patient', true), current_setting('statement_timeout')"


@asynccontextmanager
async def pooled(url: str, folder: Path, more: str = "") -> AsyncIterator[str]:
    """The URL of a pooler before a database."""
    folder.mkdir()  # noqa: ASYNC240
    port, name = free_port(0), str(make_url(url).database)
    async with Proxy(address_of(url)) as tcp:  # Postgres itself knows us on its Unix socket alone
        command = configured(folder, port, tcp.port, name, SESSIONS, more)
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=subprocess.STDOUT)
        try:
            limit = monotonic() + PATIENCE
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    assert process.returncode is None and monotonic() < limit, (folder / "log").read_text()
                    await asyncio.sleep(0.05)
            writer.close()
            yield f"postgresql://primum@127.0.0.1:{port}/{name}"
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.fixture
async def pooler(library_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with pooled(library_url, tmp_path / "pooler") as url:
        yield url


@pytest.fixture
async def agent(settings: Settings, pooler: str, vllm: FakeVLLM) -> AsyncIterator[Agent]:
    vllm.default, vllm.forms["Proposals"] = GOOD, FOUND
    given = settings.model_copy(update={"database_url": SecretStr(pooler)})
    async with open_resources(given, FakeEmbedder()) as resources:
        agent = Agent(resources)
        yield agent
        await agent.close()


async def test_many_turns_share_few_sessions_and_each_patient_sees_their_own(agent: Agent, pooler: str) -> None:
    database, numbers = agent.resources.database, itertools.count()

    async def turns() -> None:
        patient = f"p{next(numbers)}"
        for _ in range(2):
            assert (await agent.ask(TELLING, patient=patient, thread=patient)).status == "answered"
        own = await rows(database, "select distinct patient from turns", Identity("main", patient))
        assert own == [(patient,)]

    await asyncio.gather(*(turns() for _ in range(TURNS)))
    assert await rows(database, "select patient from turns", None) == []
    async with database.begin_as_worker() as working:
        assert await working.scalar(text("select count(*) from turns where status = 'done'")) == 2 * TURNS
    assert (await agent.resources.audit.verify("main")).holds
    connections = [await psycopg.AsyncConnection.connect(pooler) for _ in range(SESSIONS)]
    for connection in connections:  # each has a session of its own while its transaction is open
        left = await (await connection.execute(LEFT)).fetchone()
        assert left is not None and left[0] == "primum" and not left[1] and left[2] == "0"
    for connection in connections:
        await connection.close()


async def test_jobs_are_done_though_nobody_can_announce_them(agent: Agent) -> None:
    async with agent.working():
        await agent.ask(TELLING)
        async with asyncio.timeout(PATIENCE):
            while "amlodipine" not in await told(agent):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def test_what_is_read_in_by_way_of_it_is_found(agent: Agent, pooler: str, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "scurvy.md").write_text("# Scurvy\n\nScurvy is caused by a lack of vitamin C.\n")
    owner = Database(pooler, pool=2, owner=True)
    assert (await ingest([pages], owner, FakeEmbedder())).added == 1
    await owner.close()
    found = await agent.resources.library.search(["a lack of vitamin C"], 1)
    assert "Scurvy is caused" in found[0].text


async def told(agent: Agent) -> list[str]:
    return [one.fact.words for one in (await agent.resources.charts.read(Identity("main", "me"))).facts]


@pytest.mark.parametrize("more", ["", "ignore_startup_parameters = options"])
async def test_what_needs_a_session_of_its_own_says_so(library_url: str, tmp_path: Path, more: str) -> None:
    secret = find_secret([], tmp_path / "home")
    async with pooled(library_url, tmp_path / "pooler", more) as url:
        with pytest.raises(MemoryUnavailable, match="leads to a pooler"):
            await asyncio.to_thread(schema.upgrade, url)
        with pytest.raises(MemoryUnavailable, match="leads to a pooler"):
            await asyncio.to_thread(backup.dump, url, tmp_path / "backup", backup.Opener(secret))
        assert await asyncio.to_thread(schema.fits, url)


async def test_a_doctor_leaves_no_session_that_takes_no_changes(agent: Agent, settings: Settings, pooler: str) -> None:
    await agent.ask(ASKED)
    found = await doctor._database(settings.model_copy(update={"database_url": SecretStr(pooler)}))
    assert {one.part: one.state for one in found if one.part in PARTS} == dict.fromkeys(PARTS, "ok")
    for _ in range(2 * SESSIONS):
        assert (await agent.ask(ASKED)).status == "answered"
