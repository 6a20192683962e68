"""A patient's chart as the page shows it: in groups, and with what one types to fill a fact in by hand."""

import re
from collections.abc import Iterable
from typing import Any

Fact = dict[str, Any]
Entry = dict[str, Any]

# How a kind is called, and what one may type for it.
KINDS = {
    "allergy": ("Allergy", "penicillin, or none"),
    "medicine": ("Medicine", "warfarin 5 mg daily, or none"),
    "condition": ("Condition", "asthma, or none"),
    "procedure": ("Operation", "appendectomy"),
    "age": ("Age", "34"),
    "birth_date": ("Date of birth", "1990-05-31"),
    "sex": ("Sex", "female"),
    "pregnancy": ("Pregnancy", "12 weeks, or no"),
    "breastfeeding": ("Breast-feeding", "yes, or no"),
    "weight": ("Weight", "70 kg"),
    "height": ("Height", "170 cm"),
    "smoking": ("Smoking", "smoke 10 cigarettes a day, or no"),
    "alcohol": ("Alcohol", "drink two beers a week, or no"),
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

_ORDER = [kind for kinds in GROUPS.values() for kind in kinds]
_NO = frozenset({"no", "none"})
_YES = {"pregnancy": "yes", "breastfeeding": "yes", "smoking": "smoke", "alcohol": "drink"}
_LEADS = {"allergy": "allergy to ", "birth_date": "born ", "weight": "weight ", "height": "height "}
_SPAN = re.compile(r" \((?:since |until |\d{4})[^()]*\)$")
_HOW = re.compile(r" \([^()]*\)$")


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
    """What was typed, as the API takes it; `no` denies what one is or does."""
    if kind in _YES and typed.strip().casefold() in _NO:
        return {"kind": kind, "value": _YES[kind], "negated": True}
    return {"kind": kind, "value": typed} | {name: given for name, given in details.items() if given}


def entry_of(kind: str, words: str) -> Entry | None:
    """A fact of the chart as one fills it in, from the words by which the API lists it; none if that can't be."""
    relative, _, told = words.rpartition(": ") if kind == "family_history" else ("", "", words)
    told = _HOW.sub("", told) if kind == "allergy" else _SPAN.sub("", told)
    negated, value = told.startswith("no "), told.removeprefix("no ").removeprefix(_LEADS.get(kind, ""))
    if kind in _YES or (negated and value.endswith(" allergies")):  # those to medicines alone, or to foods
        return None
    if negated and value in ("allergies", "medicines", "conditions"):
        return {"kind": kind, "value": "none"}
    made = {"kind": kind, "value": value} | ({"relative": relative} if relative else {})
    return made | ({"negated": True} if negated else {})
