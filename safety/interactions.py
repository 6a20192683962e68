"""Interactions between drugs, classes of drugs, and food: `data/interactions.csv`, and tables that a user imported."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from textwrap import shorten
from typing import Generic, Protocol, TypeVar

from primum.safety.findings import SEVERITIES, Finding, Severity
from primum.safety.importers import Imported, read_rows
from primum.safety.in_use import InUse
from primum.safety.lexicon import canonical, classes, members, substances
from primum.safety.remembered import remembered
from primum.safety.tables import read_table

_MOST_NAMED = 4
_TOLD = 400  # characters of what an imported row says
_OURS = "Primum's own table (Apache-2.0)"


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


@cache
def sources() -> dict[str, str]:
    """Title, year and address of each source, by its key."""
    return {
        row["key"]: f"{row['title']}, {row['year']}, {row['address']}" for row in read_table("interaction_sources.csv")
    }


@cache
def rules() -> tuple[Rule, ...]:
    """The built-in rules; a ValueError if a row is damaged."""
    found = []
    for row in read_table("interactions.csv"):
        keys = tuple(row["sources"].split(";"))
        if row["severity"] not in SEVERITIES or not sources().keys() >= set(keys):
            raise ValueError(f"interactions.csv: {row['id']}")
        a, b = canonical(row["a"]), canonical(row["b"])
        severity: Severity = row["severity"]
        found.append(Rule(row["id"], a, b, severity, row["mechanism"], row["advice"], keys))
    return tuple(found)


@remembered(maxsize=8192)
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


class _Row(Protocol):
    """A rule of ours or of an imported table, on two substances or classes."""

    @property
    def a(self) -> str: ...
    @property
    def b(self) -> str: ...
    @property
    def severity(self) -> Severity: ...


R = TypeVar("R", bound=_Row)


class _Table(Generic[R]):
    """Rows by their two sides, in both orders."""

    def __init__(self, rows: Iterable[R]) -> None:
        self.rows = tuple(rows)
        self._places: dict[str, dict[str, list[int]]] = {}
        for place, row in enumerate(self.rows):
            for one, other in {(row.a, row.b), (row.b, row.a)}:
                self._places.setdefault(one, {}).setdefault(other, []).append(place)

    def between(self, a: str, b: str) -> list[R]:
        """The rows on two substances or classes, the most severe first and among those the most specific."""
        sides = _sides(b)
        partners = (self._places.get(side, {}) for side in _sides(a))
        places = {place for found in partners for side in found.keys() & sides for place in found[side]}
        rows = [self.rows[place] for place in sorted(places)]
        return sorted(rows, key=lambda row: (-_rank(row.severity), _breadth(row.a) * _breadth(row.b)))

    def among(self, a: str, b: str) -> tuple[list[R], list[str]]:
        """The most severe rows on members of a class that was named as a whole, and which members those are."""
        worst: list[R] = []
        concerned: list[str] = []
        for one in sorted(members(a) or {a}):
            for other in sorted(members(b) or {b}):
                found = [] if one == other else self.between(one, other)
                if not found:
                    continue
                if not worst or _rank(found[0].severity) > _rank(worst[0].severity):
                    worst, concerned = found, []
                if found[0].severity == worst[0].severity:
                    concerned.extend(name for name, whole in ((one, a), (other, b)) if name != whole)
        return worst, list(dict.fromkeys(concerned))


@cache
def _ours() -> _Table[Rule]:
    return _Table(sorted(rules(), key=lambda rule: rule.id))


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


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_MOST_NAMED]) + (" and others" if len(names) > _MOST_NAMED else "")
    return f" for some of them: {listed}"


@remembered(maxsize=65536)
def _single(a: str, b: str) -> Finding | None:
    """The built-in finding on two substances or classes; for some members of a class its severity is at most major."""
    if _same(a, b):
        return None
    if whole := _ours().between(a, b):
        return _finding(a, b, whole)
    worst, names = _ours().among(a, b) if members(a) or members(b) else ([], [])
    return _finding(a, b, worst, _some(names)) if worst else None


@remembered(maxsize=65536)
def _built_in(a: str, b: str) -> Finding | None:
    found = [
        finding
        for one in substances(a)
        for other in substances(b)
        if one not in substances(b) and other not in substances(a) and (finding := _single(one, other))
    ]
    return max(found, key=lambda finding: _rank(finding.severity), default=None)


def pair(a: str, b: str) -> Finding | None:
    """The most severe finding on two names in any order; None where no rule is found, which does not mean safe."""
    a, b = sorted((canonical(a), canonical(b)))
    ours, theirs = _built_in(a, b), _imported(a, b) if _imports.value else None
    if theirs is None:
        return ours
    severity, said, source = theirs
    if ours is None:
        text = f"{_shown(a).capitalize()} with {_shown(b)} ({severity}): {said}"
        return Finding(rule="interaction.imported", severity=severity, subjects=[a, b], text=text, source=source)
    also = "Also" if ours.severity == severity else "Sources differ:"
    return ours.model_copy(
        update={
            "severity": max(ours.severity, severity, key=_rank),
            "text": f"{ours.text} {also} {said}",
            "source": f"{_OURS}, from {ours.source}; {source}",
        }
    )


def unknown(a: str, b: str) -> Finding:
    """What is said of a pair that no rule names: nothing is known here, and that is no proof of safety."""
    text = (
        f"{_shown(a).capitalize()} with {_shown(b)}: not found in Primum's table of interactions, "
        "which does not hold every one. Ask a pharmacist before combining them."
    )
    return Finding(
        rule="interaction.unknown", severity="info", subjects=[a, b], text=text, source="Primum interaction table"
    )


def check(names: Sequence[str], *, tell_unknown: bool = False) -> tuple[Finding, ...]:
    """A finding for each pair of substances or classes that interacts, the most severe first.

    With `tell_unknown` each pair without a rule gets `unknown`.
    """
    known = dict.fromkeys(map(canonical, names))
    found = []
    for a, b in combinations(known, 2):
        finding = pair(a, b)
        if finding is None and tell_unknown and not _same(a, b):
            finding = unknown(a, b)
        if finding:
            found.append(finding)
    return tuple(sorted(found, key=lambda finding: (-_rank(finding.severity), finding.subjects)))


def load_imported(folder: Path) -> tuple[tuple[Imported, ...], str]:
    """The rows of each `*.csv` in a folder, and a name that changes with any of them.

    Raises:
        ValueError: there is none, or one is damaged (file and line).
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise ValueError(f"no imported interactions in {folder}")
    digest = sha256()
    rows: dict[Imported, None] = {}
    for path in paths:
        for row in read_rows(path):
            a, b = canonical(row.a), canonical(row.b)  # as this version of the names has it
            rows[row if (a, b) == (row.a, row.b) else replace(row, a=a, b=b)] = None
        digest.update(path.read_bytes())
    return tuple(rows), f"imported-{digest.hexdigest()[:12]}"


_imports: InUse[_Table[Imported]] = InUse("imported interactions")


@contextmanager
def using(folder: Path | None) -> Iterator[None]:
    """As long as it is open, every check of this process asks the tables of a folder as well; the more severe counts.

    None is for the built-in rules alone.

    Raises:
        ValueError: the folder has no table, one is damaged (file and line), or the process asks other ones already.
    """
    rows, version = load_imported(folder) if folder else ((), "")
    with _imports.using(version, lambda: _asked(rows)):
        yield


def _asked(rows: Sequence[Imported]) -> _Table[Imported] | None:
    _imported.cache_clear()
    return _Table(rows) if rows else None


def imported_version() -> str:
    """Which imported tables are asked; empty if none."""
    return _imports.version


@remembered(maxsize=65536)
def _imported(a: str, b: str) -> tuple[Severity, str, str] | None:
    """What the imported tables say of two names: how severe, in words, and from where; licences stand with both."""
    table = _imports.value
    if table is None:
        return None
    pairs = [(one, other) for one in substances(a) for other in substances(b) if not _same(one, other)]
    rows = [row for one, other in pairs for row in table.between(one, other)]
    some = ""
    if not rows:
        among = [table.among(one, other) for one, other in pairs if members(one) or members(other)]
        rows = [row for found, _ in among for row in found]
        some = _some([name for _, names in among for name in names])
    if not rows:
        return None
    first: dict[str, Imported] = {}
    for row in sorted(rows, key=lambda row: -_rank(row.severity)):
        first.setdefault(f"{row.source} ({row.licence})", row)
    worst = next(iter(first.values())).severity
    severity: Severity = "major" if some and worst == "contraindicated" else worst
    said = (f"{source}: {row.severity}{some}{_reason(row.text)}" for source, row in first.items())
    return severity, " ".join(said), "; ".join(first)


def _reason(text: str) -> str:
    return f". {shorten(text, _TOLD, placeholder=' …')}" if text.strip() else ", without a reason."
