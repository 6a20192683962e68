"""Two reports of one task: what changed, row by row, with intervals."""

from collections.abc import Mapping
from typing import Any

from primum.evals import answers, mcq
from primum.evals.metrics import beyond_chance, paired

# By task and figure: 1 where more is better, -1 where less is.
BETTER: dict[str, dict[str, int]] = {
    "mcq": {"accuracy": 1},
    "number": {"accuracy": 1},
    "answers": {"rouge1": 1, "rougeL": 1, "bleu": 1, "bertscore": 1, "support": 1, "words_to_reference": -1},
    "audit": {"clean": 1, "support": 1, "findings": -1},
    "rubric": {"score": 1},
    "rewards": {"choice": 1, "number": 1, "support": 1, "format": 1, "safety": 1, "length": 1},
}


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """For each figure the difference over the rows of both, and whether it is `better`, `worse` or `unclear`.

    Raises:
        ValueError: the reports are of two tasks, or have no row in common.
    """
    task = str(after["task"])
    if before["task"] != task:
        raise ValueError(f"a report of {before['task']} can't be compared with one of {task}")
    found = {"accuracy": mcq.compare(before, after)} if task in ("mcq", "number") else _figures(task, before, after)
    if not found:
        raise ValueError("the two reports have no row in common")
    return {name: {**one, "verdict": _verdict(one, BETTER[task][name])} for name, one in found.items()}


def _figures(task: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    if task == "answers":
        return answers.compare(before, after)
    known = {row["id"]: row for row in before["rows"]}
    shared = [(known[row["id"]], row) for row in after["rows"] if row["id"] in known]
    found = {}
    for name in BETTER[task]:
        values = [(_value(one, name), _value(other, name)) for one, other in shared]
        both = [(one, other) for one, other in values if one is not None and other is not None]
        if difference := paired([one for one, _ in both], [other for _, other in both]):
            found[name] = difference
    return found


def _value(row: Mapping[str, Any], name: str) -> float | None:
    """A row's figure; the findings of an answer that says nothing clinical are no figure: silence has none."""
    if name == "findings" and row["standing"] != "audited":
        return None
    value = row[name]
    return float(len(value)) if isinstance(value, list) else None if value is None else float(value)


def _verdict(difference: Any, direction: int) -> str:
    if not beyond_chance(difference):
        return "unclear"
    return "better" if difference["mean"] * direction > 0 else "worse"
