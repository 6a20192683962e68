"""Every formula and score against worked examples: from its publication where that has one, else worked by hand."""

import re
from dataclasses import replace
from typing import Any

import pytest

from primum.safety.formulas import FORMULAS, WORDS, MissingInput
from primum.safety.units import registry

WELL = {"respiratory_rate": 16, "spo2": 98, "systolic_mmhg": 120, "heart_rate_bpm": 70, "temperature_c": 37}
LIVER = {"sex": "male", "bilirubin_umol_l": 17.104, "inr": 1, "creatinine_umol_l": 88.4, "sodium_mmol_l": 137}
LIVER |= {"albumin_g_l": 35}
GUT = {"sex": "male", "urea_mmol_l": 5, "haemoglobin_g_l": 140, "systolic_mmhg": 120, "heart_rate_bpm": 80}
GOFF = {"age_years": 55, "cholesterol_mg_dl": 213, "hdl_mg_dl": 50, "systolic_mmhg": 120}
NEWBORN = {"appearance": 1, "pulse_points": 2, "grimace": 2, "activity": 2, "respiration": 2}
CIRRHOSIS = {"bilirubin_umol_l": 20, "albumin_g_l": 40, "inr": 1.1, "ascites": "none", "encephalopathy": "none"}
WORKED: list[tuple[str, dict[str, Any], float, str]] = [
    # (140 - 70) × 60 / (72 × 1.2) × 0.85
    ("cockcroft_gault", {"creatinine_umol_l": 106.08, "age_years": 70, "weight_kg": 60, "sex": "female"}, 41.3, ""),
    # National Kidney Foundation's calculator.
    ("ckd_epi_2021", {"creatinine_umol_l": 88.4, "age_years": 50, "sex": "male"}, 91.7, "G1"),
    ("ckd_epi_2021", {"creatinine_umol_l": 176.8, "age_years": 70, "sex": "male"}, 35.2, "G3b"),
    ("schwartz_2009", {"creatinine_umol_l": 53.04, "height_cm": 120, "age_years": 8}, 82.6, "G2"),  # 0.413 × 120 / 0.6
    ("bmi", {"weight_kg": 81, "height_cm": 180}, 25.0, "overweight"),
    ("bmi", {"weight_kg": 80, "height_cm": 180}, 24.7, "normal weight"),
    ("body_surface_mosteller", {"weight_kg": 70, "height_cm": 175}, 1.84, ""),
    ("body_surface_du_bois", {"weight_kg": 70, "height_cm": 175}, 1.85, ""),
    ("ideal_body_weight", {"height_cm": 177.8, "sex": "male"}, 73.0, ""),  # 50 + 2.3 × 10 inches
    ("adjusted_body_weight", {"weight_kg": 103, "height_cm": 177.8, "sex": "male"}, 85.0, ""),
    ("qtc_bazett", {"qt_ms": 360, "heart_rate_bpm": 90}, 440.9, ""),
    ("qtc_fridericia", {"qt_ms": 360, "heart_rate_bpm": 90}, 412.1, ""),
    ("mean_arterial_pressure", {"systolic_mmhg": 120, "diastolic_mmhg": 60}, 80.0, ""),
    ("shock_index", {"heart_rate_bpm": 120, "systolic_mmhg": 80}, 1.5, "threatening shock"),
    ("anion_gap", {"sodium_mmol_l": 140, "chloride_mmol_l": 100, "bicarbonate_mmol_l": 20}, 20.0, "above"),
    ("expected_pco2", {"bicarbonate_mmol_l": 12}, 26.0, ""),
    ("corrected_calcium", {"calcium_mmol_l": 2.0, "albumin_g_l": 20}, 2.4, ""),
    # 400 mg/dl above 100: 4 × 1.6, and 4 × 2.4.
    ("corrected_sodium_katz", {"sodium_mmol_l": 130, "glucose_mmol_l": 27.753}, 136.4, ""),
    ("corrected_sodium_hillier", {"sodium_mmol_l": 130, "glucose_mmol_l": 27.753}, 139.6, ""),
    ("osmolality", {"sodium_mmol_l": 140, "glucose_mmol_l": 5, "urea_mmol_l": 5}, 290.0, "within"),
    # 20 × 2 mg/dl / (140 × 100 mg/dl)
    ("sodium_excretion", {"urine_sodium_mmol_l": 20, "sodium_mmol_l": 140, "urine_creatinine_umol_l": 8840,
                          "creatinine_umol_l": 176.8}, 0.29, "below 1 %"),
    ("oxygen_ratio", {"pao2_mmhg": 60, "fio2_percent": 40}, 150.0, "moderate"),
    ("fib_4", {"age_years": 60, "ast_u_l": 80, "alt_u_l": 64, "platelets_g_l": 150}, 4.0, "likely"),  # 4800 / 1200
    # MELD 3.0 by hand, one term at a time: 6; + 1.33; 0.82 × 12; 1.85 × 2; 11.14 ln 3; 9.09 ln 2; 4.56 ln 4; the last
    # two with their interactions, - 0.24 × 12 ln 4 and - 1.83 × 2 ln 3.
    ("meld_3", LIVER, 6, ""),
    ("meld_3", LIVER | {"sex": "female"}, 7, ""),
    ("meld_3", LIVER | {"sodium_mmol_l": 120}, 16, ""),
    ("meld_3", LIVER | {"albumin_g_l": 10}, 10, ""),
    ("meld_3", LIVER | {"creatinine_umol_l": 400}, 18, ""),
    ("meld_3", LIVER | {"dialysis": True}, 18, ""),
    ("meld_3", LIVER | {"inr": 2}, 12, ""),
    ("meld_3", LIVER | {"bilirubin_umol_l": 68.42}, 12, ""),
    ("meld_3", LIVER | {"bilirubin_umol_l": 68.42, "sodium_mmol_l": 125}, 18, ""),
    ("meld_3", LIVER | {"albumin_g_l": 15, "creatinine_umol_l": 265.2}, 18, ""),
    ("child_pugh", CIRRHOSIS, 5, "class A"),
    ("child_pugh", CIRRHOSIS | {"bilirubin_umol_l": 40, "albumin_g_l": 30, "ascites": "mild"}, 8, "class B"),
    ("child_pugh", CIRRHOSIS | {"bilirubin_umol_l": 80, "albumin_g_l": 25, "inr": 2.5, "ascites": "moderate",
                                "encephalopathy": "grade 3-4"}, 15, "class C"),
    ("ldl_friedewald", {"cholesterol_mg_dl": 200, "hdl_mg_dl": 50, "triglycerides_mg_dl": 150}, 120.0, ""),
    # The four examples of Goff 2014, table A, which adds up rounded terms: hence 0.1 of room.
    ("ascvd", GOFF | {"sex": "female"}, 2.1, "low risk"),
    ("ascvd", GOFF | {"sex": "female", "african_american": True}, 3.0, "low risk"),
    ("ascvd", GOFF | {"sex": "male"}, 5.3, "borderline risk"),
    ("ascvd", GOFF | {"sex": "male", "african_american": True}, 6.1, "borderline risk"),
    ("homa_ir", {"glucose_mmol_l": 5, "insulin_mu_l": 9}, 2.0, ""),
    ("average_glucose_of_hba1c", {"hba1c_percent": 7}, 154.2, ""),  # ADAG's table
    ("hba1c_to_mmol_mol", {"hba1c_percent": 7}, 53.0, ""),  # NGSP's table
    ("hba1c_to_percent", {"hba1c_mmol_mol": 53}, 7.0, ""),
    ("creatinine_to_mg_dl", {"creatinine_umol_l": 88.4}, 1.0, ""),
    ("creatinine_to_umol_l", {"creatinine_mg_dl": 1}, 88.4, ""),
    ("glucose_to_mg_dl", {"glucose_mmol_l": 5}, 90.1, ""),
    ("glucose_to_mmol_l", {"glucose_mg_dl": 90}, 5.0, ""),
    ("cha2ds2_vasc", {"age_years": 50, "sex": "male"}, 0, "low risk"),
    ("cha2ds2_vasc", {"age_years": 70, "sex": "male"}, 1, "should be considered"),
    ("cha2ds2_vasc", {"age_years": 76, "sex": "female", "hypertension": True, "diabetes": True}, 5, "is recommended"),
    ("cha2ds2_vasc", {"age_years": 80, "sex": "female", "heart_failure": True, "hypertension": True, "diabetes": True,
                      "stroke": True, "vascular_disease": True}, 9, "is recommended"),
    ("has_bled", {"age_years": 65}, 0, "no high risk"),
    ("has_bled", {"age_years": 66, "stroke": True, "bleeding_drugs": True}, 3, "high risk"),
    ("wells_dvt", {"active_cancer": True, "calf_swollen": True, "pitting_oedema": True}, 3, "likely"),
    ("wells_dvt", {"vein_tenderness": True, "other_diagnosis_as_likely": True}, -1, "unlikely"),
    ("wells_pe", {"heart_rate_bpm": 110, "signs_of_dvt": True}, 4.5, "embolism likely"),
    ("wells_pe", {"heart_rate_bpm": 100, "pe_most_likely": True, "haemoptysis": True}, 4.0, "unlikely"),
    ("perc", {"age_years": 49, "heart_rate_bpm": 99, "spo2": 95}, 0, "ruled out"),
    ("perc", {"age_years": 50, "heart_rate_bpm": 99, "spo2": 94}, 2, "not ruled out"),
    ("curb_65", {"age_years": 64, "urea_mmol_l": 7, "respiratory_rate": 29, "systolic_mmhg": 90, "diastolic_mmhg": 61},
     0, "low risk"),
    ("curb_65", {"age_years": 65, "urea_mmol_l": 7.1, "respiratory_rate": 30, "systolic_mmhg": 95,
                 "diastolic_mmhg": 60, "confusion": True}, 5, "high risk"),
    ("qsofa", {"respiratory_rate": 22, "systolic_mmhg": 100}, 2, "high risk"),
    ("qsofa", {"respiratory_rate": 21, "systolic_mmhg": 101}, 0, "does not rule"),
    ("news2", WELL | {"age_years": 60}, 0, "low"),
    ("news2", WELL | {"age_years": 60, "systolic_mmhg": 88, "heart_rate_bpm": 135, "confusion": True}, 9, "emergency"),
    ("centor", {"age_years": 10, "temperature_c": 38.5, "tonsils_swollen": True, "tender_neck_nodes": True,
                "cough": False}, 5, "51"),
    ("centor", {"age_years": 50, "temperature_c": 38, "cough": True}, -1, "1 to 2.5"),
    ("glasgow", {"eyes": 3, "verbal": 4, "motor": 5}, 12, "moderate"),
    ("glasgow", {"eyes": 1, "verbal": 1, "motor": 1}, 3, "severe"),
    ("apgar", NEWBORN, 9, "reassuring"),
    ("apgar", dict.fromkeys(NEWBORN, 0), 0, "low"),
    ("abcd2", {"age_years": 60, "systolic_mmhg": 140, "diastolic_mmhg": 80, "duration_minutes": 60,
               "one_sided_weakness": True, "diabetes": True}, 7, "8.1 %"),
    ("abcd2", {"age_years": 59, "systolic_mmhg": 139, "diastolic_mmhg": 89, "duration_minutes": 10,
               "speech_disturbance": True}, 2, "1.0 %"),
    ("cardiac_risk", {"creatinine_umol_l": 177, "insulin": True}, 2, "6.6 %"),
    ("cardiac_risk", {"creatinine_umol_l": 176}, 0, "0.4 %"),
    ("alvarado", {"temperature_c": 37.3, "leucocytes_g_l": 10.1, "tender_lower_right": True, "nausea": True}, 6,
     "compatible"),
    ("blatchford", GUT, 0, "seldom"),
    ("blatchford", GUT | {"urea_mmol_l": 25, "haemoglobin_g_l": 99, "systolic_mmhg": 89, "heart_rate_bpm": 100,
                          "melaena": True, "fainted": True, "liver_disease": True, "heart_failure": True}, 23, "may"),
    ("pack_years", {"cigarettes_a_day": 15, "smoked_years": 20}, 15.0, ""),
    # APLS: 0.5 × months + 4, 2 × years + 8, 3 × years + 7.
    ("weight_of_child", {"age_years": 0.5}, 7.0, ""),
    ("weight_of_child", {"age_years": 3}, 14, ""),
    ("weight_of_child", {"age_years": 8}, 31, ""),
    # Holliday and Segar: 1000 ml and 50 ml for each kg over 10; 1500 ml and 20 ml for each over 20.
    ("maintenance_fluid", {"weight_kg": 8}, 800, ""),
    ("maintenance_fluid", {"weight_kg": 15}, 1250, ""),
    ("maintenance_fluid", {"weight_kg": 22}, 1540, ""),
    ("burn_fluid", {"weight_kg": 70, "burned_percent": 20}, 5600, ""),
    ("dose_by_weight", {"mg_per_kg": 15, "weight_kg": 22}, 330, ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "value", "meaning"), WORKED, ids=lambda one: str(one)[:30])
def test_a_formula_gives_the_worked_value_and_what_it_means(
    name: str, given: dict[str, Any], value: float, meaning: str
) -> None:
    result = FORMULAS[name].compute(given)
    assert result.value == pytest.approx(value, abs=0.1 if name == "ascvd" else 0.051) and meaning in result.meaning


def test_every_formula_is_worked_named_in_words_and_has_a_source_with_its_year() -> None:
    assert {name for name, *_ in WORKED} == set(FORMULAS) and len(FORMULAS) >= 50
    yearless = [name for name, one in FORMULAS.items() if not re.search(r"\b(?:19|20)\d\d\b", one.source)]
    assert yearless == ["dose_by_weight"]  # plain arithmetic
    assert {name for one in FORMULAS.values() for name in one.inputs} == set(WORDS.data["inputs"])


def test_what_is_missing_is_asked_for_by_name_and_unit() -> None:
    words = r"also needs creatinine \(µmol/l or mg/dl\), sex \(female or male\)"
    with pytest.raises(MissingInput, match=words) as raised:
        FORMULAS["ckd_epi_2021"].compute({"age_years": 60})
    assert raised.value.names == ("creatinine_umol_l", "sex")


def test_an_item_that_is_not_given_counts_as_absent_and_is_named() -> None:
    result = FORMULAS["has_bled"].compute({"age_years": 70, "stroke": False, "alcohol": True})
    assert result.value == 2 and "labile_inr" in result.absent and not {"stroke", "alcohol"} & set(result.absent)


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("ascvd", {"age_years": 30}, "age_years must be between 40 and 79"),
        ("news2", {"age_years": 8}, "age_years must be between 16 and 130"),
        ("glasgow", {"eyes": 5}, "eyes must be between 1 and 4, not 5"),
        ("glasgow", {"eyes": 2.5}, "eyes must be a whole number from 1 to 4"),
        ("child_pugh", {"ascites": "some"}, "ascites must be one of none, mild, moderate"),
        ("cha2ds2_vasc", {"diabetes": "yes"}, "diabetes must be true or false"),
        ("oxygen_ratio", {"fio2_percent": 0.4}, "fio2_percent must be between 21 and 100"),
        ("ldl_friedewald", {"triglycerides_mg_dl": 500}, "triglycerides_mg_dl must be between 10 and 400"),
        ("ldl_friedewald", {"hdl_mg_dl": 190}, "cholesterol_mg_dl must be more than"),
    ],
)
def test_what_can_not_be_is_refused_by_its_name(name: str, changed: dict[str, Any], said: str) -> None:
    given = next(given for one, given, *_ in WORKED if one == name)
    with pytest.raises(ValueError, match=said):
        FORMULAS[name].compute(given | changed)


def test_values_in_other_units_are_converted_by_their_molar_mass_and_wrong_units_refused() -> None:
    unit = registry().Quantity
    told = {"sex": "male", "bilirubin_umol_l": unit(4, "mg/dl"), "creatinine_umol_l": unit(1, "mg/dl")}
    assert FORMULAS["meld_3"].compute(LIVER | told | {"albumin_g_l": unit(3.5, "g/dl")}).value == 12
    fats = {"cholesterol_mg_dl": unit(5.172, "mmol/l"), "hdl_mg_dl": 50, "triglycerides_mg_dl": unit(1.694, "mmol/l")}
    assert FORMULAS["ldl_friedewald"].compute(fats).value == pytest.approx(120, abs=0.1)
    with pytest.raises(ValueError, match="weight_kg must be in kilogram, not in centimeter"):
        FORMULAS["bmi"].compute({"weight_kg": unit(80, "centimeter"), "height_cm": 180})


def test_what_was_not_understood_is_told_and_nothing_is_said_of_what_the_result_means() -> None:
    result = FORMULAS["has_bled"].compute({"age_years": 70, "bleeding_drugs": True})
    sure, unsure = " ".join(result.sentences), " ".join(replace(result, unread=("gut ooze",)).sentences)
    assert "no high risk of bleeding" in sure and "since nothing was said of it" in sure
    assert "no high risk" not in unsure and "nothing was said" not in unsure and '"gut ooze"' in unsure


def test_of_a_result_that_counts_nothing_as_absent_unread_words_change_nothing() -> None:
    result = FORMULAS["glasgow"].compute({"eyes": 3, "verbal": 4, "motor": 5})
    assert replace(result, unread=("gut ooze",)).sentences == result.sentences


@pytest.mark.parametrize(
    ("formula", "given", "said"),
    [
        ("bmi", {"weight_kg": 650, "height_cm": 20}, "weight_kg and height_cm together give 16250"),
        ("anion_gap", {"sodium_mmol_l": 80, "chloride_mmol_l": 170, "bicarbonate_mmol_l": 70}, "together give -160"),
        ("curb_65", {"age_years": 70, "urea_mmol_l": 8, "respiratory_rate": 20, "systolic_mmhg": 60,
                     "diastolic_mmhg": 90}, "diastolic_mmhg must be between 5 and systolic_mmhg"),
        ("abcd2", {"age_years": 70, "systolic_mmhg": 60, "diastolic_mmhg": 90, "duration_minutes": 5},
         "diastolic_mmhg must be between 5 and systolic_mmhg"),
        ("centor", {"age_years": 25, "temperature_c": 38.5, "tonsils_swollen": True}, "also needs cough"),
    ],
)  # fmt: skip
def test_values_that_can_not_be_together_and_a_point_for_silence_are_refused(
    formula: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        FORMULAS[formula].compute(given)


def test_what_a_day_of_fluid_seldom_goes_beyond_is_told() -> None:
    def means(weight: float) -> str:
        return FORMULAS["maintenance_fluid"].compute({"weight_kg": weight}).meaning

    assert means(20) == "" and "girls rarely need more than 2000 ml" in means(50) and "boys" in means(80)
