"""What a question wants computed: read by rules, nothing guessed, and knowledge questions left alone."""

from typing import Any

import pytest

from primum.safety.calculation import Asked, asked_in
from primum.safety.formulas import FORMULAS, MissingInput
from primum.safety.profile import Profile

COMPUTED: list[tuple[str, str, float]] = [
    ("What is the BMI of a man of 80 kg and 1.80 m?", "bmi", 24.7),
    ("BMI for 5 ft 11, 180 lb?", "bmi", 25.1),
    ("BMI: weight 80 kg, height 1,80 m", "bmi", 24.7),
    ("eGFR of a 55-year-old woman with creatinine 1.2 mg/dL", "ckd_epi_2021", 53.5),
    ("eGFR of a boy of 8 years, 120 cm tall, creatinine 0.6", "schwartz_2009", 82.6),
    ("Creatinine clearance of a man of 40 years, 72 kg, creatinine 88.4 µmol/l?", "cockcroft_gault", 100),
    ("CHA2DS2-VASc of a 76-year-old woman with hypertension and diabetes", "cha2ds2_vasc", 5),
    ("HAS-BLED of a 70-year-old on aspirin with previous stroke, no alcohol abuse", "has_bled", 3),
    ("Wells score for a man with a swollen calf, active cancer and pitting edema, suspected DVT", "wells_dvt", 3),
    ("Wells score, haemoptysis and heart rate 110, PE suspected", "wells_pe", 2.5),
    ("PERC: 45-year-old woman, HR 80, sats 98%, on the pill", "perc", 1),
    ("CURB-65: 70 years, BUN 25, RR 32, BP 85/50, confused", "curb_65", 5),
    ("NEWS2: RR 22, sats 94%, BP 100/60, HR 110, temp 38.5, confused, age 70", "news2", 10),
    ("Anion gap with sodium 140, chloride 100 and bicarbonate 20?", "anion_gap", 20),
    ("corrected calcium for calcium 8.0 mg/dl, albumin 2.0?", "corrected_calcium", 2.4),
    ("corrected sodium with Na 130 and glucose 500", "corrected_sodium_katz", 136.4),
    ("QTc with QT 400 and heart rate 90", "qtc_fridericia", 457.9),
    ("Child-Pugh with bilirubin 40 µmol/l, albumin 30, INR 1.5, mild ascites, no encephalopathy?", "child_pugh", 8),
    ("FIB-4 age 60, AST 80, ALT 64, platelets 150,000?", "fib_4", 4),
    ("GCS E3V4M5", "glasgow", 12),
    ("GCS: eyes open to speech, confused, localises pain", "glasgow", 12),
    ("GCS: does not open his eyes, groans, does not obey commands, withdraws", "glasgow", 7),
    ("HAS-BLED score of a 70-year-old with a previous gastrointestinal bleed and aspirin", "has_bled", 3),
    ("HAS-BLED 70yo, systolic 170, creatinine 250", "has_bled", 3),
    ("BMI 70 kg 1.7 m", "bmi", 24.2),
    ("BMI 11 stone 6 lb 5'9\"", "bmi", 23.6),
    ("QTc for QT 400 ms at 75 bpm", "qtc_fridericia", 430.9),
    ("MELD 3.0, male, bili 3 mg/dl, INR 1.8, creat 1.3, Na 130, albumin 28 g/l", "meld_3", 24),
    ("Wells PE score: heart rate 110, previous PE", "wells_pe", 3),
    ("FENa: urine Na 40, Na 135, urine creatinine 40 mg/dl, creatinine 3 mg/dl", "sodium_excretion", 2.2),
    ("Apgar: appearance 1, pulse 2, grimace 2, activity 2, respiration 2", "apgar", 9),
    ("Centor score: 10 year old, 38.5 °C, swollen tonsils, no cough", "centor", 4),
    ("pack years of 15 cigarettes a day for 20 years", "pack_years", 15),
    ("What is the maintenance fluid for a 15 kg child?", "maintenance_fluid", 1250),
    ("what is 15 mg/kg for 22 kg?", "dose_by_weight", 330),
    ("MAP of 120/60?", "mean_arterial_pressure", 80),
    ("P/F ratio with PaO2 60 and FiO2 0.4", "oxygen_ratio", 150),
    ("HbA1c 7% in mmol/mol?", "hba1c_to_mmol_mol", 53),
    ("ASCVD risk: 55-year-old man, total cholesterol 213, HDL 50, BP 120/80, non-smoker?", "ascvd", 5.3),
    ("Expected weight of a 3 year old?", "weight_of_child", 14),
]


def asked(question: str, **profile: Any) -> Asked:
    found = asked_in(question, Profile(**profile))
    assert found is not None
    return found


@pytest.mark.parametrize(("question", "formula", "value"), COMPUTED)
def test_a_question_that_tells_all_is_computed(question: str, formula: str, value: float) -> None:
    first = asked(question).calculations[0]
    assert first.formula == formula and asked(question).alone
    assert FORMULAS[formula].compute(first.values).value == pytest.approx(value, abs=0.1)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("What is my BMI?", ("weight_kg", "height_cm")),
        ("Calculate my eGFR", ("creatinine_umol_l", "age_years", "sex")),
        ("What is the BMI of a man of 80 kg?", ("height_cm",)),
        ("Shock index with BP 60/90, pulse 120", ("systolic_mmhg",)),
        ("CURB-65 for an 80-year-old", ("urea_mmol_l", "respiratory_rate", "systolic_mmhg", "diastolic_mmhg")),
        ("GCS: eyes open to voice, oriented but also confused, obeys", ("verbal",)),
        # 20 may be µmol/l or mg/dl.
        ("MELD of a man with bilirubin 20, INR 2, creatinine 1.5, sodium 130, albumin 28?", ("bilirubin_umol_l",)),
    ],
)
def test_what_is_missing_or_of_no_sure_unit_is_never_guessed(question: str, names: tuple[str, ...]) -> None:
    (one,) = asked(question).calculations
    with pytest.raises(MissingInput) as raised:
        FORMULAS[one.formula].compute(one.values)
    assert raised.value.names == names


@pytest.mark.parametrize(
    "question",
    [
        "What is a normal BMI?",
        "What does a BMI of 32 mean?",
        "My BMI is 32 and I weigh 100 kg. What can I do?",
        "How is the eGFR calculated?",
        "What is the Wells score used for?",
        "Is ibuprofen safe with my kidney function? eGFR 40",
        "Can I take ibuprofen with warfarin?",
        "I weigh 80 kg and am 1.80 m tall. How can I lose weight?",
        "Does a high BMI cause diabetes?",
        "My blood pressure is 150/90 and my heart rate 80",
    ],
)
def test_a_question_about_a_formula_or_something_else_is_no_calculation(question: str) -> None:
    assert asked_in(question, Profile()) is None


def test_an_item_is_present_denied_or_not_mentioned() -> None:
    (one,) = asked("CHA2DS2-VASc of a 76-year-old woman with hypertension, no diabetes").calculations
    assert one.values["hypertension"] is True and one.values["diabetes"] is False and "stroke" not in one.values
    result = FORMULAS[one.formula].compute(one.values)
    assert result.absent == ("heart_failure", "stroke", "vascular_disease")
    assert "Counted as absent, since nothing was said of it: heart failure, stroke" in " ".join(result.sentences)


def test_the_chart_fills_what_the_question_leaves_open() -> None:
    (one,) = asked("What is my CHA2DS2-VASc?", age=76, sex="female", conditions=("hypertension",)).calculations
    assert FORMULAS[one.formula].compute(one.values).value == 4
    (other,) = asked("What is my BMI?", weight_kg=80, height_cm=180).calculations
    assert FORMULAS["bmi"].compute(other.values).value == pytest.approx(24.7)


def test_one_name_for_two_scores_is_asked_back() -> None:
    found = asked("What is the Wells score of a 60 year old with cancer?")
    assert found.calculations == () and "deep vein thrombosis or for a pulmonary embolism" in found.which


def test_a_question_that_wants_advice_too_is_not_alone() -> None:
    question = "My creatinine is 2 mg/dl, I'm a 55 year old woman. What is my eGFR and can I take metformin?"
    assert not asked(question).alone and asked(question).calculations[0].formula == "ckd_epi_2021"


def test_a_value_that_can_not_be_is_refused_by_its_name() -> None:
    (one,) = asked("FIB-4 age 60, AST 80000 U/l, ALT 64, platelets 150?").calculations
    with pytest.raises(ValueError, match="ast_u_l must be between 1 and 20000, not 80000"):
        FORMULAS[one.formula].compute(one.values)


@pytest.mark.parametrize(
    ("question", "unread"),
    [
        ("HAS-BLED 70yo, previous GI bleed, aspirin", ()),
        ("HAS-BLED of a 70 year old, flibbering of the spleen and warfarin", ("flibbering of the spleen",)),
        ("CHA2DS2-VASc of a woman of 70 with a floppy ventricle", ("floppy ventricle",)),
        ("Wells PE: HR 110, operation last month", ("operation",)),
    ],
)
def test_what_is_said_of_a_score_and_not_understood_is_kept(question: str, unread: tuple[str, ...]) -> None:
    assert asked(question).calculations[0].unread == unread


def test_an_age_that_nobody_has_is_refused_and_not_asked_for() -> None:
    (one,) = asked("CHA2DS2-VASc of a man aged 200").calculations
    with pytest.raises(ValueError, match="age_years must be between 18 and 130"):
        FORMULAS[one.formula].compute(one.values)


@pytest.mark.parametrize("question", ["Wells score", "Wells score: a swollen leg and haemoptysis"])
def test_which_score_is_asked_where_the_words_fit_both(question: str) -> None:
    assert asked(question).which.startswith("Is it the Wells score")
