"""Processes killed at every edge of a turn and its job, and at any moment: nothing is lost, nothing done twice."""

import asyncio
import contextlib
import itertools
import json
import random
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

from primum.graph.agent import Agent
from primum.graph.errors import UnknownPatient, UnknownThread
from primum.graph.resources import open_resources
from primum.graph.settings import read_settings
from primum.memory.identity import Identity
from primum.memory.summaries import ASKED
from primum.server import postgres
from tests.conftest import Cluster
from tests.fakes import Body, FakeEmbedder, FakeVLLM
from tests.faults.kills import MORTAL, NODES, Crossing, Death, Life, Mortals, drain, open_mortals
from tests.pages import cited

GOUT = "Ibuprofen or colchicine treats an attack of gout"
HOW = "How is an attack of gout treated?"
ALLERGENS = ("latex", "peanuts", "eggs", "soy", "milk", "fish", "shellfish", "sesame")
MEDICINES = ("Amlodipine", "Lisinopril", "Ramipril", "Losartan", "Bisoprolol", "Atenolol", "Valsartan", "Nifedipine")
EACH = len(ALLERGENS)  # turns of one patient
LANES = 4  # patients who ask in turn, so that nobody asks while their last question is still open
DRAFTED: Crossing = ("after draft", 1)


def telling(turn: int) -> str:
    """An allergy, which the rules read, and a medicine, which the model finds; all of it new to the patient."""
    return f"I'm allergic to {ALLERGENS[turn]}. {MEDICINES[turn]} keeps my blood pressure down. {HOW} ({turn})"


def trained(vllm: FakeVLLM) -> FakeVLLM:
    """Writes a draft that is refined, and finds the medicine that was told."""

    def proposals(body: Body) -> str:
        said = re.search(r"(\w+) keeps my blood pressure down", str(body["messages"]))
        assert said is not None
        return json.dumps({"facts": [{"kind": "medicine", "value": said[1], "quote": said[0]}]})

    vllm.default = cited(f"{GOUT} [colchicine]. Gout cures migraine [colchicine].")
    vllm.forms["Proposals"] = proposals
    return vllm


def given(home: Path, database: str, vllm: FakeVLLM) -> dict[str, Any]:
    """Settings with which a thread is summed up from its third turn on."""
    urls = {"database_url": database, "model_url": vllm.url}
    return {"home": str(home), **urls, "history_turns": 2, "summarise_after": 200}


@pytest.fixture(scope="module")
async def mortals(cluster: Cluster, library: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mortals]:
    cluster.create("rehearsal", library)
    with FakeVLLM() as vllm:
        settings = given(tmp_path_factory.mktemp("rehearsal"), cluster.url("rehearsal"), trained(vllm))
        async with open_mortals() as opened:
            await opened.live(Life(settings, [*(("ask", "p", telling(turn)) for turn in range(3)), ("work",)]))
            yield opened
    cluster.drop("rehearsal")


class World:
    """One database, the lives on it, and the agent that outlives them."""

    def __init__(self, agent: Agent, settings: Mapping[str, Any], mortals: Mortals, superuser: str) -> None:
        self.agent = agent
        self.deaths: list[Death] = []
        self._settings = settings
        self._mortals = mortals
        self._superuser = superuser
        self._numbers = itertools.count()

    def ask(self) -> tuple[str, str, str]:
        """The next question of the next patient."""
        asked, lane = divmod(next(self._numbers), LANES)
        patients, turn = divmod(asked, EACH)
        return "ask", f"p{patients * LANES + lane}", telling(turn)

    async def live(self, *deeds: tuple[str, ...], **end: Any) -> Death:
        """A life, and then the time until nothing is left of it but what it committed."""
        death = await self._mortals.live(Life(self._settings, deeds, **end))
        async with await psycopg.AsyncConnection.connect(self._superuser, autocommit=True) as connection:
            alive = "select from pg_stat_activity where application_name = %s"
            while (await connection.execute(alive, [MORTAL])).rowcount:  # noqa: ASYNC110 (Postgres tells nobody)
                await asyncio.sleep(0.005)
            await connection.execute(
                "update turns set lease_until = now() - interval '1 second' where status in ('queued', 'running')"
            )
            await connection.execute("update jobs.procrastinate_workers set last_heartbeat = 'epoch'")
        self.deaths.append(death)
        return death

    async def recover(self) -> None:
        """What the dead left is done."""
        await self.agent.recover()
        await drain(self.agent)

    def all(self, statement: str) -> list[dict[str, Any]]:
        """Rows as the superuser sees them."""
        with psycopg.connect(self._superuser, row_factory=dict_row) as connection:
            return connection.execute(statement.encode()).fetchall()

    def column(self, statement: str) -> list[Any]:
        return [value for row in self.all(statement) for value in row.values()]

    async def check(self, kills: int) -> None:
        """That there were as many kills, and that what was acknowledged is there, once, and nothing besides."""
        assert sum(death.killed for death in self.deaths) >= kills
        await self.recover()
        await self.agent.resources.erasure.sweep()
        turns = {
            row["run_id"]: row
            for row in self.all("select run_id::text, patient, question, status, answer from turns order by number")
        }
        assert all(row["status"] == "done" for row in turns.values())
        for death in self.deaths:
            assert {*death.of("admitted")} <= {*turns}
            for run, text in zip(death.of("answered"), death.of("text"), strict=True):
                assert turns[run]["answer"]["text"] == text
        answers = self.column("select run_id::text from audit_events where action = 'answer'")
        assert len(answers) == len({*answers}) and {*answers} >= {*turns}
        assert self.column("select run_id from audit_events where action = 'fail'") == []
        assert (await self.agent.resources.audit.verify("main")).holds
        told = {
            (row["patient"], thing.lower())
            for row in turns.values()
            for thing in re.findall("|".join((*ALLERGENS, *MEDICINES)), row["question"])
        }
        facts = self.all("select patient, coalesce(fact ->> 'written', fact ->> 'value') as thing from facts")
        assert sorted((row["patient"], row["thing"].lower()) for row in facts) == sorted(told)
        steps = self.column("select step || ' of ' || run_id from effects")
        assert sorted(steps) == sorted(
            f"{step} of {run}"
            for run, row in turns.items()
            if "allergic" in row["question"]
            for step in ("model", "rules")
        )
        assert self.column("select id from contradictions") == []
        self._check_threads()

    def _check_threads(self) -> None:
        threads = sorted(self.column("select key::text from threads"))
        for table in ("checkpoints", "checkpoint_blobs"):
            assert sorted(self.column(f"select distinct thread_id from checkpoints.{table}")) == threads
        summaries = self.all(
            "select summary, (select array_agg(question order by number) from turns"
            " where turns.thread_id = summaries.thread_id and number <= last) as folded from summaries"
        )
        for row in summaries:
            assert row["summary"]["asked"] == row["folded"][-ASKED:]
        assert self.column("select id from jobs.procrastinate_jobs where task_name = 'remember'") == []


@pytest.fixture
async def world(
    library_url: str, vllm: FakeVLLM, tmp_path: Path, cluster: Cluster, mortals: Mortals
) -> AsyncIterator[World]:
    settings = given(tmp_path, library_url, trained(vllm))
    name = make_url(library_url).database
    assert name is not None
    async with open_resources(read_settings(**settings), FakeEmbedder()) as resources:
        agent = Agent(resources)
        yield World(agent, settings, mortals, postgres.url(cluster.data, "postgres", name))
        await agent.close()


async def test_a_process_killed_at_any_edge_of_a_turn_or_its_job_loses_and_doubles_nothing(world: World) -> None:
    whole = [await world.live(world.ask(), ("work",)) for _ in range(3 * LANES)]
    edges = min((death.crossings for death in whole[-LANES:]), key=len)  # others did a chore of the minute as well
    assert {name for name, _ in edges} >= {f"{side} {node}" for side in ("before", "after") for node in NODES}
    for number, edge in enumerate(edges, 1):
        await world.live(world.ask(), ("work",), at=edge)
        if number % LANES == 0:
            await world.recover()
    await world.check(100)


async def test_a_process_killed_while_it_takes_over_from_a_dead_one_leaves_all_to_a_third(world: World) -> None:
    await world.live(world.ask(), at=DRAFTED)
    whole = await world.live(("recover",), ("work",))
    for edge in whole.crossings[::6]:
        await world.live(world.ask(), at=DRAFTED)
        await world.live(("recover",), ("work",), at=edge)
        await world.recover()
    await world.check(30)


@pytest.mark.parametrize(("deed", "said", "kills"), [("erase", telling(0), 15), ("forget", HOW, 8)])
async def test_a_process_killed_while_it_forgets_has_forgotten_all_or_nothing(
    world: World, deed: str, said: str, kills: int
) -> None:
    agent = world.agent

    async def known(patient: str) -> tuple[str, str]:
        await agent.ask(said, patient=patient, thread=patient)
        return deed, patient

    whole = await world.live(await known("whole"))
    for number, edge in enumerate(whole.crossings):
        await world.live(await known(f"p{number}"), at=edge)
        with contextlib.suppress(UnknownPatient, UnknownThread):  # it is done, though nobody was told
            if deed == "erase":
                await agent.resources.erasure.erase(Identity("main", f"p{number}"), "patient")
            else:
                await agent.forget(f"p{number}", f"p{number}")
    await world.check(kills)
    assert world.column("select run_id from turns") == []
    erased = world.column("select subject from audit_events where action = 'erase'")
    assert len(erased) == len({*erased}) == (len(world.deaths) if deed == "erase" else 0)


async def test_processes_killed_at_any_moment_lose_and_double_nothing(world: World) -> None:
    moments = random.Random(20261122)
    for number in range(60):
        deeds = (("recover",), world.ask(), world.ask())
        await world.live(*deeds, works=True, after=moments.uniform(0, 0.8))
        if number % 2:
            await world.recover()
    await world.check(60)


async def test_two_processes_that_are_told_the_same_at_once_write_it_once(world: World) -> None:
    asks = [("ask", "p", telling(turn)) for turn in range(EACH)]
    await asyncio.gather(
        world.live(*asks, ("work",)),
        *(world.agent.ask(question, patient=patient, thread=question[-2]) for _, patient, question in asks),
    )
    assert len(world.column("select run_id from turns")) == 2 * EACH
    await world.check(0)
