"""What may leave of a question: medical words of our lists, and nothing of whoever asks."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.tools.deidentify import Query, deidentify, may_leave

PHI = Path(__file__).parents[2].parent / "shared/data/phi/presidio_synth.jsonl"
_PERSONAL = {
    *("PERSON", "STREET_ADDRESS", "PHONE_NUMBER", "EMAIL_ADDRESS", "DATE_TIME", "ZIP_CODE", "CREDIT_CARD", "IBAN_CODE"),
    *("US_SSN", "US_DRIVER_LICENSE", "IP_ADDRESS", "DOMAIN_NAME", "GPE", "NRP", "AGE"),
}
LEAVES = [
    ("Is ibuprofen safe in pregnancy?", "ibuprofen pregnancy"),
    ("Can I take Advil with Coumadin?", "ibuprofen warfarin"),
    (
        "type 2 diabetes, empagliflozin and heart failure mortality",
        "type 2 diabetes empagliflozin heart failure mortality",
    ),
    ("My 3 year old has a fever and a rash", "fever rash child"),
    ("a 71-year-old man with gout", "gout aged"),
    ("a 40-year-old man with gout", "gout"),
    ("Treatment Of Heart Failure In Adults", "heart failure"),
    ("HEART FAILURE IN COPD", "heart failure copd"),
    ("Ann Parkinson has Parkinson's disease", "parkinson's disease"),
    ("Puedo tomar paracetamol con enfermedad renal?", "acetaminophen kidney disease"),
    ("肾病 可以吃布洛芬吗", "kidney disease ibuprofen"),
    ("postmenopausal bleeding, no medical problems", "postmenopausal bleeding"),
    ("a stone in the kidney", "stone kidney"),
    ("I have a cold and a burn on my hand", "cold burn hand"),
    ("laparoscopic cholecystectomy for cholelithiasis", "laparoscopic cholecystectomy cholelithiasis"),
    ("covid-19 and SGLT2", "covid-19 sglt2"),
    ("synovitis and synovial fluid", "synovitis synovial fluid"),
]
GROUPS = {"newborn", "infant", "child", "adolescent", "aged"}  # "i am 12 Iron Road" reads as an age
NAMES = [
    *(
        "Rose Black",
        "Mary Stone",
        "John Burns",
        "Will Head",
        "Grace Heart",
        "Ann Parkinson",
        "Bell Graves",
        "Iris Cast",
    ),
    *("mary stone", "john burns", "Kidney Johnson", "Dr. Rash", "Mr Hart-Stone", "Maria Sofia Anderson", "Ms Cough"),
    *("Peter Hodgkin", "José Álvarez", "Мария Иванова", "李明", "O'Neill", "van der Berg", "Crohn", "Sir Chest"),
]
PLACES = ["12 Iron Road, Bath", "4 Temple Street, Reading", "Health Avenue 9", "90210", "Mobile, Alabama", "Nice"]
OTHERS = [
    *("555-1234", "+49 30 123456", "heart.failure@asthma.org", "https://asthma.org/fever?name=ann", "www.gout.com"),
    *(
        "12/03/1950",
        "3 May",
        "last Monday",
        "1977-01-31",
        "MRN 0012345",
        "SSN 460-89-9847",
        "10.0.0.1",
        "room 4b",
        "#15",
    ),
]


@pytest.mark.parametrize(("question", "words"), LEAVES, ids=[words for _, words in LEAVES])
def test_the_medical_words_of_a_question_leave(question: str, words: str) -> None:
    query = deidentify(question)
    assert query is not None and query.text == words


@pytest.mark.parametrize("private", [*NAMES, *PLACES, *OTHERS])
@pytest.mark.parametrize(
    "sentence", ["{} takes warfarin for gout", "{}: warfarin, gout", "i am {} and have gout, warfarin"]
)
def test_names_places_and_numbers_stay(private: str, sentence: str) -> None:
    query = deidentify(sentence.format(private))
    assert query is not None and set(query.terms) - GROUPS == {"warfarin", "gout"}


@pytest.mark.parametrize(
    "question",
    ["", "Hello", "Who won yesterday?", "My name is Ann Lee, call 555-1234", "My 3 year old", "Mr Stone", "🙂"],
)
def test_where_nothing_medical_remains_there_is_no_query(question: str) -> None:
    assert deidentify(question) is None


@pytest.mark.parametrize("part", ["synov", "synovtempor", "cardiomyo", "hepatosplen", "gastroduoden", "nephropath"])
def test_parts_of_a_word_do_not_leave_without_its_end(part: str) -> None:
    assert deidentify(f"I have {part}") is None and not may_leave(part)


def test_what_is_written_short_of_its_end_leaves_as_the_whole_word() -> None:
    query = deidentify("tempor headache")
    assert query is not None and query.text == "temporal headache"


def test_medicines_and_conditions_are_told_apart() -> None:
    query = deidentify("Advil, ACE inhibitors and itching in chronic kidney disease")
    assert query is not None and query.drugs == ("ibuprofen",)
    assert query.first == ("ibuprofen", "ace inhibitor", "chronic kidney disease")
    assert query.text == "ibuprofen ace inhibitor itching chronic kidney disease"


def test_a_long_story_is_cut_to_ten_terms_medicines_and_conditions_first() -> None:
    story = (
        "nausea vomiting dizziness itching rash swelling tremor numbness weakness thirst sweating yawning "
        "and asthma, with warfarin"
    )
    query = deidentify(story)
    assert query is not None and len(query.terms) == 10 and {"asthma", "warfarin"} <= set(query.terms)


def test_the_shorter_form_keeps_medicines_and_conditions() -> None:
    query = deidentify("recurrent nausea and vomiting after metformin in type 2 diabetes")
    assert query is not None
    shorter = query.shorter()
    assert shorter is not None and {"metformin", "type 2 diabetes"} <= set(shorter.terms) and len(shorter.terms) == 3
    assert shorter.shorter() is None


@pytest.mark.parametrize("terms", [(), ("ann",), ("asthma", "ann lee"), ("warfarin 5mg",), ("a@b.org",), ("gout;",)])
def test_a_query_of_other_words_cannot_be_made(terms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="medical words"):
        Query(terms)


@given(st.text())
def test_whatever_is_asked_only_listed_words_leave(question: str) -> None:
    query = deidentify(question)
    assert query is None or all(may_leave(word) for word in query.text.split(" "))


@given(
    st.lists(
        st.sampled_from([*NAMES, *PLACES, *OTHERS, "has", "and", "asthma", "warfarin", "my", "Gout", "."]), max_size=12
    )
)
def test_however_they_are_put_together_they_stay(parts: list[str]) -> None:
    query = deidentify(" ".join(parts))
    assert query is None or set(query.terms) <= {"asthma", "warfarin", "gout"} | GROUPS


@given(st.from_regex(r"[A-Za-z]{1,7}", fullmatch=True))
def test_short_words_that_are_in_no_list_stay(word: str) -> None:
    if not may_leave(word.lower()):
        query = deidentify(f"{word} gout")
        assert query is None or word.lower() not in query.text.split(" ")


def leaked(text: str, spans: list[dict[str, str]]) -> list[tuple[str, str]]:
    """The spans of which a word left, with its kind."""
    query = deidentify(text)
    left = set(re.findall(r"\w+", query.text)) if query else set()
    return [
        (span["entity_type"], word)
        for span in spans
        if span["entity_type"] in _PERSONAL
        for word in re.findall(r"\w+", span["entity_value"].lower())
        if word in left
    ]


@pytest.mark.skipif(not PHI.is_file(), reason="needs the sentences of presidio-research in shared/data/phi")
def test_nothing_personal_of_the_sentences_of_presidio_leaves() -> None:
    rows = [json.loads(row) for row in PHI.read_text(encoding="utf-8").splitlines()]
    assert sum(len(row["spans"]) for row in rows) > 2_000
    assert [found for row in rows for found in leaked(row["full_text"], row["spans"])] == []


@pytest.mark.skipif(not PHI.is_file(), reason="needs the sentences of presidio-research in shared/data/phi")
def test_nor_where_it_stands_in_a_medical_question() -> None:
    spans = [s for row in PHI.read_text(encoding="utf-8").splitlines() for s in json.loads(row)["spans"]]
    personal = [span for span in spans if span["entity_type"] in _PERSONAL - {"AGE"}]
    found: list[tuple[str, str]] = []
    for span in personal:
        for question in ("{} has gout and takes warfarin", "warfarin for gout, {}", "my gout doctor is {} since june"):
            query = deidentify(question.format(span["entity_value"]))
            extra = set(query.terms) - {"gout", "warfarin"} if query else set()
            found += [(span["entity_type"], term) for term in extra]
    assert found == []
