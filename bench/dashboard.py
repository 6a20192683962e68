"""Draws the panels of `deploy/grafana/dashboard.json` from a Prometheus, without a Grafana. Prints JSON.

    python -m bench.dashboard --prometheus http://127.0.0.1:9090 --out dashboard.png [--minutes 15]

Each panel's own expressions are asked, for the last --minutes. What is printed: of each panel the last value of
each of its series; a panel without any shows nothing in Grafana either. Needs matplotlib (`primum[train]`).

Raises:
    httpx.HTTPError: the Prometheus can't be reached, or refuses an expression.
"""

import argparse
import json
from math import isfinite
from pathlib import Path
from time import time
from typing import Any, NamedTuple

import httpx
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DASHBOARD = Path(__file__).resolve().parents[1] / "deploy/grafana/dashboard.json"
POINTS = 240  # of a series
COLUMNS, ROW = 24, 0.42  # Grafana's grid: columns of the page, inches of a row


class Series(NamedTuple):
    """What one expression gives for one set of labels: its name, minutes to the end, and its values."""

    name: str
    minutes: list[float]
    values: list[float]


def asked(http: httpx.Client, panel: dict[str, Any], end: float, seconds: float) -> list[Series]:
    found = []
    for target in panel.get("targets", []):
        span = {"start": end - seconds, "end": end, "step": max(1.0, seconds / POINTS)}
        told = http.get("/api/v1/query_range", params={"query": target["expr"], **span}).raise_for_status().json()
        for one in told["data"]["result"]:
            name = target["legendFormat"]
            for label, value in one["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            points = [((when - end) / 60, float(value)) for when, value in one["values"] if isfinite(float(value))]
            if points:
                found.append(Series(name, *(list(column) for column in zip(*points, strict=True))))
    return found


def said(value: float, unit: str) -> str:
    return f"{value:.0%}" if unit == "percentunit" else f"{value:,.4g}{' s' if unit == 's' else ''}"


def draw(axes: Axes, panel: dict[str, Any], series: list[Series]) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.set_title(panel["title"], loc="left", fontsize=9, fontweight="bold")
    if panel["type"] == "stat" or not series:
        axes.axis("off")
        for number, one in enumerate(series):
            at = (number + 0.5) / len(series)
            axes.text(at, 0.55, said(one.values[-1], unit), ha="center", va="center", fontsize=15)
            axes.text(at, 0.15, one.name, ha="center", va="center", fontsize=7)
        if not series:
            axes.text(0.5, 0.5, "No data", ha="center", va="center", color="grey")
        return
    for one in series:
        axes.plot(one.minutes, one.values, label=one.name, lw=1.2)
    axes.set_ylim(0, 1.08 * max(max(one.values) for one in series) or 1)
    axes.yaxis.set_major_formatter(lambda value, _place: said(value, unit))
    axes.tick_params(labelsize=7)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:g} min")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, frameon=False, ncols=2)


def page(panels: list[tuple[dict[str, Any], list[Series]]], title: str) -> Figure:
    """The panels where Grafana's grid puts them."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel, _ in panels) + 2
    figure = Figure(figsize=(15, rows * ROW))
    figure.text(0.01, 1 - 1 / rows, title, fontsize=12, fontweight="bold", va="center")
    for panel, series in panels:
        at = panel["gridPos"]
        left, top = at["x"] / COLUMNS, 1 - (at["y"] + 2) / rows
        if panel["type"] == "row":
            figure.text(0.01, top - 0.5 / rows, panel["title"], fontsize=10, color="grey", va="center")
            continue
        width, height = at["w"] / COLUMNS, at["h"] / rows
        room = (left + 0.03, top - height + 1.1 / rows, width - 0.045, height - 2.2 / rows)
        draw(figure.add_axes(room), panel, series)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prometheus", required=True)
    parser.add_argument("--out", type=Path, required=True, help="picture, .png or .svg")
    parser.add_argument("--minutes", type=float, default=15)
    given = parser.parse_args()
    dashboard, end = json.loads(DASHBOARD.read_text()), time()
    with httpx.Client(base_url=given.prometheus, timeout=30) as http:
        panels = [(panel, asked(http, panel, end, given.minutes * 60)) for panel in dashboard["panels"]]
    page(panels, f"{dashboard['title']}: its panels over {given.minutes:g} minutes").savefig(given.out, dpi=110)
    told = [
        {"panel": panel["title"], "last": {one.name: round(one.values[-1], 4) for one in series}}
        for panel, series in panels
        if panel["type"] != "row"
    ]
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
