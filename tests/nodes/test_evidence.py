"""Whether an answer rests on what is nearest to the question."""

from dataclasses import replace

import pytest

from primum.graph.state import State
from primum.nodes.evidence import judge, left_aside
from primum.retrieval.search import Passage

FIRST = Passage(
    *(1, 1, "Gout", "Causes", "", "condition", "Uric acid crystals cause gout.", 0, 30, None, [], None, None),
    *("", "", "en", "", False, 1.0, 0.8, 0.5),
)
SECOND = replace(FIRST, chunk_id=2, heading="Treatment", text="Colchicine treats an attack of gout.")


@pytest.mark.parametrize(("likeness", "nearest"), [(0.7, []), (0.66, []), (0.6, [1]), (0.1, [1])])
def test_an_answer_from_a_far_passage_leaves_the_question_aside(likeness: float, nearest: list[int]) -> None:
    passages = {1: FIRST, 2: replace(SECOND, similarity=likeness)}
    far = judge("Colchicine treats an attack of gout [2].", passages, State(question="What causes gout?"))
    assert left_aside(far, passages) == nearest
    near = judge(
        "Uric acid crystals cause gout [1]. Colchicine treats an attack of gout [2].", passages, State(question="")
    )
    assert left_aside(near, passages) == []


def test_where_nothing_is_proven_nothing_is_said_of_it() -> None:
    assert left_aside(judge("Magnets cure gout [1].", {1: FIRST}, State(question="")), {1: FIRST}) == []


def test_a_sentence_that_stands_twice_is_judged_once() -> None:
    text = "Uric acid crystals cause gout [1]. URIC acid crystals cause gout. Uric acid crystals cause gout [1]"
    (verdict,) = judge(text, {1: FIRST}, State(question=""))
    assert verdict.stands


@pytest.mark.parametrize("head", ["Gout – Causes [1][2]", "## Gout", "**Causes**", "Gout: Causes"])
def test_a_passages_own_heading_is_no_sentence_of_the_answer(head: str) -> None:
    (verdict,) = judge(f"{head}\nUric acid crystals cause gout [1].", {1: FIRST}, State(question=""))
    assert verdict.sentence.text == "Uric acid crystals cause gout." and verdict.stands
