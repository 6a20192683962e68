"""Interactions between drugs, classes of drugs, and food, from `data/interactions.csv`."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import combinations
from pathlib import Path

from primum.safety.findings import SEVERITIES, Finding, Severity
from primum.safety.importers import Imported, read_rows
from primum.safety.lexicon import canonical, classes, members, substances

_MOST_NAMED = 4


@dataclass(frozen=True)
class Rule:
    """One row: `a` and `b` are substances or classes; `sources` are keys of `interaction_sources.csv`."""

    id: str
    a: str
    b: str
    severity: Severity
    mechanism: str
    advice: str
    sources: tuple[str, ...]


def _rows(file_name: str) -> list[dict[str, str]]:
    text = (files("primum.safety") / "data" / file_name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def sources() -> dict[str, str]:
    """Title, year and address of each source, by its key."""
    return {row["key"]: f"{row['title']}, {row['year']}, {row['address']}" for row in _rows("interaction_sources.csv")}


@cache
def rules() -> tuple[Rule, ...]:
    """The built-in rules; a ValueError if a row is damaged."""
    found = []
    for row in _rows("interactions.csv"):
        keys = tuple(row["sources"].split(";"))
        if row["severity"] not in SEVERITIES or not sources().keys() >= set(keys):
            raise ValueError(f"interactions.csv: {row['id']}")
        a, b = canonical(row["a"]), canonical(row["b"])
        severity: Severity = row["severity"]
        found.append(Rule(row["id"], a, b, severity, row["mechanism"], row["advice"], keys))
    return tuple(found)


@cache
def _index() -> dict[str, dict[str, tuple[Rule, ...]]]:
    """Rules by their two sides, in both orders."""
    found: dict[str, dict[str, tuple[Rule, ...]]] = {}
    for rule in rules():
        for one, other in {(rule.a, rule.b), (rule.b, rule.a)}:
            partners = found.setdefault(one, {})
            partners[other] = (*partners.get(other, ()), rule)
    return found


@lru_cache(maxsize=8192)
def _sides(name: str) -> frozenset[str]:
    """What a rule may call a substance or class: itself, its classes, and the classes that hold a whole class."""
    inside = members(name)
    if not inside:
        return frozenset({name, *classes(name)})
    return frozenset({name}) | frozenset.intersection(*(classes(one) for one in inside))


def _breadth(name: str) -> int:
    return max(len(members(name)), 1)


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


def _matching(a: str, b: str) -> list[Rule]:
    """The rules on two substances or classes, the most severe first and among those the most specific."""
    sides, index = _sides(b), _index()
    partners = (index.get(side, {}) for side in _sides(a))
    found = {
        rule.id: rule for by_partner in partners for side in by_partner.keys() & sides for rule in by_partner[side]
    }
    return sorted(
        found.values(), key=lambda rule: (-_rank(rule.severity), _breadth(rule.a) * _breadth(rule.b), rule.id)
    )


def _same(a: str, b: str) -> bool:
    return a == b or a in members(b) or b in members(a)


def _shown(name: str) -> str:
    return name.replace("-", " ") if members(name) else name


def _cite(keys: Iterable[str]) -> str:
    return "; ".join(sources()[key] for key in keys)


def _finding(a: str, b: str, found: list[Rule], some: str = "") -> Finding:
    """The first rule as a finding; what other sources say of the same two sides stands at its end."""
    rule = found[0]
    others = [one for one in found[1:] if {one.a, one.b} == {rule.a, rule.b} and one.severity != rule.severity]
    differ = "".join(f" Sources differ: {_cite(one.sources)} say {one.severity}. {one.advice}" for one in others)
    severity: Severity = "major" if some and rule.severity == "contraindicated" else rule.severity
    text = f"{_shown(a).capitalize()} with {_shown(b)} ({rule.severity}{some}): {rule.mechanism} {rule.advice}{differ}"
    cited = dict.fromkeys(key for one in (rule, *others) for key in one.sources)
    return Finding(rule=f"interaction.{rule.id}", severity=severity, subjects=[a, b], text=text, source=_cite(cited))


def _of_some(a: str, b: str) -> Finding | None:
    """What holds for some members of a class that was named as a whole; its severity is at most major."""
    worst: list[Rule] = []
    concerned: list[str] = []
    for one in sorted(members(a) or {a}):
        for other in sorted(members(b) or {b}):
            found = [] if one == other else _matching(one, other)
            if not found:
                continue
            if not worst or _rank(found[0].severity) > _rank(worst[0].severity):
                worst, concerned = found, []
            if found[0].severity == worst[0].severity:
                concerned.extend(name for name, whole in ((one, a), (other, b)) if name != whole)
    if not worst:
        return None
    names = list(dict.fromkeys(concerned))
    listed = ", ".join(names[:_MOST_NAMED]) + (" and others" if len(names) > _MOST_NAMED else "")
    return _finding(a, b, worst, f" for some of them: {listed}")


@lru_cache(maxsize=65536)
def _single(a: str, b: str) -> Finding | None:
    """The built-in finding on two substances or classes."""
    if _same(a, b):
        return None
    whole = _matching(a, b)
    if whole:
        return _finding(a, b, whole)
    return _of_some(a, b) if members(a) or members(b) else None


@lru_cache(maxsize=65536)
def _built_in(a: str, b: str) -> Finding | None:
    found = [
        finding
        for one in substances(a)
        for other in substances(b)
        if one not in substances(b) and other not in substances(a) and (finding := _single(one, other))
    ]
    return max(found, key=lambda finding: _rank(finding.severity), default=None)


def pair(a: str, b: str, *, imported: Path | None = None) -> Finding | None:
    """The most severe finding on two names in any order; None where no rule is found, which does not mean safe."""
    a, b = sorted((canonical(a), canonical(b)))
    ours = _built_in(a, b)
    theirs = _imported(a, b, imported) if imported else []
    if not theirs:
        return ours
    worst = max(theirs, key=lambda row: _rank(row.severity))
    said = " ".join(dict.fromkeys(f"{row.source} ({row.licence}): {row.severity}. {row.text}" for row in theirs))
    if ours is None:
        text = f"{_shown(a).capitalize()} with {_shown(b)} ({worst.severity}): {said}"
        return Finding(
            rule="interaction.imported", severity=worst.severity, subjects=[a, b], text=text, source=worst.source
        )
    severity = max(ours.severity, worst.severity, key=_rank)
    both = "; ".join(dict.fromkeys([ours.source, *(row.source for row in theirs)]))
    return ours.model_copy(update={"severity": severity, "text": f"{ours.text} Also {said}", "source": both})


def unknown(a: str, b: str) -> Finding:
    """What is said of a pair that no rule names: nothing is known here, and that is no proof of safety."""
    text = (
        f"{_shown(a).capitalize()} with {_shown(b)}: not found in Primum's table of interactions, "
        "which does not hold every one. Ask a pharmacist before combining them."
    )
    return Finding(
        rule="interaction.unknown", severity="info", subjects=[a, b], text=text, source="Primum interaction table"
    )


def check(names: Sequence[str], *, tell_unknown: bool = False, imported: Path | None = None) -> tuple[Finding, ...]:
    """A finding for each pair of substances or classes that interacts, the most severe first.

    `imported`: a folder of rows from `importers`, asked as well; the more severe counts. With `tell_unknown` each pair
    without a rule gets `unknown`. ValueError if the folder cannot be read.
    """
    known = dict.fromkeys(map(canonical, names))
    found = []
    for a, b in combinations(known, 2):
        finding = pair(a, b, imported=imported)
        if finding is None and tell_unknown and not _same(a, b):
            finding = unknown(a, b)
        if finding:
            found.append(finding)
    return tuple(sorted(found, key=lambda finding: (-_rank(finding.severity), finding.subjects)))


@cache
def load_imported(folder: Path) -> dict[frozenset[str], tuple[Imported, ...]]:
    """The rows of each `*.csv` in the folder by their two names. ValueError if there is none or one is damaged."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise ValueError(f"no imported interactions in {folder}")
    found: dict[frozenset[str], list[Imported]] = {}
    for row in (row for path in paths for row in read_rows(path)):
        found.setdefault(frozenset((canonical(row.a), canonical(row.b))), []).append(row)
    return {names: tuple(rows) for names, rows in found.items()}


def _imported(a: str, b: str, folder: Path) -> list[Imported]:
    rows = load_imported(folder)
    sides = [(one, other) for one in substances(a) for other in substances(b) if one != other]
    return list(dict.fromkeys(row for one, other in sides for row in rows.get(frozenset((one, other)), ())))
