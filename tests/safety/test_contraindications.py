"""What a person should not take, rule by rule, and two medicines that do one thing."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety import contraindications
from primum.safety.contraindications import (
    Truth,
    check,
    conditions_of,
    drug_set,
    duplicates,
    facts_of,
    holds,
    rules,
    sources,
    unknown_conditions,
)
from primum.safety.findings import SEVERITIES, Finding
from primum.safety.lexicon import members
from primum.safety.profile import Profile
from primum.safety.tables import read_table

ROWS = read_table("contraindications.csv")
CONDITIONS = {row["id"]: row for row in read_table("conditions.csv")}
STATES = {"pregnant", "could-be-pregnant", "breastfeeding", "female", "male"}
PERSONAL = [row for row in ROWS if not row["when"].startswith("with:")]


def worst(findings: Sequence[Finding]) -> str:
    return findings[0].severity if findings else "none"


def terms(when: str) -> list[str]:
    return [term.strip() for alternative in when.split("|") for term in alternative.split("&")]


def substances(row: dict[str, str]) -> list[str]:
    """Drugs of a row that are no class themselves."""
    return sorted(name for name in drug_set(row["drug"]) if not members(name))


def profile_for(alternative: str) -> Profile:
    """A profile that meets `a & b & c`."""
    facts: dict[str, object] = {}
    stated: list[str] = []
    low, high = 0.0, 130.0
    for term in map(str.strip, alternative.split("&")):
        limit = contraindications._LIMIT.fullmatch(term)
        if term.startswith("!"):
            continue
        if limit and limit[1] == "age":
            low = max(low, float(limit[3])) if limit[2] == ">=" else low
            high = min(high, float(limit[3])) if limit[2] == "<" else high
        elif limit:
            name = {"egfr": "egfr", "weeks": "weeks_pregnant", "weight": "weight_kg"}[limit[1]]
            here = float(limit[3])
            if limit[2] == ">=" or name not in facts:
                facts[name] = here if limit[2] == ">=" else here - 0.5
        elif term == "could-be-pregnant":
            facts["sex"], low, high = "female", max(low, 12.0), min(high, 50.0)
        elif term in ("pregnant", "breastfeeding"):
            facts[term] = True
        elif term in ("female", "male"):
            facts["sex"] = term
        else:
            stated.append(CONDITIONS[term]["label"])
    if (low, high) != (0.0, 130.0):
        facts["age"] = low if low else high - 0.01
    return Profile(conditions=tuple(stated), **facts)


def test_there_are_at_least_250_rules_each_with_a_source_and_its_own_id() -> None:
    assert len(ROWS) >= 250
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert set(row["source"].split("|")) <= sources().keys(), row["id"]
        assert row["severity"] in SEVERITIES
        assert row["why"].endswith(".") and row["instead"].endswith("."), row["id"]


def test_every_term_of_a_rule_is_known() -> None:
    for row in PERSONAL:
        for term in terms(row["when"]):
            known = term.removeprefix("!") in CONDITIONS.keys() | STATES or contraindications._LIMIT.fullmatch(term)
            assert known, (row["id"], term)


def test_every_condition_is_found_by_each_of_its_names() -> None:
    for condition, row in CONDITIONS.items():
        for name in (row["label"], *filter(None, row["names"].split("|"))):
            assert condition in conditions_of([name]), (condition, name)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_profile_that_meets_a_rule_triggers_it(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(PERSONAL))
    substance = data.draw(st.sampled_from(substances(row)))
    profile = profile_for(data.draw(st.sampled_from(row["when"].split("|"))))
    assert holds(row["when"], facts_of(profile)) is Truth.YES, (row["id"], profile)
    found = check([substance], profile)
    assert SEVERITIES.index(found[0].severity) >= SEVERITIES.index(row["severity"])
    assert all(one.subjects[0] == substance and one.source for one in found)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PERSONAL), st.data())
def test_a_profile_that_says_nothing_triggers_nothing(row: dict[str, str], data: st.DataObject) -> None:
    assert check([data.draw(st.sampled_from(substances(row)))], Profile()) == ()


@pytest.mark.parametrize(
    ("substance", "profile", "severity"),
    [
        ("ibuprofen", Profile(pregnant=True, weeks_pregnant=32), "contraindicated"),
        ("ibuprofen", Profile(pregnant=True, weeks_pregnant=24), "major"),
        ("ibuprofen", Profile(pregnant=True, weeks_pregnant=8), "moderate"),
        ("ibuprofen", Profile(pregnant=True), "major"),
        ("ibuprofen", Profile(conditions=("30 weeks pregnant",)), "contraindicated"),
        ("ibuprofen", Profile(conditions=("third trimester",)), "contraindicated"),
        ("NSAIDs", Profile(conditions=("stomach ulcer",)), "contraindicated"),
        ("ibuprofen", Profile(conditions=("úlcera gástrica",)), "contraindicated"),
        ("ibuprofen", Profile(conditions=("胃溃疡",)), "contraindicated"),
        ("naproxen", Profile(conditions=("CHF",)), "contraindicated"),
        ("ibuprofen", Profile(egfr=25), "contraindicated"),
        ("ibuprofen", Profile(conditions=("eGFR of 25",)), "contraindicated"),
        ("valproate", Profile(sex="female", age=28), "contraindicated"),
        ("valproic acid", Profile(pregnant=True), "contraindicated"),
        ("lisinopril", Profile(pregnant=True), "contraindicated"),
        ("losartan", Profile(weeks_pregnant=20), "contraindicated"),
        ("warfarin", Profile(pregnant=True), "contraindicated"),
        ("methotrexate", Profile(pregnant=True), "contraindicated"),
        ("isotretinoin", Profile(sex="female", age=17), "contraindicated"),
        ("misoprostol", Profile(pregnant=True), "contraindicated"),
        ("doxycycline", Profile(weeks_pregnant=20), "contraindicated"),
        ("atorvastatin", Profile(pregnant=True), "major"),
        ("topiramate", Profile(pregnant=True), "contraindicated"),
        ("carbimazole", Profile(weeks_pregnant=9), "major"),
        ("fluconazole", Profile(pregnant=True), "major"),
        ("mmr vaccine", Profile(pregnant=True), "contraindicated"),
        ("codeine", Profile(breastfeeding=True), "contraindicated"),
        ("tramadol", Profile(breastfeeding=True), "major"),
        ("lithium", Profile(breastfeeding=True), "major"),
        ("amiodarone", Profile(conditions=("breastfeeding",)), "contraindicated"),
        ("aspirin", Profile(age=12), "contraindicated"),
        ("codeine", Profile(age=9), "contraindicated"),
        ("codeine", Profile(age=15, conditions=("tonsils removed",)), "contraindicated"),
        ("tetracycline", Profile(age=6), "contraindicated"),
        ("promethazine", Profile(age=1), "contraindicated"),
        ("dextromethorphan", Profile(age=4), "major"),
        ("ibuprofen", Profile(age=0.15), "contraindicated"),
        ("ibuprofen", Profile(age=0.4, weight_kg=4.5), "contraindicated"),
        ("honey", Profile(age=0.6), "contraindicated"),
        ("loperamide", Profile(age=1.5), "contraindicated"),
        ("ciprofloxacin", Profile(age=10), "major"),
        ("diphenhydramine", Profile(age=78), "major"),
        ("diazepam", Profile(age=70), "major"),
        ("propranolol", Profile(conditions=("asma",)), "contraindicated"),
        ("bisoprolol", Profile(conditions=("asthma",)), "major"),
        ("metformin", Profile(conditions=("CKD stage 4",)), "contraindicated"),
        ("metformin", Profile(conditions=("kidney disease",)), "major"),
        ("metformin", Profile(age=80, sex="female", creatinine_umol_l=250), "contraindicated"),
        ("nitrofurantoin", Profile(conditions=("G6PD deficiency",)), "major"),
        ("primaquine", Profile(conditions=("favism",)), "contraindicated"),
        ("carbamazepine", Profile(conditions=("acute intermittent porphyria",)), "contraindicated"),
        ("ciprofloxacin", Profile(conditions=("myasthenia gravis",)), "contraindicated"),
        ("amitriptyline", Profile(conditions=("narrow angle glaucoma",)), "contraindicated"),
        ("diphenhydramine", Profile(conditions=("BPH",)), "major"),
        ("citalopram", Profile(conditions=("long QT syndrome",)), "contraindicated"),
        ("verapamil", Profile(conditions=("complete heart block",)), "contraindicated"),
        ("pseudoephedrine", Profile(conditions=("uncontrolled hypertension",)), "contraindicated"),
        ("metoclopramide", Profile(conditions=("Parkinson's",)), "contraindicated"),
        ("ethinyl estradiol", Profile(conditions=("migraine with aura",)), "contraindicated"),
        ("ethinyl estradiol", Profile(age=38, conditions=("smoker",)), "contraindicated"),
        ("estradiol", Profile(conditions=("breast cancer",)), "contraindicated"),
        ("spironolactone", Profile(conditions=("hyperkalaemia",)), "contraindicated"),
        ("hydrochlorothiazide", Profile(conditions=("gout",)), "moderate"),
        ("bupropion", Profile(conditions=("epilepsy",)), "contraindicated"),
        ("haloperidol", Profile(conditions=("dementia with Lewy bodies",)), "contraindicated"),
        ("diazepam", Profile(conditions=("sleep apnea",)), "major"),
        ("oxycodone", Profile(conditions=("opioid use disorder",)), "major"),
        ("sumatriptan", Profile(conditions=("previous MI",)), "contraindicated"),
    ],
)
def test_known_dangers_are_found(substance: str, profile: Profile, severity: str) -> None:
    assert worst(check([substance], profile)) == severity


@pytest.mark.parametrize(
    ("substance", "profile"),
    [
        ("acetaminophen", Profile(pregnant=True, weeks_pregnant=30)),
        ("paracetamol", Profile(conditions=("stomach ulcer", "asthma", "heart failure"))),
        ("paracetamol", Profile(conditions=("CKD stage 4",))),
        ("amoxicillin", Profile(pregnant=True)),
        ("cephalexin", Profile(pregnant=True, weeks_pregnant=12)),
        ("labetalol", Profile(pregnant=True)),
        ("nifedipine", Profile(pregnant=True)),
        ("methyldopa", Profile(pregnant=True)),
        ("levothyroxine", Profile(pregnant=True, conditions=("hypothyroidism",))),
        ("insulin", Profile(pregnant=True, conditions=("diabetes",))),
        ("heparin", Profile(pregnant=True)),
        ("ibuprofen", Profile(breastfeeding=True)),
        ("sertraline", Profile(breastfeeding=True)),
        ("acetaminophen", Profile(age=3)),
        ("ibuprofen", Profile(age=2, weight_kg=12)),
        ("amoxicillin", Profile(age=4)),
        ("albuterol", Profile(age=7, conditions=("asthma",))),
        ("prednisolone", Profile(age=7, conditions=("asthma",))),
        ("aspirin", Profile(age=60, conditions=("heart attack",))),
        ("cetirizine", Profile(age=70)),
        ("metformin", Profile(egfr=75, conditions=("type 2 diabetes",))),
        ("bisoprolol", Profile(conditions=("heart failure",))),
        ("lisinopril", Profile(conditions=("high blood pressure", "diabetes"))),
        ("amlodipine", Profile(conditions=("heart failure",))),
        ("warfarin", Profile(conditions=("mechanical heart valve",))),
        ("sumatriptan", Profile(conditions=("migraine with aura",))),
        ("levonorgestrel", Profile(conditions=("migraine with aura",))),
        ("quetiapine", Profile(conditions=("Parkinson's disease",))),
        ("loratadine", Profile(conditions=("enlarged prostate",))),
        ("ibuprofen", Profile(conditions=("no stomach ulcer", "family history of heart failure"))),
        ("propranolol", Profile(conditions=("denies asthma",))),
        ("lithium", Profile(conditions=("bipolar disorder",))),
        ("influenza vaccine", Profile(pregnant=True)),
        ("oral rehydration salts", Profile(age=0.5)),
    ],
)
def test_what_is_usual_is_not_forbidden(substance: str, profile: Profile) -> None:
    assert worst(check([substance], profile)) not in ("contraindicated", "major")


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        ("CKD stage 4", "ckd-4"),
        ("ESRD on dialysis", "dialysis"),
        ("asma", "asthma"),
        ("ashma", "asthma"),
        ("diabetis", "diabetes"),
        ("heart faliure", "heart-failure"),
        ("哮喘", "asthma"),
        ("患有高血压多年", "hypertension"),
        ("insuficiencia renal", "kidney-disease"),
        ("T2DM", "type-2-diabetes"),
        ("afib", "atrial-fibrillation"),
        ("Crohn's", "ibd"),
        ("asthma and COPD", "copd"),
        ("pulmonary hypertension", "pulmonary-hypertension"),
        ("epilepsia", "epilepsy"),
        ("parkinsonns disease", "parkinson"),
    ],
)
def test_words_of_people_name_conditions(words: str, condition: str) -> None:
    assert condition in conditions_of([words])


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        ("pulmonary hypertension", "hypertension"),
        ("kidney stones", "kidney-disease"),
        ("no asthma", "asthma"),
        ("family history of breast cancer", "breast-cancer"),
        ("hypotension", "hypertension"),
        ("hypoglycaemia", "diabetes"),
        ("hyperthyroidism", "hypothyroidism"),
        ("hypokalemia", "hyperkalaemia"),
        ("无糖尿病", "diabetes"),
        ("mother has epilepsy", "epilepsy"),
    ],
)
def test_a_condition_is_not_taken_for_another(words: str, condition: str) -> None:
    assert condition not in conditions_of([words])


@pytest.mark.parametrize(
    ("sentence", "stated", "not_stated"),
    [
        ("I have asthma and don't smoke", {"asthma"}, {"smoker"}),
        ("I don't smoke and have asthma", {"asthma"}, {"smoker"}),
        ("no asthma, heart failure or ulcer: none of these; diabetes since 2010", {"diabetes"}, {"asthma"}),
        ("no history of asthma or COPD", set(), {"asthma", "copd"}),
        ("I have no asthma but I have gout", {"gout"}, {"asthma"}),
        ("My mother has heart failure. Can she take ibuprofen?", {"heart-failure"}, set()),
        ("Can I take ibuprofen 400 mg? I have kidney disease", {"kidney-disease"}, {"myasthenia"}),
        ("mi hijo tiene asma", {"asthma"}, {"heart-attack"}),
        ("I had an MI in 2019 and take aspirin 75 mg", {"heart-attack"}, {"myasthenia"}),
        ("MG", {"myasthenia"}, set()),
        ("how many mgs of colchicine is recommended", set(), {"myasthenia"}),
        ("MS and PE", {"multiple-sclerosis", "thrombosis"}, set()),
        ("asthma: no", set(), {"asthma"}),
        ("not taking my asthma inhaler", {"asthma"}, set()),
        ("否认高血压", set(), {"hypertension"}),
        ("我有糖尿病和高血压，能吃布洛芬吗", {"diabetes", "hypertension"}, set()),
        ("tengo diabetes y tengo asma", {"diabetes", "asthma"}, set()),
    ],
)
def test_sentences_are_read_with_what_they_deny(sentence: str, stated: set[str], not_stated: set[str]) -> None:
    found = conditions_of([sentence])
    assert stated <= found and not not_stated & found


@pytest.mark.parametrize(
    "text",
    [
        "I had the shingles vaccine last week",
        "flu shot",
        "I was vaccinated against chickenpox",
        "covid booster",
        "TB test",
        "a pregnancy test",
        "diabetes screening",
        "my blood pressure cuff is broken",
        "What is gout?",
        "what are the symptoms of diabetes",
        "Can ibuprofen cause stomach ulcers?",
        "Does aspirin prevent heart attacks?",
        "aspirin for heart attack prevention",
        "Does it raise the risk of stroke?",
        "the difference between asthma and COPD",
        "I live in a nursing home",
        "I'm expecting a call",
        "带状疱疹疫苗",
        "vacuna de la gripe",
    ],
)
def test_a_condition_that_is_only_spoken_of_is_not_had(text: str) -> None:
    assert conditions_of([text]) == frozenset()


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("HIV test positive", "hiv"),
        ("a positive pregnancy test", "pregnancy"),
        ("a high risk of falls", "falls"),
        ("What is the best painkiller for someone with asthma?", "asthma"),
        ("propranolol to prevent migraine", "migraine"),
        ("expecting a baby", "pregnancy"),
    ],
)
def test_a_condition_that_is_had_is_read_beside_such_words(text: str, condition: str) -> None:
    assert condition in conditions_of([text])


def test_condition_ids_are_read_as_they_are() -> None:
    for condition in CONDITIONS:
        assert condition in conditions_of([condition])


def test_the_baby_of_a_nursing_mother_is_not_the_patient() -> None:
    profile = Profile(conditions=("breastfeeding my baby",))
    assert worst(check(["ibuprofen"], profile)) == "none"
    assert worst(check(["aspirin"], Profile(conditions=("newborn baby",)))) == "contraindicated"


def test_a_condition_not_known_is_told() -> None:
    profile = Profile(conditions=("zorblax syndrome", "asthma", "none", "no ulcers"))
    assert unknown_conditions(profile) == ("zorblax syndrome",)
    assert check(["ibuprofen"], Profile(conditions=("zorblax syndrome",))) == ()


def test_a_kidney_value_outweighs_a_vague_word() -> None:
    profile = Profile(egfr=70, conditions=("kidney disease",))
    assert worst(check(["metformin"], profile)) == "none"


def test_a_finding_that_rests_on_something_unknown_is_milder_and_says_so() -> None:
    (finding, *_) = check(["metformin"], Profile(conditions=("kidney disease",)))
    assert finding.severity == "major" and "not known here" in finding.text


@pytest.mark.parametrize("known", [(20.0, 20.0), (0.0, 90.0), (15.0, 30.0)])
def test_not_below_is_at_least(known: tuple[float, float]) -> None:
    below = contraindications._compare(known, "<", 30)
    assert contraindications._compare(known, ">=", 30) == (Truth.YES - below)


def pairs(found: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(one.rule, one.severity) for one in found]


@pytest.mark.parametrize(
    ("taken", "severity"),
    [
        (["Tylenol", "paracetamol"], "major"),
        ([("Advil", "ibuprofen"), ("Motrin", "ibuprofen")], "major"),
        (["ibuprofen", "naproxen"], "major"),
        (["sertraline", "fluoxetine"], "major"),
        (["simvastatin", "atorvastatin"], "major"),
        (["diazepam", "lorazepam"], "major"),
        (["codeine", "morphine"], "major"),
        (["lisinopril", "losartan"], "major"),
        (["warfarin", "apixaban"], "contraindicated"),
        (["bisoprolol", "propranolol"], "major"),
        (["lisinopril", "sacubitril"], "contraindicated"),
        (["insulin glargine", "insulin degludec"], "major"),
    ],
)
def test_two_that_do_one_thing_are_found(taken: list[str | tuple[str, str]], severity: str) -> None:
    assert worst(duplicates(taken)) == severity


@pytest.mark.parametrize(
    "taken",
    [
        ["aspirin", "clopidogrel"],
        ["insulin glargine", "insulin aspart"],
        ["acetaminophen", "ibuprofen"],
        ["ibuprofen", "ibuprofen"],
        ["Ibuprofen", "ibuprofen"],
        ["metformin", "gliclazide"],
        ["lisinopril", "amlodipine"],
        ["salmeterol", "albuterol"],
        ["furosemide", "spironolactone"],
        ["levothyroxine", "omeprazole"],
        ["amoxicillin", "clarithromycin"],
    ],
)
def test_what_is_taken_together_by_design_is_no_duplicate(taken: list[str]) -> None:
    assert duplicates(taken) == ()


CLASSES = [
    "ssri",
    "statin",
    "benzodiazepine",
    "ace-inhibitor",
    "arb",
    "beta-blocker",
    "opioid",
    "triptan",
    "sulfonylurea",
]


@given(st.sampled_from(CLASSES), st.data())
def test_any_two_of_a_class_are_a_duplicate(name: str, data: st.DataObject) -> None:
    two = data.draw(st.lists(st.sampled_from(sorted(members(name))), min_size=2, max_size=2, unique=True))
    found = duplicates(two)
    assert found and found[0].subjects == sorted(two)


def test_the_rules_are_read_once() -> None:
    assert rules() is rules()


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("kidney disease stage 4", "ckd-4"),
        ("CKD 4, on ramipril", "ckd-4"),
        ("stage IV CKD", "ckd-4"),
        ("chronic kidney disease (stage 3b)", "ckd-3b"),
        ("renal impairment grade 3", "ckd-3"),
        ("enfermedad renal crónica estadio 4", "ckd-4"),
        ("我有肾病四期", "ckd-4"),
        ("4期慢性肾脏病", "ckd-4"),
    ],
)
def test_a_stage_of_the_kidneys_is_read_however_it_is_written(text: str, stage: str) -> None:
    assert stage in conditions_of([text])


@pytest.mark.parametrize("text", ["no kidney disease stage 4", "CKD 5 mg ramipril", "stage 4 lung cancer"])
def test_what_is_no_stage_of_the_kidneys_is_none(text: str) -> None:
    assert not [one for one in conditions_of([text]) if one.startswith("ckd-")]
