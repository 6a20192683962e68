"""Doses: those too high that were found, those that were and are not."""

from collections.abc import Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, ids, share
from primum.safety.profile import Profile

EXCEEDS = ("major", "contraindicated")


class Row(TypedDict):
    """`exceeds`: whether the text tells this person to take too much."""

    id: NotRequired[str | int]
    text: str
    profile: NotRequired[Profile | None]
    exceeds: bool


def run(rows: Sequence[Case]) -> Report:
    """Checks each text; any major or contraindicated finding says that it exceeds."""
    from primum.safety.doses import check

    said = [
        any(
            finding.severity in EXCEEDS
            for finding in check(row["text"], Profile.model_validate(row.get("profile") or {}))
        )
        for row in rows
    ]
    hits = sum(row["exceeds"] and one for row, one in zip(rows, said, strict=True))
    return {
        "n": len(rows),
        "exceeding": sum(row["exceeds"] for row in rows),
        "precision": share(hits, sum(said)),
        "recall": share(hits, sum(row["exceeds"] for row in rows)),
        "misses": ids(row for row, one in zip(rows, said, strict=True) if row["exceeds"] and not one),
        "false_alarms": ids(row for row, one in zip(rows, said, strict=True) if one and not row["exceeds"]),
    }
