"""The literals of an expression: nothing that it matches may be kept from it."""

import re
from functools import cache
from importlib.resources import files
from itertools import product

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety import injection, red_flags
from primum.safety.literals import Literals, Sieve, literals, matches, may_match

NEEDED = [
    (r"chest pain", [{"chest pain"}]),
    (r"colou?r", [{"colo"}, {"r"}]),
    (r"(?<!no )\bpains?\b(?! relief)", [{"pain"}]),
    (r"(?:left|right) arm", [{"left", "right"}, {" arm"}]),
    (r"(?:left|right)? arm", [{" arm"}]),
    (r"stroke|heart (?:attack|failure)", [{"stroke", "attack", "failure"}]),
    (r"stroke|\w+", []),
    (r"a[bc]d{2}e+f*\.[a-z]", [{"a"}, {"d"}, {"e"}, {"."}]),
    (r"[]\]]x{0,3}y{,2}", []),
    (r"^(?P<name>fever)$", [{"fever"}]),
    (r"痛.{0,6}胸", [{"痛"}, {"胸"}]),
]


@pytest.mark.parametrize(("expression", "needed"), NEEDED)
def test_what_an_expression_cannot_match_without_is_read_from_it(expression: str, needed: list[set[str]]) -> None:
    assert [set(choice) for choice in literals(expression).needed] == needed


@pytest.mark.parametrize(
    ("expression", "opening"),
    [
        (r"\bchest pain", {"chest pain"}),
        (r"(?:a|no) leg", {"a", "no"}),
        (r"x?y", set()),
        (r"(?:\d|one) day", set()),
    ],
)
def test_with_what_a_match_begins_is_known_or_left_open(expression: str, opening: set[str]) -> None:
    assert literals(expression).opening == opening


@pytest.mark.parametrize("expression", ["a(b", "a)b", "(?i:b)"])
def test_a_bracket_left_open_and_a_group_of_another_kind_are_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"bracket|group"):
        literals(expression)


@cache
def sign_expressions() -> list[str]:
    data = (files("primum.safety") / "data" / "red_flag_signs.yaml").read_text(encoding="utf-8")
    return [
        red_flags._expression(phrase.strip(), language)
        for languages in yaml.load(data, Loader=yaml.CSafeLoader).values()
        for language, phrases in languages.items()
        if language != "background"
        for phrase in phrases.replace("\n", " ").split(" / ")
    ]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_text_that_a_sign_matches_gets_to_it(data: st.DataObject) -> None:
    expression = data.draw(st.sampled_from(sign_expressions()))
    said = data.draw(st.from_regex(expression))
    known, pattern = literals(expression), re.compile(expression)
    sieve: Sieve[str] = Sieve()
    sieve.add(known, expression)
    there = sieve.there(said)
    assert sieve.through(there) == [expression]
    assert may_match(known, said)
    if known.opening:
        tried = [match.span() for match in matches(pattern, known.opening & there, said)]
        assert tried == [match.span() for match in pattern.finditer(said)]


@cache
def order_expressions() -> list[str]:
    data = injection._data()
    return [says.format(**data["words"]) for row in data["rules"] for says in row["says"]]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_text_that_an_order_to_the_model_matches_gets_to_it(data: st.DataObject) -> None:
    expression = data.draw(st.sampled_from(order_expressions()))
    said = data.draw(st.from_regex(re.compile(expression, re.IGNORECASE | re.MULTILINE)))
    sieve: Sieve[str] = Sieve(injection._folded)
    sieve.add(literals(expression), expression)
    assert sieve.through(sieve.there(said)) == [expression]


def test_letters_that_are_one_letter_without_case_are_one_letter() -> None:
    sieve: Sieve[str] = Sieve(injection._folded)
    sieve.add(literals("Ignore this"), "found")
    for said in map("".join, product("iIİı", ["gnore thi"], "sSſ")):
        assert re.search("Ignore this", said, re.IGNORECASE)
        assert sieve.through(sieve.there(said)) == ["found"]


def test_things_come_in_their_order_and_those_without_literals_always() -> None:
    sieve: Sieve[int] = Sieve()
    for number, expression in enumerate(["fever", r"\w+", "cough|sore throat", "rash"]):
        sieve.add(literals(expression), number)
    assert sieve.through(sieve.there("a cough, then fever")) == [0, 1, 2]
    assert sieve.through(sieve.there("")) == [1]
    assert literals(r"\w+") == Literals()
