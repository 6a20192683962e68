"""docs/operations.md names the metrics, labels, routes and settings that there are."""

import re
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from primum.graph.settings import Settings
from primum.server.api import create_app
from primum.server.operations import Metrics

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
ROW = re.compile(r"^\| `(primum_\w+)` \| (\w+) \| (?:`(\w+)`)?", re.MULTILINE)


def test_it_names_each_metric_with_its_kind_and_label() -> None:
    made = {
        (one._name + ("_total" if isinstance(one, Counter) else ""), one._type, *one._labelnames)
        for one in vars(Metrics()).values()
        if isinstance(one, (Counter, Gauge, Histogram))
    }
    assert {tuple(filter(None, row)) for row in ROW.findall(PAGE)} == made


def test_it_names_only_routes_and_settings_that_there_are(settings: Settings) -> None:
    routes = create_app(settings).openapi()["paths"]
    named = set(re.findall(r"`GET (/[\w/]+)", PAGE))
    assert {"/health", "/health/live", "/health/ready", "/metrics", "/statistics"} == named <= routes.keys()
    known = {f"PRIMUM_{name}".upper() for name in Settings.model_fields}
    assert set(re.findall(r"PRIMUM_[A-Z_]+", PAGE)) <= known


def test_each_block_that_no_test_runs_is_called_an_example() -> None:
    """Those in `sh` are run: tests/docs/test_operations.py."""
    parts = re.split(r"^```(\w*)$", PAGE, flags=re.MULTILINE)
    blocks = list(zip(parts[::4], parts[1::4], strict=False))
    assert len(blocks) > 8
    assert all(kind == "sh" or "*Example*" in before or "*example*" in before for before, kind in blocks)
