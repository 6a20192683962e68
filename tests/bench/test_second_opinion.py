"""The second opinion tells who could read what, and is content only where both read the same."""

from typing import Any

from bench.second_opinion import compared, lettered
from primum.evals import mcq
from primum.evals.choices import Question
from primum.evals.endpoint import Written

OPTIONS = {"A": "one", "B": "two", "C": "three"}
QUESTIONS = [Question(str(n), "test", "Which?", OPTIONS, "B") for n in range(5)]


def told(said: str, read: str | None) -> dict[str, Any]:
    return {"said": said, "read": read, "right": read == "B"}


def test_answers_that_only_one_can_read_are_counted_and_those_read_differently_are_named() -> None:
    theirs = {
        "0": told("ANSWER: B", "B"),
        "1": told("The answer is B.", None),
        "2": told("ANSWER: B\nANSWER: C", "C"),
        "3": told("Hm.", None),
        "4": told("ANSWER: A", "B"),
    }
    said = ["ANSWER: B", "The answer is C.", "Hm.", "Hm.", "ANSWER: A"]
    ours = mcq.judged(QUESTIONS, [Written(one) for one in said])
    found = compared(QUESTIONS, theirs, ours, said)
    assert (found["n"], found["inspect"], found["primum"]["mean"], found["same_answers"]) == (5, 0.4, 0.2, 3)
    assert found["unread"] == {"primum": 2, "inspect": 2}
    assert found["of_inspects_answers"] == {
        "read_by_both": 2, "only_by_primum": ["1"], "only_by_inspect": ["2"], "read_differently": ["4"],
    }  # fmt: skip


def test_options_are_lettered_without_gaps_as_inspect_letters_them() -> None:
    one = lettered(Question("q", "test", "Which?", {"A": "one", "C": "three"}, "C"))
    assert (one.options, one.answer) == ({"A": "one", "B": "three"}, "B")
