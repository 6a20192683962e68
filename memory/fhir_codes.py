"""What the codes, units and elements of FHIR mean to us, and the two extensions that are ours."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from primum.safety.tables import read_table

Resource = dict[str, Any]

PROOF = "urn:primum:fhir:proof"
VALUE = "urn:primum:fhir:value"  # on the element that names it: our canonical name

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
LANGUAGES = "urn:ietf:bcp:47"
HL7 = "http://terminology.hl7.org/CodeSystem"

# The words for a unit, in small letters, with its UCUM code.
UNITS = {
    "years": "a", "weeks": "wk", "kg": "kg", "cm": "cm", "%": "%", "mg/dl": "mg/dL", "mmol/l": "mmol/L",
    "mmol/mol": "mmol/mol", "umol/l": "umol/L", "µmol/l": "umol/L", "micromol/l": "umol/L", "ml/min": "mL/min",
    "ml/min/1.73m2": "mL/min/{1.73_m2}", "ml/min/1.73m²": "mL/min/{1.73_m2}", "g/dl": "g/dL", "g/l": "g/L",
    "meq/l": "meq/L", "miu/l": "m[IU]/L", "u/l": "U/L", "iu/l": "[IU]/L", "ng/ml": "ng/mL", "ug/l": "ug/L",
    "µg/l": "ug/L", "mmhg": "mm[Hg]", "mg/l": "mg/L", "10^9/l": "10*9/L",
}  # fmt: skip
WORDS_OF = {code: words for words, code in reversed(UNITS.items())}  # the first words for each code
_TAG = re.compile(
    r"\s*\((?P<tag>disorder|finding|situation|procedure|substance|product|organism|event|regime/therapy)\)\s*$"
)


class LeftOut(Exception):
    """A resource tells no fact; the text says why, without a patient's words."""


@dataclass(frozen=True)
class Code:
    """A row of `data/record_codes.csv`: a code with what it means to us.

    Without a `value` it is a question (LOINC's "Pregnancy status"), with one the answer. `units`: the UCUM codes with
    which it is used; all, if there are none.
    """

    kind: str
    value: str
    negated: bool
    system: str
    code: str
    name: str
    units: tuple[str, ...]

    @property
    def coding(self) -> Resource:
        return {"system": self.system, "code": self.code, "display": self.name}


@cache
def _codes() -> dict[tuple[str, str], Code]:
    found = {}
    for row in read_table("record_codes.csv"):
        units = tuple(filter(None, row.pop("units").split("|")))
        found[row["system"], row["code"]] = Code(**row | {"negated": row["negated"] == "yes", "units": units})  # type: ignore[arg-type]
    return found


def code_of(kind: str, value: str = "", negated: bool = False, unit: str | None = None) -> Code | None:
    """The code that is written for it: the first of the table that fits."""
    for row in _codes().values():
        if (row.kind, row.value, row.negated) == (kind, value, negated) and (not row.units or unit in row.units):
            return row
    return None


def meaning(concept: Mapping[str, Any], kinds: Iterable[str]) -> Code | None:
    """What a concept's codes mean, if they are about one of these kinds.

    Raises:
        LeftOut: they say that nothing is known.
    """
    rows = [_codes().get((one.get("system", ""), one.get("code", ""))) for one in concept.get("coding", ())]
    if any(row and row.kind == "unknown" for row in rows):
        raise LeftOut("it says that nothing is known")
    return next((row for row in rows if row and row.kind in kinds), None)


def content(extension: Mapping[str, Any]) -> Any:
    """The value of an extension, of whatever type."""
    return next((value for name, value in extension.items() if name.startswith("value")), None)


def proof(resource: Mapping[str, Any]) -> Resource | None:
    """The extension that only our own resources have."""
    return next((one for one in resource.get("extension", ()) if one.get("url") == PROOF), None)


def our_name(element: Mapping[str, Any]) -> str | None:
    """Our canonical name for what an element means."""
    return next((content(one) for one in element.get("extension", ()) if one.get("url") == VALUE), None)


def _written(concept: Mapping[str, Any]) -> list[str]:
    return [one for one in (concept.get("text"), *(one.get("display") for one in concept.get("coding", ()))) if one]


def texts(concept: Mapping[str, Any]) -> list[str]:
    """The words of a concept, those of its own text first, without SNOMED's tags."""
    return list(dict.fromkeys(filter(None, (_TAG.sub("", words).strip() for words in _written(concept)))))


def tags(concept: Mapping[str, Any]) -> set[str]:
    """SNOMED's tags in the words of a concept: `disorder`, `finding`."""
    return {match["tag"] for words in _written(concept) if (match := _TAG.search(words))}


def state(resource: Mapping[str, Any], name: str) -> str:
    """The code of a status that is a concept."""
    return next((one["code"] for one in resource.get(name, {}).get("coding", ()) if "code" in one), "")


def day(written: object) -> str | None:
    """The partial date of a date, a dateTime or an instant."""
    return written[:10] if isinstance(written, str) and written else None


def when(resource: Mapping[str, Any], name: str) -> tuple[str | None, str | None]:
    """From when until when, by `nameDateTime` or `namePeriod`."""
    period = resource.get(f"{name}Period", {})
    return day(resource.get(f"{name}DateTime") or period.get("start")), day(period.get("end"))
