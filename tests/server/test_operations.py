"""What whoever runs Primum sees, and who does not see it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from prometheus_client import generate_latest
from pydantic import SecretStr

from primum.graph.settings import Settings
from primum.memory import keys
from primum.server.operations import Metrics
from tests.conftest import Cluster
from tests.fakes import FakeVLLM
from tests.faults.proxy import Proxy, address_of, through
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


@contextmanager
def away(settings: Settings, cluster: Cluster) -> Iterator[None]:
    """While it is open, the database lets nobody in."""
    assert settings.database_url
    name = settings.database_url.get_secret_value().partition("@/")[2].partition("?")[0]
    cluster.run(f"alter database {name} allow_connections false")
    cluster.run(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
    try:
        yield
    finally:
        cluster.run(f"alter database {name} allow_connections true")


def test_metrics_are_told_while_the_database_is_away_to_whom_they_were_told_before(
    settings: Settings, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = settings.model_copy(update={"auth": "required"})
    with served(closed) as api:
        watching, other, doctor = key(closed, "admin"), key(closed, "admin"), key(closed, "clinician")
        assert 'primum_part_up{part="database"} 1.0' in api.get("/metrics", headers=watching).text
        refused(api.get("/metrics", headers=doctor), 403, "NotAllowed")
        with away(closed, cluster):
            told = api.get("/metrics", headers=watching)
            assert told.status_code == 200 and 'primum_part_up{part="database"} 0.0' in told.text
            assert "primum_failed_jobs NaN" in told.text and "primum_waiting_jobs NaN" in told.text
            for path, headers in (
                ("/metrics", other),
                ("/metrics", doctor),
                ("/statistics", watching),
                ("/me", watching),
            ):
                refused(api.get(path, headers=headers), 503, "MemoryUnavailable")
            refused(api.get("/metrics"), 401, "Unauthenticated")
            monkeypatch.setattr(keys, "KEPT", 0.0)
            refused(api.get("/metrics", headers=watching), 503, "MemoryUnavailable")


async def test_metrics_are_told_in_time_where_the_database_says_nothing_any_more(settings: Settings) -> None:
    assert settings.database_url
    url = settings.database_url.get_secret_value()
    async with Proxy(address_of(url)) as wire:
        closed = settings.model_copy(update={"auth": "required", "database_url": SecretStr(through(wire, url))})

        def scrapes() -> list[float]:
            """Seconds of one scrape of each kind: as it was, and three while the wire is silent."""
            took = []
            with served(closed) as api:
                headers = key(closed, "admin")
                for number in range(4):
                    began = time.monotonic()
                    told = api.get("/metrics", headers=headers)
                    took.append(time.monotonic() - began)
                    assert f'primum_part_up{{part="database"}} {float(not number)}' in told.text
                    wire.show("hole")
                wire.mend()
            return took

        took = await asyncio.to_thread(scrapes)
    assert max(took[2:]) < 10, took  # Prometheus waits for as long; the first finds out that a connection is dead


def test_a_key_that_was_revoked_is_not_remembered(settings: Settings, cluster: Cluster) -> None:
    closed = settings.model_copy(update={"auth": "required"})
    assert closed.database_url
    with served(closed) as api:
        watching = key(closed, "admin")
        assert api.get("/metrics", headers=watching).status_code == 200
        with psycopg.connect(closed.database_url.get_secret_value(), autocommit=True) as connection:
            connection.execute("update api_keys set revoked_at = now()")
        refused(api.get("/metrics", headers=watching), 401, "Unauthenticated")
        with away(closed, cluster):
            refused(api.get("/metrics", headers=watching), 503, "MemoryUnavailable")


def test_questions_that_the_database_kept_from_being_asked_are_counted(
    api: httpx.Client, settings: Settings, cluster: Cluster
) -> None:
    counted = 'primum_failures_total{error="MemoryUnavailable"} '
    assert f"{counted}0.0" in api.get("/metrics").text
    with away(settings, cluster):
        refused(api.post("/threads/t/turns", json={"question": ASKED}), 503, "MemoryUnavailable")
    assert f"{counted}1.0" in api.get("/metrics").text


def test_jobs_that_failed_are_counted(api: httpx.Client, settings: Settings) -> None:
    assert settings.database_url
    assert "primum_failed_jobs 0.0" in api.get("/metrics").text
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        connection.execute(
            "insert into jobs.procrastinate_jobs (queue_name, task_name, status) "
            "values ('memory', 'remember', 'failed')"
        )
    assert "primum_failed_jobs 1.0" in api.get("/metrics").text


def test_errors_are_counted_by_few_names() -> None:
    """A name that is new is one more series, which Prometheus does not see the rise of."""
    metrics = Metrics()
    for error in ("RetrievalFailed", "ProgrammingError", "KeyError"):
        metrics.failed(error)
    told = generate_latest(metrics.registry).decode()
    assert 'primum_failures_total{error="RetrievalFailed"} 1.0' in told
    assert 'primum_failures_total{error="InternalError"} 2.0' in told and "KeyError" not in told
    assert 'primum_failures_total{error="MemoryUnavailable"} 0.0' in told
    assert 'primum_degraded_total{step="retrieve"} 0.0' in told
