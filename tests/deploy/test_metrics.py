"""Alarms and dashboard ask for metrics that there are, as a served Primum shows them after a turn."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from primum.graph.settings import Settings
from tests.deploy.conftest import Tools
from tests.fakes import FakeVLLM
from tests.served import events, served

ROOT = Path(__file__).resolve().parents[2]
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALARMS = [rule["expr"] for rule in ALERTS]
SHOWN = [target["expr"] for panel in PANELS for target in panel["targets"]]
ADAPTER: dict[str, list[dict[str, Any]]] = {
    kind: rules
    for kind, rules in yaml.safe_load((ROOT / "deploy/helm/prometheus-adapter.yaml").read_text())["rules"].items()
    if kind != "default"
}
ANCHORS = {
    "api-down",
    "model-down",
    "database-down",
    "slow-answers",
    "unverified-answers",
    "jobs-waiting",
    "jobs-failed",
    "disk-filling",
    "worker-down",
    "model-server-down",
    "embedder-down",
    "library-empty",
    "replica-down",
    "partly-cut-off",
}
PROMETHEUS = {"up"}  # its own
# Of vLLM; tests/integration/test_vllm_metrics.py asks a real one for them.
VLLM = {
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prefix_cache_hits_total",
    "vllm:prefix_cache_queries_total",
}
PLACES = {"LabelMatchers": 'namespace!="-"', "GroupBy": "pod"}  # as the adapter fills them in
WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset"}


def named(expression: str) -> set[str]:
    """The metrics of a PromQL expression: what is no label, duration, function or word of the language."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring) *\([^)]*\)', " ", expression)
    return set(re.findall(r"\b[a-z_:][\w:]*\b(?! *\()", bare)) - WORDS


def asked_by_adapter(rule: dict[str, Any]) -> str:
    """A rule's question to Prometheus."""
    places = {**PLACES, "Series": rule["seriesQuery"].partition("{")[0]}
    return re.sub(r"<<\.(\w+)>>", lambda found: places[found[1]], rule["metricsQuery"])


SCALED = [asked_by_adapter(rule) for rules in ADAPTER.values() for rule in rules]


@pytest.fixture
def exposed(settings: Settings, vllm: FakeVLLM) -> set[str]:
    """The names in /metrics after a turn."""
    with served(settings) as api:
        assert events(api)[-1][0] == "done"
        return samples(api)


def samples(api: httpx.Client) -> set[str]:
    text = api.get("/metrics").raise_for_status().text
    typed = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    lines = {line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    # A counter with labels shows no line before it counted once, only its type.
    return lines | {name for name, kind in typed if kind == "counter"}


def test_every_metric_that_is_asked_for_is_there(exposed: set[str]) -> None:
    asked = {name for expression in ALARMS + SHOWN + SCALED for name in named(expression)}
    assert asked - exposed - PROMETHEUS - VLLM == set()
    assert len(asked & exposed) >= 10


def test_every_label_value_that_is_asked_for_is_there(settings: Settings) -> None:
    with served(settings.model_copy(update={"database_replica_url": settings.database_url})) as api:
        parts = set(api.get("/health").json()) & {"database", "model", "replica", "embedder", "corpus"}
        text = api.get("/metrics").text
    asked = set(re.findall(r'part="(\w+)"', " ".join(ALARMS + SHOWN)))
    assert asked <= parts and all(f'primum_part_up{{part="{part}"}} ' in text for part in parts)
    jobs = {
        job["job_name"]
        for job in yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    }
    assert set(re.findall(r'job="([\w-]+)"', " ".join(ALARMS + SHOWN))) <= jobs


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alarm_says_what_is_wrong_what_to_do_and_where_it_is_told(rule: dict[str, Any]) -> None:
    assert rule["annotations"].keys() == {"summary", "action", "runbook"} and rule["for"]
    assert rule["labels"]["severity"] in ("critical", "warning")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == "docs/operations.md" and anchor in ANCHORS
    told = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    }
    assert anchor in told, f"{page} has no heading for {anchor}"


def test_every_anchor_has_its_alarm() -> None:
    assert {rule["annotations"]["runbook"].partition("#")[2] for rule in ALERTS} == ANCHORS


def test_the_dashboard_is_of_the_source_that_is_provisioned() -> None:
    provisioned = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioned / "datasources/prometheus.yaml").read_text())["datasources"]
    asked = {one["datasource"]["uid"] for panel in PANELS for one in (panel, *panel["targets"])}
    assert asked == {source["uid"]}
    (provider,) = yaml.safe_load((provisioned / "dashboards/primum.yaml").read_text())["providers"]
    assert f"./grafana/dashboard.json:{provider['options']['path']}/" in (ROOT / "deploy/compose.yaml").read_text()
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["title"] and panel["description"] for panel in PANELS)


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        here = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not here & taken and max(x for x, _ in here) < 24, panel["title"]
        taken |= here


def test_a_real_parser_reads_the_same_names(tools: Tools) -> None:
    expressions = ALARMS + SHOWN + SCALED
    assert [set(names) for names in tools("promql", expressions)] == [named(one) for one in expressions]
