"""Facts that are filled in by hand: by a patient in the page, by whoever keeps the chart, on the command line.

What is typed is read as the sentence would be in which a patient tells it, by the same extractor.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from pydantic import ValidationError

from primum.graph.errors import BadInput
from primum.memory.allergies import allergen
from primum.memory.extract import extract
from primum.memory.facts import ANY, DRUGS, FOODS, Fact, Kind, Quote
from primum.safety.lexicon import canonical

LONGEST = 200  # characters of a value
# How a patient tells it, and what one may type. With ` / ` between, the first way that is understood counts.
_TOLD: dict[Kind, tuple[str, str]] = {
    "age": ("I am {} years old / I am {} old / I am {}", "34"),
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
    "smoking": ("{} / I am a {}", "10 a day, no, or ex-smoker since 2015"),
    "alcohol": ("{} / I drink {} / I am a {}", "two beers a week, no, or never"),
    "laboratory": ("My {}", "creatinine was 1.2 mg/dL"),
    "language": ("I speak {}", "Spanish"),
}
_NOTHING = frozenset({"none", "no", "nothing", "none known", "never", "not at all", "no, never", "0"})
_DENIABLE = frozenset({"allergy", "medicine", "condition"})
_NO_ILLNESS = re.compile(
    r"(?:no|none) (?:[\w-]+ ){0,2}?(?:conditions?|illness(?:es)?|diseases?|(?:health|medical) (?:problems?|issues?))"
    r"(?: known)?|healthy",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:no|not|never) (?=\S)", re.IGNORECASE)
# Of these a `no` denies what a `yes` would affirm.
_AFFIRMED: dict[Kind, str] = {"pregnancy": "yes", "breastfeeding": "yes", "smoking": "I smoke", "alcohol": "I drink"}
# How much of it, or how often: what is typed of a habit without the verb.
_AMOUNT = re.compile(
    r"\d|\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|half|few|some|lots?|packs?|daily|weekly|every|each"
    r"|days?|weeks?|weekends?|months?|occasional\w*|social\w*|sometimes|rarely|seldom|regular\w*|heav\w+|moderate\w*"
    r"|light\w*|yes)\b",
    re.IGNORECASE,
)
_HABIT: dict[Kind, str] = {"smoking": "I smoke, {}", "alcohol": "I drink alcohol, {}"}
_GAVE_UP = re.compile(r"(quit|stopped|gave up|given up|former)\b(.*)", re.IGNORECASE)
_IN_WORDS = frozenset({"allergy", "medicine", "condition", "procedure", "family_history", "language"})


def entered(kind: Kind, value: str, today: date, *, negated: bool = False, **details: Any) -> Fact:
    """A fact as it was filled in; what was typed is its proof.

    Args:
        value: `penicillin`, `warfarin 5 mg daily`, `70 kg` …; for pregnancy the weeks, or `yes`; `none`, or words
            such as `no known medicine allergies`, for no allergies, medicines or conditions; `no asthma` for no asthma.
        details: reaction, severity, dose, frequency, relative, valid_from, valid_until.

    Raises:
        BadInput: it can't be read as such a fact.
    """
    value = " ".join(value.split())
    if not 0 < len(value) <= LONGEST:
        raise BadInput(f"A value of {kind} has 1 to {LONGEST} characters.")
    typed = value
    denied = _denied(kind, value, today)
    if denied:
        value, negated = denied, True
    elif kind in _IN_WORDS and _NOT.match(value):
        value, negated = _NOT.sub("", value, count=1), True
    elif value.casefold() in _NOTHING and kind in _AFFIRMED:
        value, negated = _AFFIRMED[kind], True
    if kind == "family_history" and not details.get("relative"):
        raise BadInput("Say in whom: give the relative, such as mother, father or sister.")
    details = {name: given for name, given in details.items() if given is not None}
    quote = Quote(role="record", message="form", start=0, stop=len(typed), text=typed)
    by_hand: dict[str, Any] = {"quotes": (quote,), "written": typed, "corrects": True, "said": today}
    read = None if denied else _read(kind, value, today, details.get("relative", ""))
    if read is None and kind not in _IN_WORDS:
        raise BadInput(f"This is no {kind.replace('_', ' ')}. Write it like this: {_TOLD[kind][1]}.")
    try:
        known = read.model_dump(exclude={"quotes"}) if read else {"kind": kind, "value": denied or _named(kind, value)}
        if read and kind in _IN_WORDS:
            by_hand["written"] = read.written  # without the reaction, the dose or the date that was typed with it
        elif negated and not denied and kind in _IN_WORDS:
            by_hand["written"] = value
        return Fact(**{**known, **by_hand, "negated": negated or bool(read and read.negated), **details})
    except ValidationError as error:
        faults = "; ".join(str(fault["msg"]).removeprefix("Value error, ") for fault in error.errors()[:5])
        raise BadInput(f"This fact can't be used: {faults}") from None


def _denied(kind: Kind, value: str, today: date) -> str:
    """What a denial of all denies: `any`, all `drugs`, all `foods`; nothing if it is none."""
    if kind not in _DENIABLE:
        return ""
    if value.casefold() in _NOTHING or (kind == "condition" and _NO_ILLNESS.fullmatch(value)):
        return ANY
    told = (fact for fact in extract(value, today=today) if fact.kind == kind and fact.negated)
    return next((fact.value for fact in told if fact.value in (ANY, DRUGS, FOODS)), "")


def _read(kind: Kind, value: str, today: date, relative: str) -> Fact | None:
    """The fact that its sentence tells; of a habit, also that there is none."""
    given = (relative, value) if kind == "family_history" else (value,)
    for lead in _leads(kind, value):
        for fact in extract(lead.format(*given), today=today):
            if fact.kind == kind and (kind in _HABIT or not fact.negated):
                return fact
    return None


def _leads(kind: Kind, value: str) -> Sequence[str]:
    """The sentences in which a patient may tell it, the likeliest first."""
    if kind == "pregnancy" and value.casefold() in ("yes", "true"):
        return ("I am pregnant",)
    leads = _TOLD[kind][0].split(" / ")
    if kind in _HABIT and (ended := _GAVE_UP.fullmatch(value)):
        done = {"smoking": "smoking", "alcohol": "drinking"}[kind]
        return (*leads, f"I quit {done}{ended[2]}".replace("{", "").replace("}", ""))
    return (*leads, _HABIT[kind]) if kind in _HABIT and _AMOUNT.search(value) else leads


def _named(kind: Kind, value: str) -> str:
    match kind:
        case "allergy":
            return allergen(value) or value.casefold()
        case "medicine":
            return canonical(value)
        case _:
            return value.casefold()
