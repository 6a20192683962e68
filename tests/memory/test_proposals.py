"""What a model proposes is taken only where the patient's own words say it. All cases are made up here."""

import re
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from primum.evals.memory import Gold, Row, Turn, run
from primum.memory.extract import extract
from primum.memory.facts import Fact, proven
from primum.memory.proposals import MOST, Proposal, Proposals, confirmed, worth_asking
from tests.memory.test_facts import STATEMENTS

TODAY = date(2025, 11, 22)
TITLES = {"plantar fasciitis", "vitiligo", "running", "cough"}
KINDS = ("allergy", "medicine", "condition", "procedure", "family_history", "smoking", "alcohol")


def knows_condition(name: str) -> bool:
    return name.casefold() in TITLES


def gate(message: str, *proposals: dict[str, Any]) -> list[Fact]:
    """The facts of proposals that quote the whole message unless they say otherwise."""
    made = [Proposal(**{"quote": message, **proposal}) for proposal in proposals]
    return confirmed(Proposals(facts=made), message, message_id="m", today=TODAY, knows_condition=knows_condition)


def words(facts: list[Fact]) -> list[str]:
    return [f"{'ended ' if fact.valid_until else ''}{fact.kind}: {fact.words}" for fact in facts]


# Message, kind, value, other fields, and what it makes.
TRUE: list[tuple[str, str, str, dict[str, Any], str]] = [
    ("My blood pressure is controlled with amlodipine.", "medicine", "amlodipine", {}, "medicine: amlodipine"),
    ("I pop a naproxen on bad days", "medicine", "naproxen", {}, "medicine: naproxen"),
    ("The Glucophage keeps my sugar down", "medicine", "Glucophage", {}, "medicine: metformin"),
    ("Metformin is what I take", "medicine", "metformin", {}, "medicine: metformin"),
    ("My list: ramipril 5 mg once daily, sertraline 50 mg.", "medicine", "sertraline", {}, "medicine: sertraline"),
    (
        "I was treated with amoxicillin last month",
        "medicine",
        "amoxicillin",
        {"ended": True},
        "ended medicine: amoxicillin (until 2025-10)",
    ),
    ("Naproxen nearly killed me, I was in hospital", "allergy", "naproxen", {}, "allergy: allergy to Naproxen"),
    (
        "Every time I eat mango my lips swell up",
        "allergy",
        "mango",
        {},
        "allergy: allergy to mango (severe, lips swell)",
    ),
    ("Latex is something I'm allergic to", "allergy", "latex", {}, "allergy: allergy to Latex"),
    ("I have really bad Plantar  Fasciitis.", "condition", "plantar fasciitis", {}, "condition: plantar fasciitis"),
    ("I don't have vitiligo", "condition", "vitiligo", {"negated": True}, "condition: no vitiligo"),
    ("Vitiligo is what I have", "condition", "vitiligo", {}, "condition: vitiligo"),
    ("I had a bunionectomy in 2019", "procedure", "bunionectomy", {}, "procedure: bunionectomy (2019)"),
    ("My sister has vitiligo", "family_history", "vitiligo", {}, "family_history: sister: vitiligo"),
    ("I get through a pack every day", "smoking", "pack", {}, "smoking: smoking: yes"),
    ("I have a glass of red with dinner", "alcohol", "red", {}, "alcohol: alcohol: yes"),
]


@pytest.mark.parametrize(("message", "kind", "value", "more", "made"), TRUE, ids=[case[0] for case in TRUE])
def test_what_the_words_say_is_taken_with_its_proof(
    message: str, kind: str, value: str, more: dict[str, Any], made: str
) -> None:
    (fact,) = gate(message, {"kind": kind, "value": value, **more})
    assert words([fact]) == [made]
    assert proven(fact, {"m": message}) is fact
    assert worth_asking(message)


FALSE: list[tuple[str, str, str, dict[str, Any]]] = [
    # the words are not there
    ("I pop a naproxen on bad days", "medicine", "ibuprofen", {}),
    ("I pop a naproxen on bad days", "medicine", "naproxen", {"quote": "I take naproxen"}),
    ("I pop a naproxen on bad days", "medicine", "naproxen", {"quote": "on bad days"}),
    ("I pop a naproxen on bad days", "medicine", "", {}),
    ("I have vitiligos", "condition", "vitiligo", {}),
    # asked, supposed, wished, or of somebody else
    ("Should I pop a naproxen on bad days?", "medicine", "naproxen", {}),
    ("If I have vitiligo, what helps?", "condition", "vitiligo", {}),
    ("I think I have vitiligo", "condition", "vitiligo", {}),
    ("My husband has plantar fasciitis", "condition", "plantar fasciitis", {}),
    ("My sister has vitiligo", "condition", "vitiligo", {}),
    ("My husband has vitiligo", "family_history", "vitiligo", {}),
    ("Naproxen nearly killed my dog", "allergy", "naproxen", {}),
    ("Strawberries give my son hives", "allergy", "strawberries", {}),
    ("My sister has vitiligo, my mum does not", "family_history", "vitiligo", {"relative": "mum"}),
    ("Gout is treated with allopurinol", "medicine", "allopurinol", {}),
    ("Swallow naproxen with water", "medicine", "naproxen", {}),
    ("My bunionectomy is in May", "procedure", "bunionectomy", {}),
    ("Recovery after a bunionectomy is slow", "procedure", "bunionectomy", {}),
    ("I had a bunionectomy booked", "procedure", "bunionectomy", {}),
    # the other way round, or of another time
    ("I don't have vitiligo", "condition", "vitiligo", {}),
    ("I have vitiligo", "condition", "vitiligo", {"negated": True}),
    ("I have vitiligo", "condition", "vitiligo", {"ended": True}),
    ("I was treated with amoxicillin last month", "medicine", "amoxicillin", {}),
    ("Naproxen does not make me itch", "allergy", "naproxen", {"negated": True}),
    # another thing than is proposed
    ("I manage my vitiligo with metformin", "allergy", "metformin", {}),
    ("I manage with diet since metformin made me sick", "medicine", "metformin", {}),
    ("Aspirin hurts my stomach when I take insulin", "medicine", "aspirin", {}),
    ("I manage my pain with yoga", "medicine", "yoga", {}),
    ("Cetirizine makes my itching go away", "allergy", "itching", {}),
    ("Stress gives me hives", "allergy", "hives", {}),
    ("Running makes me short of breath", "allergy", "running", {}),
    ("I go running with my dog", "condition", "running", {}),
    ("I have a cough", "condition", "cough", {}),
    ("I have a friend with vitiligo", "condition", "vitiligo", {}),
    ("I have vitiligo cream", "condition", "vitiligo", {}),
    ("I have a mastiff", "condition", "mastiff", {}),
    ("I had my last operation in May", "procedure", "last operation", {}),
    ("They told me of metformin", "medicine", "metformin", {}),
    ("Metformin 500 mg twice a day, is that the usual dose?", "medicine", "metformin", {}),
    ("I like red tiles", "alcohol", "red", {}),
    ("My doctor smokes a pipe every day", "smoking", "pipe", {}),
]


@pytest.mark.parametrize(("message", "kind", "value", "more"), FALSE)
def test_what_the_words_do_not_say_is_dropped(message: str, kind: str, value: str, more: dict[str, Any]) -> None:
    assert gate(message, {"kind": kind, "value": value, **more}) == []


def test_what_the_rules_read_is_not_proposed_again() -> None:
    message = "I take metformin and I'm allergic to latex. I've had type 2 diabetes since 2010. I smoke."
    assert len(extract(message, today=TODAY)) == 4
    kinds = (("medicine", "metformin"), ("allergy", "latex"), ("condition", "type 2 diabetes"), ("smoking", "smoke"))
    assert gate(message, *({"kind": kind, "value": value} for kind, value in kinds)) == []


def test_what_is_denied_as_a_whole_is_not_affirmed_by_a_model() -> None:
    message = "I don't take any medication. Naproxen keeps my pain away."
    assert gate(message, {"kind": "medicine", "value": "naproxen"}) == []


def test_a_quote_may_differ_in_case_and_blanks_and_the_own_words_are_kept() -> None:
    message = "Hello. I  have\u3000VITILIGO, since you ask."
    (fact,) = gate(message, {"kind": "condition", "value": "Vitiligo", "quote": "i have vitiligo"})
    assert (fact.value, fact.written) == ("vitiligo", "VITILIGO")
    (quote,) = fact.quotes
    assert message[quote.start : quote.stop] == quote.text
    assert "I  have\u3000VITILIGO" in quote.text


def test_one_thing_is_told_once() -> None:
    once = {"kind": "condition", "value": "vitiligo"}
    assert words(gate("I have vitiligo. I really have vitiligo.", once, once)) == ["condition: vitiligo"]


@pytest.mark.parametrize(
    ("proposed", "made"),
    [
        ({"dose": "5 mg", "frequency": "once daily"}, (None, None)),  # of the other medicine
        ({"dose": "50 mg", "frequency": "at night"}, ("50 mg", "at night")),
        ({"dose": "100 mg", "frequency": "always"}, (None, None)),
        ({"dose": "50 mg", "quote": "sertraline"}, (None, None)),  # not in what is quoted
        ({"dose": "at night", "frequency": "50 mg"}, (None, None)),
    ],
)
def test_a_detail_is_taken_only_in_its_own_words(proposed: dict[str, str], made: tuple[str | None, str | None]) -> None:
    message = "My list: ramipril 5 mg once daily, sertraline 50 mg at night."
    (fact,) = gate(message, {"kind": "medicine", "value": "sertraline", **proposed})
    assert (fact.dose, fact.frequency) == made


def test_the_reaction_is_read_or_in_the_patients_own_words() -> None:
    (fact,) = gate(
        "Naproxen nearly killed me", {"kind": "allergy", "value": "naproxen", "reaction": "nearly killed me"}
    )
    assert fact.reaction == "nearly killed me"
    (fact,) = gate("Naproxen nearly killed me", {"kind": "allergy", "value": "naproxen", "reaction": "hives"})
    assert fact.reaction is None


@pytest.mark.parametrize(
    "message",
    [
        "What are the side effects of metformin?",
        "Can I take ibuprofen with my warfarin?",
        "Hello, how are you?",
        "How is gout treated?",
        "I take metformin, is that fine?",
        "I have had a headache for three days, what can I do?",
        "I think I might have an infection",
        "Is it safe to pop a naproxen?",
        "My husband has diabetes, what should he eat?",
        "",
    ],
)
def test_no_call_is_spent_on_a_message_that_tells_nothing_more(message: str) -> None:
    assert not worth_asking(message)


def test_the_form_holds_twelve_facts_of_the_known_kinds() -> None:
    fact = {"kind": "condition", "value": "gout", "quote": "gout"}
    assert len(Proposals.model_validate({"facts": [fact] * MOST}).facts) == MOST == 12
    for wrong in ({"facts": [fact] * 13}, {"facts": [{**fact, "kind": "age"}]}, {}):
        with pytest.raises(ValidationError):
            Proposals.model_validate(wrong)


def adversary(message: str) -> Proposals:
    """Every word and every two words of a message as every kind of fact."""
    said = re.findall(r"[^\W_][\w'-]*", message)
    names = dict.fromkeys([*said, *map(" ".join, pairwise(said))])
    made = [Proposal(kind=kind, value=name, quote=message) for name in names for kind in KINDS]
    return Proposals.model_construct(facts=made)


def test_a_model_that_proposes_every_word_costs_no_precision() -> None:
    rows = []
    for message, labels in STATEMENTS:
        told = [label.split(": ", 1) for label in labels if not label.startswith("ended ")]
        facts = [Gold(kind=kind, value=value) for kind, value in told]
        rows.append(Row(id=message, turns=[Turn(role="user", content=message)], facts=facts))
    alone, merged = run(rows, TODAY), run(rows, TODAY, adversary, lambda name: True)
    assert merged["added_wrong"] == 0, merged["false"]
    assert merged["precision"] >= alone["precision"] - 0.002


def test_a_message_in_which_a_model_proposes_every_word_makes_the_true_facts_alone() -> None:
    told = {message: made for message, *_, made in TRUE if not made.startswith("ended") and " no " not in made}
    for message, made in told.items():
        facts = confirmed(adversary(message), message, message_id="m", today=TODAY, knows_condition=knows_condition)
        assert made in words(facts)
        assert len(facts) <= 2, words(facts)


TEXTS = st.text(st.sampled_from("I have vitiligo. pop a naproxen? no İß我有 \n\t'"), max_size=60)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(KINDS), TEXTS, TEXTS)
def test_whatever_is_proposed_nothing_breaks_and_all_is_proven(message: str, kind: str, value: str, quote: str) -> None:
    worth_asking(message)
    for fact in gate(message, {"kind": kind, "value": value, "quote": quote}):
        assert proven(fact, {"m": message})
