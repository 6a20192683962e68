"""Formulas against published worked values, and impossible input."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety import calculators as c
from primum.safety.units import registry


@pytest.mark.parametrize(
    ("value", "expected", "within"),
    [
        # 1.0 mg/dl at 40, 72 kg, man: (140 - 40) * 72 / 72 = 100; a woman 0.85 of it.
        (c.cockcroft_gault(88.4, 40, 72, "male"), 100.0, 0.01),
        (c.cockcroft_gault(88.4, 40, 72, "female"), 85.0, 0.01),
        # National Kidney Foundation's calculator (CKD-EPI 2021): 1.0 mg/dl at 50 years, woman 69, man 92.
        (c.ckd_epi_2021(88.4, 50, "female"), 69, 0.6),
        (c.ckd_epi_2021(88.4, 50, "male"), 92, 0.6),
        (c.ckd_epi_2021(176.8, 70, "male"), 35, 0.6),
        (c.bmi(70, 175), 22.86, 0.01),
        (c.body_surface_mosteller(70, 170), 1.818, 0.001),
        (c.body_surface_du_bois(70, 170), 1.810, 0.002),
        (c.ideal_body_weight_kg(177.8, "male"), 73.0, 0.01),
        (c.ideal_body_weight_kg(162.56, "female"), 54.7, 0.01),
        (c.adjusted_body_weight_kg(120, 177.8, "male"), 91.8, 0.01),
        (c.adjusted_body_weight_kg(60, 177.8, "male"), 60, 0.01),
        (c.qtc_bazett_ms(400, 60), 400, 0.01),
        (c.qtc_bazett_ms(360, 90), 440.9, 0.1),
        (c.qtc_fridericia_ms(360, 90), 412.1, 0.1),
        (c.mean_arterial_pressure_mmhg(120, 80), 93.33, 0.01),
        (c.anion_gap_mmol_l(140, 104, 24), 12, 0.01),
        (c.anion_gap_mmol_l(140, 104, 24, 20), 17, 0.01),
        (c.corrected_calcium_mmol_l(2.0, 30), 2.2, 0.001),
        (c.creatinine_to_mg_dl(88.4), 1.0, 0.0001),
        (c.creatinine_to_umol_l(1.5), 132.6, 0.01),
        (c.glucose_to_mg_dl(5.55), 100, 0.1),
        (c.glucose_to_mmol_l(126), 7.0, 0.01),
        # NGSP's table: 7 % is 53 mmol/mol; ADAG: an estimated mean of 154 mg/dl.
        (c.hba1c_to_mmol_mol(7.0), 53, 0.1),
        (c.hba1c_to_percent(48), 6.5, 0.05),
        (c.estimated_average_glucose_mg_dl(7.0), 154.2, 0.05),
    ],
)
def test_a_formula_gives_the_published_value(value: float, expected: float, within: float) -> None:
    assert value == pytest.approx(expected, abs=within)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: c.cockcroft_gault(0, 40, 72, "male"), "creatinine_umol_l must be between 5 and 5000"),
        (lambda: c.cockcroft_gault(88, 12, 40, "male"), "age_years must be between 18 and 130"),
        (lambda: c.ckd_epi_2021(88, 40, "other"), "sex must be"),  # type: ignore[arg-type]
        (lambda: c.bmi(-1, 170), "weight_kg must be between 0.2 and 650"),
        (lambda: c.bmi(70, float("nan")), "height_cm must be between 20 and 280"),
        (lambda: c.mean_arterial_pressure_mmhg(80, 120), "diastolic_mmhg must be between 5 and systolic_mmhg"),
        (lambda: c.qtc_bazett_ms(400, 0), "heart_rate_bpm must be between 20 and 300"),
        (lambda: c.ideal_body_weight_kg(120, "male"), "height_cm must be between 152 and 280"),
        (lambda: c.hba1c_to_mmol_mol(80), "hba1c_percent must be between 3 and 25"),
        (lambda: c.corrected_calcium_mmol_l(2.2, 400), "albumin_g_l must be between 5 and 80"),
    ],
)
def test_impossible_input_is_refused_with_its_name_and_range(call: Callable[[], float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_quantities_with_units_are_converted() -> None:
    unit = registry().Quantity
    assert c.bmi(unit(154.32, "pound"), unit(1.75, "meter")) == pytest.approx(22.86, abs=0.01)
    assert c.creatinine_to_mg_dl(unit(1.2, "milligram/deciliter")) == pytest.approx(1.2)
    assert c.cockcroft_gault(unit(1.0, "milligram/deciliter"), 40, unit(72, "kilogram"), "male") == pytest.approx(100)


@given(st.floats(1, 5), st.floats(18, 90))
@settings(max_examples=50, deadline=None)
def test_more_creatinine_is_always_less_filtration(mg_dl: float, age: float) -> None:
    low, high = c.creatinine_to_umol_l(mg_dl), c.creatinine_to_umol_l(mg_dl + 0.5)
    assert c.ckd_epi_2021(high, age, "female") < c.ckd_epi_2021(low, age, "female")
    assert c.cockcroft_gault(high, age, 70, "male") < c.cockcroft_gault(low, age, 70, "male")


@given(st.floats(0.5, 50))
@settings(max_examples=50, deadline=None)
def test_conversions_go_back_and_forth(value: float) -> None:
    assert c.creatinine_to_mg_dl(c.creatinine_to_umol_l(value)) == pytest.approx(value)
    assert c.glucose_to_mmol_l(c.glucose_to_mg_dl(value)) == pytest.approx(value)
