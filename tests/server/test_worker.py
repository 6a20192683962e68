"""`primum serve worker`: API processes that leave to it what comes after the reply."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from primum.graph.settings import Settings
from primum.memory.schema import upgrade
from primum.server import postgres
from primum.server.port import free_port
from primum.server.worker import create_worker
from tests.commands import primum
from tests.fakes import FakeEmbedder
from tests.served import events, served, serving
from tests.server.conftest import copy

SAID = "I'm allergic to penicillin. What can I take for a sore throat?"


@pytest.fixture
def split(settings: Settings) -> Settings:
    """Of an API that leaves the work to a worker."""
    return settings.model_copy(update={"work": False})


def measured(client: httpx.Client) -> dict[str, float]:
    """The metrics without labels, and `primum_part_up` by part."""
    text = client.get("/metrics").raise_for_status().text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.labels.get("part", sample.name): sample.value for sample in samples}


def until_worked(client: httpx.Client) -> None:
    limit = time.monotonic() + 30
    while measured(client)["primum_waiting_jobs"]:
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_without_a_worker_a_job_waits_and_with_one_it_is_done(split: Settings) -> None:
    with served(split) as api:
        assert events(api, question=SAID)[-1][0] == "done"
        assert measured(api)["primum_waiting_jobs"] == 1
        with serving(create_worker(split, FakeEmbedder())) as worker:
            until_worked(worker)
        assert measured(api)["primum_waiting_jobs"] == 0


def test_a_worker_tells_how_each_part_is_without_a_key(settings: Settings) -> None:
    with serving(create_worker(settings.model_copy(update={"auth": "required"}), FakeEmbedder())) as worker:
        known = measured(worker)
        assert known["database"] == known["model"] == known["embedder"] == known["corpus"] == 1
        assert 0 < known["primum_disk_free_bytes"] < known["primum_disk_bytes"]
        assert worker.get("/health/ready").json()["state"] == "up"
        assert worker.get("/threads").status_code == 404


def test_a_worker_tells_that_the_database_is_away_while_no_key_can_be_looked_up(
    settings: Settings, made_postgres: Path, tmp_path: Path
) -> None:
    data = copy(made_postgres, tmp_path / "own")
    with (tmp_path / "log").open("ab") as log:
        try:
            postgres.start(data, log)
            upgrade(postgres.url(data))
            own = settings.model_copy(update={"database_url": SecretStr(postgres.url(data))})
            with serving(create_worker(own, FakeEmbedder())) as worker:
                postgres.stop(data)
                known = measured(worker)
                assert known["database"] == 0 and math.isnan(known["primum_waiting_jobs"])
                assert worker.get("/health/live").status_code == 200
                assert worker.get("/health/ready").status_code == 503
        finally:
            postgres.stop(data)


@pytest.mark.parametrize(("follows", "found"), [(create_worker, 1), (None, 0)], ids=["worker", "api"])
def test_watched_folders_are_the_workers(split: Settings, tmp_path: Path, follows: object, found: int) -> None:
    watching = split.model_copy(update={"watch": [tmp_path]})
    with served(watching) as api:
        before = api.get("/health").json()["corpus"]["documents"]
        (tmp_path / "gout.md").write_text("# Gout\n\nColchicine treats gout.")
        if follows is None:
            time.sleep(2)  # longer than a follower takes to see it
        else:
            with serving(create_worker(watching, FakeEmbedder())):
                limit = time.monotonic() + 30
                while api.get("/health").json()["corpus"]["documents"] == before:
                    assert time.monotonic() < limit
        assert api.get("/health").json()["corpus"]["documents"] == before + found


def test_the_page_alone_answers_where_it_is_told_to() -> None:
    port = free_port(0)
    argv = [sys.executable, "-m", "primum", "serve", "page", "--port", str(port), "--api", "http://127.0.0.1:1"]
    page = subprocess.Popen(argv, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
    try:
        limit = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/_stcore/health").status_code == 200:
                    break
            except httpx.TransportError:
                assert page.poll() is None and time.monotonic() < limit
                time.sleep(0.2)
    finally:
        page.terminate()
        page.wait()


def test_the_page_of_what_is_no_address_is_refused() -> None:
    done = primum("serve", "page", "--api", "api:8400")
    assert done.returncode == 2 and "http://api:8400" in done.stderr


def test_a_secret_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "primum_secret").write_text("s" * 40 + "\n")
    (tmp_path / "grafana_password").write_text("another's")
    found = Settings(_secrets_dir=tmp_path).secret
    assert found is not None and found.get_secret_value() == "s" * 40
