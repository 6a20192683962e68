"""Everything of a patient goes when it is asked to go, and nothing of anybody else's."""

import asyncio
import subprocess
from uuid import uuid4

import pytest
from sqlalchemy import text

from primum.graph.agent import Agent
from primum.graph.errors import ThreadBusy, Unauthenticated, UnknownPatient, UnknownThread
from primum.memory.erasure import is_genuine
from primum.memory.identity import Identity
from primum.memory.keys import Keys
from primum.memory.session import Database
from primum.memory.tables import Base
from primum.safety import remembered
from primum.safety.lexicon import mentions
from primum.server.postgres import binaries
from tests.conftest import Cluster
from tests.fakes import FakeVLLM
from tests.rows import rows

CANARY = "zyxquarkle"
ANNA, BEN = Identity("main", "anna"), Identity("main", "ben")


def dump(cluster: Cluster, url: str) -> str:
    """The whole database, all schemas, as its superuser sees it."""
    name = url.partition("?")[0].rpartition("/")[2]
    command = [str(binaries() / "pg_dump"), "--inserts", cluster.url(name).replace("primum@", "postgres@")]
    dumped: str = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return dumped


@pytest.fixture
async def told(agent: Agent, vllm: FakeVLLM) -> Agent:
    vllm.default = "No."
    for patient in ("anna", "ben"):
        said = f"I'm allergic to {CANARY} and I take warfarin. What is gout?"
        for number in range(2):
            answer = await agent.ask(said, patient=patient, thread=f"{patient}-{number}")
        identity = Identity("main", patient)
        insert = (
            "insert into feedback (run_id, tenant, patient, rating, reasons, comment) "
            "values (:run, 'main', :patient, -1, '[]', :comment)"
        )
        await rows(agent.resources.database, insert, identity, run=answer.trace.run_id, patient=patient, comment=CANARY)
        summary = (
            "insert into summaries (tenant, thread_id, patient, last, summary, made_by) "
            "values ('main', :thread, :patient, 1, cast(:summary as jsonb), 'rules')"
        )
        given = {"thread": f"{patient}-0", "patient": patient, "summary": f'{{"asked": ["{CANARY}"]}}'}
        await rows(agent.resources.database, summary, identity, **given)
    return agent


async def test_nothing_is_left_of_the_patient_and_all_of_the_other(told: Agent, cluster: Cluster) -> None:
    url = told.resources.database.url
    before = dump(cluster, url)
    assert before.count(CANARY) > 10
    receipt = await told.resources.erasure.erase(ANNA, "patient")
    assert receipt.counts["threads"] == 2 and receipt.counts["turns"] == 2 and receipt.counts["facts"] == 2
    assert receipt.counts["feedback"] == receipt.counts["summaries"] == 1 and receipt.counts["jobs"] == 2
    assert receipt.counts["checkpoints"] == 2 and receipt.counts["checkpoint_blobs"] > 2
    tables = set(Base.metadata.tables) - {"documents", "chunks", "lexemes", "corpus", "fetched", "installation"}
    for table in tables - {"tenants", "audit_events"}:
        assert await rows(told.resources.database, f"select count(*) from {table}", ANNA) == [(0,)], table
    halved = dump(cluster, url)
    assert "anna" not in halved and halved.count(CANARY) == before.count(CANARY) // 2
    await told.resources.erasure.erase(BEN, "patient")
    assert CANARY not in dump(cluster, url)


async def test_nothing_of_the_patients_words_is_left_in_the_rules_of_this_process(told: Agent) -> None:
    remembers = [one for one in remembered._all if one.cache_info().currsize]
    assert len(remembers) > 10
    await told.resources.erasure.erase(ANNA, "patient")
    assert not [one for one in remembers if one.cache_info().currsize]
    mentions("I take warfarin")
    (known, *_) = (await told.resources.charts.read(BEN)).facts
    await told.resources.charts.forget(BEN, known.id)
    assert not [one for one in remembers if one.cache_info().currsize]
    mentions("I take warfarin")
    await told.forget("ben-0", "ben")
    assert not [one for one in remembers if one.cache_info().currsize]


async def test_the_receipt_is_signed_and_a_changed_one_is_not_genuine(told: Agent) -> None:
    receipt = await told.resources.erasure.erase(ANNA, "patient")
    assert is_genuine(receipt)
    assert not is_genuine(receipt.model_copy(update={"counts": {**receipt.counts, "facts": 0}}))
    assert not is_genuine(receipt.model_copy(update={"patient": "ben"}))
    verdict = await told.resources.audit.verify("main")
    assert verdict.holds and verdict.head == receipt.audit_head


async def test_what_was_never_there_is_said_not_to_be(told: Agent) -> None:
    with pytest.raises(UnknownPatient):
        await told.resources.erasure.erase(Identity("main", "carl"), "patient")
    await told.resources.erasure.erase(ANNA, "patient")
    with pytest.raises(UnknownPatient):
        await told.resources.erasure.erase(ANNA, "patient")


async def test_in_mid_turn_it_waits(told: Agent) -> None:
    await told.resources.threads.admit(ANNA, uuid4(), "new", "What is gout?", {})
    with pytest.raises(ThreadBusy, match="erase"):
        await told.resources.erasure.erase(ANNA, "patient")


async def test_a_turn_that_ends_after_its_patient_is_gone_brings_nothing_back(
    told: Agent, vllm: FakeVLLM, cluster: Cluster
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(_: object) -> str:
        loop.call_soon_threadsafe(asked.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
        return "No."

    vllm.default = slow
    task = asyncio.create_task(told.ask(f"I take {CANARY}. How is gout treated?", patient="anna", thread="late"))
    await asked.wait()
    async with told.resources.database.begin_as_worker() as connection:  # as if its process had been silent
        await connection.execute(text("update turns set lease_until = now() - interval '1 second'"))
    await told.resources.erasure.erase(ANNA, "patient")
    go_on.set()
    with pytest.raises(UnknownThread):
        await task
    await told.resources.erasure.sweep()
    assert "anna" not in dump(cluster, told.resources.database.url)


async def test_a_job_that_runs_after_its_patient_is_gone_brings_nothing_back(told: Agent) -> None:
    ((run, *_),) = (await rows(told.resources.database, "select run_id from turns limit 1", ANNA),)
    facts = [one.fact for one in (await told.resources.charts.read(ANNA)).facts]
    await told.resources.erasure.erase(ANNA, "patient")
    await told.remember(run[0])
    await told.resources.charts.take(ANNA, facts, "model", run_id=run[0])
    assert await rows(told.resources.database, "select count(*) from patients", ANNA) == [(0,)]


async def test_what_is_older_than_it_may_be_goes_and_what_is_newer_stays(told: Agent) -> None:
    database = told.resources.database
    await rows(database, "update threads set updated_at = now() - interval '40 days' where id = 'anna-0'", ANNA)
    await told.resources.erasure.retain(None)
    assert await rows(database, "select count(*) from threads", ANNA) == [(2,)]
    await told.resources.erasure.retain(30)
    assert await rows(database, "select id from threads", ANNA) == [("anna-1",)]
    assert await rows(database, "select count(*) from facts", ANNA) == [(2,)]
    for statement in (
        "update threads set updated_at = now() - interval '40 days'",
        "update patients set created_at = now() - interval '40 days'",
        "update facts set recorded_at = now() - interval '40 days'",
    ):
        await rows(database, statement, ANNA)
    await told.resources.erasure.retain(30)
    assert await rows(database, "select count(*) from patients", ANNA) == [(0,)]
    assert await rows(database, "select count(*) from threads", BEN) == [(2,)]
    assert (await told.resources.audit.verify("main")).holds


async def test_the_patients_keys_go_too_and_nobody_elses(told: Agent) -> None:
    resources = told.resources
    owner = Database(resources.database.url, owner=True)
    keys = Keys(owner, resources.secret)
    token, _ = await keys.create("main", "Anna's phone", "patient", patient="anna")
    await keys.revoke("main", (await keys.create("main", "Anna's old phone", "patient", patient="anna"))[1].id)
    for tenant, patient in (("main", "ben"), ("other", "anna")):
        await keys.create(tenant, "A phone", "patient", patient=patient)
    await keys.create("main", "Ward 3", "clinician")
    receipt = await resources.erasure.erase(Identity("main", "anna"), "admin")
    assert receipt.counts["api_keys"] == 2 and is_genuine(receipt)
    with pytest.raises(Unauthenticated, match="wrong, ran out or was revoked"):
        await Keys(resources.database, resources.secret).find(token)
    left = await rows(owner, "select tenant, patient from api_keys order by 1, 2", None)
    assert left == [("main", "ben"), ("main", None), ("other", "anna")]
    await owner.close()


async def test_who_has_a_key_and_never_asked_can_be_erased(told: Agent) -> None:
    resources = told.resources
    owner = Database(resources.database.url, owner=True)
    await Keys(owner, resources.secret).create("main", "Carl's phone", "patient", patient="carl")
    receipt = await resources.erasure.erase(Identity("main", "carl"), "admin")
    assert receipt.counts["api_keys"] == 1
    with pytest.raises(UnknownPatient):
        await resources.erasure.erase(Identity("main", "carl"), "admin")
    await owner.close()


async def test_age_alone_takes_no_key_that_holds(told: Agent) -> None:
    resources = told.resources
    owner = Database(resources.database.url, owner=True)
    keys = Keys(owner, resources.secret)
    token, _ = await keys.create("main", "Anna's phone", "patient", patient="anna")
    await keys.revoke("main", (await keys.create("main", "Anna's old phone", "patient", patient="anna"))[1].id)
    receipt = await resources.erasure.erase(Identity("main", "anna"), "system", keys=False)
    assert receipt.counts["api_keys"] == 1
    assert (await Keys(resources.database, resources.secret).find(token)).patient == "anna"
    await owner.close()
