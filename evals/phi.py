"""Personal data found: how much of what is marked, by type, and how much of what is found is marked.

Rows are in the form of presidio-research. What is found counts whatever we call it, for it is taken out; `as_kind` says
how much of it had the right name.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, ids, share
from primum.safety.personal import Kind, Span, find

# What others call it, in our words. What is not here may stay by 45 CFR 164.514(b)(2), such as titles, jobs, peoples.
KINDS: dict[str, Kind] = {
    "NAME": "NAME", "PERSON": "NAME", "PATIENT": "NAME", "DOCTOR": "NAME", "USERNAME": "NAME", "DATE": "DATE",
    "DATE_TIME": "DATE", "AGE": "AGE", "PLACE": "PLACE", "GPE": "PLACE", "LOCATION": "PLACE", "STREET_ADDRESS": "PLACE",
    "ZIP_CODE": "PLACE", "ORGANIZATION": "PLACE", "HOSPITAL": "PLACE", "CONTACT": "CONTACT", "PHONE_NUMBER": "CONTACT",
    "EMAIL_ADDRESS": "CONTACT", "DOMAIN_NAME": "CONTACT", "URL": "CONTACT", "IP_ADDRESS": "CONTACT",
    "NUMBER": "NUMBER", "CREDIT_CARD": "NUMBER", "IBAN_CODE": "NUMBER", "US_SSN": "NUMBER",
    "US_DRIVER_LICENSE": "NUMBER", "ID": "NUMBER", "MEDICAL_RECORD": "NUMBER",
}  # fmt: skip
_OLDEST = 89


class _Marked(TypedDict):
    entity_type: str
    start: int
    end: int


class Row(TypedDict):
    """A text and its personal data, `full_text[start:end]` each."""

    id: NotRequired[str | int]
    full_text: str
    spans: list[_Marked]


def run(rows: Sequence[Case]) -> Report:
    """Shares of the characters of marked spans, and of whole spans, that are found; and of found spans that are marked.

    Raises:
        ValueError: a span is not within its text.
    """
    by_type: dict[str, Counter[str]] = {}
    by_kind: dict[str, Counter[str]] = {}
    missed: list[Case] = []
    alarmed: list[Case] = []
    for row in rows:
        found = find(row["full_text"])
        wanted = [_checked(row, span) for span in row["spans"]]
        lost = [_count(by_type, row["full_text"], span, found) for span in wanted]
        false = [_judge(by_kind, one, wanted) for one in found]
        missed += [row] if any(lost) else []
        alarmed += [row] if any(false) else []
    sought = {name: counts for name, counts in by_type.items() if name.partition(" ")[0] in KINDS and " " not in name}
    return {
        "n": len(rows),
        "map": {name: KINDS[name] for name in sorted(sought)},
        "recall": {name: _recall(sought[name]) for name in sorted(sought)} | {"all": _recall(_sum(sought))},
        "precision": {kind: _precision(by_kind[kind]) for kind in sorted(by_kind)} | {"all": _precision(_sum(by_kind))},
        "may_stay": {name: by_type[name]["spans"] for name in sorted(by_type.keys() - sought.keys())},
        "missed_ids": ids(missed),
        "false_alarm_ids": ids(alarmed),
    }


def _checked(row: Case, span: dict[str, Any]) -> dict[str, Any]:
    if not 0 <= span["start"] < span["end"] <= len(row["full_text"]):
        raise ValueError(f"case {row['id']}: span {span['start']}:{span['end']} is not within the text")
    return span


def _type(text: str, span: dict[str, Any]) -> str:
    """The type of a marked span; years and ages that may stay are types of their own."""
    written, name = text[span["start"] : span["end"]].strip(), str(span["entity_type"])
    if KINDS.get(name) == "DATE" and written.isdigit() and len(written) == 4:
        return f"{name} (a year alone)"
    if name == "AGE" and not (written.isdigit() and int(written) > _OLDEST):
        return f"{name} (up to {_OLDEST})"
    return name


def _count(by_type: dict[str, Counter[str]], text: str, span: dict[str, Any], found: Sequence[Span]) -> bool:
    """Counts a marked span; whether it should have been found whole and was not."""
    name = _type(text, span)
    place = {at for at in range(span["start"], span["end"]) if text[at].isalnum()}
    hit = {at for one in found for at in range(one.start, one.end)} & place
    named = {at for one in found if one.kind == KINDS.get(name) for at in range(one.start, one.end)} & place
    counts = by_type.setdefault(name, Counter())
    counts.update(spans=1, characters=len(place), found=len(hit), as_kind=len(named), whole=int(hit == place))
    return name in KINDS and hit != place


def _judge(by_kind: dict[str, Counter[str]], one: Span, wanted: Sequence[dict[str, Any]]) -> bool:
    """Counts a found span; whether it touches no marked one."""
    marked = any(one.start < span["end"] and span["start"] < one.end for span in wanted)
    by_kind.setdefault(one.kind, Counter()).update(found=1, marked=int(marked))
    return not marked


def _sum(counters: dict[str, Counter[str]]) -> Counter[str]:
    return sum(counters.values(), Counter())


def _recall(counts: Counter[str]) -> Report:
    return {
        "spans": counts["spans"],
        "whole": share(counts["whole"], counts["spans"]),
        "characters": share(counts["found"], counts["characters"]),
        "as_kind": share(counts["as_kind"], counts["characters"]),
    }


def _precision(counts: Counter[str]) -> Report:
    return {"found": counts["found"], "share": share(counts["marked"], counts["found"])}
