"""Triage: emergencies missed, and what was called one and is none."""

from collections.abc import Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, ids, share
from primum.evals.second_look import SecondLook
from primum.safety.profile import Profile
from primum.safety.red_flags import Triage


class Row(TypedDict):
    """`emergency` is null where the case has no agreed answer."""

    id: NotRequired[str | int]
    text: str
    emergency: bool | None
    profile: NotRequired[Profile | None]


def run(rows: Sequence[Case], look: SecondLook | None = None) -> Report:
    """Triages each text, by the rules and then by the second look; cases without an agreed answer are only counted."""
    from primum.safety.red_flags import assess

    judged = [row for row in rows if row["emergency"] is not None]
    by_rules = [assess(row["text"], Profile.model_validate(row.get("profile") or {})) for row in judged]
    signs = [look(row["text"], one, None)[0] if look else one for row, one in zip(judged, by_rules, strict=True)]
    emergencies = sum(bool(row["emergency"]) for row in judged)
    missed, over = _missed(judged, signs), _over(judged, signs)
    return {
        "n": len(rows),
        "unjudged": len(rows) - len(judged),
        "emergencies": emergencies,
        "missed": len(missed),
        "missed_ids": ids(missed),
        "over_triage": share(len(over), len(judged) - emergencies),
        "over_triaged_ids": ids(over),
        "accuracy": share(len(judged) - len(missed) - len(over), len(judged)),
        "rules_alone": {
            "missed": len(_missed(judged, by_rules)),
            "over_triage": share(len(_over(judged, by_rules)), len(judged) - emergencies),
        },
    }


def _missed(rows: Sequence[Case], signs: Sequence[Triage]) -> list[Case]:
    return [row for row, one in zip(rows, signs, strict=True) if row["emergency"] and one.disposition != "emergency"]


def _over(rows: Sequence[Case], signs: Sequence[Triage]) -> list[Case]:
    return [
        row for row, one in zip(rows, signs, strict=True) if one.disposition == "emergency" and not row["emergency"]
    ]
