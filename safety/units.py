"""Numbers of a text, in figures and words, and with their units: 1 g and 1,000 mg are the same quantity."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from math import isclose

import pint

from primum.safety.remembered import remembered

_NUMBER_WORDS = {
    word: float(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0, "half": 0.5}
_MORE_NUMBER_WORDS = {
    word: value
    for value, words in {
        0.25: "quarter", 0.5: "media medio", 1.0: "a an un una uno", 2.0: "couple dos", 3.0: "tres drei",
        4.0: "cuatro", 5.0: "cinco", 6.0: "seis", 7.0: "siete", 8.0: "ocho", 9.0: "nueve", 10.0: "diez",
        12.0: "doce dozen", 14.0: "catorce", 15.0: "quince", 16.0: "dieciseis", 18.0: "dieciocho", 20.0: "veinte",
        24.0: "veinticuatro", 25.0: "veinticinco", 30.0: "treinta", 40.0: "cuarenta", 50.0: "cincuenta",
        60.0: "sesenta", 70.0: "seventy setenta", 80.0: "eighty ochenta", 90.0: "ninety noventa", 100.0: "cien ciento",
        200.0: "doscientos doscientas", 300.0: "trescientos trescientas", 400.0: "cuatrocientos",
        500.0: "quinientos quinientas", 600.0: "seiscientos", 800.0: "ochocientos",
    }.items()
    for word in words.split()
}  # fmt: skip
_ALL_NUMBER_WORDS = _NUMBER_WORDS | _MORE_NUMBER_WORDS
_HUNDREDS = {"hundred": 100.0, "thousand": 1000.0, "mil": 1000.0}
_HAN = {sign: float(value) for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2.0, "半": 0.5}
_HAN_TENS = {"十": 10.0, "百": 100.0, "千": 1000.0, "万": 10000.0}
_LINKS = frozenset({"a", "an", "and", "of", "y"})
_FRACTIONS = {"½": 0.5, "¼": 0.25, "¾": 0.75}
_WORD = "|".join(sorted(_ALL_NUMBER_WORDS, key=len, reverse=True))
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_BELOW_HUNDRED = rf"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[ -](?:{_ONES})\b|(?:{_WORD})"
# A number in a text that `level` gave: 1,000, 1/2, 1½, .5, one, half a, two and a half, two hundred and fifty, 两.
NUMBER = (
    r"(?:(?:(?<![a-z\d])(?<!\d[.,])|(?<=\dx))(?:\d{1,3}(?:[,'\u00a0\u202f\u2009]\d{3})+(?:\.\d+)?|\d{1,3} 000"
    r"|\d+\s\d/\d|\d/\d(?![\d/])|\d+(?:[.,·]\d+)?[½¼¾]?(?: (?:and a half|y medi[oa])\b)?|[½¼¾])|(?<!\w)[.·]\d+"
    r"|(?<![\w'])(?:half an?|half of an?|half of (?=one)|a half|a quarter of an?|half a dozen|an? (?:couple|dozen)|"
    rf"(?:(?:{_BELOW_HUNDRED})[ -])?(?:hundred|thousand|mil)(?: (?:and )?(?:{_BELOW_HUNDRED}))?\b|"
    rf"(?:{_BELOW_HUNDRED})(?: and a (?:half|quarter)| y medi[oa]| point (?:{_ONES}))?)(?![\w'])"
    r"|[零一二三四五六七八九十百千两半]+万?)"
)
_ANY_NUMBER = re.compile(NUMBER)

# How a unit may be written → how pint knows it. What pint does not know counts as a unit of its own.
_UNITS = {
    "mcg": "microgram", "µg": "microgram", "μg": "microgram", "ug": "microgram",
    "microgram": "microgram", "micrograms": "microgram",
    "mg": "milligram", "milligram": "milligram", "milligrams": "milligram",
    "g": "gram", "gram": "gram", "grams": "gram", "kg": "kilogram", "kilogram": "kilogram", "kilograms": "kilogram",
    "lb": "pound", "lbs": "pound", "pounds": "pound", "ml": "milliliter", "millilitre": "milliliter",
    "millilitres": "milliliter", "milliliters": "milliliter", "l": "liter", "litre": "liter", "litres": "liter",
    "liters": "liter", "liter": "liter",
    "cm": "centimeter", "mm": "millimeter", "m": "meter", "metre": "meter", "metres": "meter",
    "second": "second", "seconds": "second", "min": "minute", "mins": "minute", "minute": "minute",
    "minutes": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "hour": "hour", "hours": "hour",
    "day": "day", "days": "day", "week": "week", "weeks": "week", "month": "month", "months": "month",
    "year": "year", "years": "year", "mg/kg": "milligram/kilogram", "mg/dl": "milligram/deciliter",
    "mmol/l": "millimole/liter", "µmol/l": "micromole/liter", "g/dl": "gram/deciliter", "g/l": "gram/liter",
    "ml/min": "milliliter/minute",
}  # fmt: skip
_OWN_UNITS = {
    "%": "%", "percent": "%", "per cent": "%", "mmhg": "mmhg", "°c": "°c", "°f": "°f", "c": "°c", "f": "°f",
    "iu": "iu", "unit": "iu", "units": "iu", "tablet": "tablet", "tablets": "tablet", "capsule": "tablet",
    "capsules": "tablet", "puff": "puff", "puffs": "puff", "time": "time", "times": "time", "dose": "dose",
    "doses": "dose", "drop": "drop", "drops": "drop", "kcal": "kcal", "calories": "kcal", "bpm": "bpm",
    "mmol/mol": "mmol/mol",
}  # fmt: skip
_LABELS = "type|stage|grade|phase|class|vitamin|week|day|month|trimester"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.·]\d+)?|" + "|".join(_NUMBER_WORDS)
_UNIT = "|".join(sorted(map(re.escape, [*_UNITS, *_OWN_UNITS]), key=len, reverse=True))
_QUANTITY = re.compile(
    rf"(?<![\w.])(?:(?P<label>{_LABELS})s?[ -])?(?P<number>{_NUMBER})(?![\d])"
    rf"(?:\s*(?:-|–|to|or|and)\s*(?P<upper>{_NUMBER})(?![\d]))?[\s-]*(?P<unit>(?:{_UNIT})(?![\w/]))?"
    rf"(?P<ratio>\s*/\s*(?:{_NUMBER}))?",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"\b(vitamin|hepatitis|type|group|influenza|flu|stage|grade|class)s? ([A-K])(\d{0,2})\b")
_ABOUT = r"\s*(?:(?:about|around|approximately|week|day|age|the age of|a|a total of)\s*)*$"
_FLOOR = re.compile(
    r"(?:at least|more than|over|above|greater than|older than|longer than|later than|exceed(?:s|ing)?|beyond"
    rf"|from(?: about)?|after|starting at|minimum of|≥|>|\bsince){_ABOUT}",
    re.IGNORECASE,
)
_CEILING = re.compile(
    r"(?:at most|less than|under|below|younger than|up to|fewer than|maximum(?: of)?|before|within|until|≤|<)"
    rf"{_ABOUT}",
    re.IGNORECASE,
)
# "not take more than 4 g" is a ceiling, "no less than" a floor; "not after week 20" is neither turned round.
_TURNED = re.compile(r"(?:more|greater|longer|later|exceed)", re.IGNORECASE)
_NOT = re.compile(r"(?:\b(?:no|not|never|cannot)|n['’]t)\b[^.,;:]*$", re.IGNORECASE)
_NO_LESS = re.compile(r"\b(?:no|not)\s*$", re.IGNORECASE)
_AFTER = re.compile(
    r"(?:\s*mmhg\b)?(?:\s*\([^()]*\)|\))?\s*\b(?:or|and)\s+"
    r"(?:(?P<floor>above|more|higher|over|older|longer|later|greater)"
    r"|below|less|lower|under|younger|fewer|shorter|earlier)\b",
    re.IGNORECASE,
)
# "a child under 16", "people over 65": years, though no unit says so.
_AGE = re.compile(
    r"\b(?:child(?:ren)?|teenagers?|people|persons?|patients?|adults?|wom[ae]n|m[ae]n|bab(?:y|ies)|infants?|girls?|boys?"
    r"|those|anyone|everyone|someone|aged?|age of)\s+"
    r"(?:is |are |who are )?(?:aged |under |over |above |below )?(?:the age of )?$",
    re.IGNORECASE,
)
_REACH = 60  # characters before a number in which its bound stands


@dataclass(frozen=True)
class Quantity:
    """A magnitude in base units of its kind, and its bound: `>` a floor, `<` a ceiling, `` neither."""

    value: float
    unit: str
    bound: str = ""

    def matches(self, other: "Quantity") -> bool:
        """The same amount of the same unit, not bounded the opposite way."""
        same = isclose(self.value, other.value, rel_tol=1e-6)
        return same and self.unit == other.unit and {self.bound, other.bound} != {"<", ">"}


def _bare(code: int) -> str:
    """A letter without its accent, small."""
    return unicodedata.normalize("NFD", chr(code))[0].lower()


_LEVEL = (
    {code: chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)}
    | {code: _bare(code) for code in (*range(0xC0, 0xD7), *range(0xD9, 0xF7), *range(0xF9, 0x180))}
    | str.maketrans("\u3000μ⁄’‘‛´`“”‐‑‒–—−×歲個懷孕產體", " µ/'''''\"\"------x岁个怀孕产体")
)


def level(text: str) -> str:
    """The text in small letters without accents, with narrow signs and plain quotes, as long as before."""
    return text.translate(_LEVEL).lower()


@remembered(maxsize=64)
def numbers(plain: str) -> tuple[int, ...]:
    """Where a number begins in a text that `level` gave."""
    return tuple(match.start() for match in _ANY_NUMBER.finditer(plain))


def number(written: str) -> tuple[float, float | None]:
    """The value of what `NUMBER` matches, and the other reading where a point may part thousands."""
    word = written.strip()
    if word[0] in _HAN or word[0] in _HAN_TENS:
        return _han(word), None
    if word[0].isalpha():
        return _words(word), None
    figures, *half = re.split(" and| y ", word)
    value, other = _figures(figures)
    return value + 0.5 * len(half), other


def _words(written: str) -> float:
    """`two hundred and fifty`, `twelve point five`, `half a dozen`, `seven and a half`."""
    total, current, scale = 0.0, 0.0, 1.0
    for word in re.split("[ -]", written):
        if word in _HUNDREDS:
            total, current = total + (current or 1.0) * _HUNDREDS[word], 0.0
        elif word == "dozen":
            current = (current or 1.0) * 12
        elif word == "point":
            scale = 0.1
        elif word not in _LINKS:
            current += _ALL_NUMBER_WORDS[word] * scale
    return total + current or _ALL_NUMBER_WORDS.get(written, 1.0)


def _figures(word: str) -> tuple[float, float | None]:
    if "/" in word:
        *whole, part = word.split()
        above, below = part.split("/")
        return float(whole[0] if whole else 0) + float(above) / max(float(below), 1.0), None
    fraction = _FRACTIONS.get(word[-1], 0.0)
    word = word.rstrip("".join(_FRACTIONS))
    if re.fullmatch(r"[1-9]\d{0,2}(?:(?:[\s']\d{3})+|(?:,\d{3})+(?:\.\d+)?)", word):
        return float(re.sub(r"[^\d.]", "", word)), None
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", word):
        return float(word), float(word.replace(".", ""))
    return float(re.sub("[,·]", ".", word) or 0) + fraction, None


def _han(word: str) -> float:
    total, current = 0.0, 0.0
    for sign in word:
        if sign in _HAN_TENS:
            total, current = total + (current or 1.0) * _HAN_TENS[sign], 0.0
        else:
            current = _HAN[sign]
    return total + current


@cache
def registry() -> pint.UnitRegistry[float]:
    """The one registry of units; made when first used, for it takes a third of a second."""
    return pint.UnitRegistry()


@remembered(maxsize=4096)
def _base(unit: str) -> tuple[float, str]:
    known = _UNITS.get(unit)
    if known is None:
        return 1.0, _OWN_UNITS.get(unit, unit)
    if known in ("month", "year"):  # calendar words: a month is not 30.4 days of advice
        return 1.0, known
    base = registry().Quantity(1.0, known).to_base_units()
    return float(base.magnitude), str(base.units)


def _value(number: str) -> float:
    word = number.lower()
    return _NUMBER_WORDS[word] if word in _NUMBER_WORDS else float(word.replace(",", "").replace("·", "."))


@remembered(maxsize=16384)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Every number of the text with its unit; both ends of a range; `type 2` and `week 20` as labelled numbers.

    A number word counts only before a unit, since "one of them" measures nothing.
    """
    found: list[Quantity] = []
    for match in _QUANTITY.finditer(text):
        unit = (match["unit"] or "").lower()
        label = (match["label"] or "").lower()
        if not unit and not label and match["number"].lower() in _NUMBER_WORDS:
            continue
        if label in ("week", "day", "month") and not unit:
            unit, label = label, ""
        if (
            not unit
            and not label
            and not match["ratio"]
            and _AGE.search(text[max(0, match.start() - _REACH) : match.start()])
        ):
            unit = "year"
        factor, base = _base(unit) if unit else (1.0, "")
        bound = _bound(text, match)
        name = f"{label} {base}".strip()
        found.append(Quantity(_value(match["number"]) * factor, name, bound))
        if match["upper"]:
            found.append(Quantity(_value(match["upper"]) * factor, name, bound))
        if match["ratio"]:
            found.append(Quantity(_value(match["ratio"].strip(" /")), name, bound))
    for noun, letter, digits in _LETTERED.findall(text):
        found.append(Quantity(ord(letter) * 100 + int(digits or 0), f"{noun.lower()} letter"))
    return tuple(found)


def _bound(text: str, match: re.Match[str]) -> str:
    before = text[max(0, match.start() - _REACH) : match.start()]
    if floor := _FLOOR.search(before):
        turned = _TURNED.match(floor.group()) and _NOT.search(before[: floor.start()])
        return "<" if turned else ">"
    if ceiling := _CEILING.search(before):
        return ">" if _NO_LESS.search(before[: ceiling.start()]) else "<"
    if after := _AFTER.match(text, match.end()):
        return ">" if after["floor"] else "<"
    return ""


@remembered(maxsize=4096)
def without_quantities(text: str) -> str:
    """The text without its numbers, their units and their bounds."""
    kept, position = "", 0
    for match in _QUANTITY.finditer(text):
        if not match["unit"] and not match["label"] and match["number"].lower() in _NUMBER_WORDS:
            continue
        start = max(position, match.start() - _REACH)
        before = text[start : match.start()]
        bound = _FLOOR.search(before) or _CEILING.search(before)
        after = _AFTER.match(text, match.end())
        kept += text[position : start + bound.start() if bound else match.start()] + " "
        position = after.end() if after else match.end()
    return kept + text[position:]
