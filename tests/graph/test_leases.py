"""One turn at a time: leases, queues, and questions that are sent again."""

import asyncio
import contextlib
from uuid import uuid4

import pytest
from sqlalchemy import text

from primum.graph import agent as agents
from primum.graph.agent import Agent
from primum.graph.errors import BadInput, MemoryUnavailable, ThreadBusy, TurnFailed
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory.identity import Identity
from primum.memory.threads import ATTEMPTS, Threads
from primum.retrieval.search import Passage, Retriever
from tests.fakes import FakeEmbedder, FakeVLLM, Says
from tests.pages import cited
from tests.rows import ME, rows

DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"
ASKED = "How much paracetamol can adults take?"
GOOD = cited(f"{DOSE} [every 4 to 6 hours].")


async def expire(agent: Agent) -> None:
    async with agent.resources.database.begin_as_worker() as connection:
        await connection.execute(text("update turns set lease_until = now() - interval '1 second'"))


# Sent again


async def test_the_same_key_gets_the_first_answer_and_one_turn(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    first = await agent.ask(ASKED, thread="t", idempotency_key="k")
    again = await agent.ask(ASKED, thread="t", idempotency_key="k")
    assert first == again and len(vllm.written) == 1
    assert await rows(agent.resources.database, "select count(*) from turns") == [(1,)]
    events = [event async for event in agent.stream(ASKED, thread="t", idempotency_key="k")]
    assert [event.name for event in events] == ["answer", "citations", "done"]
    assert events[-1].data == first.model_dump(mode="json")


async def test_sent_again_while_it_is_being_answered_it_is_waited_for(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = lambda body: Says(GOOD(body), first=0.3)
    answers = await asyncio.gather(*(agent.ask(ASKED, thread="t", idempotency_key="k") for _ in range(4)))
    assert len({answer.trace.run_id for answer in answers}) == 1 and len(vllm.written) == 1


async def test_a_key_is_for_one_question_and_one_patient(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    first = await agent.ask(ASKED, idempotency_key="k", thread="t")
    with pytest.raises(BadInput, match="used for another question"):
        await agent.ask("What is gout?", idempotency_key="k", thread="t")
    other = await agent.ask(ASKED, idempotency_key="k", patient="ben")
    assert other.trace.run_id != first.trace.run_id


async def test_a_key_of_what_came_to_nothing_says_so(agent: Agent, vllm: FakeVLLM) -> None:
    run = uuid4()
    threads = agent.resources.threads
    await threads.admit(ME, run, "t", ASKED, {}, idempotency_key="k")
    await threads.fail(ME, run, "RuntimeError", "patient")
    with pytest.raises(TurnFailed, match="another idempotency key"):
        await agent.ask(ASKED, thread="t", idempotency_key="k")


# Queues


async def test_where_it_is_set_so_questions_of_a_thread_are_answered_one_after_the_other(
    settings: Settings, vllm: FakeVLLM
) -> None:
    vllm.default = lambda body: Says(GOOD(body), first=0.1)
    async with open_resources(settings.model_copy(update={"when_busy": "queue"}), FakeEmbedder()) as resources:
        agent = Agent(resources)
        tasks = []
        for number in range(4):
            tasks.append(asyncio.create_task(agent.ask(f"{ASKED} {number}", thread="t")))
            await asyncio.sleep(0.05)
        await asyncio.gather(*tasks)
        turns = await resources.threads.turns(ME, "t")
        assert [turn.question[-1] for turn in turns] == ["0", "1", "2", "3"]
        spans = await rows(resources.database, "select finished_at from turns order by number")
        assert spans == sorted(spans)
        prompts = [body["messages"][1]["content"] for body in vllm.written]
        assert "take? 2\nAnswer" in prompts[-1]  # the last knows the one before


async def test_a_queue_has_an_end(settings: Settings, vllm: FakeVLLM) -> None:
    async with open_resources(settings.model_copy(update={"when_busy": "queue"}), FakeEmbedder()) as resources:
        for _ in range(9):
            await resources.threads.admit(ME, uuid4(), "t", ASKED, {}, may_queue=True)
        with pytest.raises(ThreadBusy, match="as many questions waiting"):
            await Agent(resources).ask(ASKED, thread="t")


async def test_a_queue_whose_process_died_is_answered_in_its_order(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    dead = Threads(agent.resources.database, agent.resources.audit)
    for number in range(3):
        await dead.admit(ME, uuid4(), "t", f"{ASKED} {number}", {}, may_queue=True)
    assert await agent.recover() == 0
    await expire(agent)
    assert await agent.recover() == 3
    turns = await rows(agent.resources.database, "select question, status from turns order by finished_at")
    assert turns == [(f"{ASKED} {number}", "done") for number in range(3)]


# Leases


async def test_a_turn_that_takes_long_is_not_taken_over(
    settings: Settings, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "BEAT", 0.05)
    vllm.default = lambda body: Says(GOOD(body), first=0.6)
    async with (
        open_resources(settings, FakeEmbedder()) as resources,
        open_resources(settings, FakeEmbedder()) as others,
    ):
        task = asyncio.create_task(Agent(resources).ask(ASKED, thread="t"))
        await asyncio.sleep(0.3)
        await expire(Agent(resources))
        await asyncio.sleep(0.15)
        assert await Agent(others).recover() == 0
        assert (await task).status == "answered"
    assert len(vllm.written) == 1


async def test_of_two_that_answer_one_turn_the_one_that_holds_it_is_kept(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = lambda body: Says(GOOD(body), first=0.5)
    async with (
        open_resources(settings, FakeEmbedder()) as resources,
        open_resources(settings, FakeEmbedder()) as others,
    ):
        frozen = asyncio.create_task(Agent(resources).ask(ASKED, thread="t"))
        await asyncio.sleep(0.2)
        await expire(Agent(resources))
        assert await Agent(others).recover() == 1
        await frozen
        assert await rows(resources.database, "select status, attempts from turns") == [("done", 2)]
        answers = await rows(resources.database, "select count(*) from audit_events where action = 'answer'")
        assert answers == [(1,)]


async def test_a_turn_that_takes_its_process_down_each_time_is_given_up(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    dead = Threads(agent.resources.database, agent.resources.audit)
    await dead.admit(ME, uuid4(), "t", ASKED, {})
    for _ in range(ATTEMPTS - 1):
        await expire(agent)
        assert await dead.claim() is not None
    await expire(agent)
    assert await agent.recover() == 0
    assert await rows(agent.resources.database, "select status, error from turns") == [("failed", "GivenUp")]
    assert (await agent.ask(ASKED, thread="t")).status == "answered"


async def test_a_turn_whose_search_takes_too_long_each_time_is_given_up(
    agent: Agent, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "BEAT", 0.05)
    vllm.default = GOOD
    searched = []

    async def search(*_: object) -> list[Passage]:
        searched.append(1)
        async with agent.resources.database.begin() as connection:
            await connection.execute(text("set local statement_timeout = '20ms'"))
            await connection.execute(text("select pg_sleep(1)"))
        return []

    monkeypatch.setattr(Retriever, "search", search)
    with pytest.raises(MemoryUnavailable, match="took too long"):
        await agent.ask(ASKED, thread="t")
    for _ in range(ATTEMPTS + 1):
        await asyncio.sleep(0.2)  # some signs of life, with which an outage would be told
        await expire(agent)
        with contextlib.suppress(MemoryUnavailable):
            await agent.recover()
    assert len(searched) == ATTEMPTS
    assert await rows(agent.resources.database, "select status, error from turns") == [("failed", "GivenUp")]


async def test_two_processes_that_write_one_chart_lose_nothing(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    names = ["penicillin", "latex", "peanuts", "aspirin", "codeine", "eggs", "ibuprofen", "morphine"]
    async with (
        open_resources(settings, FakeEmbedder()) as resources,
        open_resources(settings, FakeEmbedder()) as others,
    ):
        agents_ = [Agent(resources), Agent(others)]
        await asyncio.gather(
            *(
                agents_[number % 2].ask(f"I'm allergic to {name}. What is gout?", thread=f"t{number}")
                for number, name in enumerate(names)
            )
        )
        facts = (await resources.charts.read(Identity("main", "me"))).facts
        assert sorted(one.fact.written for one in facts) == sorted(names)
        assert (await resources.audit.verify("main")).holds
