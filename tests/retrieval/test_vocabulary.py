"""Slips of a question put right by the library's own words."""

import pytest

from primum.memory.session import Database
from primum.retrieval.search import Retriever
from primum.retrieval.vocabulary import Vocabulary
from tests.fakes import FakeEmbedder

LIBRARY = Vocabulary({"carbuncl": 5, "symptom": 40, "diabet": 30, "zoonosi": 1})


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("symtoms of diabetis", "symptoms of diabetes"),
        ("what is a carbunkle", "what is a carbuncle"),
        ("ashma and pnuemonia", "asthma and pneumonia"),
        ("can I take metforman?", "can I take metformin?"),
        ("What is gout?", "What is gout?"),
    ],
)
def test_a_word_that_nobody_knows_becomes_the_one_that_is_near(question: str, right: str) -> None:
    assert LIBRARY.corrected(question, "en") == right


@pytest.mark.parametrize(
    "question",
    [
        "prednisone or prednisolone",  # a medicine is never another one
        "clonidine, clonazepam, hydroxyzine, hydralazine",
        "hypernatremia",  # and no opposite
        "take 500mg 3x/day, HbA1c 7.5%",
        "the grapes on the floor table are scary",
        "Ask Dr Smyth about CKDD",
    ],
)
def test_medicines_opposites_numbers_capitals_and_plain_words_stay(question: str) -> None:
    assert LIBRARY.corrected(question, "en") == question


def test_spanish_is_corrected_by_its_own_terms_and_chinese_is_not() -> None:
    assert LIBRARY.corrected("¿Qué es la neumoniaa?", "es") == "¿Qué es la neumonia?"
    assert LIBRARY.corrected("los síntomas de mis hijas", "es") == "los síntomas de mis hijas"
    assert LIBRARY.corrected("糖尿並", "zh") == "糖尿並"


async def test_a_librarys_words_are_read_once_a_version(library_url: str) -> None:
    database = Database(library_url)
    library = Retriever(database, FakeEmbedder())
    first = await library.vocabulary()
    assert await library.vocabulary() is first
    assert await library.of("").vocabulary() is first
    assert await library.of("clinic").vocabulary() is not first
    assert "paracetamol" in first.corrected("paracetamoll", "en")
    await database.close()
