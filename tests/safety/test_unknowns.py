"""The question back: what is not known of a person and could change the advice."""

import pytest

from primum.safety.language import Language
from primum.safety.profile import Profile
from primum.safety.unknowns import ASKED, question_back


@pytest.mark.parametrize(
    ("question", "profile", "asks"),
    [
        ("Can I take ibuprofen?", Profile(), "Are you pregnant?"),
        ("Can I take ibuprofen for my knee?", Profile(age=40, sex="male"), "Which other medicines do you take?"),
        ("How much paracetamol can I give my child?", Profile(), "How old is the child, and how heavy?"),
        ("Can I take naproxen?", Profile(pregnant=True, medicines=("iron",)), "How many weeks pregnant are you?"),
        ("Can I take ibuprofen?", Profile(conditions=("pregnancy",)), "How many weeks pregnant are you?"),
        ("Can I take amoxicillin?", Profile(), "Are you allergic to a medicine?"),
        ("Is metformin right for my patient?", Profile(), "Is there kidney disease or liver disease?"),
    ],
)
def test_what_could_change_the_advice_is_asked(question: str, profile: Profile, asks: str) -> None:
    assert asks in question_back(question, profile)


@pytest.mark.parametrize(
    ("question", "profile", "asks"),
    [
        ("Can I take ibuprofen?", Profile(age=40, sex="male"), "pregnant"),
        ("Can I take ibuprofen?", Profile(age=70, sex="female"), "pregnant"),
        ("Can I take ibuprofen?", Profile(pregnant=False), "pregnant"),
        ("Can I take metformin?", Profile(egfr=80), "kidney"),
        ("Can I take ibuprofen?", Profile(medicines=("ramipril",)), "other medicines"),
        ("Can I take amoxicillin?", Profile(allergies=("none known",)), "allergic"),
        ("How much paracetamol for my child?", Profile(age=6, weight_kg=20), "How old"),
    ],
)
def test_what_is_known_is_not_asked(question: str, profile: Profile, asks: str) -> None:
    assert asks not in question_back(question, profile)


@pytest.mark.parametrize("question", ["What is warfarin?", "How much paracetamol can adults take?", "Can I swim?"])
def test_a_question_about_no_one_or_no_medicine_is_not_asked_back(question: str) -> None:
    assert question_back(question, Profile()) == ""


def test_no_more_is_asked_than_people_answer() -> None:
    asked = question_back("Can I take ibuprofen and metformin?", Profile())
    assert asked.count("?") + asked.count(" or ") == ASKED


@pytest.mark.parametrize(
    ("question", "language", "asks"),
    [
        ("Can I take metformin?", "en", "Do you have kidney disease or liver disease?"),
        ("Is methotrexate safe for my wife?", "en", "Is there a pregnancy?"),
        ("Can I give my patient ibuprofen?", "en", "Is there a pregnancy?"),
        ("她能吃布洛芬吗？", "zh", "用药者是否怀孕？"),
        ("我可以吃布洛芬吗？", "zh", "您怀孕了吗？"),
        ("Puedo tomar ibuprofen para my dolor?", "es", "Are you pregnant?"),
    ],
)
def test_who_asks_is_asked_of_themselves_in_their_language(question: str, language: Language, asks: str) -> None:
    assert asks in question_back(question, Profile(medicines=("iron",)), language)
