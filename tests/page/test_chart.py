"""A chart's facts in their groups, and as one fills them in."""

from datetime import date

import pytest

from primum.memory.forms import entered
from primum.page.chart import entry, grouped, typed
from primum.server.patients import Told, _told


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
    ("kind", "said"),
    [
        ("allergy", "penicillin (severe, swelling)"),
        ("allergy", "no penicillin"),
        ("allergy", "none"),
        ("allergy", "no known medicine allergies"),
        ("medicine", "warfarin 5 mg daily"),
        ("medicine", "no aspirin"),
        ("medicine", "no regular medicines"),
        ("condition", "no type 2 diabetes"),
        ("family_history", "breast cancer"),
        ("laboratory", "creatinine was 1.2 mg/dL"),
        ("birth_date", "1990-05-31"),
        ("weight", "70 kg"),
        ("age", "34"),
        ("age", "8 months"),
        ("pregnancy", "20 weeks"),
        ("pregnancy", "no"),
        ("breastfeeding", "yes"),
        ("smoking", "10 a day"),
        ("smoking", "no"),
        ("smoking", "ex-smoker since 2015"),
        ("alcohol", "two glasses of wine a week"),
        ("language", "Spanish"),
    ],
)
def test_a_fact_that_is_filled_in_again_as_it_is_typed_says_the_same(kind: str, said: str) -> None:
    today = date(2026, 5, 3)
    relative = {"relative": "mother"} if kind == "family_history" else {}
    fact = entered(kind, said, today, **relative)  # type: ignore[arg-type]
    shown = Told(**_told(fact)).model_dump(mode="json")
    again = entered(kind, typed(shown), today, **{**relative, "reaction": fact.reaction, "severity": fact.severity})  # type: ignore[arg-type]
    same = {"quotes", "written"}
    assert again.model_dump(exclude=same) == fact.model_dump(exclude=same)


def test_what_is_typed_is_sent_as_it_is_without_what_was_left_empty() -> None:
    assert entry("smoking", "no", relative=None) == {"kind": "smoking", "value": "no"}
    assert entry("allergy", "latex", reaction="", severity="mild") == {
        "kind": "allergy", "value": "latex", "severity": "mild"
    }  # fmt: skip
