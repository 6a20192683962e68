"""Which questions stand alone, and what is searched for."""

import pytest

from primum.graph.state import Exchange, State
from primum.nodes.rewrite import Searches, fallback, grounded, points_back

SAID = [Exchange(question="Can I take ibuprofen for gout?", answer="Ibuprofen treats an attack of gout [1].")]


@pytest.mark.parametrize(
    ("question", "points"),
    [
        ("What about it in pregnancy?", True),
        ("Is that safe?", True),
        ("And children?", True),
        ("How much?", True),
        ("What is the dose?", True),
        ("For children?", True),
        ("And people with liver disease?", True),
        ("What about gout?", True),
        ("What is gout?", False),
        ("What are the symptoms of type 2 diabetes?", False),
        ("Can paracetamol harm the liver?", False),
    ],
)
def test_a_question_points_back_if_it_says_too_little_alone(question: str, points: bool) -> None:
    assert points_back(question) == points


def test_a_rewriting_from_the_conversations_own_words_is_used() -> None:
    written = Searches(question="Can I take ibuprofen for gout in pregnancy?", searches=["ibuprofen pregnancy gout"])
    state = State(question="And in pregnancy?", history=SAID)
    assert grounded(written, state) == State(
        standalone=written.question, queries=[written.question, "ibuprofen pregnancy gout"]
    )


def test_searches_with_new_words_are_dropped_and_a_question_with_them_is_not_used() -> None:
    state = State(question="And in pregnancy?", history=SAID)
    strays = Searches(question="Ibuprofen in pregnancy?", searches=["warfarin", "ibuprofen", "ibuprofen"])
    assert grounded(strays, state)["queries"] == ["Ibuprofen in pregnancy?", "ibuprofen"]
    assert grounded(Searches(question="Is warfarin safe?", searches=["gout"]), state) == fallback(state)


def test_without_a_model_a_follow_up_takes_the_question_before_it_along() -> None:
    assert fallback(State(question="And in pregnancy?", history=SAID))["standalone"] == (
        "Can I take ibuprofen for gout? And in pregnancy?"
    )
    assert fallback(State(question="Can paracetamol harm the liver?", history=SAID))["standalone"] == (
        "Can paracetamol harm the liver?"
    )


def test_a_brand_is_searched_for_by_its_substance_too() -> None:
    assert fallback(State(question="Is Nurofen safe with asthma?"))["queries"] == [
        "Is Nurofen safe with asthma?",
        "Is ibuprofen safe with asthma?",
    ]
