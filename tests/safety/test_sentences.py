"""Answers taken apart and put together again; and properties of the check that hold for any text."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety.sentences import (
    Sentence,
    count_words,
    join_answer,
    split_answer,
    split_plain,
    strip_thinking,
    whole_sentences,
)
from primum.safety.support import Evidence, check

WORDS = "fever cough rest water doctor asthma insulin child stroke e.g. Dr. vs. often 2.5 mg twice ß 頭痛 naïve".split()
TEXTS = st.lists(st.sampled_from(WORDS), min_size=2, max_size=12).map(lambda words: " ".join(words).capitalize() + ".")
ENDINGS = st.sampled_from(["", " [1]", " [2][3]", "【1】", " [1, 2]"])
LINES = st.tuples(st.sampled_from(["", "- ", "1. ", "## ", "> "]), TEXTS, ENDINGS).map(
    lambda line: f"{line[0]}{line[1][:-1]}{line[2]}."
)
ANSWERS = st.lists(LINES, max_size=8).map("\n".join)


def letters(text: str) -> list[str]:
    return re.findall(r"[^\W_]", re.sub(r"[\[【][\d,\s]*[\]】]", "", text))


@given(ANSWERS)
def test_putting_together_what_was_taken_apart_keeps_every_sentence(answer: str) -> None:
    sentences = split_answer(answer)
    again = split_answer(join_answer(s for s in sentences if not s.heading))
    assert [(s.text, s.markers) for s in again] == [(s.text, s.markers) for s in sentences if not s.heading]


@given(st.text(max_size=400))
def test_no_letter_of_any_text_is_lost(text: str) -> None:
    without_signs = re.sub(r"(?m)^\s*(?:\d{1,2}[.)]\s+)", "", strip_thinking(text)[0])
    kept = letters(" ".join(s.text for s in split_answer(without_signs)))
    assert sorted(kept) == sorted(letters("\n".join(without_signs.splitlines())))


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_breaks_the_check(answer: str, passage: str) -> None:
    check(split_answer(f"{answer} [1]"), {1: Evidence(passage, passage[:20])}, answer[:50])


@given(st.text(max_size=500))
def test_the_spans_of_plain_text_are_exact_and_in_order(text: str) -> None:
    spans = split_plain(text)
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert sorted(letters("".join(text[a:b] for a, b in spans))) == sorted(letters(text))


@settings(max_examples=60)
@given(
    st.integers(1, 5000), st.integers(1, 5000), st.sampled_from(["mg", "g", "micrograms", "hours", "weeks", "%", "ml"])
)
def test_a_sentence_stands_with_its_own_number_and_with_no_other(own: int, other: int, unit: str) -> None:
    evidence = {1: Evidence(f"Give {own} {unit} of amoxicillin to the patient.", "Amoxicillin")}
    (verdict,) = check(split_answer(f"Give {other} {unit} of amoxicillin to the patient [1]."), evidence)
    assert verdict.stands == (own == other)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Take 2.5 mg. Rest.", ["Take 2.5 mg.", "Rest."]),
        ("See e.g. Dr. Lee. Rest.", ["See e.g. Dr. Lee.", "Rest."]),
        ("**Avoid it.** Rest [1].", ["**Avoid it.**", "Rest."]),
        ("Rest! Really? Yes.", ["Rest!", "Really?", "Yes."]),
        ("布洛芬。扑热息痛。", ["布洛芬。", "扑热息痛。"]),
        ("- One [1]\n- Two [2]", ["One", "Two"]),
        ("[1]", []),
        ("", []),
    ],
)
def test_sentences_are_those_a_reader_sees(text: str, sentences: list[str]) -> None:
    assert [s.text for s in split_answer(text)] == sentences


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Rest helps [1].", "Rest helps [1]."),
        ("Rest helps. [1]", "Rest helps [1]."),
        ("Rest helps.【2】", "Rest helps [2]."),
        ("**Rest helps.** [1][3]", "**Rest helps [1][3].**"),
        ("Signs [1]:\n- fever [1]\n- cough [2]", "Signs [1]:\n\n- fever [1]\n- cough [2]"),
        ("## Alone", ""),
        ("## Care\nRest. Drink.", "## Care\n\nRest. Drink."),
    ],
)
def test_an_answer_is_shown_with_its_markers_before_the_stop(text: str, shown: str) -> None:
    assert join_answer(split_answer(text)) == shown


@pytest.mark.parametrize(
    ("text", "left", "thought"),
    [
        ("<think>Hm.</think>Rest.", "Rest.", "Hm."),
        ("Hm.</think>Rest.", "Rest.", "Hm."),
        ("<think>Hm. Rest.", "", "Hm. Rest."),
        ("<THINK>a</THINK>Rest. <think>b</think>Drink.", "Rest. Drink.", "a\nb"),
        ("Rest.", "Rest.", ""),
    ],
)
def test_thoughts_are_told_from_the_answer(text: str, left: str, thought: str) -> None:
    assert strip_thinking(text) == (left, thought)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("Rest [1]. Drink 2.5", "Rest [1]."),
        ("Rest.[1] Drink", "Rest.[1]"),
        ("- one [1]\n- two [2]\n- thr", "- one [1]\n- two [2]"),
        ("服用。[1]然后", "服用。[1]"),
        ("Take 2.5", ""),
    ],
)
def test_a_text_cut_off_ends_with_its_last_whole_sentence(text: str, whole: str) -> None:
    assert whole_sentences(text) == whole


@pytest.mark.parametrize(
    ("text", "words"), [("Take 2.5 mg [1].", 3), ("It's well-known.", 2), ("布洛芬片", 2), ("", 0)]
)
def test_words_are_counted_as_a_reader_does(text: str, words: int) -> None:
    assert count_words(text) == words


def test_a_sentence_keeps_its_list_sign() -> None:
    assert split_answer("- fever [1]") == (Sentence("fever", (1,), "- ", 0),)
