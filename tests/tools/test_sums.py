"""Sums told in words: read where the form is sure, seen where it is not, and never in a question of health."""

import pytest

from primum.safety.profile import Profile
from primum.tools.evident import evident, outcome
from primum.tools.sums import is_sum_in_words, told_in_words


@pytest.mark.parametrize(
    ("question", "result"),
    [
        ("A bakery sells 3 loaves at $2.50 and 4 at $3. How much in all?", "19.5**"),
        ("If a train goes 60 km in 45 minutes how fast is it?", "80**"),
        ("A car drives 100 miles in 2 hours. What is its average speed?", "50**"),
        ("What is 2 apples plus 3 apples?", "5**"),
        ("How much do 3 pencils for $2 each cost?", "6**"),
        ("Calculate the sum 3,5 + 2,5", "6**"),
        ("1,5+2,5", "4**"),
    ],
)
def test_a_sum_of_a_sure_form_is_worked_out(question: str, result: str) -> None:
    wanted = evident(question, Profile())
    (call,) = wanted.calls
    assert wanted.alone and result in outcome(*call)["sentences"][0]


@pytest.mark.parametrize(
    "question",
    [
        "What is the price of 3 boxes of 12 dollars each, with 5 dollars off?",
        "A farmer has 15 cows and sells 4. How many are left over?",
        "A bakery sells 3 loaves at $2.50, and 4 at half price, of 20. How much in all?",
        "A train goes 60 km in 45 minutes and stops for 10 minutes. How fast is it?",
    ],
)
def test_a_sum_that_says_more_than_is_read_is_seen_and_not_guessed(question: str) -> None:
    assert told_in_words(question) == ("", "") and is_sum_in_words(question)


@pytest.mark.parametrize(
    "question",
    [
        "I ran 5 km in 30 minutes and feel dizzy. How fast should I go?",
        "How much insulin for 60 carbs at 10 each?",
        "How many tablets are 500 mg if 2 cost $3?",
        "My chest hurts after 2 miles in 30 minutes, how long should it last?",
        "Is 38.5 for 3 days a high fever?",
    ],
)
def test_a_question_of_health_is_no_sum(question: str) -> None:
    assert told_in_words(question) == ("", "") and not is_sum_in_words(question)
