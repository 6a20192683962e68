from decimal import Decimal

import pytest

from primum.evals.numbers import number_of


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("48 + 24 = 72\n#### 72", "72"),
        ("#### 1,250", "1250"),
        ("The answer is $18.50", "18.50"),
        ("The answer is 42, after 3 days", "42"),
        ("He has 3 and 4, so 7.", "7"),
        ("#### -5", "-5"),
        ("none", None),
    ],
)
def test_the_number_that_an_answer_ends_in(text: str, named: str | None) -> None:
    assert number_of(text) == (Decimal(named) if named else None)
