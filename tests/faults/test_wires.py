"""Each fault on each wire: an answer with less, or a clear error, in bounded time; and what was taken is answered."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Event, Timer
from time import monotonic
from typing import Any

import httpx
import psycopg
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse
from pydantic import SecretStr
from sqlalchemy import exc, text

from primum.graph.agent import Agent
from primum.graph.answer import Answer
from primum.graph.errors import MemoryUnavailable
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory import session
from primum.memory.session import Database
from primum.memory.threads import ATTEMPTS
from primum.retrieval import endpoint
from tests.fakes import Body, FakeEmbedder, FakeVLLM, Says
from tests.faults.proxy import KINDS, Kind, Proxy, address_of, through
from tests.faults.test_outages import ASKED, DOSE, GOOD, answers, outlive
from tests.rows import ME, rows
from tests.served import served

BOUND = 20  # seconds in which anything must have come to an end here
HURRIED = 2  # seconds that a statement or a connection may take here
TURN = 3  # seconds that a turn may take
BACK = 10  # seconds in which all must be well again
ENDS: tuple[Kind, ...] = ("reset", "hole", "half-open", "garbage")  # nothing can be done on such a wire
PASSES: dict[Kind, float] = {"slow": 0.01, "drip": 0.0}  # what is still usable, and its seconds


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.Connection, "patience", HURRIED)
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", HURRIED)
    monkeypatch.setitem(session._CONNECTS, "connect_timeout", HURRIED)


@pytest.fixture
async def database_wire(settings: Settings) -> AsyncIterator[Proxy]:
    assert settings.database_url is not None
    async with Proxy(address_of(settings.database_url.get_secret_value())) as proxy:
        yield proxy


@pytest.fixture
async def model_wire(vllm: FakeVLLM) -> AsyncIterator[Proxy]:
    async with Proxy(address_of(vllm.url)) as proxy:
        yield proxy


@pytest.fixture
async def agent(
    settings: Settings, vllm: FakeVLLM, database_wire: Proxy, model_wire: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Agent]:
    """One whose database and model are behind proxies, and which is soon out of patience."""
    hurry(monkeypatch)
    assert settings.database_url is not None
    wired = settings.model_copy(
        update={
            "database_url": SecretStr(through(database_wire, settings.database_url.get_secret_value())),
            "model_url": through(model_wire, vllm.url),
            "turn_timeout": TURN,
        }
    )
    vllm.default = GOOD
    async with open_resources(wired, FakeEmbedder()) as resources:
        yield Agent(resources)


async def ask(agent: Agent, thread: str) -> Answer:
    async with asyncio.timeout(BOUND):
        return await agent.ask(ASKED, thread=thread)


async def left(agent: Agent) -> bool:
    """Whether there are jobs that are not done."""
    async with agent.resources.database.begin_as_worker() as connection:
        found = await connection.execute(text("select from jobs.procrastinate_jobs where task_name = 'remember'"))
        return found.first() is not None


async def well(agent: Agent) -> None:
    """It answers again before long."""
    limit = monotonic() + BACK
    while True:
        with contextlib.suppress(MemoryUnavailable):
            if (await ask(agent, "after")).status == "answered":
                return
        assert monotonic() < limit, "it did not recover"


# The database


@pytest.mark.parametrize("kind", PASSES)
async def test_a_database_that_is_slow_is_waited_for(agent: Agent, database_wire: Proxy, kind: Kind) -> None:
    database_wire.show(kind, PASSES[kind])
    assert (await ask(agent, "t")).status == "answered"


@pytest.mark.parametrize("kind", ENDS)
async def test_a_database_behind_a_broken_wire_is_said_to_be_away(
    agent: Agent, database_wire: Proxy, vllm: FakeVLLM, kind: Kind
) -> None:
    await ask(agent, "t")
    asked = len(vllm.requests)
    database_wire.show(kind)
    for _ in range(2):
        with pytest.raises(MemoryUnavailable, match="can't be reached"):
            await ask(agent, "t")
    assert len(vllm.requests) == asked
    database_wire.mend()
    await well(agent)


@pytest.mark.parametrize("kind", ENDS)
async def test_a_turn_whose_database_is_lost_on_the_way_is_answered_later_and_once(
    agent: Agent, database_wire: Proxy, vllm: FakeVLLM, kind: Kind
) -> None:
    def breaking(body: Body) -> str:
        database_wire.show(kind)
        return GOOD(body)

    vllm.says(breaking)
    with pytest.raises(MemoryUnavailable, match="can't be reached"):
        await ask(agent, "t")
    database_wire.mend()
    await well(agent)
    await outlive(agent)
    assert await agent.recover() == 1
    (turn,) = await agent.resources.threads.turns(ME, "t")
    assert turn.answer is not None and turn.answer["status"] == "answered"
    assert await answers(agent) == len(await rows(agent.resources.database, "select from turns"))


async def test_a_turn_that_outages_cut_off_again_and_again_is_not_given_up(
    agent: Agent, database_wire: Proxy, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("primum.graph.agent.BEAT", 0.2)

    def breaking(body: Body) -> str:
        database_wire.show("reset")
        return GOOD(body)

    vllm.says(*[breaking] * (ATTEMPTS + 2))
    with pytest.raises(MemoryUnavailable):
        await ask(agent, "t")
    async with asyncio.timeout(2 * BOUND):
        while vllm.replies:
            database_wire.mend()
            await asyncio.sleep(0.5)
            with contextlib.suppress(MemoryUnavailable):
                await agent.recover()
        database_wire.mend()
        while (found := await agent.resources.threads.turns(ME, "t"))[0].status != "done":
            assert found[0].status == "running"
            await asyncio.sleep(0.5)
            await agent.recover()


@pytest.mark.parametrize("wraps", [lambda error: error, lambda error: exc.DatabaseError("select", {}, error)])
async def test_what_is_no_answer_of_postgres_is_an_outage(
    database: Database, wraps: Callable[[psycopg.Error], Exception]
) -> None:
    with pytest.raises(MemoryUnavailable, match="can't be reached"):
        async with database.begin():
            raise wraps(psycopg.DatabaseError("lost synchronization with server"))
    with pytest.raises(exc.ProgrammingError):
        async with database.begin() as connection:
            await connection.execute(text("select nothing"))


@pytest.mark.parametrize("kind", ("reset", "half-open"))
async def test_a_worker_does_its_jobs_again_once_its_wire_is_mended(
    agent: Agent, database_wire: Proxy, kind: Kind
) -> None:
    async with agent.working():
        await ask(agent, "t")
        database_wire.show(kind)
        await asyncio.sleep(HURRIED)
        database_wire.mend()
        await well(agent)
        async with asyncio.timeout(2 * BACK):
            while await left(agent):  # noqa: ASYNC110 (Postgres tells nobody)
                await asyncio.sleep(0.1)


@pytest.mark.usefixtures("impatient")
async def test_locks_of_a_process_that_is_gone_without_a_word_are_given_up(
    agent: Agent, settings: Settings, database_wire: Proxy
) -> None:
    await ask(agent, "t")
    assert settings.database_url is not None
    beside = Database(settings.database_url.get_secret_value(), pool=1)
    lock = text("select from patients where id = 'me' for update")
    with pytest.raises(MemoryUnavailable):
        async with agent.resources.database.begin(ME) as connection:
            await connection.execute(lock)
            database_wire.show("half-open")
            async with asyncio.timeout(session.ABSENT + HURRIED), beside.begin(ME) as another:
                await another.execute(lock)
    database_wire.mend()
    await beside.close()
    await well(agent)


# The model


@pytest.mark.parametrize("kind", PASSES)
async def test_a_model_that_is_slow_is_waited_for(agent: Agent, model_wire: Proxy, kind: Kind) -> None:
    model_wire.show(kind, PASSES[kind])
    assert (await ask(agent, "t")).status == "answered"


@pytest.mark.parametrize("kind", ENDS)
async def test_without_the_models_wire_the_passages_answer(agent: Agent, model_wire: Proxy, kind: Kind) -> None:
    await ask(agent, "t")
    model_wire.show(kind)
    answer = await ask(agent, "t")
    assert answer.status == "evidence_only" and f"{DOSE} [" in answer.text
    assert answer.trace.problems[0].startswith("draft: The model ")
    model_wire.mend()
    await well(agent)


@pytest.mark.parametrize("kind", ENDS)
async def test_a_model_that_is_lost_in_mid_answer_is_asked_again_or_done_without(
    agent: Agent, model_wire: Proxy, vllm: FakeVLLM, kind: Kind
) -> None:
    def breaking(body: Body) -> Says:
        said = GOOD(body)
        Timer(0.2, lambda: model_wire.show(kind)).start()
        Timer(0.6, model_wire.mend).start()
        return Says(said, each=0.03)

    vllm.says(breaking)
    answer = await ask(agent, "t")
    assert answer.status in ("answered", "evidence_only") and f"{DOSE} [" in answer.text
    await well(agent)


# The embedder, and a replica


@pytest.mark.parametrize("kind", KINDS)
async def test_without_the_embedders_wire_nothing_is_pretended(
    settings: Settings, vllm: FakeVLLM, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("_REQUEST", "_TEXT"):
        monkeypatch.setattr(endpoint, limit, HURRIED / 4)
    vllm.default = GOOD
    async with Proxy(address_of(vllm.url)) as wire:
        embedder = await asyncio.to_thread(endpoint.EndpointEmbedder, "fake", through(wire, vllm.url), "none")
        embedder.fingerprint = FakeEmbedder().fingerprint  # whose library it is, and whose vectors the server gives
        async with open_resources(settings, embedder) as resources:
            agent = Agent(resources)
            await ask(agent, "t")
            wire.show(kind, 0.02)
            answer = await ask(agent, "t")
            if kind == "slow":
                assert answer.status == "answered"
            else:
                assert answer.status == "unverified" and "can't be searched" in answer.text
            wire.mend()
            await well(agent)


@pytest.mark.parametrize("kind", ENDS)
async def test_without_the_replicas_wire_the_primary_is_asked(
    settings: Settings, vllm: FakeVLLM, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    vllm.default = GOOD
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    async with Proxy(address_of(url)) as wire:
        given = settings.model_copy(update={"database_replica_url": SecretStr(through(wire, url))})
        async with open_resources(given, FakeEmbedder()) as resources:
            agent = Agent(resources)
            await ask(agent, "t")
            assert wire.links
            wire.show(kind)
            assert (await ask(agent, "t")).status == "answered"


# A client, of the API


@asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, Proxy, httpx.AsyncClient]]:
    """A client of a served API by way of a proxy, the proxy, and a client without one."""
    ours = served(settings)
    straight = await asyncio.to_thread(ours.__enter__)
    try:
        async with (
            Proxy(address_of(str(straight.base_url))) as wire,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{wire.port}", timeout=BOUND) as client,
            httpx.AsyncClient(base_url=straight.base_url, timeout=BOUND) as beside,
        ):
            yield client, wire, beside
    finally:
        await asyncio.to_thread(ours.__exit__, None, None, None)


async def until_done(client: httpx.AsyncClient, thread: str) -> dict[str, Any]:
    """The turn of a thread, once it is answered."""
    async with asyncio.timeout(BOUND):
        while True:
            (turn,) = (await client.get(f"/threads/{thread}")).raise_for_status().json()
            if turn["status"] == "done":
                return dict(turn)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ("reset", "half-open", "hole", "drip"))
async def test_a_reader_whose_wire_breaks_holds_nobody_up_and_gets_the_rest_later(
    settings: Settings, vllm: FakeVLLM, kind: Kind
) -> None:
    go_on = Event()

    def waits(body: Body) -> str:
        go_on.wait(BOUND)
        return GOOD(body)

    vllm.default = waits
    async with reached(settings) as (client, wire, beside):
        seen: list[ServerSentEvent] = []
        with contextlib.suppress(httpx.HTTPError):
            async with aconnect_sse(client, "POST", "/threads/t/turns", json={"question": ASKED}) as source:
                async for event in source.aiter_sse():
                    seen.append(event)
                    if event.event == "evidence":
                        wire.show(kind)
                        go_on.set()
                        vllm.default = GOOD
                        other = await beside.post("/generate", json={"question": ASKED})
                        assert other.json()["answer"]["status"] == "answered"
                        answer = (await until_done(beside, "t"))["answer"]
                        if kind == "half-open":
                            break
                        if kind != "drip":
                            wire.mend()
        if seen[-1].event != "done":
            headers = {"last-event-id": seen[-1].id}
            wire.mend()
            async with aconnect_sse(client, "GET", "/events", headers=headers) as source:
                seen += [event async for event in source.aiter_sse()]
        assert [event.event for event in seen if event.event != "step"] == ["evidence", "answer", "citations", "done"]
        assert json.loads(seen[-1].data) == answer


@pytest.mark.parametrize("kind", ENDS)
async def test_the_api_says_that_the_database_is_away_and_that_it_is_back(
    settings: Settings, vllm: FakeVLLM, database_wire: Proxy, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    vllm.default = GOOD
    assert settings.database_url is not None
    url = SecretStr(through(database_wire, settings.database_url.get_secret_value()))
    async with reached(settings.model_copy(update={"database_url": url})) as (_, _, api):
        assert (await api.post("/generate", json={"question": ASKED})).status_code == 200
        database_wire.show(kind)
        asked = await api.post("/threads/t/turns", json={"question": ASKED})
        assert asked.status_code == 503 and asked.json()["error"] == "MemoryUnavailable"
        assert (await api.get("/health")).status_code == 503
        assert (await api.get("/health/live")).status_code == 200
        database_wire.mend()
        async with asyncio.timeout(BACK):
            while (await api.post("/generate", json={"question": ASKED})).status_code != 200:
                pass
