"""A patient's facts as a FHIR R4 bundle, and the facts of a bundle, whoever made it.

Going out, each fact is a resource of its own that other systems can read; its extension `PROOF` holds what FHIR has no
element for: the quotes, the words for the value, when it was told. The Patient repeats the sex, the day of birth and
the languages. Coming in, FHIR's own elements count; a resource without `PROOF` is proven by its own words.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, ValidationError

from primum.graph.errors import BadInput
from primum.memory.facts import Fact, Kind, Quote, merge, possible
from primum.memory.fhir_codes import LANGUAGES, PROOF, LeftOut, Resource, content, day, proof, state
from primum.memory.fhir_readings import READERS, Around, Reading, readings, reference
from primum.memory.fhir_resources import exists, period, resource_of

if TYPE_CHECKING:
    from fhir_core.fhirabstractmodel import FHIRAbstractModel

_OURS = uuid5(NAMESPACE_URL, "urn:primum:fhir")
_NO_RECORDS = ("history", "transaction-response", "batch-response")
_NOT_SO = ("entered-in-error", "cancelled", "registered", "draft", "intended", "preparation", "health-unknown")
_NOT_CERTAIN = ("entered-in-error", "provisional", "differential")
# What has no element for when it held, and what has none to deny it.
_UNDATED: tuple[Kind, ...] = ("allergy", "family_history")
_UNREFUTED: tuple[Kind, ...] = (
    "age", "birth_date", "sex", "pregnancy", "breastfeeding", "weight", "height", "family_history", "smoking",
    "alcohol", "laboratory", "language",
)  # fmt: skip


@cache
def _model(name: str) -> "type[FHIRAbstractModel]":
    from fhir.resources.R4B import get_fhir_model_class  # takes a third of a second; equal to R4 in what is read here

    return get_fhir_model_class(name)


# Out.


def bundle_of(facts: Sequence[Fact], patient: str, at: datetime) -> dict[str, Any]:
    """The facts as a FHIR R4 `Bundle` of type `collection`: a Patient, then a resource for each fact, in their order.

    Args:
        patient: the patient's id, which becomes the identifier of the Patient.
        at: when the bundle is made.
    """
    whom = f"urn:uuid:{uuid5(_OURS, patient)}"
    resources = {whom: _patient(facts, patient)}
    for fact in facts:
        resources[f"urn:uuid:{uuid5(_OURS, f'{patient} {fact.model_dump_json()}')}"] = _resource(fact, whom)
    entries = [
        {"fullUrl": url, "resource": {**resource, "id": url.removeprefix("urn:uuid:")}}
        for url, resource in resources.items()
    ]
    made = at.astimezone(UTC).isoformat(timespec="seconds")
    bundle = {"resourceType": "Bundle", "type": "collection", "timestamp": made, "entry": entries}
    _model("Bundle").model_validate(bundle)
    return bundle


def _patient(facts: Sequence[Fact], patient: str) -> Resource:
    """The Patient, with what FHIR keeps there of what is current."""
    found: Resource = {"resourceType": "Patient", "identifier": [{"system": "urn:primum:patient", "value": patient}]}
    for fact in merge((), facts).current:
        if fact.negated:
            continue
        if fact.kind == "sex" and fact.value in ("female", "male"):
            found["gender"] = fact.value
        elif fact.kind == "birth_date" and exists(fact.value):
            found["birthDate"] = fact.value
        elif fact.kind == "language":
            spoken = {"language": {"coding": [{"system": LANGUAGES, "code": fact.value}]}}
            found.setdefault("communication", []).append(spoken)
    return found


def _resource(fact: Fact, whom: str) -> Resource:
    resource = resource_of(fact)
    subject = "patient" if resource["resourceType"] in ("AllergyIntolerance", "FamilyMemberHistory") else "subject"
    notes = [{"text": f"{quote.role}: “{quote.text}”"} for quote in fact.quotes]
    return {**resource, subject: {"reference": whom}, "extension": [_proof(fact)], "note": notes}


def _proof(fact: Fact) -> Resource:
    parts: list[Resource] = [{"url": "quote", "extension": _parts(quote)} for quote in fact.quotes]
    parts += [{"url": "written", "valueString": fact.written}, {"url": "said", "valueDate": fact.said.isoformat()}]
    parts += [{"url": name, "valueBoolean": True} for name in ("negated", "corrects") if getattr(fact, name)]
    if fact.kind in _UNDATED and (held := period(fact)):
        parts.append({"url": "held", "valuePeriod": held})
    return {"url": PROOF, "extension": parts}


def _parts(quote: Quote) -> list[Resource]:
    return [
        {"url": "role", "valueCode": quote.role},
        *([{"url": "message", "valueString": quote.message}] if quote.message else ()),
        {"url": "start", "valueInteger": quote.start},
        {"url": "stop", "valueInteger": quote.stop},
        {"url": "text", "valueString": quote.text},
    ]


# In.


def facts_of(bundle: Mapping[str, Any] | bytes, today: date) -> tuple[list[Fact], list[str]]:
    """The facts of a bundle, the oldest first as `merge` takes them, and a line for each resource that was left out.

    A resource of ours gives back its fact. Of any other its own words are the proof: a quote of role `record` whose
    message is the resource's `fullUrl`, else its type and id.

    Args:
        today: the day of the import. What has no day of its own was told when the bundle was made.

    Raises:
        BadInput: it is no bundle, one of several patients or of no record, or not as R4 has it.
    """
    record = _Record(_parsed(bundle), today)
    facts: list[Fact] = []
    left: list[str] = []
    for source in record.sources:
        try:
            found = record.read(source)
        except LeftOut as why:
            left.append(f"{source.name}: {why}")
            continue
        if source.type == "Patient":  # it comes last: what it repeats of another resource is told once
            known = {(fact.kind, fact.value) for fact in facts if not fact.negated}
            found = [fact for fact in found if (fact.kind, fact.value) not in known]
        facts += found
    return sorted(facts, key=lambda fact: fact.said), left


@dataclass(frozen=True)
class _Source:
    """A resource of a bundle, and where it stands there."""

    place: int
    url: str
    resource: Resource

    @property
    def type(self) -> str:
        return str(self.resource["resourceType"])

    @property
    def name(self) -> str:
        """By which it is spoken of: no patient's words."""
        return f"{self.type}/{self.resource['id']}" if "id" in self.resource else f"{self.type} of entry {self.place}"


class _Record:
    """A bundle that is read."""

    def __init__(self, bundle: Resource, today: date) -> None:
        self.today = today
        self.sources = sorted(_sources(bundle), key=lambda source: source.type == "Patient")
        self.whom = self._whom()
        made = min(day(bundle.get("timestamp")) or today.isoformat(), today.isoformat())
        self.around = Around(today, made, self._medications())

    def _whom(self) -> frozenset[str]:
        """The names of the one patient whom it is about."""
        patients = [source for source in self.sources if source.type == "Patient"]
        named = {name for source in self.sources if (name := _subject(source.resource))}
        if len(patients) > 1 or (not patients and len(named) > 1):
            raise BadInput("The Bundle is about more than one patient. Give one Bundle for each.")
        return frozenset({reference(patients[0].url), patients[0].name} if patients else named)

    def _medications(self) -> dict[str, Resource]:
        """The Medications that other resources refer to, by their names there."""
        wanted = {_referred(source.resource, "medicationReference") for source in self.sources}
        wanted |= set(map(reference, wanted))
        found = [one for one in self.sources if one.type == "Medication" and {one.url, one.name} & wanted]
        valid = [(one, _valid(one.type, one.resource, one.name)) for one in found]
        return {name: resource for one, resource in valid for name in (one.url, one.name)}

    def read(self, source: _Source) -> list[Fact]:
        """The facts of a resource.

        Raises:
            LeftOut: it tells none.
            BadInput: it isn't as R4 has it.
        """
        if source.type == "Medication" and {source.url, source.name} & self.around.medications.keys():
            return []  # it is read with what refers to it
        if source.type in READERS:
            source = replace(source, resource=_valid(source.type, source.resource, source.name))
            self._hold(source.resource)
        found = readings(source.resource, self.around)
        if not found and source.type != "Patient":
            raise LeftOut("it tells nothing that is kept")
        return [self._fact(reading, source) for reading in found]

    def _hold(self, resource: Resource) -> None:
        """Leaves out what is not true of this patient, or may mean something else than its elements say."""
        if (subject := _subject(resource)) and subject not in self.whom:
            raise LeftOut("it is not about the patient of the Bundle")
        if resource.get("status") in _NOT_SO:
            raise LeftOut(f"its status is {resource['status']}")
        if (verified := state(resource, "verificationStatus")) in _NOT_CERTAIN:
            raise LeftOut(f"its verificationStatus is {verified}")
        if _modified(resource):
            raise LeftOut("it has a modifierExtension, which may change its meaning")

    def _fact(self, reading: Reading, source: _Source) -> Fact:
        told: dict[str, Any] = {
            "kind": reading.kind,
            "value": reading.value,
            "negated": reading.negated,
            "valid_from": reading.since,
            "valid_until": reading.until,
            **reading.details,
        }
        if (ours := proof(source.resource)) is not None:
            return _proven(told, ours, source.name)
        said = min(f"{reading.told or self.around.made}-01-01"[:10], self.today.isoformat())
        quotes = _quotes(source.url or source.name, (reading.written, *reading.words))
        fact = Fact.model_validate({**told, "written": reading.written, "said": said, "quotes": quotes})
        if not possible(fact):
            raise LeftOut("its value is out of range, or its unit is missing")
        return fact


def _proven(told: dict[str, Any], ours: Resource, name: str) -> Fact:
    """A fact that was exported, with its proof."""
    parts = ours.get("extension", ())
    own = {one.get("url"): content(one) for one in parts}
    quotes = [_parts_of(part) for part in parts if part.get("url") == "quote"]
    if told["kind"] in _UNDATED:
        held = own["held"] if isinstance(own.get("held"), dict) else {}
        told |= {"valid_from": held.get("start"), "valid_until": held.get("end")}
    told["negated"] = told["negated"] or (told["kind"] in _UNREFUTED and own.get("negated") is True)
    own = {key: own[key] for key in ("written", "said", "corrects") if key in own}
    try:
        return Fact.model_validate(told | own | {"quotes": [{"message": "", **quote} for quote in quotes]})
    except ValidationError:
        raise BadInput(f"{name}: its extension {PROOF} is not whole. Export the facts again.") from None


def _parts_of(quote: Resource) -> Resource:
    return {one.get("url"): content(one) for one in quote.get("extension", ())}


def _quotes(message: str, words: Iterable[str]) -> tuple[Quote, ...]:
    """The words of a resource, as if each were a line of it."""
    found: list[Quote] = []
    for text in dict.fromkeys(words):
        start = found[-1].stop + 1 if found else 0
        found.append(Quote(role="record", message=message, start=start, stop=start + len(text), text=text))
    return tuple(found)


def _parsed(bundle: Mapping[str, Any] | bytes) -> Resource:
    """The bundle as R4 has it; its resources are checked as they are read."""
    try:
        found = json.loads(bundle) if isinstance(bundle, bytes) else bundle
    except (ValueError, RecursionError):
        raise BadInput("The record is no JSON. Give a FHIR R4 Bundle as JSON.") from None
    if not isinstance(found, Mapping) or found.get("resourceType") != "Bundle":
        raise BadInput("The record is no Bundle. Give a FHIR R4 resource of the resourceType Bundle.")
    entries = found.get("entry") or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise BadInput("Bundle: entry is no list of objects. Mend it and import it again.")
    if found.get("type") in _NO_RECORDS:
        raise BadInput(f"A Bundle of type {found['type']} is no record. Give a collection, document or searchset.")
    bare = [{name: value for name, value in entry.items() if name != "resource"} for entry in entries]
    valid = _valid("Bundle", {**found, "entry": bare}, "Bundle")
    return {**valid, "entry": entries}


def _sources(bundle: Resource) -> Iterator[_Source]:
    for place, entry in enumerate(bundle["entry"]):
        resource = entry.get("resource")
        if resource is None:
            continue
        if not isinstance(resource, Mapping) or not isinstance(resource.get("resourceType"), str):
            raise BadInput(f"Bundle: the resource of entry {place} has no resourceType. Mend it and import it again.")
        kept = {name: value for name, value in resource.items() if name != "id" or isinstance(value, str)}
        yield _Source(place, entry.get("fullUrl") or "", kept)


def _valid(kind: str, resource: Mapping[str, Any], name: str) -> Resource:
    """The resource as R4 has it, without nulls.

    Raises:
        BadInput: it isn't so.
    """
    try:
        model = _model(kind).model_validate(resource)
    except (KeyError, TypeError):  # the library has no model for its type
        raise BadInput(f"{name}: it contains a resource of no type that R4 has. Mend it and import it again.") from None
    except RecursionError:
        raise BadInput(f"{name}: its elements are nested too deeply. Mend it and import it again.") from None
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)[0]
        foreign = wrong["type"] == "extra_forbidden"  # whose name may be anything
        path = ".".join(map(str, wrong["loc"][:-1] if foreign else wrong["loc"])) or "it"
        said = "has an element that R4 does not have" if foreign else "is missing or not as R4 has it"
        raise BadInput(f"{name}: {path} {said}. Mend it and import it again.") from None
    if path := next(_odd_codes(model), ""):
        raise BadInput(f"{name}: {path} is none of the codes that R4 allows. Mend it and import it again.")
    found: Resource = json.loads(model.model_dump_json(exclude_none=True))
    return found


def _odd_codes(model: BaseModel, path: str = "") -> Iterator[str]:
    """Where a code is not of its value set: the library lists these, but does not check them."""
    for name, about in type(model).model_fields.items():
        extra = about.json_schema_extra
        allowed = extra.get("enum_values") if isinstance(extra, dict) else None
        value = getattr(model, name)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, BaseModel):
                yield from _odd_codes(one, f"{path}{name}.")
            elif isinstance(allowed, list) and isinstance(one, str) and "+" not in allowed and one not in allowed:
                yield f"{path}{name}"


def _subject(resource: Mapping[str, Any]) -> str:
    return reference(_referred(resource, "subject") or _referred(resource, "patient"))


def _referred(resource: Mapping[str, Any], name: str) -> str:
    """To what an element refers."""
    element = resource.get(name)
    found = element.get("reference") if isinstance(element, Mapping) else None
    return found if isinstance(found, str) else ""


def _modified(value: object) -> bool:
    """Whether a modifierExtension stands anywhere in it."""
    if isinstance(value, Mapping):
        return "modifierExtension" in value or any(map(_modified, value.values()))
    return isinstance(value, list) and any(map(_modified, value))
