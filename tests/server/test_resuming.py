"""A stream that was lost goes on where it was: here, in another process, and for nobody else."""

import json
from threading import Event
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from primum.graph.settings import Settings
from tests.fakes import Body, FakeVLLM
from tests.served import ASKED, key, refused, served
from tests.server.conftest import GOOD


def asked(api: httpx.Client, until: str = "", **headers: str) -> list[ServerSentEvent]:
    """The events of a new turn; the connection is lost after the first with this name."""
    found = []
    body = {"question": ASKED, "patient": "anna"}
    with connect_sse(api, "POST", "/threads/t/turns", json=body, headers=headers) as source:
        for event in source.iter_sse():
            found.append(event)
            if event.event == until:
                break
    return found


def resumed(api: httpx.Client, last: str, patient: str = "anna") -> list[ServerSentEvent]:
    given: Any = {"params": {"patient": patient}, "headers": {"last-event-id": last}}
    with connect_sse(api, "GET", "/events", **given) as source:
        source.response.raise_for_status()
        return list(source.iter_sse())


def told(events: list[ServerSentEvent]) -> list[tuple[str, str, Any]]:
    return [(event.id, event.event, json.loads(event.data)) for event in events]


def test_the_events_that_did_not_arrive_come_in_their_order(api: httpx.Client, vllm: FakeVLLM) -> None:
    go_on = Event()

    def slow(body: Body) -> str:
        go_on.wait(30)
        return GOOD(body)

    vllm.default = slow
    before = asked(api, until="evidence")
    go_on.set()
    after = resumed(api, before[-1].id)
    names = [event.event for event in [*before, *after] if event.event != "step"]
    assert names == ["evidence", "answer", "citations", "done"]
    numbers = [event.id.partition("/")[2] for event in [*before, *after]]
    assert numbers == [*map(str, range(1, len(numbers) - 2)), "answer", "citations", "done"]


@pytest.mark.parametrize("seen", ["answer", "citations", "done"])
def test_after_the_end_what_is_kept_is_told(api: httpx.Client, vllm: FakeVLLM, settings: Settings, seen: str) -> None:
    vllm.default = GOOD
    before = asked(api)
    (last,) = [event for event in before if event.event == seen]
    rest = before[before.index(last) + 1 :]
    with served(settings) as another:
        for process in (api, another):
            assert told(resumed(process, last.id)) == told(rest)
        assert told(resumed(another, before[0].id)) == told(before[-3:])


def test_another_process_waits_for_the_answer(api: httpx.Client, vllm: FakeVLLM, settings: Settings) -> None:
    go_on = Event()

    def slow(body: Body) -> str:
        go_on.wait(30)
        return GOOD(body)

    vllm.default = slow
    with served(settings) as another:
        before = asked(api, until="evidence")
        go_on.set()
        assert [event.event for event in resumed(another, before[-1].id)] == ["answer", "citations", "done"]


def test_a_question_that_broke_ends_in_an_error_wherever_it_is_resumed(
    api: httpx.Client, vllm: FakeVLLM, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from primum.graph import agent

    async def broken(*_: object) -> None:
        raise RuntimeError("a patient's words")

    monkeypatch.setattr(agent.Agent, "_run_graph", broken)
    (error,) = asked(api)
    assert error.event == "error" and "words" not in error.data
    with served(settings) as another:
        (late,) = resumed(another, error.id)
    assert late.event == "error" and json.loads(late.data)["error"] == "TurnFailed"


def test_another_patient_or_tenant_finds_no_such_turn(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    closed = settings.model_copy(update={"auth": "required"})
    with served(closed) as api:
        anna, ben = key(closed, "patient", "anna"), key(closed, "patient", "ben")
        there = key(closed, "clinician", tenant="other")
        last = asked(api, **anna)[0].id
        for headers, patient in ((ben, "me"), (there, "anna")):
            given: Any = {"params": {"patient": patient}, "headers": {**headers, "last-event-id": last}}
            refused(api.get("/events", **given), 404, "UnknownThread")
        refused(api.get("/events", headers={**anna, "last-event-id": "x"}), 400, "BadInput")
