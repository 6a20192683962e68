"""The second look of triage: what it may raise to an emergency, and what it leaves as the rules found it."""

import numpy as np
import pytest

from primum.graph.context import Examples
from primum.nodes.triage import look_again
from primum.retrieval.likeness import Likeness
from primum.safety.red_flags import assess

# Takes every message for an emergency.
LIKE_ALL = Likeness(("stroke",), np.ones((1, 1), np.float32), np.ones(1, np.float32), threshold=-1.0)
EXAMPLES = Examples(routes={}, emergencies=LIKE_ALL)


def seen(question: str) -> str:
    return look_again(question, [1.0], assess(question), None, EXAMPLES)[0].disposition


@pytest.mark.parametrize(
    "question",
    [
        "corrected calcium: calcium 8.0 mg/dL, albumin 2 g/dL",
        "HAS-BLED 70yo, on aspirin, previous GI bleed, labile INR",
    ],
)
def test_the_inputs_of_a_score_are_no_emergency_by_likeness(question: str) -> None:
    assert seen(question) == "none"


@pytest.mark.parametrize(
    "question",
    [
        "BMI of 80 kg and 1.80 m, and my arm has gone funny",
        "What is a BMI?",
        "HAS-BLED 70yo, labile INR, and he went strange an hour ago",
    ],
)
def test_what_is_told_beside_a_score_is_looked_at(question: str) -> None:
    assert seen(question) == "emergency"


@pytest.mark.parametrize(
    "question",
    [
        "Calculate my BMI: 80 kg, 1.80 m. I have crushing chest pain and can't breathe",
        "HAS-BLED 70yo, labile INR: he is vomiting blood now",
    ],
)
def test_an_emergency_told_beside_a_score_is_one_by_the_rules(question: str) -> None:
    assert assess(question).disposition == "emergency"
