"""Names of drugs, classes and foods in a text, and what they must not be mistaken for."""

import csv
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety.lexicon import canonical, classes, drugs, members, mentions, named, substances

DATA = files("primum.safety") / "data"


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines()))


WRITTEN = [row for row in rows("names.csv") if row["name"]]
CLASSES = sorted({row["class"] for row in rows("classes.csv")})

NAMED = [
    ("Can I take amoxicilin with ibuprofin?", ["amoxicillin", "ibuprofen"]),
    ("amitriptilyne, metforman and lisinoprol", ["amitriptyline", "metformin", "lisinopril"]),
    ("I take St John's wort and the pill Zoloft", ["st. john's wort", "sertraline"]),
    ("st johns wort", ["st. john's wort"]),
    ("my GTN spray and Viagra", ["nitroglycerin", "sildenafil"]),
    ("adrenaline", ["epinephrine"]),
    ("potassium tablets", ["potassium-supplement"]),
    ("Simvastatin with grapefruit juice or a glass of wine", ["simvastatin", "grapefruit", "alcohol"]),
    (
        "Augmentin, Bactrim and Tylenol",
        ["amoxicillin/clavulanic acid", "sulfamethoxazole/trimethoprim", "acetaminophen"],
    ),
    ("warfarin's effect", ["warfarin"]),
    ("warfarin/ibuprofen", ["warfarin", "ibuprofen"]),
    ("candesartan cilexetil 8 mg", ["candesartan"]),
    ("Epilim", ["valproic acid"]),
    ("我在吃布洛芬和华法林，还喝酒", ["ibuprofen", "warfarin", "alcohol"]),
    ("硝酸甘油和西地那非可以一起吃吗", ["nitroglycerin", "sildenafil"]),
    ("Tomo warfarina y paracetamol, ¿puedo tomar ibuprofeno?", ["warfarin", "acetaminophen", "ibuprofen"]),
    ("sertralina con hierba de San Juan", ["sertraline", "st. john's wort"]),
]


@pytest.mark.parametrize(("text", "expected"), NAMED)
def test_a_text_names_its_drugs_in_order(text: str, expected: list[str]) -> None:
    assert [mention.name for mention in mentions(text)] == expected


CLASS_WORDS = [
    ("blood thinners", "anticoagulant"), ("SSRIs", "ssri"), ("ACE inhibitors", "ace-inhibitor"), ("statins", "statin"),
    ("antidepressants", "antidepressant"), ("painkillers", "analgesic"), ("beta-blockers", "beta-blocker"),
    ("water pills", "diuretic"), ("sleeping tablets", "sedative-hypnotic"), ("NSAIDs", "nsaid"),
    ("the contraceptive pill", "hormonal-contraceptive"), ("live vaccines", "live-vaccine"),
    ("proton pump inhibitors", "ppi"), ("opioid painkillers", "opioid"), ("抗凝药", "anticoagulant"),
    ("anticoagulantes", "anticoagulant"), ("penicillin", "penicillin-class"), ("antibiotics", "antibiotic"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "name"), CLASS_WORDS)
def test_a_class_word_is_a_class_with_members(written: str, name: str) -> None:
    assert [mention.name for mention in mentions(f"Are {written} safe?")] == [name]
    assert members(name)
    assert canonical(name) == name


NOTHING = [
    "Drink water and eat less sugar.",
    "Iron deficiency may lead to tiredness.",
    "Your blood sugar and your potassium level",
    "high calcium",
    "use an alcohol gel or wipes",
    "The program is seasonal; more concerts, he sits at the table.",
    "creatinine, uric acid, cortisol and LDL cholesterol",
    "heroine, aspiring, insulation",
    "air, oxygen, heat and cold",
]


@pytest.mark.parametrize("text", NOTHING)
def test_everyday_words_are_no_drugs(text: str) -> None:
    assert mentions(text) == ()


def test_foods_are_mentioned_but_are_not_drugs_of_a_sentence() -> None:
    text = "Alcohol, milk, potassium and grapefruit"
    assert [mention.name for mention in mentions(text)] == ["alcohol", "milk", "potassium chloride", "grapefruit"]
    assert drugs(text) == frozenset()


def test_a_misspelt_word_is_guessed_only_as_a_mention() -> None:
    assert mentions("ibuprofin")[0].name == "ibuprofen"
    assert named("ibuprofin") == {}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(WRITTEN))
def test_each_written_form_has_its_name(row: dict[str, str]) -> None:
    assert canonical(row["written"]) == canonical(row["name"])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([row["written"] for row in WRITTEN] + [row["member"] for row in rows("classes.csv")]))
def test_a_canonical_name_stays_as_it_is(written: str) -> None:
    assert canonical(canonical(written)) == canonical(written)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([row["written"] for row in WRITTEN]), min_size=1, max_size=4), st.text(max_size=20))
def test_mentions_stand_where_they_say_and_do_not_overlap(names: list[str], rest: str) -> None:
    text = "; ".join([rest, *names])
    found = mentions(text)
    assert all(text[one.start : one.stop] == one.written for one in found)
    assert all(one.stop <= other.start for one, other in pairwise(found))


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_holds_canonical_members_that_know_it(name: str) -> None:
    assert members(name)
    assert all(name in classes(one) and canonical(one) == one for one in members(name))


def test_a_combination_has_the_classes_of_its_substances() -> None:
    assert substances(canonical("Bactrim")) == ("sulfamethoxazole", "trimethoprim")
    assert {"antifolate", "sulfonamide-antibiotic"} <= classes(canonical("Bactrim"))
    assert canonical("Metformin hydrochloride 500 mg tablets") == "metformin"


def test_what_is_unknown_stays_as_it_is() -> None:
    assert canonical("Zzyzxomab") == "zzyzxomab"
    assert members("zzyzxomab") == frozenset()
    assert classes("zzyzxomab") == frozenset()


def test_the_tables_are_as_large_as_promised_and_cite_known_sources() -> None:
    assert len(CLASSES) >= 120
    assert len(rows("classes.csv")) >= 1200
    keys = {row["key"] for row in rows("interaction_sources.csv")}
    assert {row["source"] for row in [*rows("classes.csv"), *rows("names.csv")]} <= keys
