"""The client and the turns that it follows, against the real API."""

import json
import threading
from datetime import UTC, datetime

import pytest

from primum.page.client import Client, Refused
from primum.page.live import LiveTurn
from tests.fakes import FakeVLLM, Says
from tests.page.conftest import Api
from tests.pages import cited

ASKED = "How much paracetamol can adults take?"
DRAFT = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours [every 4 to 6 hours]."


@pytest.fixture
def client(api: Api) -> Client:
    return Client(api.url)


def test_a_turn_is_followed_to_its_stored_end(client: Client, vllm: FakeVLLM) -> None:
    vllm.says(cited(DRAFT))
    live = LiveTurn.start(client, "t1", ASKED, "patient")
    live.join(20)
    assert live.ended and live.accepted and live.refused is None
    assert live.steps == dict.fromkeys(
        ["recall", "triage", "router", "rewrite", "retrieve", "draft", "critique", "respond"], True
    )
    assert "Paracetamol" in live.titles
    (turn,) = client.turns("t1")
    assert turn["status"] == "done" and turn["answer"]["status"] == "answered"
    assert [(thread["id"], thread["title"]) for thread in client.threads()] == [("t1", ASKED)]


@pytest.mark.parametrize(("question", "status"), [("   ", 400), ("x" * 8001, 422)])
def test_a_question_that_is_not_taken_says_why(client: Client, question: str, status: int) -> None:
    live = LiveTurn.start(client, "t1", question, "patient")
    live.join(20)
    assert live.ended and not live.accepted
    assert live.refused and live.refused.status == status and live.refused.message
    assert client.threads() == []


def test_a_second_question_while_the_first_is_answered_is_refused_as_busy(client: Client, vllm: FakeVLLM) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def slow(request: dict[str, object]) -> Says:
        writing.set()
        go_on.wait(20)
        return Says(str(cited(DRAFT)(request)))

    vllm.says(slow)
    first = LiveTurn.start(client, "t1", ASKED, "patient")
    assert writing.wait(20)
    second = LiveTurn.start(client, "t1", ASKED, "patient")
    second.join(20)
    go_on.set()
    first.join(20)
    assert second.refused and second.refused.status == 409 and "still being answered" in second.refused.message
    assert first.refused is None


def test_a_deleted_conversation_is_unknown(client: Client) -> None:
    LiveTurn.start(client, "t.1", ASKED, "patient").join(20)
    client.delete("t.1")
    with pytest.raises(Refused, match="no such conversation") as refused:
        client.turns("t.1")
    assert refused.value.status == 404


def test_an_api_that_does_not_answer_is_said_so(client: Client, api: Api) -> None:
    api.stop()
    with pytest.raises(Refused, match="does not answer") as refused:
        client.health()
    assert refused.value.status is None
    live = LiveTurn.start(client, "t1", ASKED, "patient")
    live.join(20)
    assert live.refused and live.refused.status is None


def test_a_chart_is_filled_in_ended_removed_and_taken_along(client: Client) -> None:
    client.fill_in({"kind": "allergy", "value": "penicillin"})
    weight, allergy = client.fill_in({"kind": "weight", "value": "70 kg"})["facts"][::-1]
    medicine = client.fill_in({"kind": "medicine", "value": "warfarin 5 mg daily"})["facts"][-1]
    assert json.loads(client.fhir())["resourceType"] == "Bundle"
    client.end(medicine["id"], datetime.now(UTC).date())
    client.remove(weight["id"])
    assert [fact["id"] for fact in client.facts()["facts"]] == [allergy["id"]]
    assert [fact["value"] for fact in client.facts(ended=True)["facts"] if fact["ended"]] == ["warfarin"]
    with pytest.raises(Refused, match="Write it like this: 70 kg"):
        client.fill_in({"kind": "weight", "value": "heavy"})
    with pytest.raises(Refused, match="No fact"):
        client.remove(weight["id"])


def test_a_patient_is_erased_once(client: Client) -> None:
    client.fill_in({"kind": "allergy", "value": "penicillin"})
    assert client.erase()["counts"]["facts"] == 1
    with pytest.raises(Refused, match="nothing of such a patient") as refused:
        client.erase()
    assert refused.value.status == 404
