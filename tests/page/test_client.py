"""The client and the turns that it follows, against the real API."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
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
    return Client.of(api.url)


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


class Breaking(httpx.BaseTransport):
    """Ends the connection of the first stream after its first event."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)
        self.asked.append(f"{request.method} {request.url.path}")
        if request.url.path.endswith("/turns"):
            assert isinstance(response.stream, httpx.SyncByteStream)
            return httpx.Response(response.status_code, headers=response.headers, stream=Broken(response.stream))
        return response


class Broken(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            yield part
            if b"data:" in part:
                raise httpx.ReadError("gone")

    def close(self) -> None:
        self._stream.close()


def test_a_turn_goes_on_where_its_connection_broke(api: Api, vllm: FakeVLLM) -> None:
    vllm.says(cited(DRAFT))
    breaking = Breaking()
    client = Client(httpx.Client(base_url=api.url, transport=breaking))
    events = list(client.ask("t1", ASKED, "patient"))
    assert breaking.asked == ["POST /threads/t1/turns", "GET /events"]
    names = [name for name, _ in events]
    assert names[-1] == "done" and names.count("answer") == names.count("citations") == 1
    started = [data["name"] for name, data in events if name == "step" and data["state"] == "started"]
    assert len(started) == len(set(started))


def test_a_key_and_a_patient_go_with_every_request(client: Client) -> None:
    assert client.me()["login"] is False
    other = client.signed("primum_x_y").about("p 1/2.3")
    with pytest.raises(Refused) as refused:
        other.facts()
    assert refused.value.status in (404, 422)
    client.about("p1").fill_in({"kind": "allergy", "value": "penicillin"})
    assert client.fact_count() == 0 and client.about("p1").fact_count() == 1
    assert client.patients("p", 5) == ["p1"] and client.patients("z", 5) == []


def test_an_opinion_of_an_answer_that_is_not_there_is_refused(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        client.rate("00000000-0000-0000-0000-000000000000", -1, ["Wrong"], "")
    assert refused.value.status == 404
