"""Each reward of GRPO tells what it is there to tell, and has nothing to say of other rows."""

from typing import Any

import pytest

from primum.evals.audit import passages_in
from primum.finetune.rewards import REWARDS, question, reward
from primum.finetune.rows import Message
from primum.nodes.prompts import render

CHOICE = {"kind": "choice", "answer": "B"}
NUMBER = {"kind": "number", "answer": "1,250"}
GROUNDED = {"kind": "grounded", "answer": ""}
OPEN = {"kind": "open", "answer": ""}


class Shown:
    def __init__(self, title: str, heading: str, text: str) -> None:
        self.title, self.heading, self.text = title, heading, text


def asked(text: str, *shown: Shown) -> list[Message]:
    """The very prompt of the graph's draft."""
    task = render(
        "draft", passages=list(enumerate(shown, 1)), facts=[], summary=None, history=[], question=text, warnings=[],
        max_words=100,
    )  # fmt: skip
    return [{"role": "system", "content": "You answer."}, {"role": "user", "content": task}]


GOUT = Shown("Gout", "Treatment", "Ibuprofen eases the pain of gout.\n\n[see below] Rest the joint.")
FEVER = Shown("Fever", "", "Drink plenty of fluids when you have a fever.")
PROMPT = asked("How is gout treated?", GOUT, FEVER)


def earned(name: str, text: str, row: dict[str, Any], prompt: list[Message] = PROMPT) -> float | None:
    columns = {key: [value] for key, value in row.items()}
    (found,) = reward(name)([prompt], [[{"role": "assistant", "content": text}]], **columns)
    return found


def test_the_right_choice_earns_and_the_wrong_one_does_not() -> None:
    assert [earned("choice", f"Answer: {one}", CHOICE) for one in "ABC"] == [0, 1, 0]
    assert earned("choice", "The correct option is B", CHOICE) == 1
    assert earned("choice", "Answer: A, no, answer: B", CHOICE) == 0
    assert earned("choice", "I think it is A.</think>Answer: B", CHOICE) == 1
    assert earned("choice", "Answer: B", NUMBER) is None


def test_the_right_number_earns_however_it_is_written() -> None:
    assert [earned("number", f"#### {one}", NUMBER) for one in ("1250", "1,250", "1250.0", "125")] == [1, 1, 1, 0]
    assert earned("number", "I do not know", NUMBER | {"answer": "five"}) == 0
    assert earned("number", "#### 1250", OPEN) is None


def test_the_form_is_what_a_machine_can_read() -> None:
    assert earned("format", "So the answer is B", CHOICE) == 1
    assert earned("format", "Perhaps B or C", CHOICE) == 0
    assert earned("format", "Answer: B, or answer: C", CHOICE) == 0
    assert earned("format", "7 + 3\n#### 10", NUMBER) == 1
    assert earned("format", "It is 10", NUMBER) == 0
    assert earned("format", "<think>7 + 3 #### 10", NUMBER) == 0
    assert earned("format", "Rest the joint [1]. Drink fluids.", GROUNDED) == 0.5
    assert earned("format", "", GROUNDED) == 0
    assert earned("format", "Anything", OPEN) is None


@pytest.mark.parametrize("markers", ["[98]", "[98][99]", "[1][99]", "[1–20]", "[2]", "[1][2]"])
def test_a_marker_counts_only_if_it_is_of_a_passage_that_speaks_of_the_same(markers: str) -> None:
    assert earned("format", f"Ibuprofen eases the pain of gout {markers}.", GROUNDED) == 0
    assert earned("format", "Ibuprofen eases the pain of gout [1]. Rest eases it too [1].", GROUNDED) == 1
    assert earned("format", "The moon is made of cheese [1]. Yes [1].", GROUNDED) == 0


def test_support_is_the_share_of_sentences_that_their_passages_prove() -> None:
    assert earned("support", "Ibuprofen eases the pain of gout [1].", GROUNDED) == 1
    assert earned("support", "Ibuprofen eases the pain of gout [2].", GROUNDED) == 0
    assert earned("support", "Ibuprofen eases the pain of gout [1]. Ibuprofen cures cancer [1].", GROUNDED) == 0.5
    assert earned("support", "Ibuprofen eases the pain of gout.", GROUNDED) == 0
    assert earned("support", "", GROUNDED) == 0
    assert earned("support", "Anything", CHOICE) is None


def test_advice_that_the_rules_forbid_this_person_costs() -> None:
    asks = asked("I take warfarin. What can I take for gout?", GOUT)
    assert earned("safety", "Take ibuprofen 400 mg three times a day.", GROUNDED, asks) == -1
    assert earned("safety", "Take ibuprofen 400 mg three times a day.", GROUNDED) == 0
    assert earned("safety", "Rest the joint.", GROUNDED, asks) == 0


def test_words_beyond_those_allowed_earn_less() -> None:
    assert [earned("length", "word " * words, GROUNDED) for words in (0, 1, 100, 150, 200, 400)] == [0, 1, 1, 0.5, 0, 0]


def test_the_passages_and_the_question_are_read_from_the_graphs_own_prompt() -> None:
    found = passages_in(PROMPT[-1]["content"])
    assert [(one.title, one.heading) for one in found.values()] == [("Gout", "Treatment"), ("Fever", "")]
    assert found[1].text == GOUT.text
    assert found[2].text == FEVER.text
    assert question(PROMPT) == "How is gout treated?"


def test_any_other_prompt_is_the_question_itself() -> None:
    other: list[Message] = [{"role": "user", "content": "What is 7 + 3?"}]
    assert question(other) == "What is 7 + 3?"


@pytest.mark.parametrize("name", REWARDS)
def test_a_reward_keeps_its_name_for_the_log(name: str) -> None:
    assert reward(name).__name__ == name
