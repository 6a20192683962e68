"""Calculations: questions whose figure came out right, and those that were told a wrong one."""

from collections.abc import Sequence
from dataclasses import replace
from math import isclose
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, ids
from primum.safety.profile import Profile

Verdict = Literal["right", "withheld", "asked_back", "not_seen", "wrong"]


class Row(TypedDict):
    """`value` in the unit of the formula; null where nothing may be computed, and what lacks or is wrong be told."""

    id: NotRequired[str | int]
    text: str
    formula: str
    value: float | None


def run(rows: Sequence[Case]) -> Report:
    """Works each question out, as a turn does. `withheld`: a figure told without what it means, since words of the
    question were not understood; `not_seen`: nothing was computed or asked."""
    said = [_verdict(row) for row in rows]
    told = {
        one: ids(row for row, verdict in zip(rows, said, strict=True) if verdict == one)
        for one in ("withheld", "asked_back", "not_seen", "wrong")
    }
    return {
        "n": len(rows),
        "formulas": len({row["formula"] for row in rows}),
        "right": said.count("right"),
        **{one: len(found) for one, found in told.items()},
        "ids": told,
    }


def _verdict(row: Case) -> Verdict:
    from primum.safety.calculation import asked_in
    from primum.tools.calculators import compute

    asked = asked_in(row["text"], Profile())
    if asked is None:
        return "not_seen"
    found: list[tuple[str, float]] = []
    for one in asked.calculations:
        try:
            result = replace(compute(one.formula, one.values), unread=one.unread)
        except ValueError:
            continue
        if not result.sure:
            return "withheld"
        found.append((one.formula, result.value))
    if not found or row["value"] is None:
        return "wrong" if found else "right" if row["value"] is None else "asked_back"
    if any(name == row["formula"] and isclose(value, row["value"], rel_tol=0.01) for name, value in found):
        return "right"
    return "wrong"
