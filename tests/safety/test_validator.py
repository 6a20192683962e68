"""The one report, and what must not be said: everything that the rules know, put together."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety.findings import Finding
from primum.safety.profile import Profile
from primum.safety.validator import dangers, examine, in_play, taken, told

WARFARIN = "I take warfarin and want to take ibuprofen 800 mg four times a day"


def test_the_readmes_example_finds_the_interaction_and_the_dose() -> None:
    report = examine(WARFARIN)
    kinds = {finding.rule.partition(".")[0] for finding in report.findings}
    assert {"interaction", "dose"} <= kinds and report.risk_level >= 2
    assert all(finding.source and finding.text and finding.subjects for finding in report.findings)


def test_the_most_severe_comes_first_and_each_once() -> None:
    report = examine(f"{WARFARIN}. {WARFARIN}.")
    keys = [(finding.rule, tuple(finding.subjects)) for finding in report.findings]
    assert len(keys) == len(set(keys))
    order = ["contraindicated", "major", "moderate", "minor", "info"]
    assert [f.severity for f in report.findings] == sorted((f.severity for f in report.findings), key=order.index)


def test_two_medicines_of_one_class_that_are_both_taken_are_found() -> None:
    rules = {finding.rule.partition(".")[0] for finding in examine("I take ibuprofen and naproxen every day.").findings}
    assert "duplicate" in rules


@pytest.mark.parametrize(
    "text", ["What is gout?", "How much paracetamol can adults take?", "Is swimming good for back pain?", "Hello"]
)
def test_a_plain_question_has_no_grave_finding(text: str) -> None:
    report = examine(text)
    assert report.risk_level == 0 and report.disposition in ("none", "routine", "self_care")


@pytest.mark.parametrize(
    ("text", "medicines"),
    [
        ("I take warfarin. Can I take ibuprofen?", ["warfarin"]),
        ("My mother is on digoxin and lithium.", ["digoxin", "lithium"]),
        ("Can I take ibuprofen while taking warfarin?", ["warfarin"]),
        ("Should I take ibuprofen?", []),
        ("I do not take warfarin.", []),
        ("What is warfarin for?", []),
        ("I take warfarin and my toddler drank a bottle of ibuprofen.", ["warfarin"]),
        ("I drank a bottle of wine while taking metronidazole.", ["metronidazole"]),
        ("Tomo omeprazol y mi hijo se tomó una botella de paracetamol.", ["omeprazole"]),
        ("我在吃华法林,孩子误吃了布洛芬", ["warfarin"]),
    ],
)
def test_what_is_taken_is_told_from_what_is_asked_about(text: str, medicines: list[str]) -> None:
    assert taken(text) == medicines


def test_what_a_text_says_of_the_person_is_added_and_nothing_taken_away() -> None:
    profile = told("I'm 34 weeks pregnant and allergic to penicillin. I have asthma.", Profile(medicines=("insulin",)))
    assert profile.pregnant and profile.weeks_pregnant == 34 and profile.medicines == ("insulin",)
    assert any("penicillin" in one for one in profile.allergies) and "asthma" in profile.conditions


@pytest.mark.parametrize(
    ("text", "allergies"),
    [
        ("If I am allergic to sulfa can I take glipizide?", ("sulfa",)),
        ("I'm allergic to penicillin and codeine.", ("penicillin and codeine",)),
        ("I have a peanut allergy.", ("peanut",)),
        ("对青霉素过敏,可以吃阿莫西林吗", ("青霉素",)),
        ("What is an allergy?", ()),
        ("No known drug allergies.", ()),
        ("I am not allergic to penicillin.", ()),
        ("My mother has a severe latex allergy.", ("latex",)),
    ],
)
def test_an_allergy_is_read_to_its_end(text: str, allergies: tuple[str, ...]) -> None:
    assert told(text, Profile()).allergies == allergies


def test_a_denied_condition_is_not_added() -> None:
    assert told("I do not have asthma.", Profile()).conditions == ()


PHRASES = (
    "You can take {}.",
    "{} is a good choice.",
    "{} works well for this.",
    "Try {} first.",
    "For the pain, {} is usually recommended.",
    "Doctors often give {}.",
    "It is fine to use {} for a few days.",
    "{} is safe for you.",
    "There is no reason to avoid {}.",
    "Don't worry, {} will not harm you.",
    "The first choice is {}, which helps within an hour.",
    "Paracetamol or {} can be used.",
    "Avoid alcohol, but {} is allowed.",
    "Take {} regularly, regardless of your other medicines.",
)
RISKS = (
    ("ibuprofen", Profile(medicines=("warfarin",))),
    ("sildenafil", Profile(medicines=("GTN spray",))),
    ("amoxicillin", Profile(allergies=("penicillin (anaphylaxis)",))),
    ("isotretinoin", Profile(pregnant=True)),
    ("aspirin", Profile(age=8)),
    ("tramadol", Profile(medicines=("phenelzine",))),
    ("Nurofen", Profile(pregnant=True, weeks_pregnant=33)),
    ("clarithromycin", Profile(medicines=("simvastatin",))),
)


@given(st.sampled_from(PHRASES), st.sampled_from(RISKS))
@settings(max_examples=120)
def test_no_phrasing_recommends_what_is_contraindicated(phrase: str, risk: tuple[str, Profile]) -> None:
    drug, profile = risk
    (found,) = dangers([phrase.format(drug)], profile)
    assert found, phrase.format(drug)


@pytest.mark.parametrize(
    "sentence",
    [
        "Avoid ibuprofen while you take warfarin.",
        "Do not take ibuprofen with warfarin, because it raises the risk of bleeding.",
        "Ibuprofen can cause serious bleeding in people who take warfarin.",
        "Ask your doctor before taking ibuprofen.",
        "Paracetamol is usually a better choice than ibuprofen.",
        "Rest and drink plenty of water.",
    ],
)
def test_a_warning_may_be_said(sentence: str) -> None:
    assert dangers([sentence], Profile(medicines=("warfarin",))) == [()]


def test_a_sentence_that_points_back_goes_with_the_one_before() -> None:
    profile = Profile(medicines=("warfarin",))
    first, second = dangers(["You can use ibuprofen.", "Take it every six hours."], profile)
    assert first and second


@pytest.mark.parametrize(
    "sentence",
    ["This is not an emergency.", "It can wait until Monday.", "You don't need to call an ambulance.", "不用去医院。"],
)
def test_an_emergency_is_not_made_light_of(sentence: str) -> None:
    assert dangers([sentence], Profile(), "emergency") != [()]
    assert dangers([sentence], Profile(), "none") == [()]


def test_what_a_question_tells_of_kidneys_and_breast_feeding_is_read() -> None:
    assert examine("My eGFR is 25. Can I take metformin?").risk_level == 3
    assert told("I am breastfeeding. Can I take codeine?", Profile()).breastfeeding
    assert told("He weighs 14 kg.", Profile()).weight_kg == 14


@pytest.mark.parametrize(
    "text",
    [
        "I take St John's wort and the pill",
        "I am on the pill and take carbamazepine",
        "morning after pill and St John's wort",
        "Tomo la píldora y carbamazepina",
    ],
)
def test_the_pill_is_the_contraceptive_where_it_is_taken(text: str) -> None:
    assert any("contraceptive" in one.rule and one.severity in ("major", "contraindicated") for one in grave(text))


@pytest.mark.parametrize(
    "text", ["Which is the pill for gout? I take carbamazepine", "take the pill that you gave me, and carbamazepine"]
)
def test_another_pill_is_no_contraceptive(text: str) -> None:
    assert not [one for one in examine(text).findings if "contraceptive" in one.rule]


def grave(text: str) -> list[Finding]:
    return [one for one in examine(text).findings if one.rule.startswith(("interaction.", "allergy."))]


@pytest.mark.parametrize(
    "text",
    [
        "I had a rash with amoxicillin. The doctor gave me cefalexin",
        "My son came out in hives after amoxicillin, can he have cefalexin?",
        "swelling of the face, swollen lips after taking amoxicillin. And cefalexin?",
        "tuve una erupción con amoxicilina, y cefalexina?",
    ],
)
def test_a_reaction_that_was_had_is_an_allergy_and_its_medicine_not_taken(text: str) -> None:
    assert any("cephalexin" in one.text.lower() for one in grave(text) if one.rule.startswith("allergy."))
    assert "amoxicillin" not in taken(text)


@pytest.mark.parametrize(
    "text",
    [
        "Can I get a rash from amoxicillin?",
        "I never had a rash with amoxicillin",
        "I treat my rash with hydrocortisone",
        "My ankle swelling with amlodipine is bad",
        "I had a rash from the sun",
    ],
)
def test_a_rash_that_is_asked_about_denied_or_treated_is_no_allergy(text: str) -> None:
    assert told(text, Profile()).allergies == ()


def test_what_was_had_right_before_a_name_was_taken() -> None:
    assert taken("I had ibuprofen this morning") == ["ibuprofen"]
    assert taken("I had two paracetamol this morning") == ["acetaminophen"]
    assert taken("I had a stroke, is aspirin right?") == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I am allergic to sulfa. Can I take furosemide?", ["furosemide"]),
        ("I am allergic to penicillin and I take lisinopril.", ["lisinopril"]),
        ("I'm allergic to ibuprofen. What can I take for pain?", []),
        ("I have a penicillin allergy, can I take amoxicillin?", ["amoxicillin"]),
        ("I am allergic to ibuprofen. Is ibuprofen gel safe?", ["ibuprofen"]),
        ("Allergic to penicillin, take lisinopril daily", ["lisinopril"]),
        ("Soy alérgico a la penicilina y puedo tomar ibuprofeno", ["ibuprofen"]),
        ("I am not allergic to ibuprofen", ["ibuprofen"]),
        ("I had a rash with amoxicillin. The doctor gave me cefalexin", ["cephalexin"]),
        ("我对青霉素过敏，可以吃布洛芬吗？", ["ibuprofen"]),
    ],
)
def test_an_allergen_is_not_taken_for_a_medicine_in_play(text: str, names: list[str]) -> None:
    assert [one.name for one in in_play(text)] == names


def test_a_class_is_written_in_words() -> None:
    (finding, *_) = examine("Can I take a penicillin?", Profile(allergies=("penicillin",))).findings
    assert finding.text.startswith("penicillin class, with the allergy “penicillin”")
