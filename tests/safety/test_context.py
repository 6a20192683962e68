"""What the words around a finding make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.safety.context import normalise, status

CASES = [
    ("chest pain", "no chest pain", "negated"),
    ("chest pain", "he denies fever, chest pain and cough", "negated"),
    ("chest pain", "no cough, fever or chest pain", "negated"),
    ("chest pain", "no cough, chest pain since morning", "present"),
    ("chest pain", "no fever but chest pain", "present"),
    ("chest pain", "no, chest pain", "present"),
    ("chest pain", "no improvement in the chest pain", "present"),
    ("chest pain", "chest pain: no", "negated"),
    ("stroke", "a stroke was ruled out", "negated"),
    ("stroke", "stroke ruled out, still dizzy", "negated"),
    ("fever", "without fever", "negated"),
    ("fever", "not sure if it is a fever", "present"),
    ("cough or haemoptysis", "no fever, cough or haemoptysis", "negated"),
    ("vomiting or blood", "without fever, vomiting or blood in the stool", "negated"),
    ("vomiting blood", "no fever or cough, vomiting blood since noon", "present"),
    ("allergies", "no known drug allergies", "negated"),
    ("head injury", "no known head injury", "negated"),
    ("coughing blood", "no known cause, coughing blood", "present"),
    ("chest pain", "previously well, chest pain", "present"),
    ("chest pain", "previously chest pain", "historical"),
    ("can't breathe", "he can't breathe", "present"),
    ("fiebre", "sin fiebre", "negated"),
    ("fiebre", "no tiene fiebre", "negated"),
    ("fiebre", "no para la fiebre", "present"),
    ("dolor", "niega dolor", "negated"),
    ("胸痛", "没有胸痛", "negated"),
    ("胸痛", "否认胸痛", "negated"),
    ("胸痛", "无发烧、胸痛", "negated"),
    ("胸痛", "不发烧,胸痛", "present"),
    ("胸痛", "胸痛不缓解", "present"),
    ("stroke", "my father had a stroke in 1990", "historical"),
    ("stroke", "my father is having a stroke now", "present"),
    ("seizures", "history of seizures", "historical"),
    ("chest pain", "history of angina, now chest pain", "present"),
    ("chest pain", "chest pain started 2 years ago and is worse", "present"),
    ("asthma", "i used to have asthma", "historical"),
    ("infarto", "tuve un infarto en 1998", "historical"),
    ("中风", "他以前得过中风", "historical"),
    ("heart attack", "what is a heart attack?", "hypothetical"),
    ("stroke", "symptoms of stroke", "hypothetical"),
    ("stroke", "he has the symptoms of a stroke", "present"),
    ("chest pain", "if i get chest pain", "hypothetical"),
    ("chest pain", "what if my chest pain gets worse", "present"),
    ("heart attack", "can ibuprofen cause a heart attack?", "hypothetical"),
    ("infarto", "que es un infarto", "hypothetical"),
    ("胸痛", "如果胸痛", "hypothetical"),
    ("心脏病", "什么是心脏病", "hypothetical"),
    ("chest pain", "why is my chest pain worse?", "present"),
    ("swallowed bleach", "what do i do if my child swallowed bleach", "present"),
    ("heart attack", "my mother died of a heart attack", "family"),
    ("stroke", "family history of stroke", "family"),
]


@pytest.mark.parametrize(("finding", "text", "expected"), CASES)
def test_the_context_of_a_finding(finding: str, text: str, expected: str) -> None:
    plain = normalise(text)
    start = plain.index(finding)
    assert status(plain, start, start + len(finding)) == expected


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("He can’t  BREATHE", "he can't breathe"),
        ("I cannot breathe", "i can't breathe"),
        ("dolor de riñón", "dolor de rinon"),
        ("頭痛，發燒", "头痛,发烧"),
        ("Ｆｅｖｅｒ", "fever"),
        ("coffee‑ground", "coffee-ground"),
        ("my head... hurts", "my head, hurts"),
    ],
)
def test_spellings_become_one(written: str, plain: str) -> None:
    assert normalise(written) == plain


@given(st.text(max_size=200))
def test_normalising_again_changes_nothing_more(text: str) -> None:
    once = normalise(text)
    assert normalise(once).split() == normalise(normalise(once)).split()


@given(st.text(max_size=100), st.text(max_size=100))
def test_any_surroundings_are_read(before: str, after: str) -> None:
    text = normalise(f"{before} chest pain {after}")
    start = text.index("chest pain")
    assert status(text, start, start + 10) in ("present", "negated", "historical", "hypothetical", "family")


@pytest.mark.parametrize(
    ("text", "finding", "expected"),
    [
        ("mcq: a man of 60 presents with crushing chest pain. which leads?", "crushing chest pain", "hypothetical"),
        ("in my crime novel the detective finds a man who is not breathing", "not breathing", "hypothetical"),
        ("on our cpr course the patient was not breathing", "not breathing", "hypothetical"),
        ("at the cpr course my friend collapsed and is not breathing", "not breathing", "present"),
        ("i was reading a novel and i can't breathe", "can't breathe", "present"),
    ],
)
def test_an_exam_a_story_and_a_course_tell_of_nobody_unless_someone_is_ill(
    text: str, finding: str, expected: str
) -> None:
    start = text.index(finding)
    assert status(text, start, start + len(finding)) == expected
