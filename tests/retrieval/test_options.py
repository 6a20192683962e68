"""What is searched for of a multiple-choice question."""

import pytest

from primum.retrieval.options import question_only

ASKED = "A 45-year-old man has chest pain. Which medicine comes first?"


@pytest.mark.parametrize(
    "options",
    [
        " A) Aspirin B) Heparin C) Warfarin",
        " (A) Aspirin (B) Heparin",
        " A. Aspirin B. Heparin C. Warfarin D. None of these",
        "\nA. Aspirin\nB. Heparin",
        "\na) aspirin\nb) heparin\nc) warfarin",
        "\nOptions:\nA: Aspirin\nB: Heparin\nC: Warfarin",
        " {'A': 'Aspirin', 'B': 'Heparin', 'C': 'Warfarin'}",
        "\nAspirin\nHeparin\nLow-dose warfarin\nNone of these",
    ],
)
def test_options_are_left_out(options: str) -> None:
    assert question_only(ASKED + options) == ASKED


def test_options_in_chinese_and_spanish_are_left_out() -> None:
    assert question_only("下列哪项是糖尿病的症状？A. 多尿 B. 头痛 C. 咳嗽") == "下列哪项是糖尿病的症状？"
    assert question_only("¿Cuál trata la gota? a) colchicina b) insulina c) nada") == "¿Cuál trata la gota?"


@pytest.mark.parametrize(
    "question",
    [
        "Is vitamin A. B vitamins too. C as well?",
        "I have hepatitis A. Is hepatitis B worse?",
        "hepatitis A: how is it spread?",
        "What should I do?\nI have a fever\nmy leg hurts\nI am pregnant",
        "I have 1) a cough 2) a fever 3) a rash. What is it?",
        "A) aspirin B) heparin C) warfarin",
        "",
    ],
)
def test_a_question_without_options_stays_whole(question: str) -> None:
    assert question_only(question) == question
