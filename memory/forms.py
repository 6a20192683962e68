"""Facts that are filled in by hand: by a patient in the page, by whoever keeps the chart, on the command line.

What is typed is read as the sentence would be in which a patient tells it, by the same extractor.
"""

from datetime import date
from typing import Any

from pydantic import ValidationError

from primum.graph.errors import BadInput
from primum.memory.allergies import allergen
from primum.memory.extract import extract
from primum.memory.facts import ANY, Fact, Kind, Quote
from primum.safety.lexicon import canonical

LONGEST = 200  # characters of a value
# How a patient tells it, and what one may type.
_TOLD: dict[Kind, tuple[str, str]] = {
    "age": ("I am {} years old", "34"),
    "birth_date": ("I was born on {}", "1990-05-31"),
    "sex": ("I am {}", "female"),
    "pregnancy": ("I am {} weeks pregnant", "12"),
    "breastfeeding": ("I am breastfeeding", "yes"),
    "weight": ("I weigh {}", "70 kg"),
    "height": ("I am {} tall", "170 cm"),
    "allergy": ("I am allergic to {}", "penicillin"),
    "medicine": ("I take {}", "warfarin 5 mg daily"),
    "condition": ("I have {}", "asthma"),
    "procedure": ("I had {}", "appendectomy"),
    "family_history": ("My {} has {}", "diabetes, with the relative `mother`"),
    "smoking": ("I {}", "smoke 10 cigarettes a day"),
    "alcohol": ("I {}", "drink two beers a week"),
    "laboratory": ("My {}", "creatinine was 1.2 mg/dL"),
    "language": ("I speak {}", "Spanish"),
}
_NOTHING, _DENIABLE = frozenset({"none", "no", "nothing"}), frozenset({"allergy", "medicine", "condition"})
# Of these a `no` denies what a `yes` would affirm.
_AFFIRMED: dict[Kind, str] = {"pregnancy": "yes", "breastfeeding": "yes", "smoking": "smoke", "alcohol": "drink"}
_IN_WORDS = frozenset({"allergy", "medicine", "condition", "procedure", "family_history", "language"})


def entered(kind: Kind, value: str, today: date, *, negated: bool = False, **details: Any) -> Fact:
    """A fact as it was filled in; what was typed is its proof.

    Args:
        value: `penicillin`, `warfarin 5 mg daily`, `70 kg` …; for pregnancy the weeks, or `yes`; `none` for no
            allergies, medicines or conditions.
        details: reaction, severity, dose, frequency, relative, valid_from, valid_until.

    Raises:
        BadInput: it can't be read as such a fact.
    """
    value = " ".join(value.split())
    if not 0 < len(value) <= LONGEST:
        raise BadInput(f"A value of {kind} has 1 to {LONGEST} characters.")
    typed = value
    if value.casefold() in _NOTHING and kind in _DENIABLE:
        value, negated = ANY, True
    if value.casefold() in _NOTHING and kind in _AFFIRMED:
        value, negated = _AFFIRMED[kind], True
    if kind == "family_history" and not details.get("relative"):
        raise BadInput("Say in whom: give the relative, such as mother, father or sister.")
    details = {name: given for name, given in details.items() if given is not None}
    quote = Quote(role="record", message="form", start=0, stop=len(typed), text=typed)
    by_hand = {"quotes": (quote,), "written": typed, "corrects": True, "said": today, "negated": negated}
    read = None if value == ANY else _read(kind, value, today, details.get("relative", ""))
    if read is None and kind not in _IN_WORDS:
        raise BadInput(f"This is no {kind.replace('_', ' ')}. Write it like this: {_TOLD[kind][1]}.")
    try:
        known = read.model_dump(exclude={"quotes"}) if read else {"kind": kind, "value": _named(kind, value)}
        return Fact(**{**known, **by_hand, **details})
    except ValidationError as error:
        faults = "; ".join(str(fault["msg"]).removeprefix("Value error, ") for fault in error.errors()[:5])
        raise BadInput(f"This fact can't be used: {faults}") from None


def _read(kind: Kind, value: str, today: date, relative: str) -> Fact | None:
    """The fact that its sentence tells."""
    lead = _TOLD[kind][0]
    given = (relative, value) if kind == "family_history" else (value,)
    bare = {"pregnancy": "I am pregnant"}.get(kind) if value.casefold() in ("yes", "true") else None
    told = extract(bare or lead.format(*given), today=today)
    return next((fact for fact in told if fact.kind == kind and not fact.negated), None)


def _named(kind: Kind, value: str) -> str:
    if value == ANY:
        return ANY
    match kind:
        case "allergy":
            return allergen(value) or value.casefold()
        case "medicine":
            return canonical(value)
        case _:
            return value.casefold()
