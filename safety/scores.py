"""Bedside scores by points. An item that is not given counts as absent; measured values must be given, and an item
whose absence is a point."""

from collections.abc import Sequence
from typing import Literal

from primum.safety.calculators import GRAMS, Sex, Value, checked, pressures
from primum.safety.vitals import ADULT, Vitals
from primum.safety.vitals import news2 as points_of

Ascites = Literal["none", "mild", "moderate"]
Encephalopathy = Literal["none", "grade 1-2", "grade 3-4"]


def _age(years: Value, low: float = 0) -> float:
    return checked("age_years", years, low, 130, "year")


def _systolic(mmhg: Value) -> float:
    return checked("systolic_mmhg", mmhg, 20, 350, "mmHg")


def _rate(bpm: Value) -> float:
    return checked("heart_rate_bpm", bpm, 10, 300)


def _breaths(a_minute: Value) -> float:
    return checked("respiratory_rate", a_minute, 1, 120)


def _saturation(percent: Value) -> float:
    return checked("spo2", percent, 40, 100)


def _temperature(celsius: Value) -> float:
    return checked("temperature_c", celsius, 24, 44.5)


def _whole(name: str, value: Value, low: int, high: int) -> int:
    given = checked(name, value, low, high)
    if given != int(given):
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {given:g}")
    return int(given)


def _points(steps: Sequence[tuple[bool, int]]) -> int:
    """The points of the first step that holds."""
    return next((points for holds, points in steps if holds), 0)


def cha2ds2_vasc(
    age_years: Value, sex: Sex, heart_failure: bool = False, hypertension: bool = False,
    diabetes: bool = False, stroke: bool = False, vascular_disease: bool = False,
) -> int:  # fmt: skip
    """Risk of stroke in atrial fibrillation, 0 to 9 (Lip 2010). `stroke`: also a TIA or another thromboembolism."""
    age = _age(age_years, 18)
    points = _points([(age >= 75, 2), (age >= 65, 1)]) + (sex == "female") + 2 * stroke
    return points + heart_failure + hypertension + diabetes + vascular_disease


def has_bled(
    age_years: Value, uncontrolled_hypertension: bool = False, abnormal_kidney: bool = False,
    abnormal_liver: bool = False, stroke: bool = False, bleeding: bool = False, labile_inr: bool = False,
    bleeding_drugs: bool = False, alcohol: bool = False,
) -> int:  # fmt: skip
    """Risk of bleeding under anticoagulation, 0 to 9 (Pisters 2010). Hypertension counts above 160 mmHg."""
    items = (uncontrolled_hypertension, abnormal_kidney, abnormal_liver, stroke, bleeding, labile_inr)
    return sum((*items, _age(age_years, 18) > 65, bleeding_drugs, alcohol))


def wells_dvt(
    active_cancer: bool = False, leg_immobilised: bool = False, bedridden_or_surgery: bool = False,
    vein_tenderness: bool = False, whole_leg_swollen: bool = False, calf_swollen: bool = False,
    pitting_oedema: bool = False, collateral_veins: bool = False, previous_dvt: bool = False,
    other_diagnosis_as_likely: bool = False,
) -> int:  # fmt: skip
    """Probability of a deep vein thrombosis, -2 to 9 (Wells 2003)."""
    signs = (vein_tenderness, whole_leg_swollen, calf_swollen, pitting_oedema, collateral_veins)
    risks = (active_cancer, leg_immobilised, bedridden_or_surgery, previous_dvt)
    return sum((*signs, *risks)) - 2 * other_diagnosis_as_likely


def wells_pe(
    heart_rate_bpm: Value, signs_of_dvt: bool = False, pe_most_likely: bool = False,
    immobilised_or_surgery: bool = False, previous_clot: bool = False, haemoptysis: bool = False,
    active_cancer: bool = False,
) -> float:  # fmt: skip
    """Probability of a pulmonary embolism, 0 to 12.5 (Wells 2000)."""
    halves = (_rate(heart_rate_bpm) > 100, immobilised_or_surgery, previous_clot)
    return 3.0 * (signs_of_dvt + pe_most_likely) + 1.5 * sum(halves) + haemoptysis + active_cancer


def perc(
    age_years: Value, heart_rate_bpm: Value, spo2: Value, leg_swollen: bool = False, haemoptysis: bool = False,
    recent_surgery: bool = False, previous_clot: bool = False, oestrogen: bool = False,
) -> int:  # fmt: skip
    """How many of the eight criteria that rule a pulmonary embolism out are not met (Kline 2004)."""
    measured = (_age(age_years, 18) >= 50, _rate(heart_rate_bpm) >= 100, _saturation(spo2) < 95)
    return sum((*measured, leg_swollen, haemoptysis, recent_surgery, previous_clot, oestrogen))


def curb_65(
    age_years: Value, urea_mmol_l: Value, respiratory_rate: Value, systolic_mmhg: Value, diastolic_mmhg: Value,
    confusion: bool = False,
) -> int:  # fmt: skip
    """How severe a pneumonia is, 0 to 5 (Lim 2003)."""
    systolic, diastolic = pressures(systolic_mmhg, diastolic_mmhg)
    low = systolic < 90 or diastolic <= 60
    urea = checked("urea_mmol_l", urea_mmol_l, 0.3, 120, "millimole/liter") > 7
    return sum((confusion, urea, _breaths(respiratory_rate) >= 30, low, _age(age_years, 18) >= 65))


def qsofa(respiratory_rate: Value, systolic_mmhg: Value, confusion: bool = False) -> int:
    """Quick SOFA, 0 to 3 (Singer 2016)."""
    return sum((_breaths(respiratory_rate) >= 22, _systolic(systolic_mmhg) <= 100, confusion))


def news2(
    age_years: Value, respiratory_rate: Value, spo2: Value, systolic_mmhg: Value, heart_rate_bpm: Value,
    temperature_c: Value, confusion: bool = False, on_oxygen: bool = False,
) -> int:  # fmt: skip
    """National Early Warning Score 2, scale 1, from 16 years on (Royal College of Physicians 2017)."""
    _age(age_years, ADULT)
    measured = Vitals(
        heart_rate=_rate(heart_rate_bpm), systolic=_systolic(systolic_mmhg), spo2=_saturation(spo2),
        respiratory_rate=_breaths(respiratory_rate), temperature=_temperature(temperature_c),
        consciousness="C" if confusion else "A", on_oxygen=on_oxygen,
    )  # fmt: skip
    return points_of(measured)[0]


def child_pugh(
    bilirubin_umol_l: Value, albumin_g_l: Value, inr: Value, ascites: Ascites, encephalopathy: Encephalopathy
) -> int:
    """How well a cirrhotic liver works, 5 to 15 (Pugh 1973, with INR)."""
    mg_dl = checked("bilirubin_umol_l", bilirubin_umol_l, 1, 1500, "micromole/liter") * GRAMS["bilirubin"] / 1e4
    albumin = checked("albumin_g_l", albumin_g_l, 5, 80, "gram/liter")
    clotting = checked("inr", inr, 0.5, 20)
    return 5 + sum(
        (
            _points([(mg_dl > 3, 2), (mg_dl >= 2, 1)]),
            _points([(albumin < 28, 2), (albumin <= 35, 1)]),
            _points([(clotting > 2.3, 2), (clotting >= 1.7, 1)]),
            ("none", "mild", "moderate").index(ascites),
            ("none", "grade 1-2", "grade 3-4").index(encephalopathy),
        )
    )


def centor(
    age_years: Value, temperature_c: Value, cough: bool, tonsils_swollen: bool = False,
    tender_neck_nodes: bool = False,
) -> int:  # fmt: skip
    """Probability of streptococci in a sore throat, -1 to 5: Centor's score changed by age (McIsaac 1998).

    No cough is a point, so that it must be said.
    """
    age = _age(age_years, 3)
    by_age = _points([(age < 15, 1), (age >= 45, -1)])
    return sum((_temperature(temperature_c) > 38, tonsils_swollen, tender_neck_nodes, not cough)) + by_age


def glasgow(eyes: Value, verbal: Value, motor: Value) -> int:
    """Glasgow Coma Scale, 3 to 15 (Teasdale and Jennett 1974)."""
    return _whole("eyes", eyes, 1, 4) + _whole("verbal", verbal, 1, 5) + _whole("motor", motor, 1, 6)


def apgar(appearance: Value, pulse_points: Value, grimace: Value, activity: Value, respiration: Value) -> int:
    """State of a newborn, 0 to 10, from five signs of 0 to 2 points (Apgar 1953)."""
    parts = {"appearance": appearance, "pulse_points": pulse_points, "grimace": grimace}
    parts |= {"activity": activity, "respiration": respiration}
    return sum(_whole(name, value, 0, 2) for name, value in parts.items())


def abcd2(
    age_years: Value, systolic_mmhg: Value, diastolic_mmhg: Value, duration_minutes: Value,
    one_sided_weakness: bool = False, speech_disturbance: bool = False, diabetes: bool = False,
) -> int:  # fmt: skip
    """Risk of stroke in the days after a TIA, 0 to 7 (Johnston 2007)."""
    minutes = checked("duration_minutes", duration_minutes, 0, 10_080, "minute")
    systolic, diastolic = pressures(systolic_mmhg, diastolic_mmhg)
    high = systolic >= 140 or diastolic >= 90
    lasted = _points([(minutes >= 60, 2), (minutes >= 10, 1)])
    features = _points([(one_sided_weakness, 2), (speech_disturbance, 1)])
    return (_age(age_years, 18) >= 60) + high + features + lasted + diabetes


def cardiac_risk(
    creatinine_umol_l: Value, high_risk_surgery: bool = False, coronary_disease: bool = False,
    heart_failure: bool = False, stroke: bool = False, insulin: bool = False,
) -> int:  # fmt: skip
    """Risk of the heart in an operation, 0 to 6: Revised Cardiac Risk Index (Lee 1999)."""
    creatinine = checked("creatinine_umol_l", creatinine_umol_l, 5, 5000, "micromole/liter")
    return sum((high_risk_surgery, coronary_disease, heart_failure, stroke, insulin, creatinine > 176.8))


def alvarado(
    temperature_c: Value, leucocytes_g_l: Value, pain_moved: bool = False, no_appetite: bool = False,
    nausea: bool = False, tender_lower_right: bool = False, rebound_pain: bool = False, left_shift: bool = False,
) -> int:  # fmt: skip
    """Probability of an appendicitis, 0 to 10 (Alvarado 1986)."""
    double = (tender_lower_right, checked("leucocytes_g_l", leucocytes_g_l, 0.1, 500) > 10)
    single = (pain_moved, no_appetite, nausea, rebound_pain, _temperature(temperature_c) >= 37.3, left_shift)
    return 2 * sum(double) + sum(single)


def blatchford(
    sex: Sex, urea_mmol_l: Value, haemoglobin_g_l: Value, systolic_mmhg: Value,
    heart_rate_bpm: Value, melaena: bool = False, fainted: bool = False, liver_disease: bool = False,
    heart_failure: bool = False,
) -> int:  # fmt: skip
    """Need of treatment in bleeding of the upper gut, 0 to 23 (Blatchford 2000)."""
    urea = checked("urea_mmol_l", urea_mmol_l, 0.3, 120, "millimole/liter")
    blood = checked("haemoglobin_g_l", haemoglobin_g_l, 20, 250, "gram/liter")
    pressure = _systolic(systolic_mmhg)
    of_urea = _points([(urea >= 25, 6), (urea >= 10, 4), (urea >= 8, 3), (urea >= 6.5, 2)])
    male = [(blood < 100, 6), (blood < 120, 3), (blood < 130, 1)]
    of_blood = _points(male if sex == "male" else [(blood < 100, 6), (blood < 120, 1)])
    of_pressure = _points([(pressure < 90, 3), (pressure < 100, 2), (pressure < 110, 1)])
    others = (_rate(heart_rate_bpm) >= 100) + melaena + 2 * (fainted + liver_disease + heart_failure)
    return of_urea + of_blood + of_pressure + others
