"""Which passages are about a question, and which of their sentences answer it first."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from primum.retrieval.excerpts import asking_part, excerpts, relevant
from primum.retrieval.search import Passage, Retriever
from tests.fakes import FakeEmbedder

PAGE = Passage(
    *(1, 1, "Paracetamol (acetaminophen)", "How to take it", "", "medicine", "", 0, 30, None, [], None, None),
    *("", "", "en", "", False, 1.0, 0.5, 0.5),
)


class Pages(Retriever):
    """A library of the passages that a test names, without a database."""

    def __init__(self, *passages: Passage) -> None:
        self._passages = passages

    async def document(self, document_id: int) -> list[Passage]:
        return [passage for passage in self._passages if passage.document_id == document_id]

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return FakeEmbedder(dimensions=512).embed_passages(texts)


async def told(question: str, *passages: Passage) -> list[str]:
    return [one.text for one in await excerpts(question, passages, Pages(*passages), 150)]


def page(text: str, number: int = 1, title: str = PAGE.title, heading: str = PAGE.heading) -> Passage:
    return replace(PAGE, chunk_id=number, document_id=number, title=title, heading=heading, text=text)


ADULT = "The usual adult dose of paracetamol is 500 mg to 1,000 mg by mouth every 4 to 6 hours."
CHILD = "Children need a paracetamol dose that matches their age or weight."
ANYONE = "Paracetamol rarely causes side effects at the right dose."


@pytest.mark.parametrize(
    "question",
    [
        "How much Tylenol can I give my 3 year old who weighs 14 kg?",
        "How much paracetamol can I give my child?",
        "How much paracetamol for an 8-month-old?",
    ],
)
async def test_who_asks_for_a_child_does_not_read_the_adult_dose_first(question: str) -> None:
    said = await told(question, page(f"{ADULT} {CHILD} {ANYONE}"))
    assert said[0] != ADULT and said.index(CHILD) < said.index(ADULT) if ADULT in said else CHILD in said


async def test_a_grown_up_does_not_read_of_children_first() -> None:
    said = await told("How much paracetamol can I take at the age of 40?", page(f"{CHILD} {ANYONE} {ADULT}"))
    assert said[0] != CHILD and ADULT in said


async def test_what_names_every_medicine_of_the_question_comes_first() -> None:
    both = "Do not take ibuprofen with a blood thinner such as warfarin or apixaban."
    other = "Adults can take ibuprofen together with paracetamol at the same time as other painkillers."
    ibuprofen = page(f"{other} {both}", title="Ibuprofen", heading="With other medicines")
    assert (await told("Can I take Advil with Eliquis?", ibuprofen))[0] == both


async def test_what_is_asked_counts_for_more_than_what_is_told_beside_it() -> None:
    chest = page(
        "Heart causes of chest pain are heart attack and angina, a year of chest pain or more.", 1, "Chest pain"
    )
    angina = page("Angina is usually caused by narrowed heart arteries.", 2, "Angina", "Causes")
    assert (await told("What causes angina? I had chest pain last year.", chest, angina))[0].startswith("Angina")


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("What causes angina? I had chest pain last year.", "What causes angina?"),
        ("I am 30 weeks pregnant. What can I take for a UTI?", "What can I take for a UTI?"),
        ("I'm allergic to ibuprofen. What can I take for pain?", "What can I take for pain?"),
    ],
)
def test_the_asking_part_leaves_the_person_out(question: str, part: str) -> None:
    assert asking_part(question) == part


@pytest.mark.parametrize(
    "question",
    [
        "I have diabetes. What food should I avoid?",
        "I take warfarin. Can I drink cranberry juice?",
        "I have a sore throat. What should I do?",
        "gout treatment",
    ],
)
def test_what_the_question_is_about_stays(question: str) -> None:
    assert asking_part(question) == question


def test_ages_weights_and_brands_do_not_make_a_passage_another() -> None:
    children = page(CHILD)
    assert relevant("How much Tylenol can I give my 3 year old who weighs 14 kg?", [children]) == [children]


def test_an_allergen_is_not_what_an_answer_must_name() -> None:
    period = page("Paracetamol is an option for pain.", title="Period pain")
    assert relevant("I'm allergic to ibuprofen. What can I take for pain?", [period]) == [period]
    assert relevant("Can I take ibuprofen for pain?", [period]) == []


async def test_rows_that_give_other_numbers_repeat_nothing() -> None:
    rows = [
        f"Weight: {weight}; Starting dose of paracetamol: {dose} mg once daily."
        for weight, dose in (("under 50 kg", 10), ("50 to 80 kg", 20), ("over 80 kg", 30))
    ]
    said = await told("What is the starting dose of paracetamol at 70 kg?", page(" ".join([*rows, rows[0]])))
    assert sorted(said) == sorted(rows)
