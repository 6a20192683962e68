"""A fact as a FHIR R4 resource, without its id, its subject and its proof."""

from collections.abc import Callable
from datetime import date

from primum.memory.facts import ANY, DRUGS, FOODS, Fact, Kind
from primum.memory.fhir_codes import HL7, LANGUAGES, UCUM, UNITS, VALUE, Resource, code_of

_UNKNOWN = {"coding": [{"system": f"{HL7}/data-absent-reason", "code": "unknown"}]}
_CATEGORIES: dict[Kind, str] = {
    "laboratory": "laboratory", "weight": "vital-signs", "height": "vital-signs", "smoking": "social-history",
    "alcohol": "social-history", "language": "social-history", "pregnancy": "social-history",
}  # fmt: skip


def resource_of(fact: Fact) -> Resource:
    """The resource that tells the fact; an Observation if FHIR has no other for its kind."""
    return _WRITERS.get(fact.kind, _observation)(fact)


def exists(day: str) -> bool:
    """Whether a partial date is a day, a month or a year that there is."""
    try:
        date.fromisoformat(f"{day}-01-01"[:10])
    except ValueError:
        return False
    return True


def period(fact: Fact) -> Resource:
    """From when until when it held, as far as it is told."""
    told = {"start": fact.valid_from, "end": fact.valid_until}
    return {name: day for name, day in told.items() if day}


def _dates(fact: Fact, name: str) -> Resource:
    """The same as `nameDateTime` if it began, `namePeriod` if it ended."""
    if fact.valid_until:
        return {f"{name}Period": period(fact)}
    return {f"{name}DateTime": fact.valid_from} if fact.valid_from else {}


def _named(value: str, element: Resource) -> Resource:
    """The element with our name for what it means."""
    return {"extension": [{"url": VALUE, "valueString": value}], **element}


def _concept(fact: Fact) -> Resource:
    """The value in words, with its code if it has one."""
    row = code_of(fact.kind, fact.value, fact.negated)
    return _named(fact.value, {"coding": [row.coding], "text": row.name} if row else {"text": fact.written})


def _status(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"{HL7}/{system}", "code": code}]}


def _denies_one(fact: Fact) -> bool:
    """Whether it denies one thing; a denial of all is a statement of its own, with a code."""
    return fact.negated and fact.value not in (ANY, DRUGS, FOODS)


def _statuses(fact: Fact, clinical: str, verification: str) -> Resource:
    """Of a condition or an allergy; what a patient tells, nobody has confirmed."""
    denied = _denies_one(fact)
    return {
        "clinicalStatus": _status(clinical, "resolved" if fact.valid_until else "inactive" if denied else "active"),
        "verificationStatus": _status(verification, "refuted" if denied else "unconfirmed"),
    }


def _allergy(fact: Fact) -> Resource:
    found = {
        "resourceType": "AllergyIntolerance",
        **_statuses(fact, "allergyintolerance-clinical", "allergyintolerance-verification"),
        "code": _concept(fact),
        "recordedDate": fact.said.isoformat(),
    }
    if fact.severity:
        found["type"] = "intolerance" if fact.severity == "intolerance" else "allergy"
        found["criticality"] = "high" if fact.severity == "severe" else "low"
    graded = {"severity": fact.severity} if fact.severity in ("severe", "mild") else {}
    if fact.reaction or graded:
        found["reaction"] = [{"manifestation": [{"text": fact.reaction} if fact.reaction else _UNKNOWN], **graded}]
    return found


def _medicine(fact: Fact) -> Resource:
    found = {
        "resourceType": "MedicationStatement",
        "status": "not-taken" if _denies_one(fact) else "completed" if fact.valid_until else "active",
        "medicationCodeableConcept": _concept(fact),
        "dateAsserted": fact.said.isoformat(),
    }
    if held := period(fact):
        found["effectivePeriod"] = held
    timing: Resource = {"code": {"text": fact.frequency}} if fact.frequency else {}
    timing |= {"repeat": {"count": 1}} if fact.once else {}
    dosage: Resource = {"timing": timing} if timing else {}
    if text := ", ".join(filter(None, (fact.dose, fact.frequency))):
        dosage["text"] = text
    if fact.dose:
        dosage = _named(fact.dose, dosage)
    return found | ({"dosage": [dosage]} if dosage else {})


def _condition(fact: Fact) -> Resource:
    dates = {"onsetDateTime": fact.valid_from, "abatementDateTime": fact.valid_until}
    return {
        "resourceType": "Condition",
        **_statuses(fact, "condition-clinical", "condition-ver-status"),
        "code": _concept(fact),
        "recordedDate": fact.said.isoformat(),
        **{name: day for name, day in dates.items() if day},
    }


def _procedure(fact: Fact) -> Resource:
    status = "not-done" if _denies_one(fact) else "completed"
    return {"resourceType": "Procedure", "status": status, "code": _concept(fact), **_dates(fact, "performed")}


def _family(fact: Fact) -> Resource:
    """One condition of a relative. FHIR can't refute it: a denied one is named as what it is not."""
    row = code_of("relative", fact.relative or "family")
    relationship: Resource = {"coding": [row.coding]} if row else {}
    if fact.relative:
        relationship = _named(fact.relative, {**relationship, "text": fact.relative})
    denied = {"text": f"no family history: {fact.value}"}
    return {
        "resourceType": "FamilyMemberHistory",
        "status": "completed",
        "date": fact.said.isoformat(),
        "relationship": relationship,
        "condition": [{"code": _named(fact.value, denied) if fact.negated else _concept(fact)}],
    }


def _observation(fact: Fact) -> Resource:
    """What is measured, and what is kept in no other resource."""
    of_test = fact.kind == "laboratory"
    row = code_of(fact.kind, fact.value if of_test else "", unit=UNITS.get((fact.unit or "").lower()))
    code: Resource = {"coding": [row.coding]} if row else {}
    code["text"] = fact.value if of_test else fact.kind.replace("_", " ")
    found = {
        "resourceType": "Observation",
        "status": "final",
        "category": [_status("observation-category", _CATEGORIES.get(fact.kind, "survey"))],
        "code": _named(fact.value, code) if of_test else code,
        "issued": f"{fact.said.isoformat()}T00:00:00Z",
    }
    if of_test:
        found |= _dates(fact, "effective")
    elif held := period(fact):
        found["effectivePeriod"] = held
    if fact.weeks is not None:
        found["component"] = [_component("weeks", fact.weeks, "weeks")]
    return found | _answer(fact)


def _answer(fact: Fact) -> Resource:
    """The value; that it is absent, where what is denied has no code, so that nobody reads it as told."""
    if fact.number is not None and not fact.negated:
        if fact.value == "blood pressure" and fact.low is not None:
            both = (("systolic", fact.number), ("diastolic", fact.low))
            return {"component": [_component(name, number, "mmHg") for name, number in both]}
        return {"valueQuantity": _named(fact.value, _quantity(fact.number, fact.unit))}
    if fact.kind == "birth_date" and not fact.negated and exists(fact.value):
        return {"valueDateTime": fact.value}
    if fact.kind == "language" and not fact.negated:
        coding = [{"system": LANGUAGES, "code": fact.value}]
        return {"valueCodeableConcept": _named(fact.value, {"coding": coding, "text": fact.written})}
    if code_of(fact.kind, fact.value, fact.negated) and fact.kind != "laboratory":
        return {"valueCodeableConcept": _concept(fact)}
    text = f"{'denied' if fact.negated else 'told as'}: {fact.value}"
    return {"dataAbsentReason": _named(fact.value, {**_UNKNOWN, "text": text})}


def _quantity(number: float, unit: str | None) -> Resource:
    code = UNITS.get((unit or "").lower())
    found: Resource = {"value": number, **({"unit": unit} if unit else {})}
    return found | ({"system": UCUM, "code": code} if code else {})


def _component(name: str, number: float, unit: str) -> Resource:
    row = code_of(name)
    code = {"coding": [row.coding], "text": row.name} if row else {"text": name}
    return {"code": code, "valueQuantity": _quantity(number, unit)}


_WRITERS: dict[Kind, Callable[[Fact], Resource]] = {
    "allergy": _allergy,
    "medicine": _medicine,
    "condition": _condition,
    "procedure": _procedure,
    "family_history": _family,
}
