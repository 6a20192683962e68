"""Bedside calculations as LangChain tools: the formulas of `safety/calculators.py`, and NEWS2."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Literal

from langchain_core.tools import BaseTool, ToolException, tool
from pydantic import BaseModel, ConfigDict, Field

from primum.safety import calculators
from primum.safety.vitals import Consciousness, Vitals, news2
from primum.tools.safety import told_wrong

Formula = Literal[
    "cockcroft_gault", "ckd_epi_2021", "bmi", "body_surface_mosteller", "body_surface_du_bois", "ideal_body_weight",
    "adjusted_body_weight", "qtc_bazett", "qtc_fridericia", "mean_arterial_pressure", "anion_gap", "corrected_calcium",
    "average_glucose_of_hba1c", "hba1c_to_mmol_mol", "hba1c_to_percent", "creatinine_to_mg_dl", "creatinine_to_umol_l",
    "glucose_to_mg_dl", "glucose_to_mmol_l",
]  # fmt: skip


@dataclass(frozen=True)
class _Known:
    """A formula: what computes it, the unit of its result, whom it is for, and where it comes from."""

    run: Callable[..., float]
    unit: str
    source: str
    holds_for: str = ""


_GRAMS = "molar masses of creatinine (113.12) and glucose (180.16)"
_FORMULAS: dict[str, _Known] = {
    "cockcroft_gault": _Known(
        calculators.cockcroft_gault, "ml/min", "Cockcroft and Gault, Nephron 16:31, 1976",
        "adults with stable kidney function; what most labels give doses by",
    ),
    "ckd_epi_2021": _Known(
        calculators.ckd_epi_2021, "ml/min/1.73 m²", "Inker and others, CKD-EPI 2021, N Engl J Med 385:1737",
        "adults with stable kidney function; for the stage of kidney disease",
    ),
    "bmi": _Known(calculators.bmi, "kg/m²", "World Health Organization, body mass index", "adults"),
    "body_surface_mosteller": _Known(
        calculators.body_surface_mosteller, "m²", "Mosteller, N Engl J Med 317:1098, 1987"
    ),
    "body_surface_du_bois": _Known(
        calculators.body_surface_du_bois, "m²", "Du Bois and Du Bois, Arch Intern Med 17:863, 1916"
    ),
    "ideal_body_weight": _Known(
        calculators.ideal_body_weight_kg, "kg", "Devine, Drug Intell Clin Pharm 8:650, 1974", "adults from 152 cm on"
    ),
    "adjusted_body_weight": _Known(
        calculators.adjusted_body_weight_kg, "kg", "Devine 1974, and 40 % of the weight above it",
        "adults from 152 cm on",
    ),
    "qtc_bazett": _Known(
        calculators.qtc_bazett_ms, "ms", "Bazett, Heart 7:353, 1920", "60 to 100 beats a minute; too long above"
    ),
    "qtc_fridericia": _Known(calculators.qtc_fridericia_ms, "ms", "Fridericia, Acta Med Scand 53:469, 1920"),
    "mean_arterial_pressure": _Known(
        calculators.mean_arterial_pressure_mmhg, "mmHg", "diastolic pressure and a third of the pulse pressure"
    ),
    "anion_gap": _Known(
        calculators.anion_gap_mmol_l, "mmol/l", "Emmett and Narins, Medicine 56:38, 1977; for albumin Figge, 1998"
    ),
    "corrected_calcium": _Known(calculators.corrected_calcium_mmol_l, "mmol/l", "Payne and others, BMJ 4:643, 1973"),
    "average_glucose_of_hba1c": _Known(
        calculators.estimated_average_glucose_mg_dl, "mg/dl", "Nathan and others (ADAG), Diabetes Care 31:1473, 2008"
    ),
    "hba1c_to_mmol_mol": _Known(calculators.hba1c_to_mmol_mol, "mmol/mol", "IFCC and NGSP master equation, 2004"),
    "hba1c_to_percent": _Known(calculators.hba1c_to_percent, "%", "IFCC and NGSP master equation, 2004"),
    "creatinine_to_mg_dl": _Known(calculators.creatinine_to_mg_dl, "mg/dl", _GRAMS),
    "creatinine_to_umol_l": _Known(calculators.creatinine_to_umol_l, "µmol/l", _GRAMS),
    "glucose_to_mg_dl": _Known(calculators.glucose_to_mg_dl, "mg/dl", _GRAMS),
    "glucose_to_mmol_l": _Known(calculators.glucose_to_mmol_l, "mmol/l", _GRAMS),
}  # fmt: skip


class Values(BaseModel):
    """What a formula is given; each in the unit of its name. Leave out what the formula does not need."""

    model_config = ConfigDict(extra="forbid")

    formula: Formula = Field(
        description="Needs: cockcroft_gault creatinine, age, weight, sex · ckd_epi_2021 creatinine, age, sex · bmi, "
        "body_surface_… weight, height · ideal_body_weight height, sex · adjusted_body_weight weight, height, sex · "
        "qtc_… QT, heart rate · mean_arterial_pressure both pressures · anion_gap sodium, chloride, bicarbonate, "
        "perhaps albumin · corrected_calcium calcium, albumin · the others the value that they convert"
    )
    creatinine_umol_l: float | None = Field(None, description="serum creatinine, µmol/l (adults about 45 to 110)")
    creatinine_mg_dl: float | None = Field(None, description="serum creatinine, mg/dl, instead (about 0.5 to 1.2)")
    age_years: float | None = Field(None, description="years; 0.25 is three months")
    sex: Literal["female", "male"] | None = Field(None, description="sex that the formula was made for")
    weight_kg: float | None = Field(None, description="body weight, kg (1 lb is 0.454 kg)")
    height_cm: float | None = Field(None, description="height, cm (1 inch is 2.54 cm)")
    qt_ms: float | None = Field(None, description="QT interval, milliseconds (about 350 to 450)")
    heart_rate_bpm: float | None = Field(None, description="beats a minute")
    systolic_mmhg: float | None = Field(None, description="upper blood pressure, mmHg")
    diastolic_mmhg: float | None = Field(None, description="lower blood pressure, mmHg")
    sodium_mmol_l: float | None = Field(None, description="serum sodium, mmol/l (about 140)")
    chloride_mmol_l: float | None = Field(None, description="serum chloride, mmol/l (about 103)")
    bicarbonate_mmol_l: float | None = Field(None, description="serum bicarbonate, mmol/l (about 25)")
    albumin_g_l: float | None = Field(None, description="serum albumin, g/l (about 40; 4 g/dl is 40 g/l)")
    calcium_mmol_l: float | None = Field(None, description="total serum calcium, mmol/l (about 2.4)")
    glucose_mmol_l: float | None = Field(None, description="blood glucose, mmol/l (about 5)")
    glucose_mg_dl: float | None = Field(None, description="blood glucose, mg/dl (about 90)")
    hba1c_percent: float | None = Field(None, description="HbA1c, per cent (NGSP; about 5.5)")
    hba1c_mmol_mol: float | None = Field(None, description="HbA1c, mmol/mol (IFCC; about 37)")


@tool(args_schema=Values)
def calculate(formula: Formula, **values: Any) -> dict[str, Any]:
    """Compute a bedside formula: kidney function, body surface, ideal weight, QTc, anion gap, calcium, unit changes.

    Give each value in the unit of its name. The answer has the value, its unit, whom it holds for, and the source.
    """
    known = _FORMULAS[formula]
    given = {name: value for name, value in values.items() if value is not None}
    needed = signature(known.run).parameters
    if "creatinine_umol_l" in needed and "creatinine_mg_dl" in given:
        if "creatinine_umol_l" in given:
            raise ToolException("Give creatinine_umol_l or creatinine_mg_dl, not both.")
        given["creatinine_umol_l"] = _checked(calculators.creatinine_to_umol_l, given["creatinine_mg_dl"])
    missing = [name for name, one in needed.items() if one.default is Parameter.empty and name not in given]
    if missing:
        missing = ["creatinine_umol_l (or creatinine_mg_dl)" if n == "creatinine_umol_l" else n for n in missing]
        raise ToolException(f"{formula} also needs {', '.join(missing)}.")
    used = {name: given[name] for name in needed if name in given}
    value = _checked(known.run, **used)
    return {
        "formula": formula,
        "value": round(value, 2 if abs(value) < 10 else 1),
        "unit": known.unit,
        "from": {name: round(one, 1) if isinstance(one, float) else one for name, one in used.items()},
        "holds_for": known.holds_for,
        "source": known.source,
    }


def _checked(run: Callable[..., float], *values: float, **named: Any) -> float:
    try:
        return run(*values, **named)
    except ValueError as error:
        raise ToolException(f"{error}. Check the value and its unit.") from None


class Signs(BaseModel):
    """Vital signs of a person of 16 years or more who is not pregnant."""

    model_config = ConfigDict(extra="forbid")

    age_years: float = Field(ge=16, le=130, description="years; the score is not made for children")
    respiratory_rate: float = Field(ge=0, le=120, description="breaths a minute")
    spo2: float = Field(ge=40, le=100, description="oxygen saturation, per cent (scale 1)")
    systolic: float = Field(ge=0, le=300, description="upper blood pressure, mmHg")
    heart_rate: float = Field(ge=0, le=300, description="beats a minute")
    temperature: float = Field(ge=24, le=44.5, description="body temperature, °C")
    consciousness: Consciousness = Field(description="A alert, C new confusion, V voice, P pain, U unresponsive")
    on_oxygen: bool = Field(False, description="whether oxygen is given")


@tool(args_schema=Signs)
def early_warning_score(age_years: float, **signs: Any) -> dict[str, Any]:  # noqa: ARG001  (its limit is the schema's)
    """NEWS2: how ill an adult is by the vital signs; from 5, or 3 in one sign, urgent, from 7 an emergency.

    Not for children under 16, pregnancy, or scale 2 (chronic high carbon dioxide).
    """
    score, worst = news2(Vitals(**signs))
    level = "emergency" if score >= 7 else "urgent" if score >= 5 or worst else "low"
    return {
        "score": score,
        "level": level,
        "signs_of_three_points": list(worst),
        "source": "Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017",
    }


CALCULATOR_TOOLS: tuple[BaseTool, ...] = (calculate, early_warning_score)
for _one in CALCULATOR_TOOLS:
    _one.handle_tool_error = True
    _one.handle_validation_error = told_wrong
