"""The client and the turns that it follows, against the real API."""

import threading

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
        ["triage", "router", "rewrite", "retrieve", "draft", "critique", "respond"], True
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
