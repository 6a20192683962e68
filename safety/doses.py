"""Doses of a text against the limits of the table: by route, age, weight, kidneys, liver and pregnancy."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from primum.safety.dose_people import Person, person
from primum.safety.dose_reader import COUNTED, Dose, normal, read_doses
from primum.safety.findings import SEVERITIES, Finding, Severity
from primum.safety.lexicon import canonical
from primum.safety.profile import Profile

__all__ = ["Dose", "Limit", "check", "limits", "read_doses"]

_TO_MG = {"mg": 1.0, "mcg": 0.001, "g": 1000.0}
_SLACK = 1.001
_LIPID_UNITS = {"cholecalciferol": 40_000.0, "ergocalciferol": 40_000.0, "vitamin a": 3333.0, "vitamin e": 1.49}
_ROUTE_KIN = {
    "iv": "iv im",
    "im": "im iv sc",
    "sc": "sc im",
    "sublingual": "sublingual oral",
    "oral": "oral sublingual",
}


@dataclass(frozen=True)
class Limit:
    """One row of `data/doses.csv`; masses in mg. `days` is the time that `total` counts for."""

    substance: str
    route: str
    age_min: float
    age_max: float
    weight_min: float
    weight_max: float
    when: str
    single: float | None
    total: float | None
    days: float
    unit: str
    kg_single: float | None
    kg_daily: float | None
    kg_below: float | None
    cap: float | None
    load: float | None
    weekly_dose: float | None
    min_hours: float | None
    kidney: tuple[tuple[float, float], ...]
    liver: float | None
    pregnancy: tuple[float, float] | None
    narrow: bool
    weekly: bool
    also: str
    note: str
    source: str

    @property
    def open(self) -> bool:
        """No fixed maximum."""
        return self.single is None and self.total is None


@cache
def _sources() -> dict[str, str]:
    with (files("primum.safety") / "data" / "dose_sources.csv").open(encoding="utf-8") as file:
        return {row["key"]: f"{row['title']}|{row['address']}" for row in csv.DictReader(file)}


def _limit(row: dict[str, str]) -> Limit:
    scale = _TO_MG.get(row["unit"], 1.0)

    def value(name: str, factor: float = 1.0) -> float | None:
        return float(row[name]) * factor if row[name] else None

    steps = [pair.split(":") for pair in row["kidney"].split()]
    dose, _, week = row["pregnancy"].partition("@")
    title, _, address = _sources()[row["source"]].partition("|")
    return Limit(
        row["substance"], row["route"], value("age_min") or 0.0, value("age_max") or 999.0, value("weight_min") or 0.0,
        value("weight_max") or 9999.0, row["when"], value("max_single", scale), value("max_total", scale),
        float(row["days"]), "mg" if row["unit"] in _TO_MG else row["unit"], value("kg_single", scale),
        value("kg_daily", scale), value("kg_cap_weight"), value("cap", scale), value("load", scale),
        value("weekly_dose", scale), value("min_hours"), tuple((float(a), float(b) * scale) for a, b in steps),
        value("liver", scale), (float(dose) * scale, float(week or 0)) if dose else None, bool(row["narrow"]),
        bool(row["weekly"]), row["also"], row["note"], f"{title}: {row['substance']}, {row['year']}, {address}",
    )  # fmt: skip


@cache
def table() -> dict[str, tuple[Limit, ...]]:
    """The rows of each substance."""
    found: dict[str, list[Limit]] = {}
    with (files("primum.safety") / "data" / "doses.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["substance"], []).append(_limit(row))
    return {name: tuple(rows) for name, rows in found.items()}


@cache
def _by_lexicon() -> dict[str, str]:
    return {canonical(name): name for name in table()}


def _known(substance: str) -> str:
    """The table's name of a substance."""
    name = substance.lower()
    if name in table():
        return name
    return _by_lexicon().get(name) or _by_lexicon().get(canonical(name), name)


def limits(substance: str, profile: Profile, route: str | None = None) -> tuple[Limit, ...]:
    """The limits that hold for a person, the one that counts first; none where the table has none."""
    who = Person(profile.age, profile.weight_kg)
    return tuple(_fitting(_known(substance), who, route, ""))


def _fitting(substance: str, who: Person, route: str | None, words: str) -> list[Limit]:
    rows = [
        row
        for row in table().get(substance, ())
        if not row.when or re.search(rf"(?:^|\b)(?:{row.when})", words, re.IGNORECASE | re.DOTALL)
    ]
    routes = {row.route for row in rows}
    wanted = (
        route if route in routes else next((r for r in _ROUTE_KIN.get(route or "", "").split() if r in routes), None)
    )
    if wanted is None:
        wanted = "any" if "any" in routes else None
    if wanted is None and route is None:
        wanted = "oral" if "oral" in routes else next((row.route for row in rows), None)
    age = 40.0 if who.age is None else who.age
    weight = who.weight_kg
    rows = [
        row
        for row in rows
        if row.route == wanted
        and row.age_min <= age < row.age_max
        and (row.weight_min <= weight < row.weight_max if weight else not row.weight_min and row.weight_max > 9000)
    ]
    return sorted(rows, key=lambda row: (bool(row.when), row.weight_max < 9000, row.age_min), reverse=True)


@dataclass(frozen=True)
class _Part:
    """What one dose holds of one substance, in the table's unit."""

    dose: Dose
    substance: str
    amount: float | None
    daily: float | None
    other: float | None
    who: Person
    row: Limit
    ceiling: bool = False

    @property
    def total(self) -> float | None:
        if self.daily is not None:
            return self.daily
        return self.amount * self.dose.per_day if self.amount is not None and self.dose.per_day is not None else None


def check(text: str, profile: Profile, tell_unknown: bool = False) -> tuple[Finding, ...]:
    """Every dose of the text against the limits for the person; the most severe finding first.

    Args:
        tell_unknown: also say of which drugs the table holds no limit.
    """
    text = normal(text)
    doses = read_doses(text)
    found: list[Finding] = []
    parts: list[_Part] = []
    for dose in doses:
        if dose.kind == "unreadable" or (dose.unit in COUNTED and dose.kind == "advice" and _untold(dose)):
            found.append(_unreadable(dose))
        elif dose.kind in ("advice", "limit"):
            parts += _parts(dose, text, profile, found, tell_unknown)
    parts = _capped(parts)
    for part in parts:
        found += _against(part)
    found += _together(text, parts, profile)
    unique = {(one.rule, *one.subjects, one.text): one for one in found}
    return tuple(sorted(unique.values(), key=lambda one: -SEVERITIES.index(one.severity)))


def _untold(dose: Dose) -> bool:
    """A number of tablets of which nothing says what one holds."""
    return dose.unit in ("tablet", "sachet", "suppository") and all(
        unit in COUNTED and not any(row.unit == unit for row in table().get(_known(substance), ()))
        for substance, _, unit in dose.parts
    )


def _unreadable(dose: Dose) -> Finding:
    return Finding(
        rule="dose.unreadable",
        severity="moderate",
        subjects=[dose.drug],
        text=f"A dose of {dose.written} could not be read (“{(dose.note or _said(dose)).strip()}”): it "
        "was not checked. "
        "Say how many mg at a time and how often.",
        source="Primum",
    )


def _parts(dose: Dose, text: str, profile: Profile, found: list[Finding], tell: bool) -> Iterator[_Part]:
    who = person(text, dose.start, profile)
    words = text[max(0, dose.start - 150) : dose.stop + 150]
    for substance, factor, unit in dose.parts:
        name = _known(substance)
        rows = _fitting(name, who, dose.route, words)
        ceiling = False
        if not rows and who.age is not None and name in table():
            rows = _fitting(name, Person(None, None), dose.route, words)
            ceiling = bool(rows) and not rows[0].open
        if (
            not rows
            and name in table()
            and dose.route
            and unit == "mg"
            and dose.route not in ("topical", "eye", "ear", "nasal", "vaginal", "inhaled", "transdermal")
        ):
            rows = _fitting(name, who, None, words)
            rows = [
                row for row in rows if row.weekly or (dose.route in ("oral",) and row.route not in ("topical", "eye"))
            ]
        if not rows:
            if tell:
                found.append(_unknown(dose, name))
            continue
        row = rows[0]
        scale = _conversion(name, unit, row.unit)
        if scale is None:
            if not row.open and dose.kind == "advice":
                found.append(_unreadable(dose))
            continue
        weight = who.weight_kg
        if dose.per_kg:
            if weight is None:
                yield from _by_weight(dose, name, who, row, factor * scale)
                continue
            scale *= weight
        if ceiling:
            found.append(_age_finding(dose, name, who, row))
        amount = dose.amount * factor * scale if dose.amount is not None else None
        daily = dose.daily * factor * scale if dose.daily is not None else None
        other = dose.other * factor * scale if dose.other is not None else None
        yield _Part(dose, name, amount, daily, other, who, row, ceiling)


def _by_weight(dose: Dose, name: str, who: Person, row: Limit, scale: float) -> Iterator[_Part]:
    """A dose per kg for someone of unknown weight: against the limit per kg, else as for 70 kg (a child: 10 kg)."""
    per_kg = next((r for r in table()[name] if r.route == row.route and (r.kg_single or r.kg_daily)), None)
    if per_kg is None:
        weight = 70.0 if who.age is None or who.age >= 12 else 10.0
        amount = dose.amount * scale * weight if dose.amount is not None else None
        daily = dose.daily * scale * weight if dose.daily is not None else None
        yield _Part(dose, name, amount, daily, None, who, row)
        return
    both = [r for r in table()[name] if r.route == row.route]
    single = max((r.kg_single or 0 for r in both), default=0) or None
    day = max((r.kg_daily or 0 for r in both), default=0) or None
    limit = replace(
        per_kg, single=single, total=day, unit="mg/kg", kg_single=None, kg_daily=None, cap=None, load=None,
        weekly_dose=None, kidney=(), liver=None, days=row.days, weekly=row.weekly,
    )  # fmt: skip
    amount = dose.amount * scale if dose.amount is not None else None
    daily = dose.daily * scale if dose.daily is not None else None
    yield _Part(dose, name, amount, daily, None, who, limit)


def _conversion(name: str, unit: str, wanted: str) -> float | None:
    """How many of the table's units one unit of the text is."""
    if unit == wanted:
        return 1.0
    if unit == "mg" and wanted == "unit" and name in _LIPID_UNITS:
        return _LIPID_UNITS[name]
    if name == "albuterol" and wanted == "puff" and unit == "mg":
        return 10.0
    if name == "potassium chloride":
        return {("mg", "meq"): 1 / 75, ("mmol", "meq"): 1.0, ("meq", "mg"): 75.0, ("mmol", "mg"): 75.0}.get(
            (unit, wanted)
        )
    return 1.0 if {unit, wanted} == {"mmol", "meq"} else None


def _capped(parts: list[_Part]) -> list[_Part]:
    """`500 mg every 4 hours, at most 4 g a day`: what is taken by the clock is held by the stated maximum."""
    held = {
        p.substance: p.total
        for p in parts
        if p.total is not None and (p.dose.kind == "limit" or (p.dose.amount is None and p.dose.daily is not None))
    }
    capped = []
    for part in parts:
        most, total = held.get(part.substance), part.total
        if (
            part.dose.kind == "advice"
            and part.dose.interval_hours
            and most is not None
            and total is not None
            and most < total
        ):
            part = replace(part, daily=most)
        capped.append(part)
    return capped


def _against(part: _Part) -> list[Finding]:
    """The findings on one part: too much at once, in a day or a week, too often, and what the body's state forbids."""
    row = part.row
    if row.single == 0 or row.total == 0:
        return [
            _finding(
                part, "dose.age", "major", f"Not for {part.who.words}: {row.note or 'no dose is licensed at this age'}."
            )
        ]
    single, total = _maxima(part)
    found = _too_much(part, single, total)
    found += _body(part)
    hours = part.dose.interval_hours
    if row.min_hours and hours and hours < row.min_hours * 0.99:
        severity: Severity = "major" if hours <= row.min_hours * 0.8 else "moderate"
        found.append(
            _finding(
                part,
                "dose.interval",
                severity,
                f"Every {hours:g} hours is too often: leave at least {row.min_hours:g} hours between doses.",
            )
        )
    if not found and part.other is not None:
        bigger = _Part(part.dose, part.substance, part.other, None, None, part.who, row)
        found += _too_much(bigger, single, total)
        found.append(
            _finding(
                part,
                "dose.ambiguous",
                "moderate",
                f"The point could part thousands: {part.amount or part.daily:g} or {part.other:g} {row.unit}? "
                "Write the number without it.",
            )
        )
    if not found and part.dose.note.endswith("without a unit"):
        found.append(
            _finding(
                part,
                "dose.unreadable",
                "moderate",
                f"The dose has no unit (“{part.dose.note}”); it was read as mg. Say mg, micrograms or units.",
            )
        )
    return found


def _maxima(part: _Part) -> tuple[float | None, float | None]:
    """The most at once and the most in the row's days, for this weight."""
    row, weight = part.row, part.who.weight_kg
    single = row.single if row.single is not None else row.total
    total = row.total if row.total is not None or row.open else None
    if weight and (row.kg_below is None or weight < row.kg_below):
        grown = part.who.age is None or part.who.age >= 12
        most = (
            row.cap
            or max(
                (r.total or 0 for r in table()[part.substance] if r.route == row.route and r.age_min >= 12), default=0
            )
            or row.total
        )
        most_once = (
            max((r.single or 0 for r in table()[part.substance] if r.route == row.route and r.age_min >= 12), default=0)
            or row.single
        )
        if row.kg_daily and most:
            total = min(row.kg_daily * weight, row.total if grown and row.total else most)
        if row.kg_single and most_once:
            single = min(row.kg_single * weight, row.single if grown and row.single else most_once)
        elif row.kg_daily and most_once and not grown:
            single = min(row.kg_daily * weight, most_once)
    if single is not None and row.load:
        single = max(single, row.load)
    return single, total


def _too_much(part: _Part, single: float | None, total: float | None) -> list[Finding]:
    row, dose = part.row, part.dose
    found = []
    taken = part.total
    once = (
        part.amount
        if part.amount is not None
        else (part.daily if dose.kind == "limit" and dose.note != "week" else None)
    )
    if row.weekly and row.days >= 7:
        found += _weekly(part, total)
        if found:
            return found
    if total is not None and taken is not None:
        period_total = taken * row.days
        loading = (
            row.load is not None
            and part.amount is not None
            and (dose.per_day or 0) <= 1
            and part.amount <= row.load
            and _few(dose)
        )
        weekly_ok = (
            row.weekly_dose is not None
            and dose.per_day is not None
            and dose.per_day <= 1 / 6.9
            and (part.amount or 0) <= row.weekly_dose
        )
        if period_total > total * _SLACK and not loading and not weekly_ok:
            span = "a day" if row.days == 1 else f"in {row.days:g} days"
            rule = "dose.limit" if dose.kind == "limit" else "dose.daily"
            text = f"{_said(dose, part)}: over the maximum of {_mass(total, row.unit)} {span} for {part.who.words}"
            found.append(_finding(part, rule, _severity(row, period_total, total), f"{text}{_also(row)}."))
    if single is not None and once is not None and part.daily is None and once > single * _SLACK and not found:
        text = f"{_mass(once, row.unit)} at once: over the most at one time, {_mass(single, row.unit)}, for "
        text += f"{part.who.words}{_also(row)}."
        found.append(_finding(part, "dose.single", _severity(row, once, single), text))
    return found


def _few(dose: Dose) -> bool:
    return dose.per_day is None or (dose.days is not None and dose.days <= 1)


def _weekly(part: _Part, total: float | None) -> list[Finding]:
    """Drugs taken once a week or month: a daily dose is the known fatal mistake."""
    row, dose = part.row, part.dose
    often = (dose.per_day is not None and dose.per_day >= 0.9) or (dose.daily is not None and dose.note != "week")
    amount = (part.amount or 0.0) * max(dose.per_day or 1.0, 1.0) if part.daily is None else part.daily
    if often and total is not None and (part.substance == "methotrexate" or amount * row.days > total * _SLACK):
        every = "a week" if row.days == 7 else f"{row.days:g} days"
        text = f"{_said(dose, part)}: {part.substance} is limited to {_mass(total, row.unit)} in {every}{_also(row)}."
        if part.substance == "methotrexate":
            text += " Taken daily it can kill."
        return [_finding(part, "dose.weekly-given-daily", "contraindicated", text)]
    return []


def _body(part: _Part) -> list[Finding]:
    """Kidneys, liver and pregnancy."""
    row, who, found = part.row, part.who, []
    taken = part.total if part.total is not None else part.amount
    if taken is None:
        return []
    taken *= row.days if part.total is not None and row.days > 1 else 1
    if who.egfr is not None:
        step = next(((below, most) for below, most in row.kidney if who.egfr < below), None)
        if step and taken > step[1] * _SLACK:
            text = f"With an eGFR of {who.egfr:.0f} ({part.substance} below {step[0]:g}): "
            text += (
                "avoid it" if not step[1] else f"at most {_mass(step[1], row.unit)} a day, not {_mass(taken, row.unit)}"
            )
            found.append(_finding(part, "dose.kidney", "major", text + "."))
    if who.liver and row.liver is not None and taken > row.liver * _SLACK:
        text = (
            "avoid it" if not row.liver else f"at most {_mass(row.liver, row.unit)} a day, not {_mass(taken, row.unit)}"
        )
        found.append(_finding(part, "dose.liver", "major", f"With liver disease: {text}."))
    if who.pregnant and row.pregnancy is not None:
        most, week = row.pregnancy
        if taken > most * _SLACK and (who.weeks is None or who.weeks >= week):
            text = "not in pregnancy" if not most else f"in pregnancy at most {_mass(most, row.unit)} a day"
            text += f" from week {week:g}" if week > 1 else ""
            found.append(
                _finding(part, "dose.pregnancy", "major", text[0].upper() + text[1:] + " unless a specialist says so.")
            )
    return found


def _together(text: str, parts: list[_Part], profile: Profile) -> list[Finding]:
    """The same substance from several products, or in several doses a day, added up."""
    own: list[_Part] = []
    named = {part.substance for part in parts}
    for medicine in profile.medicines:
        for dose in read_doses(normal(medicine)):
            own += [p for p in _parts(dose, medicine, profile, [], False) if p.substance in named]
    found = []
    for substance in dict.fromkeys(part.substance for part in parts):
        mine = [p for p in parts if p.substance == substance and p.dose.kind == "advice" and p.row.unit != "mg/kg"]
        mine = mine + [p for p in own if p.substance == substance and p.dose.kind == "advice"]
        sums: list[_Part] = []
        for part in mine:
            alike = [p for p in sums if p.dose.drug == part.dose.drug]
            added = part.dose.extra or (not _instead(text, sums, part, own) and (not alike or part in own))
            if added:
                sums.append(part)
        if len(sums) < 2:
            continue
        total = sum(p.total if p.total is not None else p.amount or 0.0 for p in sums)
        row = sums[0].row
        most = _maxima(sums[0])[1]
        alone = [p for p in sums if p.total is not None and most is not None and p.total * row.days > most * _SLACK]
        if most is not None and total * row.days > most * _SLACK and not alone:
            amounts = [p.total if p.total is not None else p.amount or 0.0 for p in sums]
            listed = " + ".join(
                f"{p.dose.written} {_mass(one, row.unit)}" for p, one in zip(sums, amounts, strict=True)
            )
            said = f"Together {_mass(total, row.unit)} of {substance} a day ({listed}): over the maximum of "
            said += f"{_mass(most, row.unit)} for {sums[0].who.words}."
            found.append(_finding(sums[0], "dose.sum", _severity(row, total * row.days, most), said))
    return found


def _instead(text: str, sums: Iterable[_Part], part: _Part, own: list[_Part]) -> bool:
    """Whether a dose stands as another choice for an earlier one."""
    if part in own:
        return False
    return any(
        re.search(
            r"\b(?:or|instead|alternatively|switch(?:ed)?|rather than|then)\b|或", text[p.dose.stop : part.dose.start]
        )
        and part.dose.start - p.dose.stop < 100
        for p in sums
    )


def _severity(row: Limit, taken: float, most: float) -> Severity:
    if row.narrow or row.substance in ("acetaminophen", "methotrexate") or taken >= 2 * most:
        return "contraindicated"
    return "major"


def _finding(part: _Part, rule: str, severity: Severity, text: str) -> Finding:
    note = part.dose.note if part.dose.note.startswith("a tablet counted") else ""
    advice = (
        " Do not take or give this; ask a pharmacist or doctor." if severity in ("major", "contraindicated") else ""
    )
    if part.dose.kind == "limit" and severity in ("major", "contraindicated"):
        advice = " Do not go up to it; ask a pharmacist or doctor."
    subject = part.substance if part.substance == part.dose.drug else f"{part.substance} ({part.dose.written})"
    return Finding(
        rule=rule,
        severity=severity,
        subjects=[part.substance],
        text=f"{subject[0].upper()}{subject[1:]}: {text}{f' ({note.capitalize()}.)' if note else ''}{advice}",
        source=part.row.source,
    )


def _age_finding(dose: Dose, name: str, who: Person, row: Limit) -> Finding:
    part = _Part(dose, name, dose.amount, dose.daily, None, who, row)
    return _finding(
        part,
        "dose.age",
        "moderate",
        f"Primum's table has no dose for {who.words}; the adult's is no guide. Only as a doctor who "
        "treats children says.",
    )


def _unknown(dose: Dose, name: str) -> Finding:
    where = f" for this route ({dose.route})" if dose.route else ""
    return Finding(
        rule="dose.unknown",
        severity="info",
        subjects=[name],
        text=f"There is no limit for {name} in Primum's table{where}: its dose was not checked.",
        source="Primum",
    )


def _also(row: Limit) -> str:
    extra = "; ".join(part for part in (row.also, row.note) if part)
    return f" ({extra})" if extra else ""


def _mass(value: float, unit: str) -> str:
    """An amount as it is written for people: 3,200 mg, 25 micrograms, 10 units."""
    if unit == "mg" and value and value < 0.1:
        return f"{value * 1000:,.4g} micrograms"
    if unit == "mg":
        return f"{value:,.0f} mg" if value >= 100 else f"{value:,.4g} mg"
    name = unit if unit in ("ml", "mg/kg") else f"{unit}s" if value != 1 else unit
    return f"{value:,.4g} {name}" if value < 1000 else f"{value:,.0f} {name}"


def _said(dose: Dose, part: _Part | None = None) -> str:
    """What was read: `800 mg × 4 = 3,200 mg a day`."""
    amount = part.amount if part else dose.amount
    unit = part.row.unit if part else dose.unit
    daily = part.total if part else dose.total
    if amount is not None and dose.per_day and part and part.daily is None:
        if dose.per_day >= 0.99:
            return f"{_mass(amount, unit)} × {dose.per_day:g} = {_mass(amount * dose.per_day, unit)} a day"
        return f"{_mass(amount, unit)} every {1 / dose.per_day:.3g} days"
    return f"{_mass(daily, unit)} a day" if daily is not None else _mass(amount or 0.0, unit)
