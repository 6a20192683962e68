"""What a question asks to have computed: the formulas that it names, and the values that it tells for them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from primum.safety.calculators import INCH_CM, in_unit
from primum.safety.context import status
from primum.safety.contraindications import conditions_of
from primum.safety.finder import Finder
from primum.safety.formulas import FORMULAS, WORDS, Formula
from primum.safety.person import known
from primum.safety.profile import Profile
from primum.safety.remembered import remembered
from primum.safety.sentences import split_plain
from primum.safety.units import level, number, registry
from primum.safety.vitals import read as vitals
from primum.safety.words import is_common

Value = float | str | bool
_INPUTS: dict[str, dict[str, Any]] = WORDS.data["inputs"]
_GAP = r"(?:[ :=,(]|is|was|of|at|level|about|and it is)*"
_UNITS = {
    "mmol/l": "millimole/liter", "meq/l": "millimole/liter", "umol/l": "micromole/liter", "µmol/l": "micromole/liter",
    "mg/dl": "milligram/deciliter", "g/dl": "gram/deciliter", "g/l": "gram/liter", "mmhg": "mmHg", "kpa": "kilopascal",
    "ms": "millisecond", "msec": "millisecond", "s": "second", "cm": "centimeter", "m": "meter", "u/l": "", "iu/l": "",
    "mu/l": "", "%": "", "10^9/l": "", "x10^9/l": "", "/ul": "", "/µl": "",
}  # fmt: skip
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_OWN_UNIT = {"mg_per_kg": "milligram", "duration_minutes": "minute", "height_cm": "centimeter"}
_ASKS, _ORDERED, _MY = WORDS.pattern("asks"), WORDS.pattern("ordered"), WORDS.pattern("own")
_ABOUT, _ADVICE, _RESULT = WORDS.pattern("about"), WORDS.pattern("advice"), WORDS.pattern("result")
# The inputs that other readers know, by the names that they have there.
_OF_PERSON = ("sex", "weight_kg", "height_cm", "creatinine_umol_l")
_OF_VITALS = {
    "heart_rate_bpm": "heart_rate", "systolic_mmhg": "systolic", "diastolic_mmhg": "diastolic", "spo2": "spo2",
    "respiratory_rate": "respiratory_rate", "temperature_c": "temperature", "glucose_mmol_l": "glucose",
}  # fmt: skip
_OF_ANYONE = frozenset({"age_years", "sex"})  # that a question tells without wanting a formula
_CHILD, STONE_KG = 18, 6.35029
_ASIDE = WORDS.pattern("aside")
_WORD = re.compile(r"(?<![\w'])[^\W\d_][\w'-]+")  # of more than one letter, and no unit behind a number
_TIED = re.compile(r"[ -]*(?:(?:of|the|an?|to|in|on|for|his|her|at) )*")  # between words of one phrase
_MOST_UNREAD = 6
_PRESSURES = re.compile(r"(?<![\d/])(\d{2,3}) ?(?:/|over) ?(\d{2,3})(?![\d/])")
_URINE = re.compile(r"\burin(?:e|ary) creatinine\b", re.IGNORECASE)  # no creatinine of the blood


@dataclass(frozen=True)
class Calculation:
    """A formula by its name, and what is told for it, each value in the formula's own unit.

    `unread`: what the question says besides. What counts as absent may stand in it in words that are not known here.
    """

    formula: str
    values: Mapping[str, Value]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a question wants computed. `which`: what must be said first; `alone`: it wants no advice besides."""

    calculations: tuple[Calculation, ...]
    which: str = ""
    alone: bool = True

    @property
    def all_read(self) -> bool:
        """Whether the question tells nothing but the inputs of what it wants computed."""
        return bool(self.calculations) and self.alone and not any(one.unread for one in self.calculations)


@cache
def _named() -> tuple[tuple[Finder, re.Pattern[str] | None, dict[str, Any]], ...]:
    """The rows that name formulas, each with its expression and the words that must stand in the question too."""
    rows = WORDS.data["formulas"]
    return tuple(
        (WORDS.made(row), re.compile("|".join(row["when"])) if "when" in row else None, row) for row in rows
    )  # fmt: skip


@cache
def _numbers(name: str) -> tuple[re.Pattern[str], ...]:
    """The expressions by which a text tells a measured input."""
    row = _INPUTS[name]
    words = rf"(?<![a-z])(?:{'|'.join(row.get('words', ()))})(?![a-z])"
    labelled = rf"{words}{_GAP}(?P<n>\d+(?:[.,]\d+)*) ?(?P<unit>{_UNIT})?(?![a-z])"
    return tuple(re.compile(one) for one in [*row.get("signs", ()), *([labelled] if "words" in row else [])])


@cache
def _sayings(name: str, key: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(_INPUTS[name].get(key, ('(?!)',)))})\b")


@remembered(maxsize=64)
def asked_in(text: str, profile: Profile) -> Asked | None:
    """The calculation that a question asks for, if it does; what it leaves open of the person is the profile's."""
    plain = level(text)
    spans: list[tuple[int, int]] = []
    wanted: list[Calculation] = []
    which = ""
    for finder, when, row in _named():
        match = finder.search(plain)
        if match is None or (when and not when.search(plain)) or _overlaps(match, spans):
            continue
        spans.append(match.span())
        which = which or row.get("ask", "")
        wanted += _calculations(text, plain, match, row, profile)
    if not wanted and not (which and _ASKS.search(plain) and not _ABOUT.search(plain)):
        return None
    return Asked(tuple(wanted), "" if wanted else which, _alone(plain, spans))


def _overlaps(match: re.Match[str], spans: list[tuple[int, int]]) -> bool:
    return any(start < match.end() and match.start() < stop for start, stop in spans)


def _calculations(
    text: str, plain: str, match: re.Match[str], row: Mapping[str, Any], profile: Profile
) -> Iterator[Calculation]:
    """Those of one row that are asked for, not only spoken of."""
    # A name of a formula is none of its items: of "has bled" nobody bled.
    named = [one.span() for one in WORDS.made(dict(row)).finditer(plain)]
    rest = _without(plain, named)
    age = known(text, profile).age
    names = row["child"] if "child" in row and age is not None and age < _CHILD else row["compute"]
    for name in names:
        formula = FORMULAS[name]
        told, values = (_values(text, plain, rest, formula, who) for who in (Profile(), profile))
        given = any(_RESULT.match(plain[stop:]) for _, stop in named)
        if (_whole(formula, told) or not given) and _is_asked(plain, rest, match, formula, told, values):
            yield Calculation(name, values, _unread(rest, formula))


def _without(plain: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with these places blank."""
    for start, stop in spans:
        plain = plain[:start] + " " * (stop - start) + plain[stop:]
    return plain


def _unread(plain: str, formula: Formula) -> tuple[str, ...]:
    """What a text says that is no input of a formula, as far as that is known here, and no small word."""
    inputs = [one for name in formula.inputs for one in (name, *_INPUTS[name].get("above", ()))]
    patterns = [_ASIDE, *(pattern for name in inputs for pattern in _readers(name))]
    rest = _without(plain, [match.span() for pattern in patterns for match in pattern.finditer(plain)])
    phrases: list[tuple[int, int]] = []
    for match in _WORD.finditer(rest):
        if is_common(match.group()):
            continue
        if phrases and _TIED.fullmatch(rest, phrases[-1][1], match.start()):
            phrases[-1] = (phrases[-1][0], match.end())
        else:
            phrases.append(match.span())
    items = {one for name in formula.items for one in _INPUTS[name].get("conditions", ())}
    found = [rest[start:stop] for start, stop in phrases]
    return tuple(dict.fromkeys(one for one in found if items.isdisjoint(conditions_of([one]))))[:_MOST_UNREAD]


@cache
def _readers(name: str) -> tuple[re.Pattern[str], ...]:
    """The expressions by which a text speaks of an input, whatever it says of it."""
    sayings = [_sayings(name, key) for key in ("said", "denied", "read", "words")]
    return (*_numbers(name), *sayings, *_choices(name).values())


@cache
def _choices(name: str) -> dict[str | int, re.Pattern[str]]:
    """The words for each choice of an input."""
    rows = _INPUTS[name].get("values", {})
    return {value: re.compile(rf"\b(?:{'|'.join(words)})\b") for value, words in rows.items()}


def _is_asked(
    plain: str,
    rest: str,
    match: re.Match[str],
    formula: Formula,
    told: Mapping[str, Value],
    values: Mapping[str, Value],
) -> bool:
    """Whether the result is wanted: `BMI of 80 kg and 1.80 m`, `calculate my BMI`; not `what is a normal BMI`."""
    own = told.keys() - (_OF_ANYONE if set(formula.needed) - _OF_ANYONE else set())
    if own and _whole(formula, values):
        return bool(_ASKS.search(plain) or "?" in plain or not _ABOUT.search(rest))
    if _ABOUT.search(rest):
        return False
    mine = _MY.search(plain, max(0, match.start() - 4), match.start())
    named_first = not plain[: match.start()].strip()
    asks = bool(_ASKS.search(plain) or "?" in plain)
    return bool(_ORDERED.search(plain) or mine or (told and named_first) or (own and asks))


def _whole(formula: Formula, values: Mapping[str, Value]) -> bool:
    return all(name in values for name in formula.needed)


def _alone(plain: str, spans: list[tuple[int, int]]) -> bool:
    """Whether nothing else is asked: no advice, and no other question."""
    questions = [(a, b) for a, b in split_plain(plain) if plain[a:b].rstrip().endswith("?")]
    others = [(a, b) for a, b in questions if not any(a <= start < b for start, _ in spans)]
    return not _ADVICE.search(plain) and not (others and len(questions) > 1)


def _values(text: str, plain: str, rest: str, formula: Formula, profile: Profile) -> dict[str, Value]:
    """What the text and the profile tell of the formula's inputs; items are read in the `rest` beside its name."""
    found = {name: _value(name, text, rest if "said" in _INPUTS[name] else plain, profile) for name in formula.inputs}
    if "diastolic_mmhg" not in formula.inputs and any(int(a) < int(b) for a, b in _PRESSURES.findall(plain)):
        found.pop("systolic_mmhg", None)  # of 60/90 neither is sure; a formula with both says so itself
    return {name: value for name, value in found.items() if value is not None}


def _value(name: str, text: str, plain: str, profile: Profile) -> Value | None:
    row = _INPUTS[name]
    if "said" in row:
        return _item(name, text, plain, profile)
    if "values" in row:
        return _chosen(name, plain)
    who = known(_URINE.sub(lambda match: " " * len(match.group()), text), profile)
    value: Value | None = None
    if name == "age_years":
        value = who.age
    elif name in _OF_PERSON:
        value = getattr(who, name)
    elif name in _OF_VITALS:
        value = getattr(vitals(text), _OF_VITALS[name])
    elif name in ("creatinine_mg_dl", "glucose_mg_dl"):
        other = _value(name.replace("mg_dl", "umol_l" if name[0] == "c" else "mmol_l"), text, plain, profile)
        value = None if other is None else in_unit(name, registry().Quantity(other, _own(name, True)), _own(name))
    return _number(name, plain) if value is None else value


def _chosen(name: str, plain: str) -> Value | None:
    """A choice that is told by its number or in words; None where none is, or more than one."""
    value = _number(name, plain)
    if value is not None:
        return value
    said = {
        choice
        for choice, pattern in _choices(name).items()
        if any(status(plain, *match.span()) != "negated" for match in pattern.finditer(plain))
    }
    return said.pop() if len(said) == 1 else None


def _own(name: str, molar: bool = False) -> str:
    """The unit of an input as pint knows it; of a mass also the molar one that it is told in as well."""
    if molar:
        return "micromole/liter" if name.startswith("creatinine") else "millimole/liter"
    units = _INPUTS[name].get("units", ["mg/dl"])
    return _OWN_UNIT.get(name) or _UNITS[units[0]]


def _item(name: str, text: str, plain: str, profile: Profile) -> bool | None:
    """Whether something is said to be so, or follows from a number; None where nothing is said of it."""
    row = _INPUTS[name]
    places = [match.span() for match in _sayings(name, "said").finditer(plain)]
    states = [status(plain, *place) for place in places]
    if any(one not in ("negated", "family") for one in states):
        return True
    if "negated" in states or _sayings(name, "denied").search(plain):
        return False
    for other, most in row.get("above", {}).items():
        value = _value(other, text, plain, profile)
        if isinstance(value, int | float):
            return bool(value > most)
    had = conditions_of([text, *profile.conditions])
    return True if not had.isdisjoint(row.get("conditions", ())) else None


def _number(name: str, plain: str) -> float | None:
    """A measured value in the input's own unit; None where none is told, or its unit is not sure."""
    for pattern in _numbers(name):
        for match in pattern.finditer(plain):
            value = _measured(name, match.groupdict())
            if value is not None:
                return value
    return None


def _measured(name: str, match: Mapping[str, str | None]) -> float | None:
    row, unit = _INPUTS[name], match.get("unit") or ""
    if packs := match.get("packs"):
        return 20 * float(number(packs)[0])
    if nitrogen := match.get("bun"):
        return in_unit(name, registry().Quantity(float(nitrogen), "mg/dl"), "millimole/liter")
    if stone := match.get("stone"):
        return round(float(stone) * STONE_KG + float(match["n"] or 0) * STONE_KG / 14, 1)
    value = _figure(match["n"] or "")
    if feet := match.get("feet"):
        return round(float(feet) * 12 * INCH_CM + value * INCH_CM, 1)
    if row.get("share") and value <= 1 and not unit:
        return value * 100
    if name in _OWN_UNIT and unit:
        return float(registry().Quantity(value, _length(unit)).to(_OWN_UNIT[name]).magnitude)
    low, high = row.get("plausible", (float("-inf"), float("inf")))
    units = [unit] if unit else row.get("units", [""])
    read = [_in_own(name, value, one) for one in units]
    fitting = [one for one in read if low <= one <= high]
    return fitting[0] if len(fitting) == 1 else read[0] if unit else None


def _figure(written: str) -> float:
    """`150,000` and `1.5`; also `1,80`, as in much of the world."""
    return float(written.replace(",", "" if re.fullmatch(r"\d{1,3}(?:,\d{3})+", written) else "."))


def _length(unit: str) -> str:
    """A unit of a length, a time or a mass as pint knows it."""
    for start, name in (("min", "minute"), ("h", "hour"), ("met", "meter"), ("mcg", "microgram"), ("ug", "microgram")):
        if unit.startswith(start):
            return name
    return "microgram" if unit == "µg" else unit


def _in_own(name: str, value: float, unit: str) -> float:
    """A value in the input's own unit."""
    own = _INPUTS[name].get("units", [""])[0]
    if unit in ("/ul", "/µl"):
        return value / 1000
    if not unit or unit == own or not _UNITS.get(unit) or not _UNITS.get(own):
        return value
    return in_unit(name.removeprefix("urine_"), registry().Quantity(value, _UNITS[unit]), _UNITS[own])
