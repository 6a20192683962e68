"""What a message that asks nothing is answered."""

import pytest

from primum.nodes.replies import GREETING, PARTING, THANKED, reply


@pytest.mark.parametrize("message", ["hello", "Hi there!", "Good morning.", "¡Hola! Buenos días", "你好", "您好！"])
def test_a_greeting_is_greeted(message: str) -> None:
    assert reply(message) == GREETING


@pytest.mark.parametrize(
    "message",
    ["thanks!", "ok thanks", "Thank you very much", "Muchas gracias por su ayuda", "谢谢你", "Hi, and thanks"],
)
def test_thanks_are_answered(message: str) -> None:
    assert reply(message) == THANKED


@pytest.mark.parametrize("message", ["bye", "Goodbye!", "See you later", "Hasta luego", "再见"])
def test_who_leaves_is_taken_leave_of(message: str) -> None:
    assert reply(message) == PARTING


@pytest.mark.parametrize(
    ("message", "noted"),
    [
        ("I am allergic to penicillin and I take lisinopril.", "allergy to penicillin; takes lisinopril"),
        ("I'm 34 weeks pregnant.", "pregnant (34 weeks)"),
        ("My mother takes 5 mg of warfarin daily and is 72 years old", "age 72; takes warfarin"),
        ("I have asthma and I weigh 80 kg", "80 kg; asthma"),
    ],
)
def test_facts_told_are_said_back(message: str, noted: str) -> None:
    assert reply(message).startswith(f"Noted: {noted}. ")


@pytest.mark.parametrize(
    "message",
    [
        "okay",
        "Thanks, can I take ibuprofen?",
        "hi, I have chest pain",
        "I have a headache and take ibuprofen",
        "I have diabetes",
        "I took 20 paracetamol tablets",
        "I am allergic to penicillin, what can I take",
        "I have had vomiting since I take metformin",
        "What is gout?",
        "paracetamol",
        "",
        "hi " * 2000 + "x",
    ],
)
def test_what_asks_or_tells_of_trouble_is_no_matter_of_courtesy(message: str) -> None:
    assert reply(message) == ""
