"""Draws what `bench.scale` printed, by number of chunks: speed, recall and the size of the indexes.

    python -m bench.growth small.json large.json --out docs/growth.svg

The figures of several runs may be given, where the sizes were measured apart. Needs matplotlib (`primum[train]`).
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib import pyplot

TARGETS = {100_000: 30, 1_000_000: 60}  # p95 in ms


def read(files: Iterable[Path]) -> dict[int, dict[str, Any]]:
    found = {int(count): row for file in files for count, row in json.loads(file.read_text()).items()}
    return dict(sorted(found.items()))


def draw(rows: dict[int, dict[str, Any]], out: Path) -> None:
    counts = list(rows)
    pyplot.rcParams |= {"svg.hashsalt": "primum", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
    figure, (speed, quality, size) = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for kind, name in (("everything", "no filter"), ("hundredth", "filter for 1 %"), ("thousandth", "for 0.1 %")):
        speed.plot(counts, [row[kind]["p95_ms"] for row in rows.values()], marker="o", label=f"p95, {name}")
    speed.plot(counts, [row["everything"]["p50_ms"] for row in rows.values()], "k:", marker=".", label="p50, no filter")
    speed.plot(list(TARGETS), list(TARGETS.values()), "kx", label="target of p95")
    for key, name in (("recall@10_of_vectors", "vectors"), ("recall@10_of_hybrid", "hybrid score")):
        quality.plot(counts, [row["everything"][key] for row in rows.values()], marker="o", label=name)
    for key, name in (
        ("table_mb", "rows"),
        ("vector_index_mb", "vectors' index"),
        ("lexical_index_mb", "words' index"),
    ):
        size.plot(counts, [row[key] for row in rows.values()], marker="o", label=name)
    for axes, title, unit in (
        (speed, "Time of a search", "ms"),
        (quality, "Recall@10 against all compared", ""),
        (size, "Size", "MB"),
    ):
        axes.set(title=title, ylabel=unit, xlabel="chunks", xscale="log")
        axes.legend(frameon=False)
    speed.set_ylim(0)
    quality.set_ylim(0.8, 1.01)
    size.set_yscale("log")
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path, nargs="+", help="what bench.scale printed")
    parser.add_argument("--out", type=Path, required=True, help="picture, .svg or .png")
    given = parser.parse_args()
    draw(read(given.results), given.out)


if __name__ == "__main__":
    main()
