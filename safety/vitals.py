"""Vital signs read from free text, and what the early-warning scores say of them.

NEWS2 (Royal College of Physicians, 2017) from 16 years on, scale 1; maternal limits in pregnancy (modified early
obstetric warning score, CEMACH 2007); limits by age in children (APLS 6th ed.; NICE NG143, 2019).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Literal, NamedTuple, cast

from primum.safety.context import normalise, status
from primum.safety.finder import Finder
from primum.safety.person import Person
from primum.safety.remembered import remembered
from primum.safety.tables import read_table

Consciousness = Literal["A", "C", "V", "P", "U"]
Level = Literal["emergency", "urgent", "none"]
ADULT = 16.0


@dataclass(frozen=True)
class Vitals:
    """What was measured. Pressures in mmHg, temperature in °C, glucose in mmol/L; None is not measured."""

    heart_rate: float | None = None
    systolic: float | None = None
    diastolic: float | None = None
    respiratory_rate: float | None = None
    spo2: float | None = None
    temperature: float | None = None
    consciousness: Consciousness | None = None
    gcs: float | None = None
    glucose: float | None = None
    ketones: float | None = None
    on_oxygen: bool = False

    def merged(self, other: "Vitals") -> "Vitals":
        """These, and from the other what is missing here."""
        missing = {k: v for k, v in vars(other).items() if getattr(self, k) is None}
        return replace(self, **missing, on_oxygen=self.on_oxygen or other.on_oxygen)


class Alarm(NamedTuple):
    """What a score says: how bad, in plain words, and after whom."""

    level: Level
    text: str
    source: str


_NUMBER = r"(\d{1,3}(?:[.,]\d{1,2})?)"
_IS = (
    r"[\"'\s]*(?:(?:is|are|was|of|at|=|:|-|about|around|es|de|a|reads?|reading|down to|up to|dropped to|只有|是|为"
    r"|高达|到)[\"'\s]*){0,2}"
)
_SIGNS = {
    sign: Finder(pattern)
    for sign, pattern in {
        "heart_rate": rf"(?:\bhr|\bheart[ -]?rate|\bpulse(?: rate)?|\bbpm|\bfrecuencia cardiaca|\bfc|\bpulso|心率|脉搏"
            rf"|心跳)(?![a-z]){_IS}{_NUMBER}",
        "respiratory_rate": rf"(?:\brr|\bresp(?:iratory|iration|s)?[ -]?(?:rate)?|\bbreathing rate|\bfr"
            rf"|\bfrecuencia respiratoria|呼吸频率|呼吸)(?![a-z]){_IS}{_NUMBER}(?! ?(?:分钟|小时|天|min|hour|day))",
        "spo2": rf"(?:\bspo2|\bo2 ?sats?|\bsao2|\bsats?|\bsaturation|\boxygen(?: (?:level|saturation|sats?))?|\bo2"
            rf"|\bsaturacion|\bsatura\w*|血氧(?:饱和度)?|氧饱和度)(?![a-z]){_IS}{_NUMBER} ?%?",
        "temperature": rf"(?:\btemp(?:erature)?(?: c)?|\bfever|\bfiebre|\btemperatura|\bt(?=[ :=]+[34]\d)|体温|发烧"
            rf"|发热|高烧)(?![a-z]){_IS}{_NUMBER} ?(°? ?[cf]\b|度|grados|degrees)?",
        "systolic": rf"(?:\b(?:bp[ -]?sys|sys(?:tolic)?(?:[ -]?(?:bp|blood pressure))?|sbp)|收缩压"
            rf"|高压)(?![a-z]){_IS}{_NUMBER}",
        "diastolic": rf"(?:\b(?:bp[ -]?dia|dia(?:stolic)?(?:[ -]?(?:bp|blood pressure))?|dbp)|舒张压"
            rf"|低压)(?![a-z]){_IS}{_NUMBER}",
        "gcs": rf"\b(?:gcs|glasgow(?: coma (?:scale|score))?){_IS}(?:e\dv\dm\d ?=? ?)?(\d{{1,2}})\b",
        "glucose": rf"(?:\b(?:fingerstick )?(?:blood )?(?:glucose|sugars?)(?: level)?|\bbm|\bbgl?|\bcbg|\bglucemia"
            rf"|\bglucosa|\bazucar(?: en (?:la )?sangre)?|血糖)(?![a-z]){_IS}(\d{{1,4}}(?:\.\d)?) ?(mmol|mg)?",
        "ketones": rf"(?:\b(?:blood )?ketones?|\bcetonas|血酮){_IS}{_NUMBER}",
    }.items()
}  # fmt: skip
_PRESSURES = (
    Finder(
        r"(?:\bbp|\bblood pressure|\bpressure|\bpresion(?: arterial)?|\bta|\bpa|血压)(?![a-z])"
        rf"{_IS}(\d{{2,3}}) ?(?:/|over|sobre|-) ?(\d{{2,3}})"
    ),
    Finder(r"(?<![\d/])(\d{2,3})/(\d{2,3})(?= ?mmhg)"),
)
_PRESSURE_ALONE = Finder(r"(?:\bbp|\bblood pressure|血压)(?![a-z])" + _IS + r"(\d{2,3})(?! ?[/\d])")
_TEMPERATURE = Finder(r"(?<![\d.])(\d{2,3}(?:[.,]\d)?) ?(?:(°|degrees?|grados) ?([cf])?|([cf])\b|(度))")
_SPO2_LATER = Finder(r"(?<![\d.])(\d{2})(?: ?%)? (?:sats?|spo2|o2|oxygen|on (?:room )?air)")
_AVPU = Finder(r"\b(?:avpu|acvpu)\b[\"'\s:=]*(?:is )?[\"']?([acvpu])\b")
_OXYGEN = Finder(r"\bon (?:\d+ ?l(?:itres?|iters?)?(?:/min)? (?:of )?)?(?:home |supplemental )?(?:oxygen|o2)\b|吸氧")
_RANGES = {
    "heart_rate": (0, 300), "respiratory_rate": (0, 120), "spo2": (0, 100), "temperature": (24, 44.5),
    "systolic": (0, 300), "diastolic": (0, 200), "gcs": (3, 15), "glucose": (0.1, 80), "ketones": (0, 20),
}  # fmt: skip
_MGDL = 18.016
_PLAIN_GLUCOSE = 35  # a bare number above it is mg/dL; mmol/L seldom reaches it


def _number(written: str) -> float:
    return float(written.replace(",", "."))


def _celsius(value: float, unit: str) -> float:
    return (value - 32) / 1.8 if "f" in unit or 93 <= value <= 112 else value


def _current(text: str, match: re.Match[str]) -> bool:
    return status(text, match.start(), match.end(), measured=True) not in ("historical", "hypothetical")


@remembered(maxsize=4)
def read(text: str) -> Vitals:
    """The vital signs that a text reports; of two values of one sign the last one stands."""
    text = normalise(text)
    if not re.search(r"\d|\bavpu\b", text):
        return Vitals()
    found: dict[str, float] = {}
    for sign, pattern in _SIGNS.items():
        for match in pattern.finditer(text):
            value = _value(sign, match)
            low, high = _RANGES[sign]
            if low <= value <= high and _current(text, match):
                found[sign] = value
    for match in chain.from_iterable(pattern.finditer(text) for pattern in _PRESSURES):
        upper, lower = (float(group) for group in match.groups() if group)
        if lower <= upper <= 300 and _current(text, match):
            found |= {"systolic": upper, "diastolic": lower}
    for key, pattern, unit in (
        ("systolic", _PRESSURE_ALONE, ""),
        ("spo2", _SPO2_LATER, ""),
        ("temperature", _TEMPERATURE, "t"),
    ):
        for match in pattern.finditer(text) if key not in found else ():
            value = _celsius(_number(match[1]), match[3] or match[4] or "") if unit else float(match[1])
            if (34 if unit else 40) <= value <= _RANGES[key][1] and _current(text, match):
                found[key] = value
    avpu = _AVPU.search(text)
    level = cast(Consciousness, avpu[1].upper()) if avpu else None
    return Vitals(**found, consciousness=level, on_oxygen=bool(_OXYGEN.search(text)))


def _value(sign: str, match: re.Match[str]) -> float:
    value = _number(match[1])
    if sign == "temperature":
        return _celsius(value, match[2] or "")
    if sign == "glucose":
        unit = match[2] or ""
        return value / _MGDL if unit == "mg" or (not unit and value >= _PLAIN_GLUCOSE) else value
    return value


@cache
def _bands() -> dict[str, tuple[tuple[float, float, int], ...]]:
    bands: dict[str, list[tuple[float, float, int]]] = {}
    for row in read_table("news2.csv"):
        bands.setdefault(row["sign"], []).append((float(row["from"]), float(row["below"]), int(row["score"])))
    return {sign: tuple(rows) for sign, rows in bands.items()}


def _awake(vitals: Vitals) -> Consciousness | None:
    if vitals.consciousness or vitals.gcs is None:
        return vitals.consciousness
    return "A" if vitals.gcs >= 15 else "V" if vitals.gcs >= 12 else "P" if vitals.gcs >= 9 else "U"


def news2(vitals: Vitals) -> tuple[int, tuple[str, ...]]:
    """The NEWS2 score of what was measured, and the signs that alone score 3. What is missing scores nothing."""
    total, red = 2 if vitals.on_oxygen else 0, []
    for sign, rows in _bands().items():
        value = getattr(vitals, sign)
        score = next((s for low, high, s in rows if value is not None and low <= value < high), 0)
        total += score
        if score == 3:
            red.append(sign)
    if _awake(vitals) not in (None, "A"):
        total, red = total + 3, [*red, "consciousness"]
    return total, tuple(red)


_RCP = "Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017, https://www.rcp.ac.uk"
_MET = "Jones, DeVita, Bellomo: Rapid-response teams, N Engl J Med 365:139-146, 2011"
_APLS = "Advanced Paediatric Life Support, 6th edition, 2016"
_NG143 = "NICE NG143, Fever in under 5s, 2019, https://www.nice.org.uk/guidance/ng143"
_CEMACH = "CEMACH, Saving Mothers' Lives (modified early obstetric warning score), 2007"
_NG133 = "NICE NG133, Hypertension in pregnancy, 2019, https://www.nice.org.uk/guidance/ng133"
_JBDS = "Joint British Diabetes Societies, guidelines on DKA and hypoglycaemia, https://abcd.care"

# Lower limits and upper limits by age (APLS): up to which age, heart rate, breaths, lowest systolic pressure.
_CHILD = (
    (1.0, 100, 180, 20, 60, 65), (2.0, 90, 170, 18, 50, 70), (5.0, 80, 160, 18, 40, 70), (12.0, 70, 140, 16, 35, 80),
    (ADULT, 55, 130, 12, 30, 90),
)  # fmt: skip


def _reduced(vitals: Vitals, told: Callable[[str, str], Alarm]) -> Iterable[Alarm]:
    awake = _awake(vitals)
    if awake in ("P", "U") or (vitals.gcs is not None and vitals.gcs <= 12):
        yield told("emergency", "hard to wake or unconscious")
    if vitals.heart_rate == 0 or vitals.respiratory_rate == 0 or vitals.systolic == 0:
        yield told("emergency", "no pulse, no breathing or no blood pressure was measured")


def _alarm(source: str) -> Callable[[str, str], Alarm]:
    return lambda level, text: Alarm("emergency" if level == "emergency" else "urgent", text, source)


def _metabolic(vitals: Vitals) -> Iterable[Alarm]:
    told = _alarm(_JBDS)
    if vitals.glucose is not None:
        if vitals.glucose < 2.3:
            yield told("emergency", f"very low blood sugar ({vitals.glucose:.1f} mmol/L)")
        elif vitals.glucose < 4.0:
            yield told("urgent", f"low blood sugar ({vitals.glucose:.1f} mmol/L)")
        elif vitals.glucose >= 30:
            yield told("emergency", f"dangerously high blood sugar ({vitals.glucose:.1f} mmol/L)")
        elif vitals.glucose >= 20:
            yield told("urgent", f"very high blood sugar ({vitals.glucose:.1f} mmol/L)")
    if vitals.ketones is not None and vitals.ketones >= 1.5:
        yield told("emergency" if vitals.ketones >= 3 else "urgent", f"high blood ketones ({vitals.ketones:g} mmol/L)")
    if vitals.temperature is not None and (vitals.temperature >= 41 or vitals.temperature < 32):
        yield told("emergency", f"a dangerous body temperature ({vitals.temperature:.1f} °C)")


def _child(vitals: Vitals, age: float) -> Iterable[Alarm]:
    told = _alarm(_APLS)
    _, slow, fast, breaths_low, breaths, pressure = next((r for r in _CHILD if age < r[0]), _CHILD[-1])
    hot = vitals.temperature is not None and vitals.temperature >= 38
    fast += 10 if hot else 0
    if vitals.heart_rate is not None and (vitals.heart_rate >= fast + 10 or vitals.heart_rate < slow - 10):
        yield told("emergency", f"a heart rate of {vitals.heart_rate:g}, out of the limits of this age")
    if vitals.respiratory_rate is not None and (
        vitals.respiratory_rate > breaths + 10 or vitals.respiratory_rate < breaths_low - 4
    ):
        yield told("emergency", f"{vitals.respiratory_rate:g} breaths a minute, out of the limits of this age")
    elif vitals.respiratory_rate is not None and vitals.respiratory_rate > breaths:
        yield told("urgent", f"{vitals.respiratory_rate:g} breaths a minute, fast for this age")
    if vitals.systolic is not None and vitals.systolic < pressure:
        yield told("emergency", f"low blood pressure for this age ({vitals.systolic:g})")
    if vitals.spo2 is not None and vitals.spo2 < 95:
        yield told("emergency" if vitals.spo2 < 92 else "urgent", f"low oxygen ({vitals.spo2:g} %)")
    if _awake(vitals) in ("C", "V"):
        yield told("emergency", "drowsy, responds to voice only")
    if hot and age <= 0.25:  # "3 months old" counts as under 3 months: the safer reading
        yield Alarm("emergency", f"fever of {vitals.temperature:.1f} °C in a baby of 3 months or less", _NG143)
    elif vitals.temperature is not None and vitals.temperature >= 39 and age < 0.5:
        yield Alarm("urgent", f"fever of {vitals.temperature:.1f} °C in a baby of 3 to 6 months", _NG143)
    elif vitals.temperature is not None and vitals.temperature < 35.5 and age < 1:
        yield Alarm("emergency", f"a cold baby ({vitals.temperature:.1f} °C)", _NG143)


def _mother(vitals: Vitals) -> Iterable[Alarm]:
    told = _alarm(_CEMACH)
    if (vitals.systolic or 0) >= 160 or (vitals.diastolic or 0) >= 110:
        yield Alarm("emergency", "severe high blood pressure in pregnancy", _NG133)
    elif (vitals.systolic or 0) >= 140 or (vitals.diastolic or 0) >= 90:
        yield Alarm("urgent", "high blood pressure in pregnancy", _NG133)
    limits = (  # value, red below, amber below, amber above, red above
        (vitals.systolic, 90, 100, 150, 160), (vitals.heart_rate, 40, 50, 100, 120),
        (vitals.respiratory_rate, 10, 11, 20, 30), (vitals.temperature, 35, 36, 37.5, 38),
        (vitals.spo2, 95, 95, 101, 101),
    )  # fmt: skip
    points = sum(
        2 if value < red or value > top else 1 if value < amber or value > high else 0
        for value, red, amber, high, top in limits if value is not None
    )  # fmt: skip
    if _awake(vitals) in ("C", "V"):
        points += 2
    if points >= 2:
        yield told("emergency" if points >= 3 else "urgent", "vital signs outside the limits for pregnancy")


def _adult(vitals: Vitals) -> Iterable[Alarm]:
    total, red = news2(vitals)
    if total >= 7:
        yield Alarm("emergency", f"an early-warning score (NEWS2) of {total}", _RCP)
    elif total >= 5 or red:
        yield Alarm("urgent", f"an early-warning score (NEWS2) of {total}", _RCP)
    told = _alarm(_MET)
    if vitals.heart_rate is not None and (vitals.heart_rate > 140 or vitals.heart_rate < 40):
        yield told("emergency", f"a heart rate of {vitals.heart_rate:g}")
    if vitals.systolic is not None and vitals.systolic < 90:
        yield told("emergency", f"low blood pressure ({vitals.systolic:g})")
    if vitals.systolic is not None and (vitals.systolic >= 180 or (vitals.diastolic or 0) >= 120):
        yield told("urgent", "very high blood pressure")
    if vitals.respiratory_rate is not None and (vitals.respiratory_rate < 8 or vitals.respiratory_rate > 35):
        yield told("emergency", f"{vitals.respiratory_rate:g} breaths a minute")
    if vitals.spo2 is not None and vitals.spo2 < 90:
        yield told("emergency", f"low oxygen ({vitals.spo2:g} %)")


def alarms(vitals: Vitals, who: Person) -> tuple[Alarm, ...]:
    """What the scores say for the person; of several ages each is tried, an unknown age counts as an adult."""
    found = [*_reduced(vitals, _alarm(_RCP)), *_metabolic(vitals)]
    for age in who.ages or (None,):
        if age is not None and age < ADULT:
            found.extend(_child(vitals, age))
        elif who.pregnant:
            found.extend(_mother(vitals))
        if (age is None or age >= ADULT) and not who.pregnant:
            found.extend(_adult(vitals))
        elif who.pregnant:
            found.extend(alarm for alarm in _adult(vitals) if alarm.source == _MET)
    return tuple(dict.fromkeys(found))
