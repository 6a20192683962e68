"""Doses of a text against the limits of the table: by route, age, weight, kidneys, liver and pregnancy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from math import inf

from primum.safety.contraindications import conditions_of, implied
from primum.safety.dose_builder import Dose
from primum.safety.dose_reader import read_doses
from primum.safety.dose_tokens import sentence_at
from primum.safety.dose_words import COUNTED, TAKEN_WHOLE
from primum.safety.findings import SEVERITIES, Finding, Severity
from primum.safety.lexicon import canonical
from primum.safety.person import Person, at, read
from primum.safety.profile import Profile
from primum.safety.tables import read_table
from primum.safety.units import level

__all__ = ["Dose", "Limit", "bound", "check", "limits", "read_doses"]

_TO_MG = {"mg": 1.0, "mcg": 0.001, "g": 1000.0}
_SLACK = 1.001
_BABY, _GROWN_UP = 0.25, 12.0  # years: younger, a doctor is asked; older, the adults' rows hold
_NEAR = 40  # characters behind a dose in which a word for its person may stand
_USUAL_COURSE = 5.0  # days of a daily infusion by the square metre, where no one says how many
_LONG_HOURS = 20  # what lasts so long or longer is taken too often if it is taken daily
_MISTAKEN = 5.0  # so many times the dose that was ordered is a mistake
_LIPID_UNITS = {"cholecalciferol": 40_000.0, "ergocalciferol": 40_000.0, "vitamin a": 3333.0, "vitamin e": 1.49}
_POTASSIUM = {("mg", "meq"): 1 / 75, ("mmol", "meq"): 1.0, ("meq", "mg"): 75.0, ("mmol", "mg"): 75.0}
_ROUTE_KIN = {
    "iv": ("iv", "im"), "im": ("im", "iv", "sc"), "sc": ("sc", "im"), "sublingual": ("sublingual", "oral"),
    "oral": ("oral", "sublingual"),
}  # fmt: skip
_PUFF_MG = {"albuterol": 0.1, "nitroglycerin": 0.4}
_OUTSIDE = ("topical", "eye", "ear", "nasal", "vaginal", "inhaled", "transdermal")
_OUTSIDE_BUT_INHALED = frozenset(_OUTSIDE) - {"inhaled"}
_INSTEAD = re.compile(r"\b(?:or|instead|alternatively|switch(?:ed)?|rather than|then)\b|或")
# Of a product, not of who takes it.
_FOR_CHILDREN = re.compile(
    r"\b(?:children['’]?s|infants?['’]s?|kids['’]|(?:infant|children|adult|p(?:a)?ediatric|junior)"
    r"(?= (?:\w+ )?(?:drops|syrup|suspension|liquid|strength|formula|tablets?|paracetamol|ibuprofen|calpol|tylenol)))",
    re.IGNORECASE,
)
_LIVER = frozenset({"liver-disease", "alcohol-use"})
_USUAL_AGE, _USUAL_KG, _CHILD_KG = 40.0, 70.0, 10.0  # of someone of whom they are not known
_INFANT_KG, _CHILDS_KG, _GROWN_KG = 6.0, 30.0, 50.0  # who weighs less than the second is a child


@dataclass(frozen=True)
class Limit:
    """One row of `data/doses.csv`; masses in mg. `days` is the time that `total` counts for.

    `when` is looked for in the words around a dose and in the person's conditions and medicines. `kidney` holds steps
    of eGFR, each with the most a day below it, which is per kg where it is negative. `area` is the most at once for a
    square metre, written `75/m2` among those per kg; an hourly maximum per kg, written `4/kg`, is for
    what runs on, one without for what runs in once as well.
    """

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
    kg_hourly: float | None
    area: float | None
    kg_below: float | None
    cap: float | None
    load: float | None
    weekly_dose: float | None
    min_hours: float | None
    most_hourly: float | None
    kidney: tuple[tuple[float, float], ...]
    liver: float | None
    pregnancy: tuple[float, float] | None
    narrow: bool
    weekly: bool
    also: str
    note: str
    source: str
    creatinine_min: float | None

    @property
    def open(self) -> bool:
        """No fixed maximum."""
        return self.single is None and self.total is None

    def fits(self, age: float, weight: float | None, creatinine: float | None) -> bool:
        """Whether the row is for this age, weight and creatinine; what is not known fits rows for any alone."""
        if self.creatinine_min and (creatinine or 0.0) < self.creatinine_min:
            return False
        if weight is None:
            return self.age_min <= age < self.age_max and not self.weight_min and self.weight_max > 9000
        return self.age_min <= age < self.age_max and self.weight_min <= weight < self.weight_max


@cache
def _sources() -> dict[str, tuple[str, str]]:
    return {row["key"]: (row["title"], row["address"]) for row in read_table("dose_sources.csv")}


def _limit(row: dict[str, str]) -> Limit:
    scale = _TO_MG.get(row["unit"], 1.0)

    def value(name: str, factor: float = 1.0, of: str = "") -> float | None:
        number, _, per = row[name].partition("/")
        return float(number) * factor if number and per == of else None

    steps = [(below, float(most.removesuffix("/kg")) * (-1 if "/kg" in most else 1)) for below, most in _steps(row)]
    dose, _, week = row["pregnancy"].partition("@")
    title, address = _sources()[row["source"]]
    return Limit(
        row["substance"], row["route"], value("age_min") or 0.0, value("age_max") or 999.0, value("weight_min") or 0.0,
        value("weight_max") or 9999.0, row["when"], value("max_single", scale), value("max_total", scale),
        float(row["days"]), "mg" if row["unit"] in _TO_MG else row["unit"], value("kg_single", scale),
        value("kg_daily", scale), value("hourly", scale, "kg"), value("kg_single", scale, "m2"),
        value("kg_cap_weight"), value("cap", scale), value("load", scale),
        value("weekly_dose", scale), value("min_hours"), value("hourly", scale),
        tuple((float(below), most * scale) for below, most in steps),
        value("liver", scale), (float(dose) * scale, float(week or 0)) if dose else None, bool(row["narrow"]),
        bool(row["weekly"]), row["also"], row["note"], f"{title}: {row['substance']}, {row['year']}, {address}",
        value("creatinine_min"),
    )  # fmt: skip


def _steps(row: dict[str, str]) -> list[list[str]]:
    return [pair.split(":") for pair in row["kidney"].split()]


@cache
def table() -> dict[str, tuple[Limit, ...]]:
    """The rows of each substance."""
    found: dict[str, list[Limit]] = {}
    for row in read_table("doses.csv"):
        found.setdefault(row["substance"], []).append(_limit(row))
    return {name: tuple(rows) for name, rows in found.items()}


@cache
def _by_lexicon() -> dict[str, str]:
    return {canonical(name): name for name in table()}


def _known(substance: str) -> str:
    """The table's name of a substance."""
    name = substance.lower()
    return name if name in table() else _by_lexicon().get(name) or _by_lexicon().get(canonical(name), name)


def limits(substance: str, profile: Profile, route: str | None = None) -> tuple[Limit, ...]:
    """The limits that hold for a person, the one that counts first; none where the table has none."""
    ages = () if profile.age is None else (profile.age,)
    who = Person(ages, weight_kg=profile.weight_kg, creatinine_umol_l=profile.creatinine_umol_l)
    return tuple(_fitting(_known(substance), who, route, ""))


def bound(medicine: str, profile: Profile) -> Finding | None:
    """The most that a child of known age and weight may have by mouth: the table's, by age and by weight, the lower.

    None where more than these two decides: for a young baby, ill kidneys or liver, a medicine that is dosed by a test.
    """
    name, substance, age = medicine.lower(), _known(canonical(medicine)), profile.age
    if age is None or not _BABY <= age < _GROWN_UP or profile.weight_kg is None:
        return None
    who = Person((age,), weight_kg=profile.weight_kg)
    row = next((one for one in _fitting(substance, who, "oral", "") if not one.when), None)
    plain = row and row.unit == "mg" and row.days == 1 and not (row.narrow or row.weekly)
    if row is None or not plain or profile.egfr is not None or profile.conditions:
        return None
    single, total = _maxima(_Part(Dose(substance, name, 0, 0), substance, None, None, None, None, who, row))
    once, daily = min(single or 0, row.single or inf), min(total or 0, row.total or inf)
    if not once or not daily:
        return None
    apart = f", at least {row.min_hours:g} hours apart" if row.min_hours else ""
    said = f"at most {_mass(once, 'mg')} at one time and {_mass(daily, 'mg')} a day{apart}{_also(row)}"
    shown = substance if name == substance else f"{substance} ({medicine})"
    return Finding(
        rule="dose.bound",
        severity="info",
        subjects=[substance],
        text=f"{shown[0].upper()}{shown[1:]} for {who.words} and {profile.weight_kg:g} kg: {said}. "
        "Give what the label of your product or the prescription says, and no more than that.",
        source=row.source,
    )


def _fitting(substance: str, who: Person, route: str | None, words: str) -> list[Limit]:
    rows = [row for row in table().get(substance, ()) if not row.when or _when(row.when).search(words)]
    wanted = _wanted_route(route, [row.route for row in rows])
    age = _USUAL_AGE if who.age is None else who.age
    rows = [row for row in rows if row.route == wanted and row.fits(age, who.weight_kg, who.creatinine_umol_l)]
    return sorted(rows, key=lambda row: (bool(row.when), row.weight_max < 9000, row.age_min), reverse=True)


@cache
def _when(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|\b)(?:{words})", re.IGNORECASE | re.DOTALL)


def _wanted_route(route: str | None, routes: list[str]) -> str | None:
    """The route of the table that counts for one that is told, or for one that is not."""
    near = next((kin for kin in (route, *_ROUTE_KIN.get(route or "", ())) if kin in routes), None)
    if near or "any" in routes:
        return near or "any"
    return None if route else "oral" if "oral" in routes else next(iter(routes), None)


@dataclass(frozen=True)
class _Part:
    """What one dose holds of one substance, in the table's unit; `hourly` of what runs in all the time."""

    dose: Dose
    substance: str
    amount: float | None
    daily: float | None
    other: float | None
    hourly: float | None
    who: Person
    row: Limit
    liver: bool = False
    share: float = 1.0  # of the adult's maximum, for a child that the table has no row for

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
    doses = read_doses(text)
    if not doses:
        return ()
    found: list[Finding] = []
    parts: list[_Part] = []
    conditions = conditions_of((*profile.conditions, text))
    for dose in doses:
        if dose.kind == "unreadable" or (dose.kind == "advice" and _untold(dose)):
            found.append(_unreadable(dose))
        elif dose.kind in ("advice", "limit") or (dose.kind == "denied" and dose.told):
            who = _person(text, dose, profile, conditions)
            parts += _parts(dose, text, profile, who, bool(_LIVER & conditions), found, tell_unknown)
    parts = _capped(parts)
    for part in parts:
        found += _against(part) if part.dose.kind != "denied" else ()
    found += _together(text, parts, profile)
    unique = {(one.rule, *one.subjects, one.text): one for one in found}
    return tuple(sorted(unique.values(), key=lambda one: -SEVERITIES.index(one.severity)))


def _person(text: str, dose: Dose, profile: Profile, conditions: frozenset[str]) -> Person:
    """Whom the dose is meant for; kidneys that were not measured are taken by the stage of their disease."""
    start, stop = sentence_at(text, dose.start)
    near = start, min(stop, dose.stop + _NEAR)  # "as the box for adults says" is not the person
    who = at(_FOR_CHILDREN.sub(_blank, text), dose.start, near, profile)
    if who.egfr is None:
        who = replace(who, egfr=read(". ".join(profile.conditions)).egfr)
    if who.age is None and who.weight_kg is not None and who.weight_kg < _CHILDS_KG:
        who = replace(who, ages=(_age_by_weight(who.weight_kg),), presumed=True)
    low, high = implied(conditions, "egfr") or (0.0, 0.0)
    return replace(who, egfr=(low + high) / 2) if who.egfr is None and 0 < high <= 60 else who


def _age_by_weight(weight: float) -> float:
    """The age that resuscitation guides go with: months / 2 + 4 kg in the first year, 2 * years + 8 kg later."""
    return max(0.0, (weight - 4) / 6) if weight < _CHILD_KG else (weight - 8) / 2


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _untold(dose: Dose) -> bool:
    """A number of tablets of which nothing says what one holds."""
    return dose.unit in TAKEN_WHOLE and all(
        unit in COUNTED and not any(row.unit == unit for row in table().get(_known(substance), ()))
        for substance, _, unit in dose.parts
    )


def _unreadable(dose: Dose) -> Finding:
    return Finding(
        rule="dose.unreadable",
        severity="moderate",
        subjects=[dose.drug],
        text=f"A dose of {dose.written} could not be read (“{(dose.note or _said(dose)).strip()}”): it was not "
        "checked. Say how many mg at a time and how often.",
        source="Primum",
    )


def _parts(
    dose: Dose, text: str, profile: Profile, who: Person, liver: bool, found: list[Finding], tell: bool
) -> Iterator[_Part]:
    """What the dose holds of each substance that the table has limits for; findings say of which it has none."""
    until = dose.stop + (_NEAR if dose.course else 150)  # what comes behind its course is of another dose
    words = " | ".join((text[max(0, dose.start - 150) : until], *profile.conditions, *profile.medicines))
    for substance, factor, unit in dose.parts:
        name = _known(substance)
        row, adults = _row(name, dose, who, unit, words)
        if row is None and dose.per_area and dose.kind == "advice":
            found.append(_unreadable(dose))
        elif row is None:
            found += [_unknown(dose, name)] if tell else []
        elif (scale := _conversion(name, unit, row.unit)) is None:
            found += [] if row.open or dose.kind != "advice" else [_unreadable(dose)]
        else:
            if dose.per_area:
                if row.area is None:
                    found += [_unreadable(dose)] if dose.kind == "advice" else []
                    continue
                row, weight = _per_area(row, row.area), 1.0
            elif dose.per_kg and who.weight_kg is None:
                row, weight = _per_kg(name, who, row)
            else:
                weight = who.weight_kg or 1.0 if dose.per_kg else 1.0
                found += [_age_finding(dose, name, who, row)] if adults and not row.open else []
            said = (dose.amount, dose.daily, dose.other)
            if dose.note == "once or a day" and row.days > 1:
                said = (dose.daily, None, dose.other)
            amount, daily, other = (None if one is None else one * factor * scale * weight for one in said)
            share = _child_share(who) if adults and not row.open else 1.0
            hourly = (amount or daily) if dose.per_hour and row.route != "transdermal" else None
            # A row's limit of mg an hour is one of how fast a dose runs in, and says nothing of how long.
            if hourly is not None and (row.kg_hourly or dose.kind == "limit"):
                amount = daily = other = None
            yield _Part(dose, name, amount, daily, other, hourly, who, row, liver, share)


def _child_share(who: Person) -> float:
    """What a child may have of the adult's maximum at most: by weight as to 50 kg, a generous share."""
    age = 12.0 if who.age is None else who.age
    weight = who.weight_kg or (_INFANT_KG if age < 1 else 2 * age + 8)  # by age as resuscitation guides have it
    return min(1.0, weight / _GROWN_KG) if age < 12 else 1.0


def _row(name: str, dose: Dose, who: Person, unit: str, words: str) -> tuple[Limit | None, bool]:
    """The row that counts for a dose, and whether it is but the adults', for want of one for the age."""
    rows = _fitting(name, who, dose.route, words)
    adults = [] if rows or who.age is None else _fitting(name, Person(), dose.route, words)
    if not rows and not adults and unit == "mg" and dose.route and dose.route not in _OUTSIDE:
        # What is swallowed or injected is judged by another route's row; what is put on the skin is not.
        near = _fitting(name, who, None, words)
        swallowed = dose.route == "oral"  # or its tablets are for an inhaler
        rows = [row for row in near if row.weekly or (swallowed and row.route not in _OUTSIDE_BUT_INHALED)]
    if dose.per_area and rows and rows[0].area is None:
        rows = [row for row in table()[name] if row.area is not None and not row.when] or rows
    if not rows and not adults and unit in ("puff", "spray"):
        rows = _fitting(name, who, None, words)
    return next(iter(rows or adults), None), not rows and bool(adults)


def _per_kg(name: str, who: Person, row: Limit) -> tuple[Limit, float]:
    """For someone of unknown weight the limit per kg, if there is one, else a weight: 70 kg, of a child 10 kg."""
    rows = [one for one in table()[name] if one.route == row.route and (one.kg_single or one.kg_daily)]
    if row.kg_hourly and not rows:
        return replace(row, single=None, total=None, unit="mg/kg"), 1.0
    if not rows:
        return row, _USUAL_KG if who.age is None or who.age >= 12 else _CHILD_KG
    single = max(one.kg_single or 0.0 for one in rows) or None
    once_a_day = row.days == 1 and row.single == row.total
    total = max(one.kg_daily or 0.0 for one in rows) or (single if once_a_day else None)
    limit = replace(rows[0], single=single, total=total, unit="mg/kg", kg_single=None, kg_daily=None, cap=None)
    limit = replace(limit, kg_hourly=row.kg_hourly, most_hourly=None)
    return replace(limit, load=None, weekly_dose=None, kidney=(), liver=None), 1.0


def _per_area(row: Limit, most: float) -> Limit:
    """The limit for a square metre."""
    total = most * row.total / row.single if row.total and row.single else None
    limit = replace(row, single=most, total=total, unit="mg/m2", kg_single=None, kg_daily=None, load=None, weekly=False)
    return replace(limit, kidney=(), liver=None)


def _conversion(name: str, unit: str, wanted: str) -> float | None:
    """How many of the table's units one unit of the text is."""
    if unit == wanted:
        return 1.0
    if unit == "mg" and wanted == "unit":
        return _LIPID_UNITS.get(name)
    if name in _PUFF_MG and {unit, wanted} <= {"mg", "puff", "spray"}:
        return _PUFF_MG[name] if wanted == "mg" else 1 / _PUFF_MG[name] if unit == "mg" else 1.0
    if name == "potassium chloride":
        return _POTASSIUM.get((unit, wanted))
    return 1.0 if {unit, wanted} == {"mmol", "meq"} else None


def _capped(parts: list[_Part]) -> list[_Part]:
    """`500 mg every 4 hours, at most 4 g a day`: what is taken by the clock is held by the stated maximum."""
    held = {
        (part.substance, part.dose.drug): part.total
        for part in parts
        if part.total is not None and (part.dose.kind == "limit" or (part.dose.amount is None and part.dose.daily))
    }

    def capped(part: _Part) -> _Part:
        most, total = held.get((part.substance, part.dose.drug)), part.total
        by_the_clock = part.dose.kind == "advice" and part.dose.interval_hours
        if not by_the_clock or most is None or total is None or most >= total:
            return part
        return replace(part, daily=most)

    return list(map(capped, parts))


def _against(part: _Part) -> list[Finding]:
    """The findings on one part: too much at once, in a day or a week, too often, and what the body's state forbids."""
    row, hours = part.row, part.dose.interval_hours
    if row.single == 0 or row.total == 0:
        why = row.note or "no dose is licensed at this age"
        return [_finding(part, "dose.never" if row.when else "dose.age", "major", f"Not for {part.who.words}: {why}.")]
    found = [*_too_much(part), *_body(part), *_too_fast(part)]
    if hours is None and (row.min_hours or 0) >= _LONG_HOURS and part.dose.per_day:
        hours = 24 / part.dose.per_day
    if row.min_hours and hours and hours < row.min_hours * 0.99:
        severity: Severity = "major" if hours <= row.min_hours * 0.8 else "moderate"
        said = f"Every {hours:g} hours is too often: leave at least {row.min_hours:g} hours between doses."
        found.append(_finding(part, "dose.interval", severity, said))
    if not found and part.other is not None:
        found += _too_much(replace(part, amount=part.other, daily=None, other=None))
        said = f"The point could part thousands: {part.amount or part.daily:g} or {part.other:g} {row.unit}? "
        found.append(_finding(part, "dose.ambiguous", "moderate", said + "Write the number without it."))
    if not found and part.dose.note.endswith("without a unit"):
        said = f"The dose has no unit (“{part.dose.note}”); it was read as mg. Say mg, micrograms or units."
        found.append(_finding(part, "dose.unreadable", "moderate", said))
    return found


def _too_fast(part: _Part) -> Iterator[Finding]:
    """What runs into a vein faster than it may."""
    row, hours, amount, hourly = part.row, part.dose.hours, part.amount, part.hourly
    most = row.most_hourly
    if hourly is not None and row.kg_hourly is not None:
        most = row.kg_hourly * (1.0 if row.unit == "mg/kg" else part.who.weight_kg or _USUAL_KG)
    elif hours and amount is not None:
        hourly = amount / hours
    if most is not None and hourly is not None and hourly > most * _SLACK:
        run = (
            f"{_mass(hourly, row.unit)} an hour"
            if amount is None or not hours
            else (f"{_mass(amount, row.unit)} in {hours * 60:.3g} minutes")
        )
        said = f"{run} is too fast: at most {_mass(most, row.unit)} an hour{_also(row)}."
        yield _finding(part, "dose.rate", "contraindicated", said)


def _maxima(part: _Part) -> tuple[float | None, float | None]:
    """The most at once and the most in the row's days, for this weight."""
    row, weight = part.row, part.who.weight_kg
    single = row.total if row.single is None else row.single
    total = row.total
    if part.share < 1:
        return single and single * part.share, total and total * part.share
    grown = part.who.age is None or part.who.age >= 12
    capped = grown and part.dose.kind == "limit"  # `60 mg/kg, 4.5 g at most` is no one's own maximum
    if weight and not capped and (row.kg_below is None or weight < row.kg_below):
        adults = [one for one in table()[part.substance] if one.route == row.route and one.age_min >= 12]
        most = row.cap or max((one.total or 0.0 for one in adults), default=0.0) or row.total
        most_once = max((one.single or 0.0 for one in adults), default=0.0) or row.single
        if row.kg_daily and (most or grown):
            total = min(row.kg_daily * weight, (row.total if grown and row.total else most) or inf)
        if row.kg_single and (most_once or grown):
            single = min(row.kg_single * weight, (row.single if grown and row.single else most_once) or inf)
        elif row.kg_daily and most_once and not grown:
            single = min(row.kg_daily * weight, most_once)
    return max(single, row.load) if single is not None and row.load else single, total


def _too_much(part: _Part) -> list[Finding]:
    """What is over the most at once, or over the most in a day or in the row's days."""
    row, dose, taken = part.row, part.dose, part.total
    single, total = _maxima(part)
    if row.weekly and row.days >= 7 and (found := _weekly(part, total)):
        return found
    whom = f"{part.who.words}{_also(row)}"
    days = min(row.days, _course(part))
    if total is not None and taken is not None and taken * days > total * _SLACK and not _by_plan(part):
        span = "a day" if row.days == 1 else f"in {row.days:g} days"
        text = f"{_said(dose, part)}: over the maximum of {_mass(total, row.unit)} {span} for {whom}."
        rule = "dose.limit" if dose.kind == "limit" else "dose.daily"
        return [_finding(part, rule, _severity(row, taken * days, total), text)]
    once = part.amount if part.daily is None else None
    if single is not None and once is not None and once > single * _SLACK:
        text = f"{_mass(once, row.unit)} at once: over the most at one time, {_mass(single, row.unit)}, for {whom}."
        return [_finding(part, "dose.single", _severity(row, once, single), text)]
    return []


def _course(part: _Part) -> float:
    """The days that a dose goes on for; by the square metre and daily 5, Primum's own guess, where no one says it."""
    dose = part.dose
    often = dose.daily is not None or (dose.per_day or 0.0) >= 1
    return max(dose.course, 1.0) if dose.course and often else _USUAL_COURSE if dose.per_area and often else inf


def _by_plan(part: _Part) -> bool:
    """A loading dose taken once, or a dose that is taken but once a week."""
    row, dose, amount = part.row, part.dose, part.amount
    first = dose.course is not None and dose.course <= 1  # `400 mg twice a day for the first day`
    taken = part.total if first else None if dose.per_day else amount
    loading = row.load is not None and taken is not None and taken <= row.load
    seldom = dose.per_day is not None and dose.per_day <= 1 / 6.9
    return loading or (row.weekly_dose is not None and seldom and (amount or 0) <= row.weekly_dose)


def _weekly(part: _Part, total: float | None) -> list[Finding]:
    """Drugs taken once a week or month: a daily dose is the known fatal mistake."""
    row, dose = part.row, part.dose
    often = (dose.per_day is not None and dose.per_day >= 0.9) or (dose.daily is not None and dose.note != "week")
    amount = (part.amount or 0.0) * max(dose.per_day or 1.0, 1.0) if part.daily is None else part.daily
    fatal = part.substance == "methotrexate"
    if total is None or not often or not (fatal or amount * row.days > total * _SLACK):
        return []
    every = "a week" if row.days == 7 else f"{row.days:g} days"
    text = f"{_said(dose, part)}: {part.substance} is limited to {_mass(total, row.unit)} in {every}{_also(row)}."
    return [_finding(part, "dose.weekly-given-daily", "contraindicated", text + " Taken daily it can kill." * fatal)]


def _body(part: _Part) -> Iterator[Finding]:
    """Kidneys, liver and pregnancy."""
    row, who = part.row, part.who
    taken = part.amount if part.total is None else part.total * max(row.days, 1)
    if taken is None:
        return

    def most_a_day(most: float) -> str:
        return f"at most {_mass(most, row.unit)} a day, not {_mass(taken, row.unit)}" if most else "avoid it"

    steps = [(below, most if most >= 0 else -most * (who.weight_kg or _USUAL_KG)) for below, most in row.kidney]
    step = next(((below, most) for below, most in steps if who.egfr is not None and who.egfr < below), None)
    if step and taken > step[1] * _SLACK:
        text = f"With an eGFR of {who.egfr:.3g} ({part.substance} below {step[0]:g}): {most_a_day(step[1])}."
        yield _finding(part, "dose.kidney", "major", text)
    if part.liver and row.liver is not None and taken > row.liver * _SLACK:
        yield _finding(part, "dose.liver", "major", f"With liver disease: {most_a_day(row.liver)}.")
    if who.pregnant and row.pregnancy is not None:
        most, week = row.pregnancy
        if taken > most * _SLACK and (who.weeks is None or who.weeks >= week):
            text = f"In pregnancy at most {_mass(most, row.unit)} a day" if most else "Not in pregnancy"
            text += f" from week {week:g}" if week > 1 else ""
            yield _finding(part, "dose.pregnancy", "major", f"{text} unless a specialist says so.")


def _together(text: str, parts: list[_Part], profile: Profile) -> Iterator[Finding]:
    """The same substance from several products, or in several doses a day, added up; and more than was ordered."""
    advised = [part for part in parts if part.dose.kind == "advice" and part.row.unit not in ("mg/kg", "mg/m2")]
    ordered = [part for part in parts if part.dose.told]
    own = list(_taken_already(profile, {part.substance for part in parts}))
    for substance in dict.fromkeys(part.substance for part in advised):
        here = [part for part in advised if part.substance == substance]
        told = [part.amount or part.hourly for part in ordered if part.substance == substance]
        yield from _mistaken(here, [amount for amount in told if amount])
        runs: dict[str, list[list[_Part]]] = {}
        for i, part in enumerate(here):
            earlier = runs.setdefault(part.dose.drug, [])
            if part.dose.extra and earlier:
                earlier[-1].append(part)
            elif part.dose.extra or earlier or not _instead(text, here[:i], part):
                earlier.append([part])
        added = [part for group in runs.values() if group for part in max(group, key=_taken)]
        if any(part.dose.per_kg for part in added):
            added = [part for part in added if part.dose.per_kg]  # in mg it is but told once more
        added += [part for part in own if part.substance == substance]
        if len(added) > 1:
            yield from _sum(added)


def _taken(parts: list[_Part]) -> float:
    """What the doses come to on a day with all of them; one of which nothing says how often counts once."""
    totals = ((part.total, part.amount or 0.0, part.row.days) for part in parts)
    return sum(
        amount / days if total is None else max(total, amount if days == 1 else 0.0) for total, amount, days in totals
    )


def _mistaken(parts: list[_Part], ordered: list[float]) -> Iterator[Finding]:
    """`The plan says 8; I injected 80`: many times what was ordered."""
    for part in parts:
        amount = part.amount or part.hourly
        if ordered and not part.dose.told and amount and amount >= _MISTAKEN * max(ordered):
            said = f"{_mass(amount, part.row.unit)}, where {_mass(max(ordered), part.row.unit)} was ordered."
            yield _finding(part, "dose.mistaken", "contraindicated", said)


def _taken_already(profile: Profile, substances: set[str]) -> Iterator[_Part]:
    """The doses that stand with the profile's medicines, of these substances."""
    for medicine in profile.medicines:
        for dose in read_doses(medicine):
            who = _person(medicine, dose, profile, frozenset())
            for part in _parts(dose, medicine, profile, who, False, [], False):
                if part.substance in substances and dose.kind == "advice":
                    yield part


def _sum(parts: list[_Part]) -> Iterator[Finding]:
    """A finding if the doses together, but none alone, are over the maximum of a day."""
    first, row, most = parts[0], parts[0].row, _maxima(parts[0])[1]
    amounts = [_taken([part]) for part in parts]
    total = sum(amounts)
    alone = any(most and part.total is not None and part.total * row.days > most * _SLACK for part in parts)
    if most is None or total * row.days <= most * _SLACK or alone:
        return
    listed = " + ".join(f"{p.dose.written} {_mass(one, row.unit)}" for p, one in zip(parts, amounts, strict=True))
    said = f"Together {_mass(total, row.unit)} of {first.substance} a day ({listed}): over the maximum of "
    said += f"{_mass(most, row.unit)} for {first.who.words}."
    yield _finding(first, "dose.sum", _severity(row, total * row.days, most), said)


def _instead(text: str, before: list[_Part], part: _Part) -> bool:
    """Whether a dose stands as another choice for an earlier one."""
    gaps = (level(text[other.dose.stop : part.dose.start]) for other in before)
    return any(len(gap) < 100 and _INSTEAD.search(gap) for gap in gaps)


def _severity(row: Limit, taken: float, most: float) -> Severity:
    if row.narrow or row.substance in ("acetaminophen", "methotrexate") or taken >= 2 * most:
        return "contraindicated"
    return "major"


def _finding(part: _Part, rule: str, severity: Severity, text: str) -> Finding:
    note = part.dose.note if part.dose.note.startswith("a tablet counted") else ""
    advice = ""
    if severity in ("major", "contraindicated"):
        what = "Do not go up to it" if part.dose.kind == "limit" else "Do not take or give this"
        advice = f" {what}; ask a pharmacist or doctor."
    subject = part.substance if part.substance == part.dose.drug else f"{part.substance} ({part.dose.written})"
    return Finding(
        rule=rule,
        severity=severity,
        subjects=[part.substance],
        text=f"{subject[0].upper()}{subject[1:]}: {text}{f' ({note.capitalize()}.)' if note else ''}{advice}",
        source=part.row.source,
    )


def _age_finding(dose: Dose, name: str, who: Person, row: Limit) -> Finding:
    part = _Part(dose, name, dose.amount, dose.daily, None, None, who, row)
    text = f"Primum's table has no dose for {who.words}; the adult's is no guide. "
    return _finding(part, "dose.age", "moderate", text + "Only as a doctor who treats children says.")


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
    name = unit if unit in ("ml", "mg/kg", "mg/m2") else f"{unit}s" if value != 1 else unit
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
