"""The dashboard's panels, drawn from what a Prometheus tells."""

import json
from pathlib import Path

import httpx
import pytest

from bench.dashboard import DASHBOARD, asked, page

PANELS = json.loads(DASHBOARD.read_text())["panels"]


def told(request: httpx.Request) -> httpx.Response:
    """As Prometheus answers: two series for what is summed by status, one that has no number, nothing else."""
    if "by (status)" not in request.url.params["query"]:
        return httpx.Response(200, json={"data": {"result": [{"metric": {}, "values": [[60, "NaN"]]}]}})
    start, end = float(request.url.params["start"]), float(request.url.params["end"])
    result = [
        {"metric": {"status": status}, "values": [[start, "0"], [end, value]]}
        for status, value in (("answered", "2"), ("declined", "0.5"))
    ]
    return httpx.Response(200, json={"data": {"result": result}})


def test_each_expression_is_asked_and_its_series_bear_their_labels(tmp_path: Path) -> None:
    with httpx.Client(base_url="http://prometheus", transport=httpx.MockTransport(told)) as http:
        panels = [(panel, asked(http, panel, 1_800_000_000, 600)) for panel in PANELS]
    shown = {panel["title"]: series for panel, series in panels if series}
    assert {one.name: one.values for one in shown.pop("Answers a minute")} == {"answered": [0, 2], "declined": [0, 0.5]}
    assert shown == {}
    page(panels, "Primum").savefig(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_an_expression_that_prometheus_refuses_is_an_error() -> None:
    with (
        httpx.Client(
            base_url="http://prometheus", transport=httpx.MockTransport(lambda _: httpx.Response(400))
        ) as http,
        pytest.raises(httpx.HTTPStatusError),
    ):
        asked(http, PANELS[1], 1_800_000_000, 600)
