"""Numbers in figures and words, and texts on one level."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.safety.units import NUMBER, level, number, numbers


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("400", 400), ("1,000", 1000), ("1,234.5", 1234.5), ("1 000", 1000), ("1'000", 1000), ("0,5", 0.5),
        (".5", 0.5), ("2·5", 2.5), ("1/2", 0.5), ("1 1/2", 1.5), ("½", 0.5), ("2½", 2.5), ("１２", 12),
        ("two", 2), ("twenty-four", 24), ("half a", 0.5), ("a quarter of a", 0.25), ("two and a half", 2.5),
        ("hundred", 100), ("two hundred", 200), ("mil", 1000), ("media", 0.5), ("两", 2), ("十二", 12),
        ("one hundred and twenty-five", 125), ("two hundred fifty", 250), ("seven and a half", 7.5),
        ("half a dozen", 6),
        ("twelve point five", 12.5), ("a couple", 2), ("a dozen", 12), ("dos y media", 2.5), ("quinientos", 500),
        ("2 and a half", 2.5), ("forty-five", 45), ("五万", 50000), ("zero", 0),
        ("二十", 20), ("一百", 100), ("半", 0.5),
    ],
)  # fmt: skip
def test_a_number_is_read_however_it_is_written(written: str, value: float) -> None:
    match = re.fullmatch(NUMBER, level(written))
    assert match and number(match.group()) == (value, None)


def test_a_point_that_could_part_thousands_leaves_two_readings() -> None:
    assert number("1.000") == (1, 1000)


def test_a_number_begins_where_no_letter_or_figure_stands_before_it() -> None:
    text = "b12, 2x400 mg,35岁 and 1,000 or one a day"
    assert [text[start:].split()[0] for start in numbers(text)] == ["2x400", "400", "35岁", "1,000", "one", "a"]


def test_level_makes_one_writing_of_many() -> None:
    assert level("Años — ‘Día’ ５ μg × 3 歲") == "anos - 'dia' 5 µg x 3 岁"


@given(st.text(max_size=100))
def test_a_levelled_text_is_as_long_as_before(text: str) -> None:
    assert len(level(text)) == len(text)
    for start in numbers(level(text)):
        match = re.compile(NUMBER).match(level(text), start)
        assert match and number(match.group())[0] >= 0
