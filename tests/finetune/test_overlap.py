"""A row that shares a question with an evaluation set is never trained on; a phrase of the genre is no overlap."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from primum.finetune.item import Item, choice_prompt
from primum.finetune.overlap import Evaluations
from primum.finetune.rows import Message
from primum.graph.errors import BadInput
from tests.finetune.test_datasets import jsonl

HELD_OUT = Path(__file__).parents[2] / "evals" / "held_out"
VIGNETTE = (
    "A 54-year-old farmer comes in with a swollen red toe that woke him at night after a feast of liver and beer, and "
    "his serum urate is raised. Which of the following is the most likely diagnosis?"
)


def item(question: str, answer: str = "Gout.") -> Item:
    return Item("a:1", "g", "a", "MIT", question, answer)


@pytest.fixture
def known(tmp_path: Path) -> Evaluations:
    rows = [{"question": VIGNETTE, "answer": "Gout."}, {"question": "How is gout treated?", "answer": "With rest."}]
    return Evaluations([str(jsonl(tmp_path / "eval.jsonl", *rows))])


@pytest.mark.parametrize(
    ("question", "how"),
    [
        ("HOW is gout treated", "exact"),
        (VIGNETTE.replace(",", " ,"), "exact"),
        (f"Please read this. {VIGNETTE[:130]}", "13 words"),
    ],
)
def test_the_same_question_overlaps(known: Evaluations, question: str, how: str) -> None:
    assert known.overlap(item(question)) == ("eval.jsonl", how)


def test_a_question_changed_in_few_words_overlaps(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(300)]
    changed = [f"new{at}" if at % 12 == 0 else word for at, word in enumerate(words)]
    seldom = " ".join([*words[:24], "here", *words[24:]])
    rows = [{"question": " ".join([*words, last]), "answer": "x"} for last in ("red", "blue", "green")]
    known = Evaluations([str(jsonl(tmp_path / "eval.jsonl", *rows))])
    assert known.overlap(item(seldom)) == ("eval.jsonl", "near")
    assert known.overlap(item(" ".join(changed))) is None


def test_a_question_in_an_answer_overlaps(known: Evaluations) -> None:
    assert known.overlap(item("What was that?", f"You asked: {VIGNETTE}")) == ("eval.jsonl", "13 words")


def test_a_question_that_was_asked_earlier_in_a_conversation_overlaps(known: Evaluations) -> None:
    before: tuple[Message, ...] = (
        {"role": "user", "content": "How is gout treated?"},
        {"role": "assistant", "content": "With rest."},
    )
    assert known.overlap(replace(item("For how long?"), before=before)) == ("eval.jsonl", "exact")


def test_what_a_conversation_of_the_set_repeats_is_its_own(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": VIGNETTE}, {"from": "gpt", "value": "Gout."}]
    more = [{"from": one, "value": f"{one} {n}?"} for n in range(3) for one in ("human", "gpt")]
    known = Evaluations([str(jsonl(tmp_path / "chat.jsonl", {"conversations": [*turns, *more]}))])
    assert known.overlap(item(f"Please read this. {VIGNETTE[:130]}")) == ("chat.jsonl", "13 words")


def test_other_questions_do_not(known: Evaluations) -> None:
    assert known.overlap(item("How is gout prevented?")) is None
    assert known.overlap(item("What is known of a swollen red toe?")) is None


def test_a_phrase_of_the_genre_is_no_overlap(tmp_path: Path) -> None:
    phrase = "which of the following is the most likely cause of the symptoms of this patient today"
    rows = [{"question": f"Case {name}: {phrase}?", "answer": "x"} for name in ("red", "blue", "green")]
    known = Evaluations([str(jsonl(tmp_path / "eval.jsonl", *rows))])
    assert known.overlap(item(f"Case black: {phrase}?")) is None
    assert known.overlap(item(f"Case red: {phrase}?")) == ("eval.jsonl", "exact")


def test_the_same_short_question_about_other_options_is_another(tmp_path: Path) -> None:
    options = {"A": "Liver", "B": "Pancreas"}
    row = {"question": "Which is true?", "options": options, "answer_idx": "A"}
    known = Evaluations([str(jsonl(tmp_path / "eval.jsonl", row))])

    def choice(options: dict[str, str]) -> Item:
        asked = choice_prompt("Which is true?", options)
        return Item("a", "g", "a", "MIT", "Which is true?", "A", "choice", asked, options=options, reference="A")

    assert known.overlap(choice({"A": "Spleen", "B": "Thyroid"})) is None
    assert known.overlap(choice({"A": "Pancreas", "B": "Liver"})) == ("eval.jsonl", "exact")


def test_two_evaluation_sets_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    files = [jsonl(at / "eval.jsonl", {"question": q, "answer": "x"}) for at, q in
             ((tmp_path, "How is gout treated?"), (tmp_path / "other", "How is asthma treated?"))]  # fmt: skip
    known = Evaluations(map(str, files))
    assert list(known.rows.items())[1:] == [("eval.jsonl", 1), (str(files[1]), 1)]
    assert known.overlap(item("How is asthma treated?")) == (str(files[1]), "exact")


def test_words_that_stand_in_many_sets_but_seldom_in_each_overlap(tmp_path: Path) -> None:
    files = [jsonl(tmp_path / f"{n}.jsonl", {"question": f"{VIGNETTE} {n}", "answer": "Gout."}) for n in range(4)]
    assert Evaluations(map(str, files)).overlap(item(f"Look: {VIGNETTE}")) == ("0.jsonl", "13 words")


BEFORE = [{"role": "user", "content": "My toe hurts."}, {"role": "assistant", "content": "Since when?"}]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt_id": "p", "prompt": [*BEFORE, {"role": "user", "content": VIGNETTE}], "rubrics": []},
        {"id": "t", "text": VIGNETTE, "emergency": False},
        {"id": "u", "language": "en", "question": VIGNETTE, "page": "gout"},
    ],
)
def test_a_set_that_is_judged_without_an_answer_is_compared_with(tmp_path: Path, row: dict[str, object]) -> None:
    known = Evaluations([str(jsonl(tmp_path / "eval.jsonl", row))])
    assert known.rows["eval.jsonl"] == 1
    assert known.overlap(item(VIGNETTE)) == ("eval.jsonl", "exact")
    assert known.overlap(item(f"Please read this. {VIGNETTE[:130]}")) == ("eval.jsonl", "13 words")
    assert known.overlap(item("How is gout prevented?")) is None


def test_our_own_held_out_cases_are_always_compared_with() -> None:
    known = Evaluations()
    assert known.rows["held_out"] > 1000
    for name, column in (("triage", "text"), ("harm", "text"), ("doses_5", "text"), ("understanding", "question")):
        rows = [json.loads(line) for line in (HELD_OUT / f"{name}.jsonl").read_text().splitlines()]
        long = [row[column] for row in rows if len(row[column].split()) > 7]
        assert all(known.overlap(item(text)) == ("held_out", "exact") for text in long)


def test_a_set_without_answers_is_refused_rather_than_passed_over(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "test.jsonl", {"question": "Q?", "options": {"A": "x", "B": "y"}, "answer_idx": ""})
    with pytest.raises(BadInput, match="no question in it that has an answer"):
        Evaluations([str(path)])
