"""The database restarts, breaks, fills up, or holds what another version left: a clear error, or the turn goes on."""

import asyncio
import contextlib
import os
import random
import signal
import string
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any, LiteralString, TypedDict

import psycopg
import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from pydantic import SecretStr
from sqlalchemy import text

from primum.graph.agent import Agent
from primum.graph.errors import MemoryUnavailable
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory import session
from primum.memory.session import Database
from primum.retrieval.ingest import ingest
from primum.server import postgres
from tests.conftest import Cluster
from tests.fakes import HANGS, Body, FakeEmbedder, FakeVLLM, Says
from tests.pages import cited, write_pages
from tests.rows import ME, rows

DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"
GOOD = cited(f"{DOSE} [every 4 to 6 hours].")
ASKED = "How much paracetamol can adults take?"
TELLING = f"I'm allergic to latex. Amlodipine keeps my blood pressure down. {ASKED}"
FOUND = '{"facts": [{"kind": "medicine", "value": "Amlodipine", "quote": "Amlodipine keeps my blood pressure down"}]}'
PATIENCE = 60  # seconds after which what is waited for counts as never coming
DONE = "select 1 where not exists (select from jobs.procrastinate_jobs where task_name = 'remember')"
WAITING: LiteralString = "select pid from pg_stat_activity where wait_event_type = 'Lock'"


class Server:
    """A Postgres of its own, and the library in it that each test copies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()
        self.cluster = Cluster(folder)

    async def fill(self, pages: Path) -> None:
        self.cluster.create("library", "template")
        database = Database(self.cluster.url("library"), owner=True)
        await ingest([write_pages(pages)], database, FakeEmbedder())
        await database.close()

    def start(self) -> None:
        with self._folder.with_suffix(".log").open("ab") as log:
            postgres.start(self._folder, log)

    def stop(self) -> None:
        postgres.stop(self._folder)

    def restart(self) -> None:
        self.stop()
        self.start()

    def crash(self) -> None:
        """One of its processes is killed, whereupon it ends all the others and recovers."""
        with self.connect() as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                connection.execute("select 1")
        self.until("select 1")

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(postgres.url(self._folder, "postgres", "copy"))

    def until(self, statement: LiteralString) -> tuple[Any, ...]:
        """The first row of a statement, once it has one."""
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            with contextlib.suppress(psycopg.OperationalError), self.connect() as connection:
                if (row := connection.execute(statement).fetchone()) is not None:
                    return row
            time.sleep(0.02)
        raise AssertionError(f"never came: {statement}")


@asynccontextmanager
async def served(folder: Path, pages: Path) -> AsyncIterator[Server]:
    try:
        server = Server(folder)
        await server.fill(pages)
        yield server
    finally:
        postgres.stop(folder)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with served(tmp_path_factory.mktemp("own") / "postgres", tmp_path_factory.mktemp("pages")) as opened:
        yield opened


@asynccontextmanager
async def asked_on(server: Server, settings: Settings) -> AsyncIterator[Agent]:
    """An agent on a new copy of the library."""
    server.cluster.create("copy", "library")
    given = settings.model_copy(update={"database_url": SecretStr(server.cluster.url("copy"))})
    async with open_resources(given, FakeEmbedder()) as resources:
        yield Agent(resources)
    server.cluster.drop("copy")


@pytest.fixture
async def own(server: Server, settings: Settings) -> AsyncIterator[tuple[Agent, Server]]:
    """An agent on a server that may be ended."""
    async with asked_on(server, settings) as agent:
        yield agent, server


async def outlive(agent: Agent) -> None:
    """Makes every running turn older than a living process would let it become."""
    async with agent.resources.database.begin_as_worker() as connection:
        await connection.execute(text("update turns set lease_until = now() - interval '1 hour'"))


async def told(agent: Agent) -> list[str]:
    """The facts of the chart, and what was done once for the runs."""
    facts = [one.fact.words for one in (await agent.resources.charts.read(ME)).facts]
    return facts + [step for (step,) in await rows(agent.resources.database, "select step from effects order by step")]


async def answers(agent: Agent) -> int:
    """The answers on the audit trail, which holds."""
    assert (await agent.resources.audit.verify("main")).holds
    ((count,),) = await rows(agent.resources.database, "select count(*) from audit_events where action = 'answer'")
    return int(count)


# Stopped and started


async def test_without_the_database_nothing_is_pretended_and_with_it_the_next_turn_works(
    own: tuple[Agent, Server], vllm: FakeVLLM
) -> None:
    agent, server = own
    vllm.default = GOOD
    assert (await agent.ask(ASKED)).status == "answered"
    server.stop()
    asked = len(vllm.requests)
    for _ in range(2):
        with pytest.raises(MemoryUnavailable, match="can't be reached"):
            await agent.ask(ASKED)
    assert len(vllm.requests) == asked
    assert (await agent.resources.health())["database"]["state"] == "down"
    server.start()
    assert (await agent.ask(ASKED)).status == "answered"
    assert (await agent.resources.health())["database"]["state"] == "up"


async def test_a_database_lost_in_mid_turn_is_said_and_the_question_is_answered_later(
    own: tuple[Agent, Server], vllm: FakeVLLM
) -> None:
    agent, server = own

    def stopping(request: Body) -> str:
        server.stop()
        return GOOD(request)

    vllm.says(stopping)
    with pytest.raises(MemoryUnavailable):
        await agent.ask(ASKED, thread="t")
    server.start()
    vllm.default = GOOD
    await outlive(agent)
    assert await agent.recover() == 1
    (turn,) = await agent.resources.threads.turns(ME, "t")
    assert turn.answer is not None and turn.answer["status"] == "answered"


@pytest.mark.parametrize("outage", [Server.restart, Server.crash])
async def test_a_database_that_is_back_before_it_is_needed_is_not_missed(
    own: tuple[Agent, Server], vllm: FakeVLLM, outage: Callable[[Server], None]
) -> None:
    agent, server = own

    def reply(request: Body) -> str:
        outage(server)
        return GOOD(request)

    vllm.says(reply)
    assert (await agent.ask(TELLING)).status == "answered"
    assert await told(agent) == ["allergy to latex", "rules"] and await answers(agent) == 1


@pytest.mark.parametrize("outage", [Server.restart, Server.crash])
async def test_a_turn_cut_off_in_mid_statement_says_so_and_is_answered_when_it_is_resumed(
    own: tuple[Agent, Server], vllm: FakeVLLM, outage: Callable[[Server], None]
) -> None:
    agent, server = own
    vllm.default = GOOD
    await agent.ask(ASKED, thread="t")
    async with locked(server, "select from patients for update"):
        turn = asyncio.create_task(agent.ask(TELLING, thread="t"))
        await asyncio.to_thread(server.until, WAITING)
        await asyncio.to_thread(outage, server)
    with pytest.raises(MemoryUnavailable, match="can't be reached"):
        await turn
    assert await told(agent) == [] and await answers(agent) == 1
    await outlive(agent)
    assert await agent.recover() == 1
    assert await told(agent) == ["allergy to latex", "rules"] and await answers(agent) == 2


@asynccontextmanager
async def locked(server: Server, statement: LiteralString) -> AsyncIterator[None]:
    """Rows that others have to wait for, until the end or the server's."""
    connection = server.connect()
    await asyncio.to_thread(connection.execute, statement)  # who has them may need this loop to give them up
    try:
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("outage", [Server.restart, Server.crash])
async def test_a_job_cut_off_in_mid_statement_is_done_again_and_once(
    own: tuple[Agent, Server], vllm: FakeVLLM, outage: Callable[[Server], None]
) -> None:
    agent, server = own
    vllm.default, vllm.forms["Proposals"] = GOOD, FOUND
    await agent.ask(TELLING)
    async with locked(server, "select from patients for update"), agent.working():
        await asyncio.to_thread(server.until, WAITING)
        await asyncio.to_thread(outage, server)
        await asyncio.to_thread(server.until, DONE)
    assert await told(agent) == ["allergy to latex", "amlodipine", "model", "rules"]


async def test_a_job_whose_end_could_not_be_written_is_done_again_and_once(
    own: tuple[Agent, Server], vllm: FakeVLLM
) -> None:
    agent, server = own
    asked, locking = Event(), Event()

    def reply(_: Body) -> str:
        asked.set()
        locking.wait(PATIENCE)
        return FOUND

    vllm.default, vllm.forms["Proposals"] = GOOD, reply
    await agent.ask(TELLING)
    async with agent.working():
        await asyncio.to_thread(asked.wait, PATIENCE)
        async with locked(server, "select from jobs.procrastinate_jobs for update"):
            locking.set()
            await asyncio.to_thread(server.until, WAITING)
            await asyncio.to_thread(server.until, f"select pg_terminate_backend(pid) from ({WAITING}) as waiting")
        await asyncio.to_thread(server.until, DONE)
    assert await told(agent) == ["allergy to latex", "amlodipine", "model", "rules"]


async def test_a_job_that_its_process_does_not_live_to_end_is_the_next_ones(
    own: tuple[Agent, Server], vllm: FakeVLLM
) -> None:
    agent, server = own
    asked = Event()

    def reply(_: Body) -> Says:
        asked.set()
        return HANGS

    vllm.default, vllm.forms["Proposals"] = GOOD, reply
    await agent.ask(TELLING)
    async with agent.working():
        await asyncio.to_thread(asked.wait, PATIENCE)
    vllm.forms["Proposals"] = FOUND
    async with agent.working():
        await asyncio.to_thread(server.until, DONE)
    assert await told(agent) == ["allergy to latex", "amlodipine", "model", "rules"]


async def test_a_database_that_takes_no_changes_is_said_to_be_so(own: tuple[Agent, Server], vllm: FakeVLLM) -> None:
    agent, server = own
    vllm.default = GOOD
    server.cluster.run("alter database copy set default_transaction_read_only = on")
    await agent.resources.database.close()  # its connections are from before
    with pytest.raises(MemoryUnavailable, match="takes no changes"):
        await agent.ask(ASKED)
    server.cluster.run("alter database copy reset default_transaction_read_only")
    await agent.resources.database.close()
    assert (await agent.ask(ASKED)).status == "answered"


async def test_a_first_question_of_somebody_who_is_being_erased_is_refused_and_can_be_asked_again(
    own: tuple[Agent, Server], vllm: FakeVLLM
) -> None:
    agent, server = own
    vllm.default = GOOD
    await agent.ask(ASKED)
    with server.connect() as erasing:
        erasing.execute("select from patients for update")
        turn = asyncio.create_task(agent.ask(ASKED))
        await asyncio.to_thread(server.until, WAITING)
        erasing.execute("delete from patients")
    with pytest.raises(MemoryUnavailable, match="was erased in the meantime"):
        await turn
    assert (await agent.ask(ASKED)).status == "answered"


# Too few connections


async def test_many_turns_on_two_connections_are_all_answered(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    async with open_resources(settings.model_copy(update={"database_pool": 2}), FakeEmbedder()) as resources:
        agent = Agent(resources)
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.gather(
                *(agent.ask(f"{TELLING} {number}", patient=f"p{number}") for number in range(30))
            )
        assert {answer.status for answer in found} == {"answered"} and await answers(agent) == 30


async def test_a_turn_that_gets_no_connection_is_refused_and_the_next_one_is_not(
    settings: Settings, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "POOL_TIMEOUT", 1)
    vllm.default = GOOD
    async with open_resources(settings.model_copy(update={"database_pool": 2}), FakeEmbedder()) as resources:
        agent = Agent(resources)
        async with resources.database.begin(), resources.database.begin():
            refused = await asyncio.gather(*(agent.ask(ASKED) for _ in range(10)), return_exceptions=True)
        assert {type(error) for error in refused} == {MemoryUnavailable}
        assert {str(error) for error in refused} == {"All connections to the database are in use. Nothing was changed."}
        assert (await agent.ask(ASKED)).status == "answered"


# No room


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m", "primum", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_on_a_full_disk_a_turn_says_so_and_with_room_again_all_are_answered(
    disk: Path, tmp_path: Path, settings: Settings, vllm: FakeVLLM
) -> None:
    vllm.default = GOOD
    words = random.Random(0)
    async with served(disk / "postgres", tmp_path) as server, asked_on(server, settings) as agent:
        await agent.ask(ASKED)
        with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        with pytest.raises(MemoryUnavailable, match="disk is full"):
            for number in range(500):
                story = " ".join("".join(words.choices(string.ascii_lowercase, k=9)) for _ in range(700))
                await agent.ask(f"{ASKED} {story}", thread=f"t{number}")
        (disk / "ballast").unlink()
        await asyncio.to_thread(server.start)  # if it had no room for its log, it ended
        await outlive(agent)
        await agent.recover()
        assert (await agent.ask(ASKED, thread="after")).status == "answered"
        assert await rows(agent.resources.database, "select 1 from turns where status <> 'done'") == []
        ((turns,),) = await rows(agent.resources.database, "select count(*) from turns")
        assert await answers(agent) == turns


# What another version left


class Older(TypedDict, total=False):
    """What a thread held in a version that there might have been."""

    question: str
    told: Any
    facts: Any
    messages: list[str]


async def leave(agent: Agent, state: Older) -> None:
    """A checkpoint of another graph, as this installation seals it."""
    saver = agent.resources.graph.checkpointer
    assert isinstance(saver, BaseCheckpointSaver)
    graph = StateGraph(Older).add_node("answer", lambda _: state).add_edge(START, "answer").compile(saver)
    await graph.ainvoke({"question": "?"}, {"configurable": {"thread_id": await key(agent)}})


async def key(agent: Agent) -> str:
    ((found,),) = await rows(agent.resources.database, "select key from threads where id = 't'")
    return str(found)


async def test_the_state_of_another_version_is_left_aside_where_this_one_has_no_use_for_it(
    agent: Agent, vllm: FakeVLLM
) -> None:
    vllm.default = GOOD
    first = await agent.ask(ASKED, thread="t")
    await leave(agent, {"messages": ["I take warfarin."], "facts": "allergy to paracetamol", "told": {}})
    assert (await agent.ask(ASKED, thread="t")).text == first.text


@pytest.mark.parametrize("state", [{"told": {"drugs": ["warfarin"]}}, {"told": "warfarin"}, {"told": {"medicines": 1}}])
async def test_what_another_version_noted_and_this_one_cannot_read_is_not_guessed_at(
    agent: Agent, vllm: FakeVLLM, state: Older
) -> None:
    vllm.default = GOOD
    await agent.ask(ASKED, thread="t")
    await leave(agent, state)
    with pytest.raises(MemoryUnavailable, match="Another version"):
        await agent.ask(ASKED, thread="t")
    assert (await agent.ask(ASKED, thread="new")).status == "answered"


async def test_a_checkpoint_in_plain_text_is_not_read(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    await agent.ask(ASKED, thread="t")
    await rows(agent.resources.database, "update checkpoints.checkpoint_blobs set type = 'msgpack', blob = '\\x80'")
    with pytest.raises(MemoryUnavailable, match="not encrypted"):
        await agent.ask(ASKED, thread="t")
    assert (await agent.ask(ASKED, thread="new")).status == "answered"
