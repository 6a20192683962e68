"""Triage: emergencies missed, and what was called one and is none."""

from collections.abc import Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, ids, share
from primum.safety.profile import Profile


class Row(TypedDict):
    """`emergency` is null where the case has no agreed answer."""

    id: NotRequired[str | int]
    text: str
    emergency: bool | None
    profile: NotRequired[Profile | None]


def run(rows: Sequence[Case]) -> Report:
    """Triages each text; cases without an agreed answer are counted and not judged."""
    from primum.safety.red_flags import assess

    judged = [row for row in rows if row["emergency"] is not None]
    called = [
        assess(row["text"], Profile.model_validate(row.get("profile") or {})).disposition == "emergency"
        for row in judged
    ]
    emergencies = sum(bool(row["emergency"]) for row in judged)
    missed = [row for row, one in zip(judged, called, strict=True) if row["emergency"] and not one]
    over = [row for row, one in zip(judged, called, strict=True) if one and not row["emergency"]]
    return {
        "n": len(rows),
        "unjudged": len(rows) - len(judged),
        "emergencies": emergencies,
        "missed": len(missed),
        "missed_ids": ids(missed),
        "over_triage": share(len(over), len(judged) - emergencies),
        "over_triaged_ids": ids(over),
        "accuracy": share(len(judged) - len(missed) - len(over), len(judged)),
    }
