"""What whoever runs Primum sees, and who does not see it."""

import httpx
import pytest

from primum.graph.settings import Settings
from tests.fakes import FakeVLLM
from tests.served import ASKED, events, key, refused, served
from tests.server.conftest import GOOD


def test_statistics_tell_what_the_last_days_were_like(api: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    run = events(api, patient="anna")[-1][1]["trace"]["run_id"]
    events(api, "u", question="I have crushing chest pain and can't breathe.", patient="anna")
    api.put(f"/answers/{run}/feedback", params={"patient": "anna"}, json={"rating": 1}).raise_for_status()
    told = api.get("/statistics").json()
    assert {row["status"]: row["answers"] for row in told["statuses"]} == {"answered": 1, "emergency": 1}
    (day,) = told["days"]
    assert day["answers"] == 2 and 0 < day["p50_ms"] <= day["p95_ms"] and day["prompt_tokens"] > 0
    assert any(row["rule"].startswith("triage.") for row in told["findings"])
    assert told["ratings"] == {"up": 1, "down": 0}
    assert {row["queue"] for row in told["jobs"]} <= {"memory"}
    assert told["library"]["chunks"] > 5
    assert "anna" not in api.get("/statistics").text


def test_metrics_count_answers_and_name_nobody(api: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    events(api, patient="anna")
    told = api.get("/metrics").text
    assert 'primum_answers_total{status="answered"} 1.0' in told
    assert "primum_turn_seconds_count 1.0" in told and 'primum_tokens_total{kind="prompt"}' in told
    assert "primum_running_turns 0.0" in told and "anna" not in told


def test_who_asks_is_told_what_they_may(settings: Settings, vllm: FakeVLLM) -> None:
    closed = settings.model_copy(update={"auth": "required"})
    with served(closed) as api:
        anna, doctor, admin = key(closed, "patient", "anna"), key(closed, "clinician"), key(closed, "admin")
        me = api.get("/me", headers=anna).json()
        assert (me["role"], me["patient"], me["scopes"], me["login"]) == ("patient", "anna", ["ask", "chart"], True)
        for path in ("/statistics", "/metrics"):
            for headers in (anna, doctor):
                refused(api.get(path, headers=headers), 403, "NotAllowed")
            assert api.get(path, headers=admin).status_code == 200
        api.post("/threads/t/turns", json={"question": ASKED}, headers=anna).raise_for_status()
        assert api.get("/patients", headers=doctor).json() == ["anna"]
        assert api.get("/patients", params={"like": "zed"}, headers=doctor).json() == []
        assert api.get("/patients", headers=anna).json() == ["anna"]
        refused(api.get("/patients", headers=admin), 403, "NotAllowed")
        there = key(closed, "clinician", tenant="other")
        assert api.get("/patients", headers=there).json() == []


def test_without_login_whoever_reaches_it_may_all(api: httpx.Client) -> None:
    me = api.get("/me").json()
    assert (me["login"], me["role"], me["patient"]) == (False, "admin", None)


@pytest.mark.parametrize("days", [0, 366])
def test_statistics_of_no_days_or_too_many_are_refused(api: httpx.Client, days: int) -> None:
    refused(api.get("/statistics", params={"days": days}), 422, "BadInput")
