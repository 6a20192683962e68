"""The calculators as tools: values that textbooks give, units that are told, and impossible input refused."""

from typing import Any

import pytest

from primum.safety.formulas import FORMULAS
from primum.tools.calculators import calculate, early_warning_score

WORKED: list[tuple[dict[str, Any], float, str]] = [
    ({"formula": "cockcroft_gault", "creatinine_mg_dl": 1.2, "age_years": 70, "weight_kg": 60, "sex": "female"}, 41.3,
     "ml/min"),
    ({"formula": "cockcroft_gault", "creatinine_umol_l": 88.4, "age_years": 40, "weight_kg": 72, "sex": "male"}, 100.0,
     "ml/min"),
    ({"formula": "ckd_epi_2021", "creatinine_mg_dl": 1.0, "age_years": 50, "sex": "male"}, 91.7, "ml/min/1.73 m²"),
    ({"formula": "bmi", "weight_kg": 81, "height_cm": 180}, 25.0, "kg/m²"),
    ({"formula": "body_surface_mosteller", "weight_kg": 70, "height_cm": 175}, 1.84, "m²"),
    ({"formula": "body_surface_du_bois", "weight_kg": 70, "height_cm": 175}, 1.85, "m²"),
    ({"formula": "ideal_body_weight", "height_cm": 177.8, "sex": "male"}, 73.0, "kg"),
    ({"formula": "adjusted_body_weight", "weight_kg": 103, "height_cm": 177.8, "sex": "male"}, 85.0, "kg"),
    ({"formula": "qtc_bazett", "qt_ms": 400, "heart_rate_bpm": 60}, 400.0, "ms"),
    ({"formula": "qtc_fridericia", "qt_ms": 400, "heart_rate_bpm": 90}, 457.9, "ms"),
    ({"formula": "mean_arterial_pressure", "systolic_mmhg": 120, "diastolic_mmhg": 60}, 80.0, "mmHg"),
    ({"formula": "anion_gap", "sodium_mmol_l": 140, "chloride_mmol_l": 100, "bicarbonate_mmol_l": 20}, 20.0, "mmol/l"),
    ({"formula": "anion_gap", "sodium_mmol_l": 140, "chloride_mmol_l": 100, "bicarbonate_mmol_l": 20,
      "albumin_g_l": 20}, 25.0, "mmol/l"),
    ({"formula": "corrected_calcium", "calcium_mmol_l": 2.0, "albumin_g_l": 20}, 2.4, "mmol/l"),
    ({"formula": "average_glucose_of_hba1c", "hba1c_percent": 7}, 154.2, "mg/dl"),
    ({"formula": "hba1c_to_mmol_mol", "hba1c_percent": 7}, 53.0, "mmol/mol"),
    ({"formula": "hba1c_to_percent", "hba1c_mmol_mol": 53}, 7.0, "%"),
    ({"formula": "creatinine_to_mg_dl", "creatinine_umol_l": 88.4}, 1.0, "mg/dl"),
    ({"formula": "creatinine_to_umol_l", "creatinine_mg_dl": 1}, 88.4, "µmol/l"),
    ({"formula": "glucose_to_mg_dl", "glucose_mmol_l": 5}, 90.1, "mg/dl"),
    ({"formula": "glucose_to_mmol_l", "glucose_mg_dl": 90}, 5.0, "mmol/l"),
]  # fmt: skip
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"formula": "ckd_epi_2021", "creatinine_umol_l": 1.2, "age_years": 70, "sex": "female"}, "creatinine_umol_l must"),
    ({"formula": "ckd_epi_2021", "creatinine_mg_dl": 120, "age_years": 70, "sex": "female"}, "creatinine_mg_dl must"),
    ({"formula": "cockcroft_gault", "creatinine_mg_dl": 1, "age_years": 9, "weight_kg": 30, "sex": "male"}, "age_year"),
    ({"formula": "ckd_epi_2021", "age_years": 70}, "also needs creatinine_umol_l (or creatinine_mg_dl), sex"),
    ({"formula": "bmi", "weight_kg": 80, "height_cm": 1.8}, "height_cm must be between 20 and 280"),
    ({"formula": "bmi", "weight_kg": "eighty", "height_cm": 180}, "weight_kg"),
    ({"formula": "bmi", "weight_kg": float("nan"), "height_cm": 180}, "weight_kg"),
    ({"formula": "mean_arterial_pressure", "systolic_mmhg": 60, "diastolic_mmhg": 120}, "diastolic_mmhg must be"),
    ({"formula": "wells_score"}, "formula"),
    ({"formula": "child_pugh", "ascites": "some"}, "ascites"),
    ({"formula": "glasgow", "eyes": 2.5, "verbal": 5, "motor": 6}, "eyes must be a whole number from 1 to 4"),
    ({"formula": "bmi", "weight_kg": 80, "height_m": 1.8}, "height_m"),
    ({"formula": "ckd_epi_2021", "creatinine_mg_dl": 1, "creatinine_umol_l": 88, "age_years": 70, "sex": "male"},
     "not both"),
]  # fmt: skip
WELL: dict[str, Any] = {
    "age_years": 60, "respiratory_rate": 16, "spo2": 98, "systolic": 120, "heart_rate": 70, "temperature": 37,
    "consciousness": "A",
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "value", "unit"), WORKED, ids=lambda one: str(one)[:40])
def test_a_formula_gives_the_textbooks_value_with_its_unit_and_source(
    arguments: dict[str, Any], value: float, unit: str
) -> None:
    told = calculate.invoke(arguments)
    assert told["value"] == pytest.approx(value, abs=0.051) and told["unit"] == unit
    assert told["source"] and set(told["from"]) <= {*arguments, "creatinine_umol_l"}


def test_every_formula_is_named_in_the_schema_with_what_it_needs() -> None:
    told = calculate.args["formula"]
    assert set(told["enum"]) == set(FORMULAS)
    assert all(f"{name}: {', '.join(one.needed)}" in told["description"] for name, one in FORMULAS.items())


def test_an_item_that_is_not_given_is_told_as_counted_absent() -> None:
    told = calculate.invoke({"formula": "cha2ds2_vasc", "age_years": 76, "sex": "female", "diabetes": True})
    assert (told["value"], told["unit"]) == (4, "points") and "recommended" in told["meaning"]
    assert told["counted_as_absent"] == ["heart_failure", "hypertension", "stroke", "vascular_disease"]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=lambda one: str(one)[:40])
def test_impossible_input_is_refused_with_its_reason(arguments: dict[str, Any], said: str) -> None:
    answer = calculate.invoke({"name": "calculate", "args": arguments, "id": "1", "type": "tool_call"})
    assert answer.status == "error" and said in answer.content


@pytest.mark.parametrize(
    ("changed", "score", "level"),
    [
        ({}, 0, "low"),
        ({"on_oxygen": True}, 2, "low"),
        ({"respiratory_rate": 26}, 3, "urgent"),
        ({"spo2": 93, "heart_rate": 115, "temperature": 38.5}, 5, "urgent"),
        ({"systolic": 88, "heart_rate": 135, "consciousness": "C"}, 9, "emergency"),
    ],
)
def test_the_early_warning_score_is_that_of_the_royal_college(changed: dict[str, Any], score: int, level: str) -> None:
    told = early_warning_score.invoke(WELL | changed)
    assert (told["score"], told["level"]) == (score, level) and "Royal College" in told["source"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"age_years": 6}, "age_years"), ({"spo2": 12}, "spo2"), ({"temperature": 98.6}, "temperature"),
     ({"consciousness": "alert"}, "consciousness")],
)  # fmt: skip
def test_what_the_score_is_not_made_for_is_refused(changed: dict[str, Any], said: str) -> None:
    call = {"name": "early_warning_score", "args": WELL | changed, "id": "1", "type": "tool_call"}
    answer = early_warning_score.invoke(call)
    assert answer.status == "error" and said in answer.content
