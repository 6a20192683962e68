"""Bedside calculations as LangChain tools: the formulas and scores of `safety/formulas.py`, NEWS2, mathematics."""

from collections.abc import Mapping
from inspect import Parameter
from typing import Any, Literal, get_args

from langchain_core.tools import BaseTool, ToolException, tool
from pydantic import BaseModel, ConfigDict, Field, create_model

from primum.safety import calculators
from primum.safety.formulas import FORMULAS, MissingInput, Result, asked, rounded
from primum.safety.vitals import Consciousness, Vitals, news2
from primum.tools.gap import tell_gaps
from primum.tools.mathematics import work_out
from primum.tools.safety import told_wrong

# Arguments that stand for another one in a second unit.
_OTHER_UNITS = {
    "creatinine_umol_l": ("creatinine_mg_dl", calculators.creatinine_to_umol_l),
    "glucose_mmol_l": ("glucose_mg_dl", calculators.glucose_to_mmol_l),
}


def _field(name: str, parameter: Parameter) -> Any:
    """The type of an argument and what is told of it; what is left out is None."""
    choices = [one for one in get_args(parameter.annotation) if isinstance(one, str)]
    kind: Any = bool if parameter.annotation is bool else Literal[tuple(choices)] if choices else float
    return (kind | None, Field(None, description=asked(name)))


def _needs(name: str) -> str:
    """A formula with what it needs, in the description of the tool."""
    one = FORMULAS[name]
    return f"{name}: {', '.join(one.needed)}" + (" and what is present" if one.items else "")


_INPUTS = {name: parameter for one in FORMULAS.values() for name, parameter in one.inputs.items()}
_LITERAL: Any = Literal[tuple(FORMULAS)]
Values = create_model(
    "Values",
    __config__=ConfigDict(extra="forbid"),
    __doc__="What a formula is given; each in the unit of its name. Leave out what the formula does not need.",
    formula=(_LITERAL, Field(description="What each needs: " + " · ".join(map(_needs, FORMULAS)))),
    **{name: _field(name, parameter) for name, parameter in _INPUTS.items()},
)


@tool(args_schema=Values)
def calculate(formula: str, **values: Any) -> dict[str, Any]:
    """Compute a bedside formula or score: kidney, heart, clots, bleeding, liver, lungs, sepsis, children, unit changes.

    Give each value in the unit of its name, and each item of a score as true or false; one that is left out counts as
    absent. The answer has the value, its unit, what it means, whom it holds for, and the source.
    """
    try:
        result = compute(formula, values)
    except MissingInput as error:
        names = [f"{one} (or {_OTHER_UNITS[one][0]})" if one in _OTHER_UNITS else one for one in error.names]
        raise ToolException(f"{formula} also needs {', '.join(names)}.") from None
    except ValueError as error:
        raise ToolException(f"{error}. Check the value and its unit.") from None
    return {
        "formula": formula,
        "value": result.value,
        "unit": result.formula.unit,
        "meaning": result.meaning,
        "from": {name: rounded(one) if isinstance(one, float) else one for name, one in result.used.items()},
        "counted_as_absent": list(result.absent),
        "holds_for": result.formula.holds_for,
        "source": result.formula.source,
    }


def compute(formula: str, values: Mapping[str, Any]) -> Result:
    """The result of a formula for the arguments of `calculate`. Raises MissingInput, ValueError."""
    given = {name: value for name, value in values.items() if value is not None}
    for name, (other, converted) in _OTHER_UNITS.items():
        if name in FORMULAS[formula].inputs and other in given:
            if name in given:
                raise ValueError(f"Give {name} or {other}, not both")
            given[name] = converted(given[other])
    return FORMULAS[formula].compute(given)


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


CALCULATOR_TOOLS: tuple[BaseTool, ...] = (calculate, early_warning_score, work_out)
for _one in CALCULATOR_TOOLS:
    tell_gaps(_one)
    _one.handle_validation_error = told_wrong
