"""A stream that was lost goes on where it was: here, in another process, and for nobody else."""

import json
from threading import Event
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from primum.graph.settings import Settings
from primum.server import api as server_api
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


def test_an_answer_that_waits_is_told_again_until_a_clinician_lets_it_out(vllm: FakeVLLM, settings: Settings) -> None:
    vllm.default = GOOD
    signing = settings.model_copy(update={"sign_off": "patients"})
    with served(signing) as api, served(signing) as another:
        before = asked(api)
        run = before[-1].id.partition("/")[0]
        notice = told(before[-3:])
        assert notice[0][2]["status"] == "waiting"
        for process in (api, another):
            for seen in ("1", "5", "done"):
                assert told(resumed(process, f"{run}/{seen}")) == notice
            assert told(resumed(process, before[-2].id)) == notice[2:]
            assert resumed(process, before[-1].id) == []
        api.post(f"/reviews/{run}", json={"decision": "approved"}).raise_for_status()
        for process in (api, another):
            (answer, _, done) = told(resumed(process, before[-1].id))
            assert answer[2]["status"] == "answered" and done[2]["signed"]["decision"] == "approved"


def test_a_question_sent_again_while_its_answer_waits_is_told_that(vllm: FakeVLLM, settings: Settings) -> None:
    vllm.default = GOOD
    with served(settings.model_copy(update={"sign_off": "patients"})) as api:
        first = asked(api, **{"idempotency-key": "k"})
        assert told(asked(api, **{"idempotency-key": "k"})) == told(first[-3:])


def held(vllm: FakeVLLM) -> Event:
    """Lets the model write nothing until the event is set."""
    go_on = Event()

    def slow(body: Body) -> str:
        go_on.wait(30)
        return GOOD(body)

    vllm.default = slow
    return go_on


def test_a_stream_begins_before_its_first_event(
    api: httpx.Client, vllm: FakeVLLM, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_api, "PING", 0.2)
    go_on = held(vllm)
    last = asked(api, until="evidence")[-1].id
    with served(settings) as another:
        given: Any = {"params": {"patient": "anna"}, "headers": {"last-event-id": last}}
        with another.stream("GET", "/events", **given) as response:
            assert response.status_code == 200
            lines = response.iter_lines()
            assert next(lines).startswith(": ping")
            go_on.set()
            assert "event: done" in list(lines)


@pytest.mark.parametrize("event", ["", "0", "-1", "x", "1.5", "²", "1" * 7, "answer/1", "done-x"])
def test_an_event_that_never_was_is_refused(api: httpx.Client, event: str) -> None:
    run = asked(api)[0].id.partition("/")[0]
    given: Any = {"params": {"patient": "anna"}, "headers": {"last-event-id": f"{run}/{event}".encode()}}
    refused(api.get("/events", **given), 400, "BadInput")


def test_a_number_past_the_last_event_of_a_turn_under_way_is_refused(api: httpx.Client, vllm: FakeVLLM) -> None:
    go_on = held(vllm)
    last = asked(api, until="evidence")[-1].id
    for event in ("999", "done"):
        given: Any = {"params": {"patient": "anna"}, "headers": {"last-event-id": last.partition("/")[0] + "/" + event}}
        refused(api.get("/events", **given), 400, "BadInput")
    go_on.set()
    assert resumed(api, last)[-1].event == "done"


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
