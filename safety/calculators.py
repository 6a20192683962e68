"""Bedside formulas. Each argument carries its unit in its name, or is a pint quantity that is converted to it."""

from math import cbrt, sqrt
from typing import Literal

import pint

from primum.safety.units import registry

Sex = Literal["female", "male"]
Value = float | int | pint.Quantity  # type: ignore[type-arg]

CREATININE_UMOL_PER_MG_DL = 88.4
GLUCOSE_MG_DL_PER_MMOL = 18.016
INCH_CM = 2.54


def _checked(name: str, value: Value, low: float, high: float, unit: str = "") -> float:
    """The value as a number in `unit`; ValueError with the argument's name and range if it is impossible."""
    if isinstance(value, pint.Quantity):
        value = float(registry().Quantity(value.magnitude, str(value.units)).to(unit or "dimensionless").magnitude)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number between {low:g} and {high:g} {unit}".rstrip())
    if not low <= float(value) <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g} {unit}".rstrip() + f", not {float(value):g}")
    return float(value)


def _sex(sex: str) -> str:
    if sex not in ("female", "male"):
        raise ValueError(f"sex must be 'female' or 'male', not {sex!r}")
    return sex


def _age(years: Value, low: float = 0) -> float:
    return _checked("age_years", years, low, 130, "year")


def _weight(kg: Value) -> float:
    return _checked("weight_kg", kg, 0.2, 650, "kilogram")


def _height(cm: Value) -> float:
    return _checked("height_cm", cm, 20, 280, "centimeter")


def _creatinine(umol_l: Value) -> float:
    if isinstance(umol_l, pint.Quantity) and umol_l.check("[mass]/[volume]"):
        mg_dl = float(registry().Quantity(umol_l.magnitude, str(umol_l.units)).to("milligram/deciliter").magnitude)
        umol_l = mg_dl * CREATININE_UMOL_PER_MG_DL
    return _checked("creatinine_umol_l", umol_l, 5, 5000, "micromole/liter")


def creatinine_to_mg_dl(creatinine_umol_l: Value) -> float:
    """Creatinine in mg/dl from µmol/l (1 mg/dl is 88.4 µmol/l)."""
    return _creatinine(creatinine_umol_l) / CREATININE_UMOL_PER_MG_DL


def creatinine_to_umol_l(creatinine_mg_dl: Value) -> float:
    """Creatinine in µmol/l from mg/dl."""
    return _checked("creatinine_mg_dl", creatinine_mg_dl, 0.05, 57, "milligram/deciliter") * CREATININE_UMOL_PER_MG_DL


def glucose_to_mg_dl(glucose_mmol_l: Value) -> float:
    """Glucose in mg/dl from mmol/l (molar mass 180.16)."""
    return _checked("glucose_mmol_l", glucose_mmol_l, 0.1, 120, "millimole/liter") * GLUCOSE_MG_DL_PER_MMOL


def glucose_to_mmol_l(glucose_mg_dl: Value) -> float:
    """Glucose in mmol/l from mg/dl."""
    return _checked("glucose_mg_dl", glucose_mg_dl, 2, 2200, "milligram/deciliter") / GLUCOSE_MG_DL_PER_MMOL


def hba1c_to_mmol_mol(hba1c_percent: float) -> float:
    """HbA1c in mmol/mol (IFCC) from per cent (NGSP): the master equation, 10.93 × % − 23.50 (Hoelzel 2004)."""
    return 10.93 * _checked("hba1c_percent", hba1c_percent, 3, 25) - 23.50


def hba1c_to_percent(hba1c_mmol_mol: float) -> float:
    """HbA1c in per cent (NGSP) from mmol/mol (IFCC): 0.09148 × mmol/mol + 2.152."""
    return 0.09148 * _checked("hba1c_mmol_mol", hba1c_mmol_mol, 9, 250) + 2.152


def estimated_average_glucose_mg_dl(hba1c_percent: float) -> float:
    """Mean glucose in mg/dl from HbA1c in per cent: 28.7 × % − 46.7 (Nathan, ADAG 2008)."""
    return 28.7 * _checked("hba1c_percent", hba1c_percent, 3, 25) - 46.7


def cockcroft_gault(creatinine_umol_l: Value, age_years: Value, weight_kg: Value, sex: Sex) -> float:
    """Creatinine clearance in ml/min (Cockcroft and Gault 1976); adults only."""
    serum = creatinine_to_mg_dl(creatinine_umol_l)
    clearance = (140 - _age(age_years, 18)) * _weight(weight_kg) / (72 * serum)
    return clearance * (0.85 if _sex(sex) == "female" else 1.0)


def ckd_epi_2021(creatinine_umol_l: Value, age_years: Value, sex: Sex) -> float:
    """eGFR in ml/min/1.73 m² from creatinine, without race (CKD-EPI 2021, Inker, NEJM); adults only."""
    serum = creatinine_to_mg_dl(creatinine_umol_l)
    female = _sex(sex) == "female"
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = serum / kappa
    rate = 142 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.2 * 0.9938 ** _age(age_years, 18)
    return float(rate * (1.012 if female else 1.0))


def bmi(weight_kg: Value, height_cm: Value) -> float:
    """Body mass index in kg/m²."""
    return _weight(weight_kg) / (_height(height_cm) / 100) ** 2


def body_surface_mosteller(weight_kg: Value, height_cm: Value) -> float:
    """Body surface in m² (Mosteller 1987)."""
    return sqrt(_weight(weight_kg) * _height(height_cm) / 3600)


def body_surface_du_bois(weight_kg: Value, height_cm: Value) -> float:
    """Body surface in m² (Du Bois and Du Bois 1916)."""
    return float(0.007184 * _weight(weight_kg) ** 0.425 * _height(height_cm) ** 0.725)


def ideal_body_weight_kg(height_cm: Value, sex: Sex) -> float:
    """Ideal body weight in kg (Devine 1974); made for adults of 152 cm (5 feet) and more."""
    inches = _checked("height_cm", height_cm, 152, 280, "centimeter") / INCH_CM
    return (50.0 if _sex(sex) == "male" else 45.5) + 2.3 * max(inches - 60, 0.0)


def adjusted_body_weight_kg(weight_kg: Value, height_cm: Value, sex: Sex) -> float:
    """Ideal weight and 40 % of what is above it; the weight itself if it is below."""
    weight, ideal = _weight(weight_kg), ideal_body_weight_kg(height_cm, sex)
    return ideal + 0.4 * (weight - ideal) if weight > ideal else weight


def _qt(qt_ms: Value, heart_rate_bpm: float) -> tuple[float, float]:
    rate = _checked("heart_rate_bpm", heart_rate_bpm, 20, 300)
    return _checked("qt_ms", qt_ms, 100, 1000, "millisecond"), 60 / rate


def qtc_bazett_ms(qt_ms: Value, heart_rate_bpm: float) -> float:
    """QT corrected for the rate, in ms (Bazett 1920); over-corrects above 100 beats a minute."""
    qt, seconds = _qt(qt_ms, heart_rate_bpm)
    return qt / sqrt(seconds)


def qtc_fridericia_ms(qt_ms: Value, heart_rate_bpm: float) -> float:
    """QT corrected for the rate, in ms (Fridericia 1920)."""
    qt, seconds = _qt(qt_ms, heart_rate_bpm)
    return qt / cbrt(seconds)


def mean_arterial_pressure_mmhg(systolic_mmhg: Value, diastolic_mmhg: Value) -> float:
    """Diastolic pressure and a third of the difference."""
    systolic = _checked("systolic_mmhg", systolic_mmhg, 20, 350, "mmHg")
    diastolic = _checked("diastolic_mmhg", diastolic_mmhg, 5, 250, "mmHg")
    if diastolic > systolic:
        raise ValueError(f"diastolic_mmhg must be between 5 and systolic_mmhg ({systolic:g}), not {diastolic:g}")
    return diastolic + (systolic - diastolic) / 3


def anion_gap_mmol_l(
    sodium_mmol_l: Value, chloride_mmol_l: Value, bicarbonate_mmol_l: Value, albumin_g_l: Value | None = None
) -> float:
    """Sodium less chloride and bicarbonate; with albumin, 2.5 mmol/l more for each 10 g/l below 40 (Figge 1998)."""
    gap = (
        _checked("sodium_mmol_l", sodium_mmol_l, 80, 200, "millimole/liter")
        - _checked("chloride_mmol_l", chloride_mmol_l, 50, 170, "millimole/liter")
        - _checked("bicarbonate_mmol_l", bicarbonate_mmol_l, 1, 70, "millimole/liter")
    )
    if albumin_g_l is None:
        return gap
    return gap + 0.25 * (40 - _checked("albumin_g_l", albumin_g_l, 5, 80, "gram/liter"))


def corrected_calcium_mmol_l(calcium_mmol_l: Value, albumin_g_l: Value) -> float:
    """Calcium as with an albumin of 40 g/l: 0.02 mmol/l more for each g/l below it (Payne 1973)."""
    calcium = _checked("calcium_mmol_l", calcium_mmol_l, 0.5, 6, "millimole/liter")
    return calcium + 0.02 * (40 - _checked("albumin_g_l", albumin_g_l, 5, 80, "gram/liter"))
