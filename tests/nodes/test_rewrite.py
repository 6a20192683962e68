"""Which questions stand alone, and what is searched for."""

import pytest

from primum.graph.state import Exchange, State
from primum.nodes.follow_up import points_back, subject_of
from primum.nodes.rewrite import Searches, fallback, grounded

SAID = [Exchange(question="Can I take ibuprofen for gout?", answer="Ibuprofen treats an attack of gout [1].")]


def asked(*questions: str) -> list[Exchange]:
    return [Exchange(question=question, answer="") for question in questions]


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


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("How does metformin work?", False),  # the follow-up is lost
        ("What are the side effects?", False),  # and so is what it is about
        ("What are the side effects of metformin?", True),
        ("What are the adverse effects of metformin?", True),
    ],
)
def test_a_rewriting_that_loses_the_follow_up_or_its_subject_is_not_used(written: str, used: bool) -> None:
    state = State(question="and the side effects?", history=asked("How does metformin work?"))
    found = grounded(Searches(question=written, searches=["metformin"]), state)
    assert (found["standalone"] == written) == used
    assert used or found == fallback(state)


@pytest.mark.parametrize(
    ("thread", "alone"),
    [
        (("How does metformin work?", "and the side effects?"), "metformin: the side effects?"),
        (("How does metformin work?", "and the side effects?", "is it dangerous?"), "is metformin dangerous?"),
        (("How does metformin work?", "thanks", "can I drink alcohol with it?"), "can I drink alcohol with metformin?"),
        (("How does metformin work?", "and gliclazide?", "is it dangerous?"), "is gliclazide dangerous?"),
        (("How does metformin work?", "why?"), "How does metformin work? why?"),
        (
            ("Is ibuprofen safe in pregnancy?", "what about while breastfeeding?"),
            "Is ibuprofen safe? what about while breastfeeding?",
        ),
        (("How is asthma treated in children?", "and in adults?"), "How is asthma treated? and in adults?"),
        (
            ("What are the signs of iron deficiency anaemia?", "tell me more about it", "how is it treated?"),
            "how is iron deficiency anaemia treated?",
        ),
        (
            ("What are the symptoms of type 2 diabetes?", "what foods should I avoid?"),
            "type 2 diabetes: what foods should I avoid?",
        ),
        (("What is gout?", "What is the flu?"), "What is the flu?"),
        (("¿Puedo tomar ibuprofeno en el embarazo?", "¿y paracetamol?"), "¿Puedo tomar paracetamol en el embarazo?"),
    ],
)
def test_a_follow_up_keeps_what_it_says_and_what_the_thread_is_about(thread: tuple[str, ...], alone: str) -> None:
    *before, question = thread
    assert fallback(State(question=question, history=asked(*before)))["standalone"] == alone


def test_what_a_thread_is_about_is_said_by_the_last_question_that_stands_alone() -> None:
    assert subject_of(asked("What is gout?", "thanks", "What is asthma?", "tell me more")) == "What is asthma?"
    assert subject_of([]) == ""


@pytest.mark.parametrize(
    ("question", "points"),
    [
        ("孩子呢？", True),
        ("那剂量是多少？", True),
        ("有什么副作用？", True),
        ("它安全吗？", True),
        ("布洛芬的副作用是什么？", False),
        ("2型糖尿病有哪些症状？", False),
        ("¿y para niños?", True),
        ("¿Cuál es la dosis?", True),
        ("¿Es seguro eso?", True),
        ("¿Cuáles son los síntomas de la diabetes tipo 2?", False),
    ],
)
def test_chinese_and_spanish_questions_point_back_by_the_same_rule(question: str, points: bool) -> None:
    assert points_back(question) == points


def test_a_chinese_question_is_searched_for_in_english_first_and_as_it_was_asked_last() -> None:
    question = "心肌梗死有哪些症状？"
    assert fallback(State(question=question)) == State(
        standalone=question,
        english="heart attack symptoms?",
        queries=["heart attack symptoms", "myocardial infarction symptoms", question],
    )


def test_a_spanish_follow_up_takes_the_question_before_it_along() -> None:
    said = [Exchange(question="¿Cómo se trata la gota?", answer="Rest the joint [1].")]
    found = fallback(State(question="¿y para niños?", history=said))
    assert found["standalone"] == "¿Cómo se trata la gota? ¿y para niños?"
    assert found["queries"][0] == "treatment gout children"


def test_a_follow_up_in_another_language_is_understood_with_what_came_before() -> None:
    found = fallback(State(question="孩子呢？", history=SAID))
    assert found["queries"][0] == "Can I take ibuprofen for gout? children"


def test_terms_that_say_nothing_of_their_own_are_no_search() -> None:
    assert fallback(State(question="Quiero saber más del tratamiento"))["queries"] == [
        "Quiero saber más del tratamiento"
    ]


def test_a_translation_is_used_if_its_words_are_those_that_the_terms_mean_and_no_diagnosis() -> None:
    state = State(question="孩子发烧，浑身没有力气，怎么办？")
    told = Searches(question="What can I do about fever in children?", searches=["fever children", "flu children"])
    assert grounded(told, state) == State(
        standalone=state["question"],
        english=told.question,
        queries=[told.question, "fever children", state["question"]],
    )
    guess = Searches(question="Does the child have meningitis?", searches=["meningitis"])
    assert grounded(guess, state) == fallback(state)


def test_a_standard_term_is_no_word_of_the_models_own() -> None:
    state = State(question="And for HTN?", history=SAID)
    told = Searches(question="Can I take ibuprofen for hypertension?", searches=["ibuprofen hypertension"])
    assert grounded(told, state)["standalone"] == told.question


def test_options_are_no_part_of_a_search() -> None:
    question = "Which medicine prevents gout? A) allopurinol B) warfarin C) insulin"
    found = fallback(State(question=question))
    assert found["standalone"] == question
    assert found["queries"] == ["Which medicine prevents gout?"]


def test_a_brand_is_searched_for_by_its_substance_too() -> None:
    assert fallback(State(question="Is Nurofen safe with asthma?"))["queries"] == [
        "Is Nurofen safe with asthma?",
        "Is ibuprofen safe with asthma?",
    ]
