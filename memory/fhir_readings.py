"""What a FHIR R4 resource tells of its patient, before it is a fact: our own resources and those of other makers.

The names that a record writes are read by the rules for a patient's words: `Former smoker` as "I am a former smoker".
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, get_args

from primum.memory.allergies import allergen, allergies, reaction_told
from primum.memory.clauses import Message
from primum.memory.facts import ANY, Kind
from primum.memory.fhir_codes import (
    LOINC,
    UNITS,
    WORDS_OF,
    LeftOut,
    Resource,
    day,
    meaning,
    our_name,
    proof,
    state,
    tags,
    texts,
    when,
)  # fmt: skip
from primum.memory.medicines import how_often
from primum.memory.states import states
from primum.safety.dose_words import AMOUNT
from primum.safety.lexicon import canonical, mentions, substances

# What is told by an Observation, a laboratory apart, and how its answer in words is read as a statement.
_ASKED: dict[Kind, str] = {
    "age": "", "birth_date": "", "sex": "I am ", "pregnancy": "I am ", "breastfeeding": "I am ", "weight": "",
    "height": "", "smoking": "I am a ", "alcohol": "I am a ", "language": "I speak ",
}  # fmt: skip
_YES_OR_NO: dict[Kind, str] = {
    "pregnancy": "pregnant", "breastfeeding": "breastfeeding", "smoking": "yes", "alcohol": "yes",
}  # fmt: skip
# What the name of a condition may tell besides: `History of appendectomy`.
_OF_CONDITIONS: frozenset[Kind] = frozenset({"condition", "procedure", "family_history", *_YES_OR_NO})
# Our unit of a measure, and what one of another is in it, by UCUM code or in words.
_MEASURES: dict[Kind, tuple[str, dict[str, float]]] = {
    "age": ("years", {"a": 1, "years": 1, "mo": 1 / 12, "months": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25}),
    "weight": ("kg", {"kg": 1, "g": 0.001, "[lb_av]": 0.45359237, "lb": 0.45359237, "lbs": 0.45359237}),
    "height": ("cm", {"cm": 1, "m": 100, "mm": 0.1, "[in_i]": 2.54, "in": 2.54, "[ft_i]": 30.48}),
}
_TIMES = {"min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}
_PRESCRIBED = ("order", "original-order", "reflex-order", "filler-order", "instance-order")
_BRAND = re.compile(r"\s*\[[^\]]*\]")
_DENIES_ALL = re.compile(r"\W*(?:no|nil)(?: (?:known|current|active|significant|relevant))+\b", re.IGNORECASE)
_SAYS_NOTHING = re.compile(
    r"\W*(?:unknown|none|nil|n/?a|other|not (?:known|asked|recorded|applicable)|no information)\b", re.IGNORECASE
)
_OF_BLOOD = re.compile(r"(?:(?:serum|plasma|blood|total|fasting|ha?emoglobin) )*", re.IGNORECASE)
_SURGERY = re.compile(
    r"surg|operat|\w(?:ectomy|otomy|ostomy|plasty|pexy|desis)\b|bypass|transplant|implant|replacement|repair|graft"
    r"|amputat|excision|removal|resection|fusion|stent|caesarean|cesarean|steriliz|ligation",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reading:
    """What a resource tells. `words` are those of its details, `told` is the day on which it was recorded."""

    kind: Kind
    value: str = ""
    written: str = ""
    negated: bool = False
    since: str | None = None
    until: str | None = None
    told: str | None = None
    words: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Around:
    """What of its bundle a resource is read with: its Medications by their names, and when it was made."""

    today: date
    made: str
    medications: Mapping[str, Resource]

    def ended(self, until: str | None, is_over: bool, *known: str | None) -> str | None:
        """When it ended, else the last day that is known; what has its end still to come goes on."""
        if is_over:
            return until or max(filter(None, known), default=self.made)
        return until if until and until <= self.today.isoformat()[: len(until)] else None


def readings(resource: Resource, around: Around) -> list[Reading]:
    """What it tells.

    Raises:
        LeftOut: it tells nothing that is kept.
    """
    if resource["resourceType"] not in READERS:
        raise LeftOut("facts are not read from resources of this type")
    return list(READERS[resource["resourceType"]](resource, around))


def reference(url: str) -> str:
    """A reference without its server and version: `Patient/1`."""
    return "/".join(url.split("/_history/")[0].split("/")[-2:])


# Words.


def _words(concept: Resource) -> str:
    words = next(iter(texts(concept)), "")
    if not words:
        raise LeftOut("it is named by codes alone, without words")
    if _SAYS_NOTHING.match(words) and not our_name(concept):
        raise LeftOut("it says that nothing is known")
    return words


def _stated(lead: str, words: str, today: date) -> Iterator[Reading]:
    """The record's words after the lead that makes a patient's statement of them."""
    for told in states(Message(lead + words), today):
        written = words[max(0, told.start - len(lead)) : max(0, told.stop - len(lead))].strip()
        details = {name: value for name, value in told.details.items() if value is not None}
        yield Reading(told.kind, told.value, written or words, told.negated, details=details)


def _of_all(concept: Resource, kind: Kind) -> Reading | None:
    """A denial of all of a kind, by its code or as `no known problems`."""
    row = meaning(concept, (kind,))
    words = next(iter(texts(concept)), row.name if row else "")
    if row:
        return Reading(kind, row.value, words, row.negated)
    denies = not our_name(concept) and _DENIES_ALL.match(words) and kind != "allergy"
    return Reading(kind, ANY, words, negated=True) if denies else None


# Allergies.


def _allergy(resource: Resource, around: Around) -> Iterator[Reading]:
    del around
    refuted = state(resource, "verificationStatus") == "refuted"
    if state(resource, "clinicalStatus") in ("inactive", "resolved") and not refuted and not proof(resource):
        raise LeftOut("it holds no longer; ask the patient, for an allergy is not taken back on a record's word")
    substance: Resource = next((one["substance"] for one in resource.get("reaction", ()) if "substance" in one), {})
    shown = [concept for one in resource.get("reaction", ()) for concept in one.get("manifestation", ())]
    words = [found[0] for concept in shown if (found := texts(concept))]
    common = Reading("allergy", told=day(resource.get("recordedDate")), since=when(resource, "onset")[0])
    details = {"reaction": ", ".join(dict.fromkeys(words)) or None, "severity": _severity(resource, words)}
    for one in _allergens(resource.get("code") or substance):
        made = replace(common, value=one.value, written=one.written, negated=refuted or one.negated)
        tells = not made.negated or proof(resource)  # how what is denied showed was never so
        yield replace(made, words=tuple(words), details=details) if tells else made


def _allergens(concept: Resource) -> Iterator[Reading]:
    if denial := _of_all(concept, "allergy"):
        yield denial
        return
    words, name = _words(concept), our_name(concept)
    known = next((one for one in texts(concept) if canonical(one) != one.lower()), None)
    told = [] if name or known else allergies(Message(words), "allergy")
    for one in told:
        yield Reading("allergy", one.value, words[one.start : one.stop], one.negated)
    if not told:
        yield Reading("allergy", name or allergen(known or words), known or words)


def _severity(resource: Resource, shown: Iterable[str]) -> str | None:
    """How grave it was, else how the reaction is counted; that the risk is low says nothing of what happened."""
    graded = {one["severity"] for one in resource.get("reaction", ()) if "severity" in one}
    if "severe" in graded or (resource.get("criticality") == "high" and not graded):
        return "severe"
    if resource.get("type") == "intolerance":
        return "intolerance"
    if graded or proof(resource):
        return "mild" if graded == {"mild"} else None
    return str(found) if (found := reaction_told(", ".join(shown).lower())["severity"]) else None


# Medicines.


def _medicine(resource: Resource, around: Around) -> Iterator[Reading]:
    prescribed = resource["resourceType"] == "MedicationRequest"
    status, told = resource.get("status"), day(resource.get("dateAsserted") or resource.get("authoredOn"))
    if prescribed and (resource.get("doNotPerform") or resource.get("intent") not in _PRESCRIBED):
        raise LeftOut("it is no order of what is to be taken")
    since, until = when(resource, "effective")
    if prescribed:
        since, until = told, day(resource.get("dispenseRequest", {}).get("validityPeriod", {}).get("end"))
    over = status in ("completed", "stopped")
    until = None if prescribed and not over else around.ended(until, over, since, told)
    made = Reading("medicine", since=since, until=until, told=told or since, negated=status == "not-taken")
    named = _named_medicine(_taken(resource, around))
    made = replace(made, value=named.value, written=named.written, negated=made.negated or named.negated)
    dosages = resource.get("dosageInstruction" if prescribed else "dosage", ())
    if dosages and (not made.negated or proof(resource)):
        words = tuple(one["text"].strip() for one in dosages if one.get("text", "").strip())
        several = {"dose": "; ".join(words) or None}
        made = replace(made, details=_dosage(dosages[0]) if len(dosages) == 1 else several, words=words)
    yield made


def _taken(resource: Resource, around: Around) -> Resource:
    """The concept of what is taken, of the Medication that it refers to if it names none."""
    if "medicationCodeableConcept" in resource:
        return dict(resource["medicationCodeableConcept"])
    refers = resource.get("medicationReference", {})
    name = refers.get("reference", "")
    contained = {f"#{one.get('id')}": one for one in resource.get("contained", ())}
    found = contained.get(name) or around.medications.get(name) or around.medications.get(reference(name)) or {}
    return dict(found.get("code") or ({"text": refers["display"]} if "display" in refers else {}))


def _named_medicine(concept: Resource) -> Reading:
    """A medicine by its substances, whatever its strengths and forms."""
    if denial := _of_all(concept, "medicine"):
        return denial
    words = _words(concept)
    if name := our_name(concept):
        return Reading("medicine", name, words)
    for written in texts(concept):
        named = (part for one in mentions(_BRAND.sub("", written)) for part in substances(one.name))
        if found := "/".join(dict.fromkeys(named)):
            return Reading("medicine", canonical(found), written)
    return Reading("medicine", canonical(words), words)


def _dosage(dosage: Resource) -> dict[str, Any]:
    """How much, how often, and whether only once."""
    timing, text = dosage.get("timing", {}), dosage.get("text", "")
    repeat, named = timing.get("repeat", {}), timing.get("code", {})
    often = next(iter(texts(named)), "") or next((one["code"] for one in named.get("coding", ()) if "code" in one), "")
    often = often or _rhythm(repeat) or ("as needed" if dosage.get("asNeededBoolean") else "")
    often = often or how_often(Message(text), 0, len(text)).get("frequency", "")
    dose = our_name(dosage) or _amount(dosage.get("doseAndRate", ()))
    if not dose and text != often and (match := AMOUNT.search(Message(text).plain)):
        dose = text[match.start() : match.end()].strip()
    return {"dose": dose or None, "frequency": often or None, "once": repeat.get("count") == 1}


def _amount(rates: Iterable[Resource]) -> str:
    """`500 mg`; a number without a unit says nothing."""
    quantity: Resource = next((one["doseQuantity"] for one in rates if "doseQuantity" in one), {})
    unit = quantity.get("unit") or quantity.get("code")
    return f"{quantity['value']:g} {unit}" if unit and "value" in quantity else ""


def _rhythm(repeat: Resource) -> str:
    """`2 times a day`, `every 8 hours`."""
    count, many, unit = repeat.get("frequency", 1), repeat.get("period"), _TIMES.get(repeat.get("periodUnit", ""))
    if not many or not unit:
        return ""
    if many == 1:
        return f"once a {unit}" if count == 1 else f"{count} times a {unit}"
    return f"every {many:g} {unit}s" if count == 1 else f"{count} times every {many:g} {unit}s"


# Conditions, procedures and relatives.


def _condition(resource: Resource, around: Around) -> Iterator[Reading]:
    refuted = state(resource, "verificationStatus") == "refuted"
    over = state(resource, "clinicalStatus") in ("inactive", "resolved") and not refuted
    since, until = when(resource, "onset")[0], when(resource, "abatement")[0]
    told = day(resource.get("recordedDate"))
    until = around.ended(until, over, since, told)
    for one in _conditions(resource.get("code", {}), "condition", around.today):
        if one.kind in _YES_OR_NO and (until or refuted):
            raise LeftOut("it is a state that is over or never was")
        made = replace(one, since=since, until=until, told=told, negated=one.negated or refuted)
        yield replace(made, details={}) if made.negated else made


def _conditions(concept: Resource, kind: Kind, today: date) -> Iterator[Reading]:
    """What the words of a condition mean; one that no table knows is as the record names it."""
    if denial := _of_all(concept, kind):
        yield denial
        return
    words = _words(concept)
    if name := our_name(concept):
        yield Reading(kind, name, words)
        return
    for written in texts(concept):
        if told := [one for one in _stated("I have a ", written, today) if one.kind in _OF_CONDITIONS]:
            yield from told
            return
    if tags(concept) & {"finding", "situation"}:
        raise LeftOut("it is a finding, not a condition that is known")
    yield Reading(kind, words.lower(), words)


def _procedure(resource: Resource, around: Around) -> Iterator[Reading]:
    status, concept = resource.get("status"), resource.get("code", {})
    if status not in ("completed", "in-progress", "not-done"):
        raise LeftOut(f"its status is {status}")
    since, until = when(resource, "performed")
    made = _of_all(concept, "procedure") or Reading("procedure", negated=status == "not-done")
    made = replace(made, since=since, until=until if proof(resource) else None, told=since)
    if made.value:
        yield made
        return
    words = _words(concept)
    if name := our_name(concept):
        yield replace(made, value=name, written=words)
        return
    told = [one for one in _stated("I had ", words, around.today) if one.kind == "procedure"]
    if not told and not _SURGERY.search(" ".join(texts(concept))):
        raise LeftOut("it is no surgery, nor another procedure that is kept")
    for one in told or [Reading("procedure", words.lower(), words)]:
        yield replace(made, value=one.value, written=one.written)


def _family(resource: Resource, around: Around) -> Iterator[Reading]:
    kin = resource.get("relationship", {})
    row, words = meaning(kin, ("relative",)), texts(kin)
    relative = our_name(kin)
    if relative is None and not proof(resource):
        relative = row.value if row else words[0].lower() if words else "family"
    for condition in resource.get("condition", ()):
        for one in _conditions(condition.get("code", {}), "family_history", around.today):
            if one.kind in ("condition", "family_history"):
                made = replace(one, kind="family_history", told=day(resource.get("date")), words=tuple(words[:1]))
                yield replace(made, details={"relative": relative})


# The person.


def _patient(resource: Resource, around: Around) -> Iterator[Reading]:
    gender, born = resource.get("gender"), day(resource.get("birthDate"))
    if gender in ("female", "male"):
        yield Reading("sex", gender, gender)
    if born:
        yield Reading("birth_date", born, born)
    for one in resource.get("communication", ()):
        if spoken := _language(one.get("language", {}), around.today):
            yield spoken


def _language(concept: Resource, today: date) -> Reading | None:
    code = next((one["code"] for one in concept.get("coding", ()) if "code" in one), "")
    words = next(iter(texts(concept)), code)
    told = next((one.value for one in _stated("I speak ", words, today) if one.kind == "language"), "")
    value = our_name(concept) or code.split("-")[0].lower() or told
    return Reading("language", value, words) if value else None


def _observation(resource: Resource, around: Around) -> Iterator[Reading]:
    kind, test = _observed(resource.get("code", {}), around.today)
    since, until = when(resource, "effective")
    told = until or since or day(resource.get("issued"))
    if kind == "laboratory":
        made = _laboratory(Reading(kind, test), resource)
    else:
        made = _answer(kind, resource, around.today)
        since = since if "effectivePeriod" in resource else None  # a point in time is when it was seen, not its start
    if proof(resource):
        yield replace(made, since=since, until=until, told=told)
    else:  # which ends nothing: it was so at the time
        yield replace(made, since=told if kind == "laboratory" else since, told=told)


def _observed(concept: Resource, today: date) -> tuple[Kind, str]:
    """What is observed: the kind, and of a laboratory the test."""
    row = meaning(concept, (*_ASKED, "laboratory"))
    kind: Kind | None = next((one for one in get_args(Kind) if row and one == row.kind), None)
    if kind:
        return kind, our_name(concept) or (row.value if row else "")
    if test := our_name(concept):
        return "laboratory", test
    if not any(one.get("system") == LOINC for one in concept.get("coding", ())):
        for words in texts(concept):
            lead = _OF_BLOOD.match(words)
            asked = f"{words[lead.end() if lead else 0 :]} is 10"
            for one in _stated("My ", f"{words} is 10", today):
                if one.kind == "laboratory" and one.written in (asked, f"{words} is 10"):
                    return "laboratory", one.value
    raise LeftOut("it is no observation that is kept")


def _number(quantity: Resource) -> float:
    if "value" not in quantity or "comparator" in quantity:
        raise LeftOut("it has no exact value")
    return float(quantity["value"])


def _in_words(quantity: Resource) -> str:
    unit = quantity.get("unit") or quantity.get("code")
    return " ".join(filter(None, (f"{_number(quantity):g}", unit)))


def _laboratory(made: Reading, resource: Resource) -> Reading:
    """The value of a test with its unit; of a blood pressure both."""
    if our_name(resource.get("dataAbsentReason", {})):
        return replace(made, written=made.value)
    named = ((meaning(one.get("code", {}), ("systolic", "diastolic")), one) for one in resource.get("component", ()))
    parts = {row.kind: _number(one.get("valueQuantity", {})) for row, one in named if row}
    if {"systolic", "diastolic"} <= parts.keys():
        high, low = parts["systolic"], parts["diastolic"]
        return replace(made, written=f"{high:g}/{low:g} mmHg", details={"number": high, "low": low, "unit": "mmHg"})
    quantity = resource.get("valueQuantity", {})
    unit = quantity.get("unit")
    if not proof(resource):
        code = quantity.get("code") or unit or ""
        unit = WORDS_OF.get(code) or WORDS_OF.get(UNITS.get(code.lower(), "")) or code.lower() or None
    return replace(made, written=_in_words(quantity), details={"number": _number(quantity), "unit": unit})


def _answer(kind: Kind, resource: Resource, today: date) -> Reading:
    """The answer of an observation that is not of a laboratory."""
    quantity, made = resource.get("valueQuantity", {}), Reading(kind, details=_weeks(resource))
    if name := our_name(resource.get("dataAbsentReason", {})):
        return replace(made, value=name, written=name)
    if quantity and kind in _MEASURES:
        return _measure(kind, quantity)
    if quantity and kind == "alcohol":  # drinks a day
        return replace(made, value="yes", written=_in_words(quantity), negated=_number(quantity) == 0)
    if kind == "birth_date" and (born := day(resource.get("valueDateTime"))):
        return replace(made, value=born, written=born)
    if "valueBoolean" in resource and kind in _YES_OR_NO:
        said = resource["valueBoolean"]
        return replace(made, value=_YES_OR_NO[kind], written=str(said).lower(), negated=not said)
    concept = resource.get("valueCodeableConcept") or {"text": resource.get("valueString")}
    if kind == "language" and (spoken := _language(concept, today)):
        return spoken
    if row := meaning(concept, (kind,)):
        return replace(made, value=row.value, written=next(iter(texts(concept)), row.name), negated=row.negated)
    words = _words(concept)
    for one in _stated(_ASKED[kind], words, today):
        if one.kind == kind:
            return replace(made, value=one.value, written=words, negated=one.negated)
    raise LeftOut("its answer is none that is kept")


def _measure(kind: Kind, quantity: Resource) -> Reading:
    """A measure of the body in our unit."""
    number, unit, written = _number(quantity), quantity.get("unit"), _in_words(quantity)
    if name := our_name(quantity):
        return Reading(kind, name, written, details={"number": number, "unit": unit})
    ours, factors = _MEASURES[kind]
    factor = factors.get(quantity.get("code", "")) or factors.get((unit or "").lower())
    if factor is None:
        raise LeftOut("its unit is not known")
    number = round(number * factor, 2)
    value = f"{number:g}" if kind == "age" else f"{number:.4g} {ours}"
    return Reading(kind, value, written, details={"number": number, "unit": ours})


def _weeks(resource: Resource) -> dict[str, Any]:
    """The weeks of a pregnancy, told beside it. Alone they may be those of a child at its birth."""
    for one in resource.get("component", ()):
        if meaning(one.get("code", {}), ("weeks",)) and "valueQuantity" in one:
            number = _number(one["valueQuantity"])
            return {"weeks": round(number / 7, 1) if one["valueQuantity"].get("code") == "d" else number}
    return {}


READERS: dict[str, Callable[[Resource, Around], Iterator[Reading]]] = {
    "AllergyIntolerance": _allergy,
    "Condition": _condition,
    "FamilyMemberHistory": _family,
    "MedicationRequest": _medicine,
    "MedicationStatement": _medicine,
    "Observation": _observation,
    "Patient": _patient,
    "Procedure": _procedure,
}
