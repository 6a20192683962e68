"""What a misspelt word can stand for, and what it must not be taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.safety.lexicon import canonical, mentions
from primum.safety.red_flags import assess
from primum.safety.spelling import Spellings

KNOWN = ("diarrhea", "diarrhoea", "seizure", "seizures", "throat", "hemorrhage", "contractions", "convulsion", "stroke")
NEAREST = [
    ("diarhea", ("diarrhea",)),  # a letter left out
    ("throatt", ("throat",)),  # put in
    ("seisure", ("seizure",)),  # changed
    ("storke", ("stroke",)),  # swapped with the next
    ("diahrrea", ("diarrhea",)),  # moved
    ("hemorage", ("hemorrhage",)),  # two slips in a long word
    ("seizurs", ("seizure", "seizures")),  # as near to both
    ("seizures", ("seizures",)),
    ("thrt", ()),  # two slips in a short word
    ("ztroke", ()),  # another first letter
    ("contraception", ()),
    ("construction", ()),
    ("", ()),
]


@pytest.mark.parametrize(("word", "nearest"), NEAREST)
def test_the_known_words_that_are_the_fewest_slips_away_are_found(word: str, nearest: tuple[str, ...]) -> None:
    assert Spellings(KNOWN).nearest(word) == nearest


@given(st.sampled_from(KNOWN), st.data())
def test_a_word_with_one_letter_left_out_is_found(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(word) - 1))
    found = Spellings(KNOWN).nearest(word[:place] + word[place + 1 :])
    assert found
    assert word in found or found[0].startswith(word[:place])


DRUGS = [
    ("amoxicilin", "amoxicillin"), ("lisinoprol", "lisinopril"), ("lamtrigin", "lamotrigine"),
    ("haloperdiol", "haloperidol"), ("acetomenophen", "acetaminophen"), ("simvastatine", "simvastatin"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "name"), DRUGS)
def test_a_misspelt_drug_is_the_one_drug_that_it_can_be(written: str, name: str) -> None:
    assert [one.name for one in mentions(written)] == [name]
    assert canonical(written) == name


@pytest.mark.parametrize("word", ["hearing", "lactose", "morning", "concerts", "prednis", "prednisolne"])
def test_no_drug_is_guessed_where_the_word_is_another_or_two_drugs_are_as_near(word: str) -> None:
    assert mentions(word) == ()


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("my dad is unconcious", "triage.unconscious"),
        ("he had a siezure for ten minutes", "triage.seizure-long"),
        ("I think this is a storke", "triage.stroke"),
    ],
)
def test_a_misspelt_sign_is_still_a_sign(text: str, sign: str) -> None:
    assert sign in assess(text).rules


def test_a_word_that_only_looks_like_a_sign_is_none() -> None:
    assert assess("I am 33 weeks pregnant. Which contraception is right for me afterwards?").disposition != "emergency"
    assert assess("How does contraception work?").rules == ()
