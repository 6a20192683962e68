"""`primum eval TASK --data PATH`: the tasks by name, one report over all files, written as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from primum.evals import advice, calculations, doses, injection, interactions, memory, phi, safety, triage
from primum.evals.cases import Case, Report, read
from primum.evals.second_look import SecondLook
from primum.graph.writing import writing
from primum.safety.validator import rules_version

TASKS: dict[str, Callable[[Sequence[Case]], Report]] = {
    "interactions": interactions.run,
    "calculations": calculations.run,
    "doses": doses.run,
    "injection": injection.run,
    "advice": advice.run,
    "phi": phi.run,
}
# What a turn decides by the rules and by likeness to examples.
LOOKED_AT_TWICE: dict[str, Callable[[Sequence[Case], SecondLook | None], Report]] = {
    "triage": triage.run,
    "safety": safety.run,
}
_ROWS: dict[str, Any] = {
    "triage": triage.Row,
    "interactions": interactions.Row,
    "calculations": calculations.Row,
    "doses": doses.Row,
    "injection": injection.Row,
    "memory": memory.Row,
    "safety": safety.Row,
    "advice": advice.Row,
    "phi": phi.Row,
}


def evaluate(
    task: str, paths: Sequence[Path], look: SecondLook | None = None, propose: memory.Propose | None = None
) -> Report:
    """The report of a task over the cases of all files.

    Args:
        look: the second look of triage and safety; without it the rules are judged alone.
        propose: the model's part of memory; without it the rules are judged alone.

    Raises:
        ValueError: no such task, no file, or a case that can't be read; it names file, line and field.
    """
    if task not in _ROWS:
        raise ValueError(f"no task {task!r}; there are {', '.join(_ROWS)}")
    if not paths:
        raise ValueError(f"{task}: no file of cases given")
    cases = [case for path in paths for case in read(path, _ROWS[task])]
    if task == "memory":
        found = memory.run(cases, propose=propose)
    else:
        found = LOOKED_AT_TWICE[task](cases, look) if task in LOOKED_AT_TWICE else TASKS[task](cases)
    return {"task": task, "data": [str(path) for path in paths], "rules_version": rules_version(), **found}


def write(report: Mapping[str, Any], path: Path) -> None:
    """The report as indented JSON. Raises PrimumError if the disk is full, or takes nothing there."""
    with writing(path):
        path.write_text(json.dumps(report, ensure_ascii=False, indent=2, default=str) + "\n", encoding="utf-8")
