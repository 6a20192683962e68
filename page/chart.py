"""A patient's chart as the page shows it: in groups, and with what one types to fill a fact in by hand."""

from collections.abc import Iterable
from typing import Any

Fact = dict[str, Any]
Entry = dict[str, Any]

# How a kind is called, and what one may type for it.
KINDS = {
    "allergy": ("Allergy", "penicillin, or no known allergies"),
    "medicine": ("Medicine", "warfarin 5 mg daily, or no regular medicines"),
    "condition": ("Condition", "asthma, or none"),
    "procedure": ("Operation", "appendectomy"),
    "age": ("Age", "34"),
    "birth_date": ("Date of birth", "1990-05-31"),
    "sex": ("Sex", "female"),
    "pregnancy": ("Pregnancy", "12 weeks, or no"),
    "breastfeeding": ("Breast-feeding", "yes, or no"),
    "weight": ("Weight", "70 kg"),
    "height": ("Height", "170 cm"),
    "smoking": ("Smoking", "10 a day, no, or ex-smoker since 2015"),
    "alcohol": ("Alcohol", "two glasses of wine a week, or no"),
    "language": ("Language", "Spanish"),
    "laboratory": ("Laboratory value", "creatinine was 1.2 mg/dL"),
    "family_history": ("Illness in the family", "diabetes"),
}
GROUPS = {
    "Allergies": ("allergy",),
    "Medicines": ("medicine",),
    "Conditions": ("condition", "procedure"),
    "You": (
        "age", "birth_date", "sex", "pregnancy", "breastfeeding", "weight", "height", "smoking", "alcohol", "language"
    ),
    "Laboratory values": ("laboratory",),
    "Family": ("family_history",),
}  # fmt: skip
RELATIVES = ("mother", "father", "sister", "brother", "daughter", "son", "grandmother", "grandfather", "aunt", "uncle")
SEVERITIES = ("severe", "mild", "intolerance")
# What may end one day; of the others only another value is told.
ENDING = frozenset({"allergy", "medicine", "condition", "pregnancy", "breastfeeding", "smoking", "alcohol"})
# Of these one says no more than that it is not so.
NO_MORE_THAN_NO = frozenset({"pregnancy", "breastfeeding", "smoking", "alcohol"})

_ORDER = [kind for kinds in GROUPS.values() for kind in kinds]


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """The facts in the order of the groups, those of a kind that is new here last."""
    return sorted(facts, key=lambda fact: _ORDER.index(fact["kind"]) if fact["kind"] in _ORDER else len(_ORDER))


def grouped(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """The facts by the name of their group; no group is empty."""
    groups: dict[str, list[Fact]] = {}
    for fact in in_order(facts):
        name = next((name for name, kinds in GROUPS.items() if fact["kind"] in kinds), "More")
        groups.setdefault(name, []).append(fact)
    return groups


def entry(kind: str, typed: str, **details: str | None) -> Entry:
    """What was typed, as the API takes it."""
    return {"kind": kind, "value": typed} | {name: given for name, given in details.items() if given}


def typed(fact: Fact) -> str:
    """A fact of the chart as one types it: filled in again, it says the same."""
    match fact["kind"]:
        case kind if fact["negated"]:
            whole = fact["value"] in ("any", "drugs", "foods")
            return fact["text"] if whole else "no" if kind in NO_MORE_THAN_NO else f"no {fact['written']}"
        case "medicine":
            return " ".join(filter(None, (fact["value"], fact["dose"], fact["frequency"])))
        case "birth_date" | "sex" | "weight" | "height":
            return str(fact["value"])
        case "age":
            return str(fact["text"]).removesuffix(" old")
        case "pregnancy":
            return f"{fact['weeks']:g} weeks" if fact["weeks"] is not None else "yes"
        case "breastfeeding":
            return "yes"
        case "smoking" | "alcohol" if fact["valid_from"] and fact["valid_from"] not in fact["written"]:
            return f"{fact['written']} since {fact['valid_from']}"
        case _:
            return str(fact["written"])
