"""Who reads an answer: what was worked up for a clinician is not for a patient's key, by whatever way."""

import json
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from primum.graph.settings import Settings
from primum.server.api import FOR_CLINICIANS
from tests.fakes import FakeVLLM, Says
from tests.served import key

CASE = "58-year-old man, crushing chest pain for 40 minutes, sweating, BP 92/60, on sildenafil"
ASKED = {"question": CASE, "patient": "anna", "audience": "clinician", "form": "case", "reasoning": True}


def told(api: httpx.Client, method: str, path: str, headers: dict[str, str], **body: Any) -> list[tuple[str, Any]]:
    with connect_sse(api, method, path, headers=headers, **body) as source:
        source.response.raise_for_status()
        return [(event.event, json.loads(event.data)) for event in source.iter_sse() if event.event != "step"]


@pytest.fixture
def clinician(door: httpx.Client, closed: Settings, vllm: FakeVLLM) -> list[tuple[str, Any]]:
    """What a clinician got, who asked about a patient."""
    vllm.forms["Workup"] = Says(status=500)
    asked = {**key(closed, "clinician"), "idempotency-key": "k"}
    return told(door, "POST", "/threads/t/turns", asked, json=ASKED)


def test_a_clinician_gets_the_case(clinician: list[tuple[str, Any]]) -> None:
    done = dict(clinician)["done"]
    assert done["case"]["summary"] and "**Case.**" in dict(clinician)["answer"]["text"]


def test_a_patient_gets_nothing_of_it_when_they_send_the_same_question(
    clinician: list[tuple[str, Any]], door: httpx.Client, closed: Settings
) -> None:
    mine = {**key(closed, "patient", "anna"), "idempotency-key": "k"}
    body = {name: ASKED[name] for name in ("question", "patient")}
    found = dict(told(door, "POST", "/threads/t/turns", mine, json=body))
    assert {"answer", "citations", "done"} <= set(found) and clinician
    assert found["answer"]["text"] == found["done"]["text"] == FOR_CLINICIANS
    assert found["citations"]["citations"] == [] and found["done"]["case"] is found["done"]["reasoning"] is None


def test_nor_in_their_conversation(clinician: list[tuple[str, Any]], door: httpx.Client, closed: Settings) -> None:
    mine = key(closed, "patient", "anna")
    (turn,) = door.get("/threads/t", headers=mine, params={"patient": "anna"}).json()
    assert turn["answer"]["text"] == FOR_CLINICIANS and turn["answer"]["case"] is None
    last = f"{dict(clinician)['done']['trace']['run_id']}/1"
    events = dict(told(door, "GET", "/events", {**mine, "last-event-id": last}, params={"patient": "anna"}))
    assert events["answer"]["text"] == FOR_CLINICIANS and events["citations"]["citations"] == []
