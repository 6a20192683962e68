"""Leave to take something is proven by a source that gives it, and by no other."""

import pytest

from primum.safety.permission import granted, permits
from primum.safety.sentences import split_answer
from primum.safety.support import Evidence, check

DOAC = Evidence(
    "People with severe liver disease should not take a DOAC. "
    "Apixaban can be taken with or without food. "
    "People with severe kidney disease may need a lower dose of a DOAC or a different blood thinner. "
    "Ask a pharmacist whether you can take apixaban with herbal remedies.",
    "Apixaban and other DOACs",
    "Who should not take it",
)
AMOXICILLIN = Evidence(
    "Strep throat is usually treated with amoxicillin, and people allergic to penicillin are given another antibiotic. "
    "Paracetamol eases the pain of a sore throat.",
    "Sore throat",
    "Treatment",
)
WARFARIN = Evidence("If a person takes warfarin, bleeding is more likely. Warfarin prevents clots.", "Warfarin")


def rules(sentence: str, evidence: Evidence, asked: str = "") -> set[str]:
    (verdict,) = check(split_answer(sentence), {1: evidence}, asked)
    return {violation.rule for violation in verdict.violations}


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("You can take a DOAC with severe kidney disease [1].", DOAC),
        ("Yes, you can take it with severe kidney disease [1].", DOAC),
        ("A DOAC is fine in severe kidney disease [1].", DOAC),
        ("Give a DOAC to people with severe kidney disease [1].", DOAC),
        ("You can take apixaban with herbal remedies [1].", DOAC),
        ("People allergic to penicillin can take an antibiotic [1].", AMOXICILLIN),
        ("You should take amoxicillin with an allergy to penicillin [1].", AMOXICILLIN),
    ],
)
def test_another_dose_or_another_medicine_is_no_leave(sentence: str, evidence: Evidence) -> None:
    assert "permission" in rules(sentence, evidence)


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("You can take apixaban with food [1].", DOAC),
        ("People with severe kidney disease may need a lower dose of a DOAC or a different blood thinner [1].", DOAC),
        ("You can take paracetamol for the pain of a sore throat [1].", AMOXICILLIN),
        ("You can take amoxicillin for strep throat [1].", AMOXICILLIN),
        ("People allergic to penicillin are given another antibiotic [1].", AMOXICILLIN),
    ],
)
def test_what_the_source_permits_may_be_permitted(sentence: str, evidence: Evidence) -> None:
    assert rules(sentence, evidence) == set()


def test_a_yes_is_leave_to_who_asked_for_it() -> None:
    assert permits("Yes, with kidney disease.", "Can I take apixaban with kidney disease?")
    assert not permits("Yes, with kidney disease.", "Is bleeding more likely with kidney disease?")
    assert not permits("Yes, ibuprofen is not recommended.", "Can I take ibuprofen?")


@pytest.mark.parametrize(
    "said",
    [
        "It is not safe.",
        "You cannot take it.",
        "Do not take it unless a doctor prescribes it.",
        "Take another medicine.",
    ],
)
def test_a_denial_is_no_leave(said: str) -> None:
    assert not permits(said) and not granted(said, [said], "")


@pytest.mark.parametrize(
    "sentence",
    [
        "The person has taken warfarin [1].",
        "They are taking warfarin to prevent clots [1].",
        "You have been taking warfarin [1].",
        "The patient is asked to take warfarin [1].",
        "I am taking warfarin [1].",
    ],
)
def test_a_library_tells_nothing_of_one_person(sentence: str) -> None:
    assert "somebody" in rules(sentence, WARFARIN)


def test_what_holds_for_people_is_no_tale_of_one() -> None:
    assert rules("If a person takes warfarin, bleeding is more likely [1].", WARFARIN) == set()
    told = Evidence("Reliever inhalers have been used for years. They are used for asthma.", "Inhalers")
    assert rules("They have been used for years [1].", told) == set()
