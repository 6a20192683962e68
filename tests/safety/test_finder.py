"""Expressions by their words, and that looking for them only where they can begin loses none."""

import json
from pathlib import Path

import pytest

from primum.safety import dose_words
from primum.safety.finder import AtNumbers, Finder, Words
from primum.safety.units import level

LINES = (Path(__file__).parent / "dose_cases.jsonl").read_text("utf-8").splitlines()
TEXTS = [level(json.loads(line)["text"]) for line in LINES]
FINDERS = [
    *(finder for *_, finder in dose_words.FREQUENCIES),
    *(finder for _, finder in dose_words.ROUTES),
    *(value for value in vars(dose_words).values() if isinstance(value, Finder)),
]


@pytest.mark.parametrize("finder", FINDERS, ids=lambda finder: finder.pattern.pattern[:40])
def test_a_finder_finds_what_its_expression_finds(finder: Finder) -> None:
    for text in TEXTS:
        found = [match.span() for match in finder.finditer(text)]
        assert found == [match.span() for match in finder.pattern.finditer(text)], text


def test_words_stand_between_borders_and_signs_anywhere() -> None:
    words = Words("dose_words.yaml")
    words.add({"size": r"\d+(?:cm|mm)"})
    finder = words.made({"words": ["big", "wide"], "signs": ["大"], "before": "a? ?", "after": ": {size}"})
    assert [match.group() for match in finder.finditer("a big: 5cm, bigger: 6cm, 很大: 7mm")] == [
        "a big: 5cm",
        "大: 7mm",
    ]
    assert isinstance(words.made({"at": "numbers", "signs": ["{number} x"]}), AtNumbers)


def test_an_unknown_part_is_an_error() -> None:
    with pytest.raises(KeyError):
        Words("dose_words.yaml").made({"signs": ["{nothing}"]})
