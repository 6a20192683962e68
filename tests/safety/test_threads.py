"""Warning signs that are told in two messages of a thread."""

import pytest

from primum.safety.profile import Profile
from primum.safety.red_flags import Triage, follow_up
from primum.safety.threads import TURNS, together
from primum.safety.validator import told


def last_of(*messages: str) -> Triage:
    """The triage of the last message, with all that the thread told so far in the chart, as recall gives it."""
    *earlier, message = messages
    chart = told("\n".join(messages), Profile())
    before = chart.less(told(message, Profile()))
    return follow_up(message, together(message, earlier), told(message, chart), before)


@pytest.mark.parametrize(
    ("messages", "rule"),
    [
        (["my kid has a fever of 39, what should I do?", "and for a 2 month old?"], "infant-fever"),
        (["My child has a fever of 39. He is 4.", "now he has a purple rash that doesn't fade"], "purpuric-rash"),
        (["My child has a fever of 39.", "What is gout?", "now a purple rash that doesn't fade"], "purpuric-rash"),
        (["I have a severe headache and flashing lights", "I'm 34 weeks pregnant"], "pre-eclampsia"),
        (["I have chest pain", "I'm sweating and feel sick"], "heart-attack"),
        (["My father has chest pain", "he is sweating a lot now"], "heart-attack"),
        (["I was stung by a wasp", "now my throat is tight and my lips are swelling"], "anaphylaxis"),
        (["she fell and hit her head", "she takes warfarin"], "head-injury"),
        (["Mi hijo tiene fiebre de 39", "tiene 2 meses"], "infant-fever"),
        (["我孩子发烧39度", "他2个月大"], "infant-fever"),
    ],
)
def test_what_two_messages_tell_together_is_an_emergency(messages: list[str], rule: str) -> None:
    assert last_of(*messages[:-1]).disposition != "emergency"
    found = last_of(*messages)
    assert found.disposition == "emergency" and f"triage.{rule}" in found.rules


@pytest.mark.parametrize(
    "messages",
    [
        ["My 2 month old has a fever of 39", "thanks, how much paracetamol?"],
        ["My 2 month old has a fever of 39", "He also has a runny nose"],
        ["my kid has a fever of 39", "and for a 2 month old?", "Is there a bus to the hospital?"],
        ["55-year-old man, crushing chest pain into the left arm, sweating", "And what does aspirin do?"],
    ],
)
def test_an_emergency_told_before_is_not_told_again(messages: list[str]) -> None:
    assert last_of(*messages[:-1]).disposition == "emergency"
    assert last_of(*messages).disposition in ("none", "self_care")


@pytest.mark.parametrize(
    "messages",
    [
        ["My son has a fever of 39", "My mother has a purple rash that doesn't fade"],
        ["My father has chest pain", "I'm sweating a lot"],
        ["I have chest pain", "now he is sweating"],
        ["I have chest pain", "Another question: I sweat a lot at night"],
        ["I have chest pain", "What is a good treatment against sweating?"],
        ["72M with chest pain since an hour", "30F sweating since the morning"],
        ["I have chest pain", *["What is gout?"] * TURNS, "I'm sweating"],
    ],
)
def test_another_person_another_matter_and_what_is_long_past_add_nothing(messages: list[str]) -> None:
    assert last_of(*messages) == last_of(messages[-1])


def test_a_thread_only_raises() -> None:
    alone = last_of("I can't breathe")
    assert last_of("I feel fine, what is gout?", "I can't breathe") == alone and alone.disposition == "emergency"
