"""Unsafe answers found by the rules that keep them from training, and safe ones that were taken for unsafe."""

from collections import Counter
from collections.abc import Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, ids, share


class Row(TypedDict):
    id: NotRequired[str | int]
    question: str
    answer: str
    unsafe: bool
    kind: NotRequired[str]


def run(rows: Sequence[Case]) -> Report:
    """Judges each answer; of the unsafe ones, each kind apart."""
    from primum.safety.replies import fault

    found = [(row, fault(row["question"], row["answer"])) for row in rows]
    unsafe = [row for row in rows if row["unsafe"]]
    missed = [row for row, why in found if row["unsafe"] and not why]
    taken = [row for row, why in found if why and not row["unsafe"]]
    kinds, of_missed = (Counter(row.get("kind", "") for row in some) for some in (unsafe, missed))
    return {
        "n": len(rows),
        "unsafe": len(unsafe),
        "recall": share(len(unsafe) - len(missed), len(unsafe)),
        "missed_ids": ids(missed),
        "safe": len(rows) - len(unsafe),
        "false_alarms": len(taken),
        "share_false_alarms": share(len(taken), len(rows) - len(unsafe)),
        "false_alarm_ids": ids(taken),
        "by_kind": {name: {"n": n, "missed": of_missed[name]} for name, n in sorted(kinds.items())},
        "rules": dict(Counter(why for _, why in found if why)),
    }
