"""Allergies as people write them, and what they say about a medicine."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety.allergies import _rows, check, links, reaction_of, read, unknown_allergies
from primum.safety.contraindications import drug_set, sources
from primum.safety.findings import SEVERITIES, Finding
from primum.safety.lexicon import members

PHRASES = [
    "{}", "{} (anaphylaxis)", "allergic to {} – rash", "{} gave me hives", "{} → wheeze", "alergia a {}", "{}过敏",
    "I can't take {}, swelling of the lips", "Allergy: {} - angioedema", "{}: hospitalised in 2015", "ALLERGIC TO {}",
    "dust, {} (itching)", "when I was a child {} made me itch", "{}; needed adrenaline", "no known allergies except {}",
]  # fmt: skip
CLASSES = [row for row in _rows() if row["names"] and row["to"] and row["severe"] == "contraindicated"]


def worst(findings: Sequence[Finding]) -> str:
    return findings[0].severity if findings else "none"


def test_every_row_has_a_source_and_grades() -> None:
    for row in _rows():
        assert set(row["source"].split("|")) <= sources().keys(), row["id"]
        assert not row["to"] or {row["mild"], row["severe"]} <= set(SEVERITIES), row["id"]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CLASSES), st.sampled_from(PHRASES), st.data())
def test_an_allergy_is_found_whatever_the_phrasing(row: dict[str, str], phrase: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(row["names"].split("|")))
    substance = data.draw(st.sampled_from(sorted(one for one in drug_set(row["to"]) if not members(one))))
    found = [one for one in check([substance], [phrase.format(name)]) if one.subjects[0] == substance]
    assert found, (phrase.format(name), substance)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([row for row in _rows() if row["names"]]), st.sampled_from(PHRASES), st.data())
def test_every_name_of_the_tables_is_known_in_every_phrasing(
    row: dict[str, str], phrase: str, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(row["names"].split("|")))
    assert unknown_allergies([phrase.format(name)]) == ()


@given(st.text(alphabet="bcdfghjklmnpqrstvwxz", min_size=9, max_size=14))
def test_an_allergy_not_known_is_never_passed_over(word: str) -> None:
    (finding,) = check(["ibuprofen"], [f"{word} (rash)"])
    assert finding.rule == "allergy.unknown" and finding.severity == "info"


@pytest.mark.parametrize(
    "entry", ["penicillin, zorblax rash", "zorblax and latex", "peanut/zorblax", "NKDA but zorblax gives hives"]
)
def test_an_unknown_allergen_beside_a_known_one_is_told(entry: str) -> None:
    assert any("zorblax" in one for one in unknown_allergies([entry]))


@pytest.mark.parametrize(
    "entry",
    [
        "NKDA", "nka", "none", "None known", "no known drug allergies", "No allergies", "nil", "N/A", "no",
        "denies any known drug allergies", "无", "无药物过敏史", "否认药物过敏", "ninguna",
        "sin alergias conocidas", "",
        "not allergic to penicillin", "no allergy to latex", "no known food or drug allergies",
        "no drug allergies known", "He has no known medicine allergies.", "There are no known allergies.",
        "no allergies that I know of",
    ],
)  # fmt: skip
def test_no_allergies_is_no_finding(entry: str) -> None:
    assert check(["amoxicillin", "ibuprofen", "insulin"], [entry]) == ()


@pytest.mark.parametrize(
    ("substance", "allergy", "severity"),
    [
        ("amoxicillin", "penicillin (anaphylaxis)", "contraindicated"),
        ("amoxicillin", "PCN - hives", "contraindicated"),
        ("amoxicillin", "penicilina", "contraindicated"),
        ("amoxicillin", "penecilin", "contraindicated"),
        ("amoxicillin", "对青霉素过敏", "contraindicated"),
        ("penicillins", "amoxicillin", "contraindicated"),
        ("amoxicillin/clavulanate", "penicillin", "contraindicated"),
        ("Augmentin", "penicillin", "contraindicated"),
        ("piperacillin", "Augmentin gave me hives", "contraindicated"),
        ("cephalexin", "amoxicillin (anaphylaxis)", "contraindicated"),
        ("cefalexin", "amoxicillin rash", "contraindicated"),
        ("cefaclor", "ampicillin hives", "contraindicated"),
        ("cephalexin", "penicillin rash", "major"),
        ("ceftriaxone", "penicillin (anaphylaxis)", "moderate"),
        ("ceftriaxone", "penicillin (SJS)", "major"),
        ("cefazolin", "penicillin rash", "info"),
        ("meropenem", "penicillin rash", "info"),
        ("aztreonam", "penicillin (anaphylaxis)", "info"),
        ("aztreonam", "ceftazidime anaphylaxis", "contraindicated"),
        ("cefotaxime", "ceftriaxone: hives", "contraindicated"),
        ("cephalexin", "ceftriaxone: hives", "moderate"),
        ("ceftriaxone", "cefazolin rash", "minor"),
        ("amoxicillin", "cefalexin anaphylaxis", "contraindicated"),
        ("trimethoprim/sulfamethoxazole", "allergic to sulfa – rash", "contraindicated"),
        ("furosemide", "sulfa (anaphylaxis)", "minor"),
        ("hydrochlorothiazide", "sulfa rash", "info"),
        ("aspirin", "NSAIDs → wheeze", "contraindicated"),
        ("ibuprofen", "aspirin - asthma attack", "contraindicated"),
        ("celecoxib", "aspirin - asthma attack", "major"),
        ("tetracaine", "procaine hives", "contraindicated"),
        ("lidocaine", "procaine hives", "info"),
        ("morphine", "codeine anaphylaxis", "contraindicated"),
        ("fentanyl", "codeine anaphylaxis", "minor"),
        ("iohexol", "contrast dye (hives)", "major"),
        ("iohexol", "contrast dye - shock", "contraindicated"),
        ("iohexol", "shellfish (anaphylaxis)", "info"),
        ("tobramycin", "gentamicin rash", "contraindicated"),
        ("clarithromycin", "erythromycin rash", "contraindicated"),
        ("levofloxacin", "cipro", "contraindicated"),
        ("phenytoin", "carbamazepine (Stevens-Johnson syndrome)", "contraindicated"),
        ("phenytoin", "carbamazepine: DRESS", "contraindicated"),
        ("enalapril", "lisinopril: angioedema", "contraindicated"),
        ("losartan", "lisinopril: angioedema", "moderate"),
        ("sacubitril", "ramipril angioedema", "contraindicated"),
        ("lisinopril", "lisinopril - cough", "info"),
        ("enoxaparin", "heparin (HIT)", "contraindicated"),
        ("yellow fever vaccine", "egg (anaphylaxis)", "contraindicated"),
        ("influenza vaccine", "egg (anaphylaxis)", "info"),
        ("progesterone", "peanuts: anaphylaxis", "contraindicated"),
        ("isotretinoin", "soya", "contraindicated"),
        ("propofol", "eggs", "minor"),
        ("mmr vaccine", "gelatin anaphylaxis", "contraindicated"),
        ("cetuximab", "alpha-gal", "contraindicated"),
        ("epinephrine", "sulfites - wheeze", "info"),
        ("codeine", "codeine: nausea", "info"),
        ("codeine", "codeine - vomiting and rash", "contraindicated"),
        ("amoxicillin", "penicillin allergy ruled out by test", "info"),
        ("ibuprofen", "aspirin and codeine - hives", "contraindicated"),
        ("amoxicillin", "latex, penicillin (hives, swelling), dust", "contraindicated"),
        ("metamizole", "ibuprofen swelling of face", "contraindicated"),
        ("azithromycin", "allergic to all antibiotics", "contraindicated"),
        ("ibuprofen", "painkillers - rash", "major"),
    ],
)
def test_what_an_allergy_means_for_a_medicine(substance: str, allergy: str, severity: str) -> None:
    found = [one for one in check([substance], [allergy]) if one.subjects[0] == substance]
    assert worst(found) == severity


@pytest.mark.parametrize(
    ("substance", "allergy"),
    [
        ("amoxicillin", "sulfa – rash"),
        ("acetaminophen", "aspirin hives"),
        ("azithromycin", "penicillin anaphylaxis"),
        ("doxycycline", "penicillin anaphylaxis"),
        ("ciprofloxacin", "sulfa anaphylaxis"),
        ("cefazolin", "penicillin rash"),
        ("ceftriaxone", "penicillin rash"),
        ("meropenem", "penicillin rash"),
        ("aztreonam", "penicillin anaphylaxis"),
        ("furosemide", "sulfa rash"),
        ("celecoxib", "sulfa rash"),
        ("gliclazide", "sulfa rash"),
        ("losartan", "lisinopril cough"),
        ("lidocaine", "benzocaine rash"),
        ("epinephrine", "sulfites"),
        ("iohexol", "shellfish"),
        ("iohexol", "iodine"),
        ("influenza vaccine", "egg"),
        ("mmr vaccine", "egg"),
        ("propofol", "egg"),
        ("ibuprofen", "penicillin"),
        ("metformin", "pollen"),
        ("insulin", "cats, dust mites, grass pollen"),
        ("morphine", "codeine - constipation"),
        ("amoxicillin", "amoxicillin - diarrhoea"),
        ("loratadine", "bee stings"),
        ("sertraline", "strawberries"),
        ("valproic acid", "carbamazepine SJS"),
        ("levetiracetam", "phenytoin DRESS"),
        ("argatroban", "heparin (HIT)"),
        ("cetirizine", "latex"),
        ("morphine", "sulfa"),
    ],
)
def test_what_is_usual_is_not_forbidden(substance: str, allergy: str) -> None:
    assert worst([one for one in check([substance], [allergy]) if one.subjects[0] == substance]) not in (
        "contraindicated",
        "major",
    )


@pytest.mark.parametrize(
    ("text", "reaction"),
    [
        ("penicillin ten years ago, rash", "mild"),
        ("penicillin: TEN", "skin-severe"),
        ("throat closed up", "severe"),
        ("过敏性休克", "severe"),
        ("náuseas", "intolerance"),
        ("nausea and hives", "mild"),
        ("skin peeling and fever", "skin-severe"),
        ("red meat", "unknown"),
        ("penicillin", "unknown"),
    ],
)
def test_how_an_allergy_showed_is_read_by_its_gravest_word(text: str, reaction: str) -> None:
    assert reaction_of(text) == reaction


@pytest.mark.parametrize(
    "entry", ["penicillin can I take ibuprofen", "penicillin. Is ibuprofen safe", "青霉素过敏，可以吃布洛芬吗"]
)
def test_what_is_asked_about_is_no_allergen(entry: str) -> None:
    assert [one.rule for one in check(["ibuprofen"], [entry]) if "布洛芬" in one.text or one.severity != "info"] == []


def test_what_was_given_against_a_reaction_is_no_allergen() -> None:
    (allergy,) = read("penicillin - needed epinephrine")
    assert "epinephrine" not in allergy.substances and allergy.reaction == "severe"
    assert check(["epinephrine"], ["penicillin - needed epinephrine"]) == ()


def test_an_unstated_reaction_is_taken_as_severe_and_asked_about() -> None:
    (finding,) = check(["cephalexin"], ["penicillin"])
    assert finding.severity == "contraindicated" and "not stated" in finding.text


def test_the_tables_are_read_once() -> None:
    assert links() is links()


def test_a_reaction_in_brackets_is_told_as_it_was_written() -> None:
    (allergy,) = read("Penicillin (mild, hives and itching)")
    assert allergy.written == "Penicillin (mild, hives and itching)"
    found = check(["amoxicillin"], ["Penicillin (mild, hives)"])
    assert found and all("“Penicillin (mild, hives)”" in finding.text for finding in found)
    assert [one.written for one in read("sulfa (rash; swelling), codeine (nausea)")] == [
        "sulfa (rash; swelling)", "codeine (nausea)"
    ]  # fmt: skip
