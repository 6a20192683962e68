"""Whatever is written, a turn goes on: nothing raises, each fact is proven, and long messages are read in time."""

import time
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.memory.extract import extract
from primum.memory.facts import Fact, Merged, merge, possible, profile_of, proven

TODAY = date(2025, 11, 22)
LONGEST = 8000
SECONDS = 2.0  # many times what it takes, for a busy machine; what grows with the square of the length takes longer

FRAGMENTS = (
    # dates and numbers
    "3 May 1980|31 February 1980|1980-13-45|29/02/2023|born on |born 0000|in May|since 2019|for three years"
    "|5 weeks ago|hace 3 años"
    "|三年前|2019年5月|last week|yesterday|0|1|45|54|999|1e9|-3|1/0|½|1½|1,4|1.234,5|٣|²|一百二十|two and a half"
    "|an hour"
    # units and measures
    "|mg|500 mg|µmol/l|mg/dl|%|kg|70 kg|9000 kg|168 cm|5'6\"|years old|岁|weeks pregnant|months pregnant|twice a day"
    "|creatinine is "
    "|urine creatinine|My eGFR is |hemoglobin A1c|blood pressure 150/90|BP 1/2|肌酐"
    # punctuation and odd signs
    "|.|,|;|?|!|\n|…|(|)|[|-| - |'|\"|/|:|\t|\t,|,,|\u3000|\u200b|\xa0|\x00|\x01|,|。|?|!|😀|👩‍⚕️|İ|ß|ſ|ǅ|́|\ud7ff"
    "|𝟙|①|fi"
    # what is told
    "|I |I'm |I am |I take |I don't take |I'm allergic to |no allergies|except |I stopped |it |I have "
    "|I no longer have |not |Actually "
    "|Sorry, I meant |I was wrong, |my mother |she |my son |if |but |because |and |pregnant|not pregnant anymore"
    "|I gave birth "
    "|breastfeeding|I quit smoking |I drink |diagnosed with |removed my appendix|but I outgrew it"
    "|tested negative for |instead of "
    "|switched from |as needed|No.|Yes.|any more|metformin|penicillin|warfarin 5 mg|sulfa|Xylozap|asthma"
    "|type 2 diabetes|hives"
    "|Soy alérgico a |Tomo |no tomo |Dejé de tomar |ya no |embarazada de 20 semanas|ibuprofeno|asma|Tengo 45 años"
    "|我对|过敏|不|我在吃|二甲双胍|青霉素|怀孕12周|我没有|高血压|停了|除了"
).split("|")  # fmt: skip
PIECES = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6))
MESSAGES = st.builds(
    lambda parts, glue: glue.join(parts), st.lists(PIECES, max_size=24), st.sampled_from([" ", "", ", "])
)
ASKED = st.sampled_from(
    ["", "Any allergies?", "Are you still taking metformin or aspirin?", "How old are you?", "So no medicines?",
     "When were you born?", "What happens when you take penicillin?", "¿Tiene alergias?", "你在吃什么药?"]
)  # fmt: skip


def read(message: str, asked: str = "", today: date = TODAY, known: tuple[Fact, ...] = ()) -> Merged:
    """The facts of a message merged with those known, each of them checked; and a profile made of all."""
    facts = extract(message, asked=asked, today=today)
    for fact in facts:
        assert proven(fact, {"message": message, "asked": asked})
        assert possible(fact)
    merged = merge(known, facts)
    assert len({fact.key for fact in merged.current}) == len(merged.current)
    for day in (today, today - timedelta(days=400), today + timedelta(days=40_000)):
        profile_of(merged.current, today=day)
    return merged


@given(MESSAGES, ASKED)
def test_whatever_is_said_is_read(message: str, asked: str) -> None:
    read(message, asked)


@given(st.lists(st.tuples(MESSAGES, st.integers(-900, 900)), max_size=4))
def test_whatever_is_said_over_days_is_merged(told: list[tuple[str, int]]) -> None:
    known: tuple[Fact, ...] = ()
    for message, days in told:
        known = read(message, today=TODAY + timedelta(days=days), known=known).current


@settings(deadline=None, max_examples=30)
@given(st.lists(PIECES, min_size=1, max_size=3))
def test_a_long_message_is_read_in_time(parts: list[str]) -> None:
    piece = "".join(parts) or " "
    message = (piece * LONGEST)[:LONGEST]
    began = time.process_time()
    read(message)
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(
    "piece", ["egg, ", "I take metformin", "hives ", "mg ", "smoking ", "if ", "allergic to ", "a, b and c "]
)
def test_a_long_message_of_one_piece_is_read_in_time(piece: str) -> None:
    began = time.process_time()
    read((piece * LONGEST)[:LONGEST])
    assert time.process_time() - began < SECONDS
