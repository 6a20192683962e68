"""A case, told again by rules in its own words, and what it leaves out."""

import pytest

from primum.safety.presentation import is_case, missing, present
from primum.safety.profile import Profile
from primum.safety.validator import taken, told

EMBOLISM = (
    "A 34-year-old woman presents with sudden breathlessness. She has no fever, cough or wheeze. HR 118, SpO2 91% on "
    "air. She takes the combined pill. Her left calf is swollen. Allergic to penicillin."
)


def items(text: str, profile: Profile | None = None) -> list[str]:
    return [one.item for one in missing(text, told(text, profile or Profile()))]


def test_each_clause_stands_where_it_belongs() -> None:
    told_of = present(EMBOLISM, told(EMBOLISM, Profile()))
    assert told_of.person == "34-year-old woman"
    assert told_of.findings == ("sudden breathlessness", "Her left calf is swollen")
    assert told_of.absent == ("no fever", "cough or wheeze")
    assert told_of.vitals == ("HR 118", "SpO2 91% on air")
    assert told_of.medicines == ("the combined pill",)
    assert told_of.allergies == ("Allergic to penicillin",)


def test_what_is_measured_of_the_person_is_no_finding() -> None:
    told_of = present("Painful toe, 67 years old, serum creatinine 1.6 mg/dL, weighs 80 kg, eGFR 45. Plan?", Profile())
    assert told_of.findings == ("Painful toe",)
    assert told_of.vitals == ("serum creatinine 1.6 mg/dL", "weighs 80 kg", "eGFR 45")


def test_the_chart_counts_beside_what_is_told() -> None:
    chart = Profile(age=70, sex="male", medicines=("warfarin",), allergies=("latex",), conditions=("gout",))
    told_of = present("Painful red toe since yesterday", chart)
    assert told_of.person == "70-year-old man"
    assert (told_of.medicines, told_of.allergies, told_of.background) == (("warfarin",), ("latex",), ("gout",))


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        (EMBOLISM, ["vital_signs", "history", "pregnancy"]),
        ("72F, confused since yesterday, temp 38.9, RR 26, known COPD, NKDA",
         ["vital_signs", "medicines", "kidney_function"]),
        ("Painful toe", ["age", "sex", "duration", "vital_signs", "medicines", "allergies", "history"]),
        ("6-year-old girl, cough for 3 days, no medicines, no allergies, no past illnesses, BP 100/60, HR 90, RR 20, "
         "SpO2 98%, temp 37.0", ["weight"]),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_item_by_item(text: str, left_out: list[str]) -> None:
    assert items(text) == left_out


def test_what_the_chart_knows_is_not_missing() -> None:
    chart = Profile(age=30, sex="male", medicines=("ramipril",), allergies=("latex",), conditions=("asthma",))
    assert items("Cough for 3 days", chart) == ["vital_signs"]


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        (EMBOLISM, True),
        ("58-year-old man, crushing chest pain for 40 minutes, sweating, BP 92/60", True),
        ("What is the dose of amoxicillin for a 6-year-old girl with otitis, fever and pain?", False),
        ("I am a 58-year-old man, with chest pain, sweating", False),
        ("Treatment of gout in chronic kidney disease, stage 3", False),
        ("45-year-old woman with right upper quadrant pain, fever and jaundice. Differential and next steps?", True),
        ("58-year-old man, crushing chest pain for 40 minutes, sweating. What is the most likely diagnosis?", True),
        ("34-year-old woman with cough and fever for 3 days, 32 weeks pregnant. Should she get amoxicillin?", False),
        ("Apixaban dose in AF, 82 years old, 58 kg, creatinine 1.6 mg/dL", False),
        ("58-year-old man", False),
    ],
)
def test_only_what_surely_is_a_case_is_taken_for_one(text: str, sure: bool) -> None:
    assert is_case(text) is sure


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("58-year-old man, no fever, BP 92/60, on sildenafil", ["sildenafil"]),
        ("Denies chest pain, takes warfarin", ["warfarin"]),
        ("No allergies, medications: warfarin, ramipril", ["warfarin", "ramipril"]),
        ("58M with crushing chest pain. Meds: sildenafil.", ["sildenafil"]),
        ("Crushing chest pain. MEDICATIONS: warfarin", ["warfarin"]),
        ("No other medicines: I take warfarin.", ["warfarin"]),
        ("No other meds: he takes warfarin daily.", ["warfarin"]),
        ("I don't take other medicines: I am on warfarin.", ["warfarin"]),
        ("No regular medications: warfarin stopped", []),
        ("He does not take, or use, warfarin", []),
        ("He is not on warfarin", []),
    ],
)
def test_a_denied_symptom_denies_no_medicine(text: str, names: list[str]) -> None:
    assert taken(text) == names


def test_a_long_row_of_what_is_wanted_is_read_to_its_end() -> None:
    """Words, not an expression: one with a choice at each word would never come back."""
    assert not is_case("next steps " * 700 + "x")
