"""Bedside formulas. Each argument carries its unit in its name, or is a pint quantity that is converted to it."""

from math import cbrt, exp, log, sqrt
from typing import Literal, NamedTuple

import pint

from primum.safety.units import registry

Sex = Literal["female", "male"]
Value = float | int | pint.Quantity  # type: ignore[type-arg]

CREATININE_UMOL_PER_MG_DL = 88.4
GLUCOSE_MG_DL_PER_MMOL = 18.016
INCH_CM = 2.54
# Grams a mole, of urea those of its nitrogen, since what is told in mg/dl is blood urea nitrogen.
GRAMS = {
    "creatinine": 1e4 / CREATININE_UMOL_PER_MG_DL, "glucose": 180.16, "calcium": 40.08, "bilirubin": 584.66,
    "urea": 28.014, "cholesterol": 386.65, "hdl": 386.65, "triglycerides": 885.7,
}  # fmt: skip


def checked(name: str, value: Value, low: float, high: float, unit: str = "") -> float:
    """The value as a number in `unit`; ValueError with the argument's name and range if it is impossible."""
    if isinstance(value, pint.Quantity):
        value = in_unit(name, value, unit or "dimensionless")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number between {low:g} and {high:g} {unit}".rstrip())
    if not low <= float(value) <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g} {unit}".rstrip() + f", not {float(value):g}")
    return float(value)


def in_unit(name: str, value: pint.Quantity, unit: str) -> float:  # type: ignore[type-arg]
    """The quantity in another unit; of a substance whose molar mass is known also from mass to moles and back."""
    quantity = registry().Quantity(value.magnitude, str(value.units))
    grams = GRAMS.get(name.split("_")[0])
    if grams and quantity.check("[substance]/[volume]") and registry().Quantity(1, unit).check("[mass]/[volume]"):
        quantity = quantity * registry().Quantity(grams, "gram/mole")
    elif grams and quantity.check("[mass]/[volume]") and registry().Quantity(1, unit).check("[substance]/[volume]"):
        quantity = quantity / registry().Quantity(grams, "gram/mole")
    try:
        return float(quantity.to(unit).magnitude)
    except pint.DimensionalityError:
        raise ValueError(f"{name} must be in {unit}, not in {value.units}") from None


def _sex(sex: str) -> str:
    if sex not in ("female", "male"):
        raise ValueError(f"sex must be 'female' or 'male', not {sex!r}")
    return sex


def _sodium(mmol_l: Value) -> float:
    return checked("sodium_mmol_l", mmol_l, 80, 200, "millimole/liter")


def _albumin(g_l: Value) -> float:
    return checked("albumin_g_l", g_l, 5, 80, "gram/liter")


def _bicarbonate(mmol_l: Value) -> float:
    return checked("bicarbonate_mmol_l", mmol_l, 1, 70, "millimole/liter")


def _glucose(mmol_l: Value) -> float:
    return checked("glucose_mmol_l", mmol_l, 0.1, 120, "millimole/liter")


def _bilirubin(umol_l: Value) -> float:
    return checked("bilirubin_umol_l", umol_l, 1, 1500, "micromole/liter")


def _inr(inr: Value) -> float:
    return checked("inr", inr, 0.5, 20)


def _age(years: Value, low: float = 0) -> float:
    return checked("age_years", years, low, 130, "year")


def _weight(kg: Value) -> float:
    return checked("weight_kg", kg, 0.2, 650, "kilogram")


def _height(cm: Value) -> float:
    return checked("height_cm", cm, 20, 280, "centimeter")


def _creatinine(umol_l: Value) -> float:
    return checked("creatinine_umol_l", umol_l, 5, 5000, "micromole/liter")


def creatinine_to_mg_dl(creatinine_umol_l: Value) -> float:
    """Creatinine in mg/dl from µmol/l (1 mg/dl is 88.4 µmol/l)."""
    return _creatinine(creatinine_umol_l) / CREATININE_UMOL_PER_MG_DL


def creatinine_to_umol_l(creatinine_mg_dl: Value) -> float:
    """Creatinine in µmol/l from mg/dl."""
    return checked("creatinine_mg_dl", creatinine_mg_dl, 0.05, 57, "milligram/deciliter") * CREATININE_UMOL_PER_MG_DL


def glucose_to_mg_dl(glucose_mmol_l: Value) -> float:
    """Glucose in mg/dl from mmol/l (molar mass 180.16)."""
    return _glucose(glucose_mmol_l) * GLUCOSE_MG_DL_PER_MMOL


def glucose_to_mmol_l(glucose_mg_dl: Value) -> float:
    """Glucose in mmol/l from mg/dl."""
    return checked("glucose_mg_dl", glucose_mg_dl, 2, 2200, "milligram/deciliter") / GLUCOSE_MG_DL_PER_MMOL


def hba1c_to_mmol_mol(hba1c_percent: float) -> float:
    """HbA1c in mmol/mol (IFCC) from per cent (NGSP): the master equation, 10.93 × % − 23.50 (Hoelzel 2004)."""
    return 10.93 * checked("hba1c_percent", hba1c_percent, 3, 25) - 23.50


def hba1c_to_percent(hba1c_mmol_mol: float) -> float:
    """HbA1c in per cent (NGSP) from mmol/mol (IFCC): 0.09148 × mmol/mol + 2.152."""
    return 0.09148 * checked("hba1c_mmol_mol", hba1c_mmol_mol, 9, 250) + 2.152


def estimated_average_glucose_mg_dl(hba1c_percent: float) -> float:
    """Mean glucose in mg/dl from HbA1c in per cent: 28.7 × % − 46.7 (Nathan, ADAG 2008)."""
    return 28.7 * checked("hba1c_percent", hba1c_percent, 3, 25) - 46.7


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
    """Body mass index in kg/m²; the heaviest person known had one of about 190."""
    return _together("weight_kg and height_cm", _weight(weight_kg) / (_height(height_cm) / 100) ** 2, 5, 200)


def _together(names: str, result: float, low: float, high: float) -> float:
    """The result of values that each may be right; ValueError with their names if together they can't be."""
    if not low <= result <= high:
        raise ValueError(f"{names} together give {result:g}, which nobody has ({low:g} to {high:g})")
    return result


def body_surface_mosteller(weight_kg: Value, height_cm: Value) -> float:
    """Body surface in m² (Mosteller 1987)."""
    return sqrt(_weight(weight_kg) * _height(height_cm) / 3600)


def body_surface_du_bois(weight_kg: Value, height_cm: Value) -> float:
    """Body surface in m² (Du Bois and Du Bois 1916)."""
    return float(0.007184 * _weight(weight_kg) ** 0.425 * _height(height_cm) ** 0.725)


def ideal_body_weight_kg(height_cm: Value, sex: Sex) -> float:
    """Ideal body weight in kg (Devine 1974); made for adults of 152 cm (5 feet) and more."""
    inches = checked("height_cm", height_cm, 152, 280, "centimeter") / INCH_CM
    return (50.0 if _sex(sex) == "male" else 45.5) + 2.3 * max(inches - 60, 0.0)


def adjusted_body_weight_kg(weight_kg: Value, height_cm: Value, sex: Sex) -> float:
    """Ideal weight and 40 % of what is above it; the weight itself if it is below."""
    weight, ideal = _weight(weight_kg), ideal_body_weight_kg(height_cm, sex)
    return ideal + 0.4 * (weight - ideal) if weight > ideal else weight


def _qt(qt_ms: Value, heart_rate_bpm: float) -> tuple[float, float]:
    rate = checked("heart_rate_bpm", heart_rate_bpm, 20, 300)
    return checked("qt_ms", qt_ms, 100, 1000, "millisecond"), 60 / rate


def qtc_bazett_ms(qt_ms: Value, heart_rate_bpm: float) -> float:
    """QT corrected for the rate, in ms (Bazett 1920); over-corrects above 100 beats a minute."""
    qt, seconds = _qt(qt_ms, heart_rate_bpm)
    return qt / sqrt(seconds)


def qtc_fridericia_ms(qt_ms: Value, heart_rate_bpm: float) -> float:
    """QT corrected for the rate, in ms (Fridericia 1920)."""
    qt, seconds = _qt(qt_ms, heart_rate_bpm)
    return qt / cbrt(seconds)


def pressures(systolic_mmhg: Value, diastolic_mmhg: Value) -> tuple[float, float]:
    """Both pressures in mmHg; ValueError if the lower one is above the upper."""
    systolic = checked("systolic_mmhg", systolic_mmhg, 20, 350, "mmHg")
    diastolic = checked("diastolic_mmhg", diastolic_mmhg, 5, 250, "mmHg")
    if diastolic > systolic:
        raise ValueError(f"diastolic_mmhg must be between 5 and systolic_mmhg ({systolic:g}), not {diastolic:g}")
    return systolic, diastolic


def mean_arterial_pressure_mmhg(systolic_mmhg: Value, diastolic_mmhg: Value) -> float:
    """Diastolic pressure and a third of the difference."""
    systolic, diastolic = pressures(systolic_mmhg, diastolic_mmhg)
    return diastolic + (systolic - diastolic) / 3


def anion_gap_mmol_l(
    sodium_mmol_l: Value, chloride_mmol_l: Value, bicarbonate_mmol_l: Value, albumin_g_l: Value | None = None
) -> float:
    """Sodium less chloride and bicarbonate; with albumin, 2.5 mmol/l more for each 10 g/l below 40 (Figge 1998)."""
    gap = (
        _sodium(sodium_mmol_l)
        - checked("chloride_mmol_l", chloride_mmol_l, 50, 170, "millimole/liter")
        - _bicarbonate(bicarbonate_mmol_l)
    )
    _together("sodium_mmol_l, chloride_mmol_l and bicarbonate_mmol_l", gap, -20, 80)
    if albumin_g_l is None:
        return gap
    return gap + 0.25 * (40 - _albumin(albumin_g_l))


def corrected_calcium_mmol_l(calcium_mmol_l: Value, albumin_g_l: Value) -> float:
    """Calcium as with an albumin of 40 g/l: 0.02 mmol/l more for each g/l below it (Payne 1973)."""
    calcium = checked("calcium_mmol_l", calcium_mmol_l, 0.5, 6, "millimole/liter")
    return calcium + 0.02 * (40 - _albumin(albumin_g_l))


def corrected_sodium_katz_mmol_l(sodium_mmol_l: Value, glucose_mmol_l: Value) -> float:
    """Sodium as with a glucose of 100 mg/dl: 1.6 mmol/l more for each 100 mg/dl above it (Katz 1973)."""
    return _sodium_as_without_glucose(sodium_mmol_l, glucose_mmol_l, 1.6)


def corrected_sodium_hillier_mmol_l(sodium_mmol_l: Value, glucose_mmol_l: Value) -> float:
    """The same with 2.4 mmol/l, which was measured in healthy people (Hillier 1999)."""
    return _sodium_as_without_glucose(sodium_mmol_l, glucose_mmol_l, 2.4)


def _sodium_as_without_glucose(sodium: Value, glucose: Value, each: float) -> float:
    excess = max(_glucose(glucose) * GLUCOSE_MG_DL_PER_MMOL - 100, 0.0)
    return _sodium(sodium) + each * excess / 100


def osmolality_mosm_kg(sodium_mmol_l: Value, glucose_mmol_l: Value, urea_mmol_l: Value) -> float:
    """Twice the sodium, and glucose and urea, in mosm/kg (Worthley 1987)."""
    return 2 * _sodium(sodium_mmol_l) + _glucose(glucose_mmol_l) + _urea(urea_mmol_l)


def _urea(mmol_l: Value) -> float:
    return checked("urea_mmol_l", mmol_l, 0.3, 120, "millimole/liter")


def expected_pco2_mmhg(bicarbonate_mmol_l: Value) -> float:
    """The carbon dioxide that answers a metabolic acidosis, in mmHg: 1.5 × bicarbonate + 8, ± 2 (Albert 1967)."""
    return 1.5 * _bicarbonate(bicarbonate_mmol_l) + 8


def oxygen_ratio_mmhg(pao2_mmhg: Value, fio2_percent: Value) -> float:
    """Arterial oxygen by the share of oxygen that is breathed, PaO2/FiO2 in mmHg (Berlin definition 2012)."""
    return checked("pao2_mmhg", pao2_mmhg, 10, 700, "mmHg") / (checked("fio2_percent", fio2_percent, 21, 100) / 100)


def sodium_excretion_percent(
    urine_sodium_mmol_l: Value, sodium_mmol_l: Value, urine_creatinine_umol_l: Value, creatinine_umol_l: Value
) -> float:
    """The share of filtered sodium that is excreted, FENa, per cent (Espinel 1976)."""
    sodium = checked("urine_sodium_mmol_l", urine_sodium_mmol_l, 1, 400, "millimole/liter")
    if isinstance(urine_creatinine_umol_l, pint.Quantity):
        urine_creatinine_umol_l = in_unit("creatinine", urine_creatinine_umol_l, "micromole/liter")
    creatinine = checked("urine_creatinine_umol_l", urine_creatinine_umol_l, 100, 60_000, "micromole/liter")
    return 100 * sodium * _creatinine(creatinine_umol_l) / (_sodium(sodium_mmol_l) * creatinine)


def schwartz_2009(creatinine_umol_l: Value, height_cm: Value, age_years: Value) -> float:
    """eGFR of a child in ml/min/1.73 m²: 0.413 × height / creatinine in mg/dl (bedside Schwartz 2009)."""
    checked("age_years", age_years, 1, 18, "year")
    return 0.413 * _height(height_cm) / creatinine_to_mg_dl(creatinine_umol_l)


def fib_4(age_years: Value, ast_u_l: Value, alt_u_l: Value, platelets_g_l: Value) -> float:
    """Age × AST / (platelets × √ALT), platelets in 10⁹/l (Sterling 2006)."""
    ast, alt = checked("ast_u_l", ast_u_l, 1, 20_000), checked("alt_u_l", alt_u_l, 1, 20_000)
    return _age(age_years, 18) * ast / (checked("platelets_g_l", platelets_g_l, 5, 2000) * sqrt(alt))


def meld_3(
    sex: Sex, bilirubin_umol_l: Value, inr: Value, creatinine_umol_l: Value, sodium_mmol_l: Value,
    albumin_g_l: Value, dialysis: bool = False,
) -> int:  # fmt: skip
    """MELD 3.0, 6 to 40 (Kim 2021): adults; dialysis twice in a week, or a day of it, counts as 3 mg/dl creatinine."""
    bilirubin = max(_bilirubin(bilirubin_umol_l) * GRAMS["bilirubin"] / 1e4, 1.0)
    creatinine = 3.0 if dialysis else min(max(creatinine_to_mg_dl(creatinine_umol_l), 1.0), 3.0)
    sodium = 137 - min(max(_sodium(sodium_mmol_l), 125), 137)
    albumin = 3.5 - min(max(_albumin(albumin_g_l) / 10, 1.5), 3.5)
    score = (
        (1.33 if _sex(sex) == "female" else 0.0) + 4.56 * log(bilirubin) + 0.82 * sodium
        - 0.24 * sodium * log(bilirubin) + 9.09 * log(max(_inr(inr), 1.0)) + 11.14 * log(creatinine)
        + 1.85 * albumin - 1.83 * albumin * log(creatinine) + 6
    )  # fmt: skip
    return min(max(int(score + 0.5), 6), 40)


def ldl_friedewald_mg_dl(cholesterol_mg_dl: Value, hdl_mg_dl: Value, triglycerides_mg_dl: Value) -> float:
    """LDL cholesterol in mg/dl, fasting, with triglycerides up to 400 mg/dl (Friedewald 1972)."""
    fats = checked("triglycerides_mg_dl", triglycerides_mg_dl, 10, 400, "milligram/deciliter")
    rest = _cholesterol(cholesterol_mg_dl) - _hdl(hdl_mg_dl) - fats / 5
    if rest <= 0:
        raise ValueError("cholesterol_mg_dl must be more than hdl_mg_dl and a fifth of triglycerides_mg_dl")
    return rest


def _cholesterol(mg_dl: Value) -> float:
    return checked("cholesterol_mg_dl", mg_dl, 40, 1000, "milligram/deciliter")


def _hdl(mg_dl: Value) -> float:
    return checked("hdl_mg_dl", mg_dl, 5, 200, "milligram/deciliter")


class _Risk(NamedTuple):
    """The coefficients of a group in Goff 2013, table A; `_age` is a factor of the logarithm of age."""

    age: float
    age_squared: float
    cholesterol: float
    cholesterol_age: float
    hdl: float
    hdl_age: float
    treated: float
    treated_age: float
    untreated: float
    untreated_age: float
    smoker: float
    smoker_age: float
    diabetes: float
    mean: float
    survival: float


_RISKS = {
    ("female", False): _Risk(-29.799, 4.884, 13.540, -3.114, -13.578, 3.149, 2.019, 0, 1.957, 0, 7.574, -1.665, 0.661,
                             -29.18, 0.9665),
    ("female", True): _Risk(17.114, 0, 0.940, 0, -18.920, 4.475, 29.291, -6.432, 27.820, -6.087, 0.691, 0, 0.874,
                            86.61, 0.9533),
    ("male", False): _Risk(12.344, 0, 11.853, -2.664, -7.990, 1.769, 1.797, 0, 1.764, 0, 7.837, -1.795, 0.658,
                           61.18, 0.9144),
    ("male", True): _Risk(2.469, 0, 0.302, 0, -0.307, 0, 1.916, 0, 1.809, 0, 0.549, 0, 0.645, 19.54, 0.8954),
}  # fmt: skip


def ascvd_percent(
    age_years: Value, sex: Sex, cholesterol_mg_dl: Value, hdl_mg_dl: Value, systolic_mmhg: Value,
    treated_pressure: bool = False, smoker: bool = False, diabetes: bool = False, african_american: bool = False,
) -> float:  # fmt: skip
    """Risk in ten years of a first heart attack or stroke, per cent: pooled cohort equations (Goff 2013), 40 to 79."""
    group = _RISKS[_sex(sex), african_american]
    age = log(checked("age_years", age_years, 40, 79, "year"))
    pressure = log(checked("systolic_mmhg", systolic_mmhg, 90, 200, "mmHg"))
    treated = (group.treated, group.treated_age)
    own, by_age = treated if treated_pressure else (group.untreated, group.untreated_age)
    total = (
        group.age * age + group.age_squared * age**2
        + (group.cholesterol + group.cholesterol_age * age)
        * log(checked("cholesterol_mg_dl", cholesterol_mg_dl, 130, 320, "milligram/deciliter"))
        + (group.hdl + group.hdl_age * age) * log(checked("hdl_mg_dl", hdl_mg_dl, 20, 100, "milligram/deciliter"))
        + (own + by_age * age) * pressure
        + (group.smoker + group.smoker_age * age) * smoker + group.diabetes * diabetes
    )  # fmt: skip
    return float(100 * (1 - group.survival ** exp(total - group.mean)))


def weight_of_child_kg(age_years: Value) -> float:
    """Weight expected at an age up to 12 years, in kg (Advanced Paediatric Life Support, 5th edition, 2011)."""
    age = checked("age_years", age_years, 0, 12.99, "year")
    if age < 1:
        return 0.5 * age * 12 + 4
    return 2 * int(age) + 8 if age < 6 else 3 * int(age) + 7


def maintenance_fluid_ml_day(weight_kg: Value) -> float:
    """Fluid of a child a day in ml: 100 ml/kg up to 10 kg, 50 up to 20, 20 above (Holliday and Segar 1957)."""
    weight = checked("weight_kg", weight_kg, 2.5, 80, "kilogram")
    return 100 * min(weight, 10) + 50 * min(max(weight - 10, 0), 10) + 20 * max(weight - 20, 0)


def burn_fluid_ml(weight_kg: Value, burned_percent: Value) -> float:
    """Ringer's lactate of the first 24 hours after a burn in ml, half of it in 8: 4 ml/kg/% (Baxter, Shires 1968)."""
    return 4 * _weight(weight_kg) * checked("burned_percent", burned_percent, 1, 100)


def pack_years(cigarettes_a_day: Value, smoked_years: Value) -> float:
    """Packs of 20 a day times years."""
    return checked("cigarettes_a_day", cigarettes_a_day, 0, 200) / 20 * checked("smoked_years", smoked_years, 0, 110)


def shock_index(heart_rate_bpm: Value, systolic_mmhg: Value) -> float:
    """Heart rate by systolic pressure (Allgöwer and Burri 1967)."""
    rate = checked("heart_rate_bpm", heart_rate_bpm, 20, 300)
    return rate / checked("systolic_mmhg", systolic_mmhg, 20, 350, "mmHg")


def homa_ir(glucose_mmol_l: Value, insulin_mu_l: Value) -> float:
    """Resistance to insulin from fasting glucose and insulin: glucose × insulin / 22.5 (Matthews 1985)."""
    return _glucose(glucose_mmol_l) * checked("insulin_mu_l", insulin_mu_l, 0.5, 300) / 22.5


def dose_by_weight_mg(mg_per_kg: Value, weight_kg: Value) -> float:
    """Milligrams for a weight."""
    return checked("mg_per_kg", mg_per_kg, 0.0001, 1000) * _weight(weight_kg)
