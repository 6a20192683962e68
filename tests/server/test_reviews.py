"""Sign-off: an answer waits for a clinician, is let out, edited or refused, once, whatever breaks in between."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from primum.graph.agent import WAITS, Agent
from primum.graph.errors import AlreadyDecided, MemoryUnavailable
from primum.graph.settings import Settings
from primum.memory.identity import Identity
from tests.fakes import FakeVLLM
from tests.served import ASKED, events, key, refused, served
from tests.server.conftest import DOSE, GOOD

SIGNING = {"sign_off": "patients"}


@pytest.fixture
def desk(settings: Settings, vllm: FakeVLLM) -> Iterator[httpx.Client]:
    vllm.default = GOOD
    with served(settings.model_copy(update=SIGNING)) as api:
        yield api


def waiting(api: httpx.Client, **headers: str) -> Any:
    return api.get("/reviews", headers=headers).json()


def decide(api: httpx.Client, decision: str, text: str | None = None) -> Any:
    (review,) = waiting(api)
    response = api.post(f"/reviews/{review['run_id']}", json={"decision": decision, "text": text})
    response.raise_for_status()
    return response.json()


def kept(api: httpx.Client, thread: str = "t") -> Any:
    return api.get(f"/threads/{thread}").json()[-1]


def test_an_answer_waits_and_goes_out_as_it_was_when_it_is_approved(desk: httpx.Client) -> None:
    told = events(desk)
    assert dict(told)["answer"] == {"text": WAITS, "status": "waiting"}
    assert DOSE not in str([data for name, data in told if name != "evidence"])
    assert (kept(desk)["status"], kept(desk)["answer"]) == ("waiting", None)
    (review,) = waiting(desk)
    assert review["question"] == ASKED and DOSE in review["answer"]["text"] and review["patient"] == "me"
    answer = decide(desk, "approved")
    assert kept(desk)["answer"]["text"] == answer["text"] == review["answer"]["text"]
    assert answer["signed"]["decision"] == "approved" and answer["status"] == "answered" and waiting(desk) == []


def test_an_edited_answer_keeps_the_citations_that_it_still_names(desk: httpx.Client) -> None:
    events(desk)
    answer = decide(desk, "edited", "Take one 500 mg tablet [1]. Ask me tomorrow.")
    assert answer["text"] == "Take one 500 mg tablet [1]. Ask me tomorrow."
    assert [citation["marker"] for citation in answer["citations"]] == [1]
    events(desk, "u")
    assert decide(desk, "edited", "Come in today.")["citations"] == []


def test_an_edited_answer_claims_nothing_of_the_answer_that_it_was(desk: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.default = "Zebrafinch extract cures it."
    events(desk)
    (review,) = waiting(desk)
    counts = review["answer"]["support"]
    assert review["answer"]["status"] == "evidence_only" and counts["supported"] > 0 and counts["removed"] > 0
    assert counts["sentences"] == counts["supported"] + counts["removed"]
    answer = decide(desk, "edited", "Drink water and see me tomorrow.")
    assert (answer["status"], answer["signed"]["decision"]) == ("answered", "edited")
    assert answer["support"] == {"sentences": 0, "supported": 0, "removed": 0} and answer["confidence"] == 0
    assert kept(desk)["answer"] == answer


@pytest.mark.parametrize("marker", ["[99]", "[1, 99]", "【99】", "[" + "9" * 5_000 + "]", "[01]"])
def test_a_marker_that_leads_nowhere_is_refused_and_the_answer_goes_on_waiting(desk: httpx.Client, marker: str) -> None:
    events(desk)
    (review,) = waiting(desk)
    body = {"decision": "edited", "text": f"Take one 500 mg tablet [1]. Rest {marker}."}
    told = refused(desk.post(f"/reviews/{review['run_id']}", json=body), 400, "BadInput")
    assert told.startswith(f"No source belongs to [{'01' if '01' in marker else '99'}") and "has [1] alone" in told
    assert len(waiting(desk)) == 1 and kept(desk)["status"] == "waiting"


def test_what_an_edit_must_not_say_to_this_person_stands_under_a_warning(desk: httpx.Client) -> None:
    change = {"set": [{"kind": "allergy", "value": "penicillin"}]}
    desk.patch("/patients/me/facts", json=change).raise_for_status()
    events(desk)
    text = decide(desk, "edited", "Take amoxicillin 500 mg three times a day.")["text"]
    assert text.startswith("> **Warning.**") and "penicillin" in text.split("\n\n")[0]


def test_a_refused_answer_says_so_and_nothing_of_it_leaves(desk: httpx.Client) -> None:
    events(desk)
    answer = decide(desk, "refused")
    assert answer["status"] == "declined" and answer["citations"] == [] and DOSE not in answer["text"]


def test_an_emergency_and_a_clinician_wait_for_nobody(desk: httpx.Client) -> None:
    assert events(desk, question="I have crushing chest pain and can't breathe.")[-1][1]["status"] == "emergency"
    assert events(desk, "u", audience="clinician")[-1][1]["status"] == "answered"
    assert waiting(desk) == []


def test_where_nothing_is_kept_an_answer_could_not_wait(desk: httpx.Client, vllm: FakeVLLM) -> None:
    asked = {"model": "primum", "messages": [{"role": "user", "content": ASKED}]}
    assert "metadata.thread" in desk.post("/v1/chat/completions", json=asked).json()["error"]["message"]
    assert "/turns" in refused(desk.post("/generate", json={"question": ASKED}), 400, "BadInput")
    assert not vllm.requests
    told = desk.post("/v1/chat/completions", json={**asked, "metadata": {"thread": "t"}}).json()
    assert told["primum"]["status"] == "waiting" and len(waiting(desk)) == 1


def test_the_conversation_waits_too_and_can_be_removed(desk: httpx.Client) -> None:
    events(desk)
    refused(desk.post("/threads/t/turns", json={"question": ASKED}), 409, "ThreadBusy")
    assert desk.delete("/threads/t").status_code == 204
    assert waiting(desk) == []


def test_it_is_decided_once_and_by_who_may(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    closed = settings.model_copy(update={"auth": "required", **SIGNING})
    with served(closed) as api:
        anna, doctor = key(closed, "patient", "anna"), key(closed, "clinician")
        there = key(closed, "clinician", tenant="other")
        api.post("/threads/t/turns", json={"question": ASKED}, headers=anna).raise_for_status()
        (review,) = waiting(api, **doctor)
        assert waiting(api, **there) == []
        address, body = f"/reviews/{review['run_id']}", {"decision": "approved"}
        refused(api.get("/reviews", headers=anna), 403, "NotAllowed")
        refused(api.post(address, json=body, headers=anna), 403, "NotAllowed")
        refused(api.post(address, json=body, headers=there), 404, "UnknownThread")
        refused(api.post(address, json={"decision": "edited"}, headers=doctor), 422, "BadInput")
        refused(api.post(address, json={**body, "text": "x"}, headers=doctor), 422, "BadInput")
        answer = api.post(address, json=body, headers=doctor).json()
        assert answer["signed"]["by"].startswith("clinician ")
        refused(api.post(address, json=body, headers=doctor), 409, "AlreadyDecided")


@pytest.fixture
def signing(agent: Agent, vllm: FakeVLLM) -> Agent:
    vllm.default = GOOD
    settings = agent.resources.settings.model_copy(update=SIGNING)
    return Agent(replace(agent.resources, settings=settings))


async def wait(agent: Agent) -> UUID:
    answer = await agent.ask(ASKED, patient="anna", thread="t")
    assert answer.status == "waiting"
    return UUID(answer.trace.run_id)


async def test_a_decision_outlives_the_process_that_took_it(signing: Agent) -> None:
    run = await wait(signing)
    reviews = signing.resources.reviews
    await reviews.decide("main", run, "approved", "clinician 1", holder=uuid4(), lease=-1)  # and then it died
    with pytest.raises(AlreadyDecided):
        await reviews.decide("main", run, "refused", "clinician 2", holder=uuid4(), lease=-1)
    assert await signing.recover() == 1
    status, answer = await signing.resources.threads.look(Identity("main", "anna"), run)
    assert status == "done" and answer is not None and answer["signed"]["by"] == "clinician 1"


async def test_it_is_told_once_if_the_process_dies_just_before_the_end(
    signing: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await wait(signing)
    threads = signing.resources.threads

    async def dies(*_: object) -> bool:
        raise MemoryUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(type(threads), "finish", dies)
        with pytest.raises(MemoryUnavailable):
            await signing.decide("main", run, "edited", "clinician 1", "Rest [1].")
    async with signing.resources.database.begin_as_worker() as connection:
        from sqlalchemy import text

        await connection.execute(text("update turns set lease_until = now() - interval '1 second'"))
    assert await signing.recover() == 1
    _, answer = await threads.look(Identity("main", "anna"), run)
    assert answer is not None and answer["text"] == "Rest [1]." and answer["signed"]["decision"] == "edited"


async def test_erasing_the_patient_takes_what_waits_along(signing: Agent) -> None:
    await wait(signing)
    receipt = await signing.resources.erasure.erase(Identity("main", "anna"), "patient")
    assert receipt.counts["reviews"] == 1 and await signing.resources.reviews.waiting("main") == []
