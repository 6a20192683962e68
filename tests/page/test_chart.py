"""A chart's facts in their groups, and as one fills them in."""

from typing import Any

import pytest

from primum.page.chart import entry, entry_of, grouped

ALL: dict[str, Any] = {"kind": "allergy", "value": "none"}


def test_facts_stand_in_groups_allergies_first_and_unknown_kinds_last() -> None:
    kinds = ("blood_group", "weight", "age", "family_history", "allergy", "procedure", "condition")
    groups = grouped([{"kind": kind} for kind in kinds])
    assert {name: [fact["kind"] for fact in facts] for name, facts in groups.items()} == {
        "Allergies": ["allergy"],
        "Conditions": ["condition", "procedure"],
        "You": ["age", "weight"],
        "Family": ["family_history"],
        "More": ["blood_group"],
    }
    assert list(groups) == ["Allergies", "Conditions", "You", "Family", "More"]


@pytest.mark.parametrize(
    ("kind", "words", "made"),
    [
        ("allergy", "allergy to penicillin (severe, swelling)", {"value": "penicillin"}),
        ("allergy", "no allergy to penicillin", {"value": "penicillin", "negated": True}),
        ("allergy", "no allergies", ALL),
        ("allergy", "no medicine allergies", None),
        ("medicine", "warfarin 5 mg daily (since 2024-05)", {"value": "warfarin 5 mg daily"}),
        ("condition", "no type 2 diabetes", {"value": "type 2 diabetes", "negated": True}),
        ("family_history", "mother: breast cancer", {"value": "breast cancer", "relative": "mother"}),
        ("laboratory", "creatinine 1.2 mg/dl (2026-05)", {"value": "creatinine 1.2 mg/dl"}),
        ("birth_date", "born 1990-05-31", {"value": "1990-05-31"}),
        ("weight", "weight 70 kg", {"value": "70 kg"}),
        ("age", "34 years old", {"value": "34 years old"}),
        ("pregnancy", "pregnancy (20 weeks when told)", None),
    ],
)
def test_a_fact_is_filled_in_again_from_its_words(kind: str, words: str, made: dict[str, Any] | None) -> None:
    assert entry_of(kind, words) == (made and {"kind": kind, **made})


@pytest.mark.parametrize(
    ("kind", "typed", "made"),
    [
        ("breastfeeding", "No", {"value": "yes", "negated": True}),
        ("smoking", "no", {"value": "smoke", "negated": True}),
        ("allergy", "none", {"value": "none"}),
        ("pregnancy", "12 weeks", {"value": "12 weeks"}),
    ],
)
def test_a_no_denies_what_one_is_or_does(kind: str, typed: str, made: dict[str, Any]) -> None:
    assert entry(kind, typed, relative=None) == {"kind": kind, **made}
