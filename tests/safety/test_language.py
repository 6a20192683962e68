"""Which language a message is in."""

import pytest

from primum.nodes.examples import labelled
from primum.safety.language import detect
from primum.safety.red_flags import assess, card
from tests.safety.test_red_flags import ENGLISH, SPANISH


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is gout?", "en"),
        ("2型糖尿病有哪些症状？", "zh"),
        ("华法林 warfarin 和布洛芬", "zh"),
        ("¿Es contagiosa la gripe?", "es"),
        ("sintomas de la gripe en un adulto", "es"),
        ("I take la Roche cream for my skin", "en"),
        ("痛みの薬はどれですか", "en"),  # Japanese is none of ours
        ("", "en"),
        ("write me a poem about love", "en"),
        ("thanks a lot!", "en"),
        ("me too", "en"),
        ("no", "en"),
        ("hay fever", "en"),
        ("a 5yo with hepatitis A", "en"),
        ("acute MI", "en"),
        ("MI MADRE NO RESPIRA", "es"),
        ("¿metformina?", "es"),
        ("no quiero vivir más", "es"),
        ("quiero morir", "es"),
        ("dolor de cabeza", "es"),
        ("y las dosis", "es"),
    ],
)
def test_the_language_is_told_by_script_and_by_words_of_one_language(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    ("before", "language"),
    [((), "en"), (("¿Cómo se trata la gota?",), "es"), (("痛风怎么治？", "metformin"), "zh")],
    ids=["nothing", "Spanish", "Chinese and none"],
)
def test_what_tells_no_language_is_in_that_of_what_was_said_before(before: tuple[str, ...], language: str) -> None:
    assert detect("no", *before) == detect("ibuprofen 400", *before) == language
    assert detect("thanks", *before) == "en"


def test_warning_signs_are_known_in_their_language() -> None:
    assert {detect(text) for text, _ in SPANISH} == {"es"}
    assert {detect(text) for text, _ in ENGLISH} == {"en"}


def test_every_example_of_the_second_look_is_english() -> None:
    kinds = ("routes", "emergencies", "harm")
    texts = [text for kind in kinds for messages in labelled(kind).values() for text in messages]
    assert [text for text in texts if detect(text) != "en"] == []


@pytest.mark.parametrize("text", ["no quiero vivir más", "quiero morir", "sangra mucho y no para"])
def test_a_spanish_message_gets_a_spanish_card(text: str) -> None:
    assert card(assess(text), "ES").startswith("**Llame al 112 ahora.**")
