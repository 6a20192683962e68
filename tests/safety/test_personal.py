"""What of a text is personal, where it stands, and the text without it."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.evals import cases, phi
from primum.safety.personal import find, redacted

CASES = cases.read(Path(__file__).parent / "personal_cases.jsonl", phi.Row)
LABEL = re.compile(r"\[(?:NAME \d+|DATE|PLACE|CONTACT|NUMBER|AGE)\]")
NAMES = st.sampled_from(["John Smith", "María Gómez", "Björn Lindqvist", "Olga Petrova", "Thandiwe Mokoena", "Li Chen"])
REACHED = st.sampled_from(["jane.doe@example.org", "020 7946 0958", "+44 7700 900123", "https://example.org/p/7"])
NUMBERS = st.sampled_from(["MRN 00482913", "123-45-6789", "943 476 5919", "GB29 NWBK 6016 1331 9268 19"])
FILLER = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def found(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in find(text)]


@pytest.mark.parametrize("case", [case for case in CASES if case["spans"]], ids=lambda case: str(case["id"]))
def test_marked_data_are_found_under_their_kind(case: cases.Case) -> None:
    text = case["full_text"]
    covered = {(span.kind, at) for span in find(text) for at in range(span.start, span.end)}
    wanted = {(one["entity_type"], at) for one in case["spans"] for at in range(one["start"], one["end"])}
    assert {(kind, at) for kind, at in wanted - covered if text[at].isalnum()} == set()
    assert {(kind, at) for kind, at in covered - wanted if text[at].isalnum()} == set()


@pytest.mark.parametrize("case", [case for case in CASES if not case["spans"]], ids=lambda case: str(case["id"]))
def test_clinical_words_that_look_like_names_or_numbers_stay(case: cases.Case) -> None:
    assert found(case["full_text"]) == []
    assert redacted(case["full_text"]) == case["full_text"]


def test_a_third_of_the_cases_hold_nothing_personal() -> None:
    assert len(CASES) >= 80
    assert len([case for case in CASES if not case["spans"]]) * 3 >= len(CASES)


def test_one_person_has_one_number_by_full_name_and_by_part() -> None:
    text = "John Smith met Olga Petrova. Mr Smith takes warfarin; Olga does not."
    assert redacted(text) == "[NAME 1] met [NAME 2]. Mr [NAME 1] takes warfarin; [NAME 2] does not."


def test_each_kind_has_its_label_and_medicine_stays_readable() -> None:
    text = (
        "Mrs Patel, 94 years old, of Leeds LS1 4DY, MRN 0048291, 12 March 2024: INR 2.4 on warfarin 3 mg. "
        "Tel 020 7946 0958"
    )
    assert redacted(text) == (
        "Mrs [NAME 1], [AGE] years old, of [PLACE], MRN [NUMBER], [DATE]: INR 2.4 on warfarin 3 mg. Tel [CONTACT]"
    )


def test_a_year_alone_and_an_age_up_to_89_stay() -> None:
    assert found("An 89-year-old man, diabetic since 2009, born in 1975.") == []


def test_a_year_of_birth_that_tells_an_age_over_89_goes() -> None:
    assert found("She was born in 1920.") == [("DATE", "1920")]


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("Seen on 3/14. Hgb 9.2.", ["3/14"]),
        ("On Monday 3 June 2024 at 10:30 at the clinic.", ["Monday 3 June 2024 at 10:30"]),
        ("Given on 2024-02-29 09:15 am, then on Friday.", ["2024-02-29 09:15 am", "Friday"]),
        ("Strength 5/5, vision 20/40, one 1/2 tablet, flu season from October to March.", []),
        ("Every Monday and Monday to Friday.", []),
    ],
)
def test_a_date_goes_whole_and_a_fraction_or_a_habit_stays(text: str, when: list[str]) -> None:
    assert found(text) == [("DATE", one) for one in when]


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("Parkinson's is treated with levodopa.", False),
        ("Mr Parkinson is treated with levodopa.", True),
        ("Take Crohn's disease seriously.", False),
        ("Dr Crohn sees you on the ward.", True),
    ],
)
def test_a_name_of_a_disease_is_a_name_only_behind_a_title(text: str, person: bool) -> None:
    assert ("NAME" in [kind for kind, _ in found(text)]) is person


@settings(max_examples=60, deadline=None)
@given(FILLER, NAMES, REACHED, NUMBERS, FILLER)
def test_what_was_found_is_nowhere_in_the_redacted_text(
    before: str, name: str, reached: str, number: str, after: str
) -> None:
    text = f"{before}\nPatient: {name}. Contact {reached}, number {number}. {name} was seen.\n{after}"
    rest = LABEL.sub("", redacted(text))
    for span in find(text):
        if span.kind in ("NAME", "CONTACT", "NUMBER"):
            written = re.escape(text[span.start : span.end])
            assert not re.search(rf"(?<!\w){written}(?!\w)", rest)
    assert name not in rest
    assert reached not in rest


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(st.one_of(NAMES, REACHED, NUMBERS, FILLER)).map(" ".join)))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once
    assert find(once) == []


@settings(max_examples=150, deadline=None)
@given(FILLER, FILLER)
def test_offsets_are_right_whatever_letters_are_around(before: str, after: str) -> None:
    text = f"{before} jane.doe@example.org {after}"
    spans = find(text)
    assert "jane.doe@example.org" in {text[span.start : span.end] for span in spans if span.kind == "CONTACT"}
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))
