"""A real Prometheus, configured as shipped, asks a served Primum: each panel and autoscaler has its figures."""

import math
import os
import re
import shutil
import socketserver
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from primum.graph.settings import Settings
from primum.server.port import free_port
from primum.server.worker import create_worker
from tests.deploy.test_metrics import ALERTS, PANELS, SCALED
from tests.fakes import FakeEmbedder, FakeVLLM, Says
from tests.pages import cited
from tests.served import events, key, served, serving

CONFIG = Path(__file__).resolve().parents[2] / "deploy/prometheus/prometheus.yml"
OUTAGES = CONFIG.with_name("alerts_test.yaml")
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
PATIENCE = 120.0  # seconds
GOOD = cited(
    "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours [every 4 to 6 hours]."
)
HALF = cited("Leave at least 4 hours between doses of paracetamol [4 hours between]. Paracetamol cures gout in a day.")
# As vLLM names them: tests/integration/test_vllm_metrics.py asks a real one. The last two grow with each scrape.
GAUGES = {"num_requests_running": 1, "num_requests_waiting": 0, "kv_cache_usage_perc": 0.25}
COUNTERS = {"prefix_cache_queries_total": 400, "prefix_cache_hits_total": 300}


class Exposed(socketserver.BaseRequestHandler):
    """A model server's metrics."""

    times = 0

    def handle(self) -> None:
        self.request.recv(65536)
        Exposed.times += 1
        values = GAUGES | {name: each * Exposed.times for name, each in COUNTERS.items()}
        body = "".join(f'vllm:{name}{{model_name="primum"}} {value}\n' for name, value in values.items())
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {len(body)}\r\n"
        self.request.sendall(f"{head}connection: close\r\n\r\n{body}".encode())


@contextmanager
def model_metrics() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Exposed) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def prometheus(folder: Path, targets: dict[str, str], api_key: str) -> Iterator[httpx.Client]:
    """With the shipped jobs and alarms; whom it asks, how often and with which key are the test's."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(CONFIG.parent / name) for name in config["rule_files"]]
    port = free_port(0)
    (folder / "metrics_key").write_text(api_key)
    for job in config["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": [{**targets, "prometheus": f"127.0.0.1:{port}"}[job["job_name"]]]}]
        if "authorization" in job:
            job["authorization"]["credentials_file"] = str(folder / "metrics_key")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    argv = [str(PROMETHEUS), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10) as client:
            yield client
    finally:
        process.terminate()
        process.wait(20)


def values(client: httpx.Client, expression: str) -> list[float]:
    """What an expression is now. Raises if Prometheus can't work it out."""
    reply = client.get("/query", params={"query": expression}).raise_for_status().json()
    return [float(series["value"][1]) for series in reply["data"]["result"]]


def until(condition: Callable[[], object]) -> None:
    """Asks again, a scrape later, while there is none."""
    limit = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < limit, found
        time.sleep(1)


def up(client: httpx.Client) -> bool:
    try:
        return values(client, "sum(up)") == [4.0]
    except httpx.HTTPError:
        return False


@contextmanager
def broken_audit(settings: Settings) -> Iterator[None]:
    """While it is open, no turn can be ended: its trail has no table."""
    assert settings.database_url
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        connection.execute("alter table audit_events rename to elsewhere")
        try:
            yield
        finally:
            connection.execute("alter table elsewhere rename to audit_events")


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not here: apt-get install prometheus")
def test_each_outage_raises_its_alarm_and_what_is_well_none() -> None:
    argv = [str(PROMTOOL), "test", "rules", str(OUTAGES)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_an_outage_for_each_alarm() -> None:
    tests = yaml.safe_load(OUTAGES.read_text())["tests"]
    raised = {alarm for test in tests for one in test["promql_expr_test"] for alarm in map(str, one["exp_samples"])}
    assert {name for one in raised for name in re.findall(r'alertname="(\w+)"', one)} == {
        rule["alert"] for rule in ALERTS
    }


@pytest.mark.skipif(not PROMETHEUS, reason="Prometheus is not here: apt-get install prometheus")
def test_each_panel_has_figures_and_each_alarm_is_worked_out(
    settings: Settings, vllm: FakeVLLM, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"auth": "required"})
    operator, clinician = key(settings, "admin", scopes={"operate"}), key(settings, "clinician")
    with ExitStack() as stack:
        api = stack.enter_context(served(settings.model_copy(update={"work": False})))
        worker = stack.enter_context(serving(create_worker(settings, FakeEmbedder())))
        targets = {"primum-api": api.base_url.netloc.decode(), "primum-worker": worker.base_url.netloc.decode()}
        targets["vllm"] = stack.enter_context(model_metrics())
        asked = stack.enter_context(prometheus(tmp_path, targets, operator["authorization"].removeprefix("Bearer ")))
        until(lambda: up(asked))
        api.headers.update(clinician)

        def turns(number: int) -> None:
            """One of each kind: answered, cut by the audit, with a finding, by passages alone, none at all."""
            for said in (GOOD, HALF):
                vllm.default = said
                events(api, f"t{number}", patient="p")
            events(api, f"t{number}", patient="p", question="Can I take ibuprofen with warfarin?")
            vllm.default = Says(status=500)
            events(api, f"t{number}", patient="p")
            with broken_audit(settings):
                events(api, f"f{number}", patient="p")

        shown = [target["expr"] for panel in PANELS for target in panel["targets"]] + SCALED
        number = 0

        def empty() -> list[str]:
            """The panels' and the autoscalers' questions without an answer, after one more turn of each kind."""
            nonlocal number
            number += 1
            turns(number)
            found = {one: values(asked, one) for one in shown}
            return [one for one, told in found.items() if not told or not all(map(math.isfinite, told))]

        limit = time.monotonic() + PATIENCE
        while left := empty():
            assert time.monotonic() < limit, left
        rules = asked.get("/rules").json()["data"]["groups"]
        told = {rule["name"]: rule for group in rules for rule in group["rules"]}
        assert told.keys() == {rule["alert"] for rule in ALERTS} and {rule["health"] for rule in told.values()} == {
            "ok"
        }
