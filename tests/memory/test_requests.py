"""What is asked of the memory itself, and what is only asked with the same words."""

from datetime import date

import pytest

from primum.memory.extract import extract
from primum.memory.facts import Fact, merge, proven
from primum.memory.requests import ended, meant, request_in, without

TODAY = date(2026, 11, 23)
TOLD = (
    "I take lisinopril and metformin. I'm allergic to penicillin. I'm allergic to aspirin. I take aspirin. "
    "I am 50 years old."
)


@pytest.mark.parametrize(
    ("message", "kinds"),
    [
        ("What allergies do I have?", ("allergy",)),
        ("Hi, which medicines am I taking now?", ("medicine",)),
        ("what am I allergic to", ("allergy",)),
        ("Can you list my medicines, please?", ("medicine",)),
        ("Do you remember my allergies?", ("allergy",)),
        ("How old am I?", ("age",)),
        ("What do you know about me?", ()),
        ("What have I told you?", ()),
        ("¿Qué alergias tengo?", ("allergy",)),
        ("¿Qué medicamentos tomo ahora?", ("medicine",)),
        ("¿Qué sabes de mí?", ()),
        ("我对什么过敏？", ("allergy",)),
        ("我现在在吃什么药？", ("medicine",)),
    ],
)
def test_a_question_about_ones_own_facts_is_known(message: str, kinds: tuple[str, ...]) -> None:
    found = request_in(message)
    assert found and (found.wish, found.kinds, found.alone) == ("list", kinds, True)


@pytest.mark.parametrize(
    "message",
    [
        "What medicines can I take?",
        "What medicines do I take for a cold?",
        "What allergies do I have if I sneeze at cats?",
        "How do I remove a tick?",
        "Remove the tick with tweezers",
        "never mind, forget it",
        "I forgot to take lisinopril",
        "I forget my pills often, is that bad?",
        "list medicines for gout",
        "What allergies does my son have?",
        "患者有什么过敏？",
    ],
)
def test_a_question_of_the_library_asks_nothing_of_the_memory(message: str) -> None:
    assert request_in(message) is None


@pytest.mark.parametrize(
    "message",
    [
        "What allergies does the patient have?",
        "list the patient's allergies",
        "what is she allergic to?",
        "¿Qué alergias tiene el paciente?",
        "患者有什么过敏？",
    ],
)
def test_a_clinician_asks_of_the_patient_and_not_of_themselves(message: str) -> None:
    found = request_in(message, of_patient=True)
    assert found and (found.wish, found.kinds) == ("list", ("allergy",))
    assert request_in("What allergies do I have?", of_patient=True) is None
    assert request_in("Forget that I take lisinopril", of_patient=True) is None


@pytest.mark.parametrize(
    "message",
    [
        "delete everything you know about me",
        "Forget everything!",
        "Please erase my data",
        "borra todo",
        "删除我的所有数据",
    ],
)
def test_a_wish_to_erase_everything_is_no_wish_to_forget_one_thing(message: str) -> None:
    found = request_in(message)
    assert found and found.wish == "erase"


@pytest.mark.parametrize(
    ("message", "gone"),
    [
        ("Please forget that I take lisinopril", ["medicine lisinopril"]),
        ("forget that I take lisinopril and metformin", ["medicine lisinopril", "medicine metformin"]),
        ("Delete my allergy to penicillin from my chart.", ["allergy penicillin-class"]),
        ("remove metformin from my list", ["medicine metformin"]),
        ("forget my age", ["age 50"]),
        ("olvida que tomo lisinopril", ["medicine lisinopril"]),
        ("忘记我对青霉素过敏", ["allergy penicillin-class"]),
        ("forget that I take aspirin", ["medicine aspirin"]),
        ("remove aspirin from my list", []),  # the allergy or the medicine?
        ("forget my allergy to peanuts", []),
        ("forget my medicines", []),  # which?
        ("forget that I take warfarin", []),
        ("What allergies do I have?", []),
    ],
)
def test_what_is_to_be_forgotten_ends_with_the_words_that_ask_so_as_its_proof(message: str, gone: list[str]) -> None:
    known = merge((), extract(TOLD, today=TODAY)).current
    request = request_in(message)
    assert request
    found = meant(message, request, known)
    assert [f"{fact.kind} {fact.value}" for fact in found] == gone
    ends = [ended(fact, message, request, "later", TODAY) for fact in found]
    for fact in ends:
        assert proven(fact, {"message": TOLD, "later": message}).quotes[-1].message == "later"
    held = merge(known, ends).current
    assert {*held} == {*known} - {*found}


def test_what_a_request_names_is_not_told_by_it() -> None:
    message = "Forget that I take lisinopril. I take warfarin now."
    request = request_in(message)
    assert request and not request.alone
    told: list[Fact] = extract(without(message, request), today=TODAY)
    assert [fact.value for fact in told] == ["warfarin"]
    assert told[0].quotes[0].text in message
