"""Whether an answer rests on what is nearest to the question."""

from dataclasses import replace

import pytest

from primum.graph.state import State
from primum.nodes.critique import problems
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


OTHER = replace(
    FIRST,
    chunk_id=3,
    document_id=2,
    title="Apixaban and other DOACs",
    heading="Who should not take it",
    text="People with kidney disease can take apixaban.",
    similarity=0.5,
)
METFORMIN = replace(OTHER, chunk_id=4, document_id=3, title="Metformin", text="Metformin lowers blood sugar.")
SEARCHED = State(route="evidence", question="can I take it?", standalone="Can I take metformin with kidney disease?")


def test_a_passage_about_something_else_proves_nothing_of_what_is_asked() -> None:
    said = "People with kidney disease can take it [1]."
    (verdict,) = judge(said, {1: OTHER, 2: METFORMIN}, SEARCHED)
    assert [(v.rule, v.subjects) for v in verdict.violations] == [("beside", ("[1]",))]
    (problem,) = problems([verdict], {1: OTHER, 2: METFORMIN})
    assert problem["advice"] == "cites [1], which is about something else than the question."
    asked = State(route="evidence", question="", standalone="Who can take apixaban with kidney disease?")
    (verdict,) = judge("People with kidney disease can take apixaban [1].", {1: OTHER}, asked)
    assert verdict.stands


def test_where_another_passage_proves_it_the_marker_is_put_right() -> None:
    (verdict,) = judge("Metformin lowers blood sugar [1].", {1: OTHER, 2: METFORMIN}, SEARCHED)
    assert verdict.better == (2,)


@pytest.mark.parametrize(
    ("said", "stand"),
    [
        ("It lowers blood sugar [2].", [False]),
        ("Metformin lowers blood sugar [2]. It lowers sugar [2].", [True, True]),
        ("Magnets cure it [2]. It lowers blood sugar [2].", [False, False]),
        ("Yes, it lowers blood sugar [2].", [False]),
        ("It is metformin that lowers blood sugar [2].", [True]),
    ],
)
def test_what_points_back_needs_a_proven_sentence_that_names_it(said: str, stand: list[bool]) -> None:
    verdicts = judge(said, {1: OTHER, 2: METFORMIN}, SEARCHED)
    assert [verdict.stands for verdict in verdicts] == stand


def test_what_the_question_says_is_no_answer_to_it() -> None:
    asked = State(question="Uric acid crystals cause gout. What treats it?")
    assert judge("Uric acid crystals cause gout [1]. What treats it?", {1: FIRST}, asked) == []
