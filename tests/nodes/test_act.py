"""Which numbers a model may give a tool: those that were told, not its own."""

import pytest

from primum.graph.context import ToolCall
from primum.nodes.act import invented
from primum.tools.outcome import Outcome

ASKED = "A robe of $80 takes 2 bolts of blue and half that much white; three robes are 25% off. How much in a week?"


def call(expression: str) -> ToolCall:
    return ToolCall("work_out", {"expression": expression})


@pytest.mark.parametrize("expression", ["80 * 3", "2 / 2", "80 * 0.75", "80 - 25%", "3 * 7", "80 * 1.25"])
def test_numbers_that_are_told_in_figures_words_or_shares_may_be_given(expression: str) -> None:
    assert not invented(call(expression), ASKED, [])


@pytest.mark.parametrize("expression", ["80 * 4", "81", "0.8 * 80", "240 / 3"])
def test_numbers_that_nobody_told_may_not(expression: str) -> None:
    assert invented(call(expression), ASKED, [])


def test_what_an_earlier_call_gave_may_be_used() -> None:
    before = Outcome(tool="work_out", arguments={}, sentences=["**80 × 3 = 240**."], state="done")
    assert not invented(call("240 * 0.75"), ASKED, [before])


def test_the_digits_of_a_formulas_name_are_no_numbers() -> None:
    given = {"formula": "ckd_epi_2021", "creatinine_umol_l": 80, "age_years": 25, "sex": "male"}
    assert not invented(ToolCall("calculate", given), ASKED, [])
    assert invented(ToolCall("calculate", given | {"age_years": 55}), ASKED, [])
