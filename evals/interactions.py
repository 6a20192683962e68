"""Interactions: pairs found, how severe each was called, and names that no table knows."""

from collections.abc import Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, share
from primum.safety.findings import SEVERITIES, Severity

# The grades of the French thesaurus (ANSM) and of DDInter in our words.
_GRADES: dict[str, Severity] = {
    "not recommended": "major",
    "precaution for use": "moderate",
    "take into account": "minor",
    "contraindication": "contraindicated",
    **{severity: severity for severity in SEVERITIES},
}
_NOTHING = frozenset({"none", "no interaction"})


class Row(TypedDict):
    """`severity` in our words, ANSM's or DDInter's; `none` for a pair that does not interact; null if not graded."""

    id: NotRequired[str | int]
    drug_a: str
    drug_b: str
    severity: str | None


def run(rows: Sequence[Case]) -> Report:
    """Looks each pair up by its canonical names."""
    from primum.safety.interactions import pair
    from primum.safety.lexicon import canonical, members, mentions

    def is_known(name: str) -> bool:
        return bool(canonical(name) != name.lower() or mentions(name) or members(canonical(name)))

    interacting = found = graded = agreed = near = false_alarms = 0
    missed: list[str] = []
    ruled_out = {"known_pairs": 0, "contraindicated": 0, "at_least_major": 0}
    for row in rows:
        finding = pair(canonical(row["drug_a"]), canonical(row["drug_b"]))
        grade = (row["severity"] or "").strip().lower().replace("_", " ")
        if grade in _NOTHING:
            false_alarms += finding is not None
            continue
        interacting += 1
        if _GRADES.get(grade) == "contraindicated" and is_known(row["drug_a"]) and is_known(row["drug_b"]):
            ruled_out["known_pairs"] += 1
            ruled_out["contraindicated"] += finding is not None and finding.severity == "contraindicated"
            ruled_out["at_least_major"] += finding is not None and finding.severity in ("major", "contraindicated")
        if finding is None:
            missed.append(f"{row['drug_a']} + {row['drug_b']}")
            continue
        found += 1
        if grade in _GRADES:
            graded += 1
            apart = abs(SEVERITIES.index(finding.severity) - SEVERITIES.index(_GRADES[grade]))
            agreed += apart == 0
            near += apart <= 1
    return {
        "n": len(rows),
        "found": found,
        "share_found": share(found, interacting),
        "severity_agreement": share(agreed, graded),
        "severity_within_one": share(near, graded),
        "ruled_out": ruled_out,
        "false_alarms": false_alarms,
        "missed": missed,
        "unknown_names": sorted({n for row in rows for n in (row["drug_a"], row["drug_b"]) if not is_known(n)}),
    }
