"""Who a text is about: age, birth date, sex, pregnancy, breast-feeding, weight, height and kidneys.

All is read from the text as `level` gives it, which is as long as the text itself, so that each fact has its place.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from typing import Any, NamedTuple

from primum.safety.calculators import CREATININE_UMOL_PER_MG_DL, ckd_epi_2021
from primum.safety.context import status
from primum.safety.finder import Finder, Words
from primum.safety.profile import Profile, Sex
from primum.safety.remembered import remembered
from primum.safety.units import level, number, numbers

Place = tuple[int, int]
Fact = tuple[str, float | str | bool, int, int]


@dataclass(frozen=True)
class Person:
    """Who a text is about: every age that it names, in years, for it may name more than one person.

    `born` is as much of an ISO date as the text tells; eGFR is in mL/min/1.73 m². `presumed` marks an age that nobody
    told: it is that of a word ("my child") or of a weight. `places` has, by its name, where in
    the text each fact stands.
    """

    ages: tuple[float, ...] = ()
    sex: Sex | None = None
    pregnant: bool = False
    weeks: float | None = None
    postpartum: bool = False
    breastfeeding: bool = False
    born: str = ""
    weight_kg: float | None = None
    height_cm: float | None = None
    egfr: float | None = None
    creatinine_umol_l: float | None = None
    presumed: bool = False
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)

    @property
    def age(self) -> float | None:
        """The age, if there is but one."""
        return self.ages[0] if len(self.ages) == 1 else None

    @property
    def words(self) -> str:
        """The person in a few words."""
        age = self.age
        if self.presumed and age is not None and age < 18:
            return "a child" + (f" of {self.weight_kg:.3g} kg" if self.weight_kg else "")
        if age is None or 18 <= age < 60:
            return "an adult"
        if age < 2:
            return f"a child of {age * 12:.0f} months" if age >= 1 / 12 else "a newborn"
        return f"a child of {age:.3g} years" if age < 18 else f"age {age:.3g}"


class Age(NamedTuple):
    """An age in years, told in numbers or meant by a word ("my toddler"), of one person or of a group."""

    start: int
    stop: int
    years: float
    told: bool
    one: bool


_WORDS = Words("person_words.yaml")
_AGE, _BEFORE_AGE = _WORDS.pattern("age"), _WORDS.pattern("before_age")
_NO_AGE_AFTER, _NO_AGE_BEFORE = _WORDS.pattern("no_age_after"), _WORDS.pattern("no_age_before")
_BARE_AGE, _BEFORE_BARE_AGE = _WORDS.pattern("bare_age"), _WORDS.pattern("before_bare_age")
_AGE_WITH_SEX, _UNDER = _WORDS.pattern("age_with_sex"), _WORDS.pattern("under")
_BABY, _BESIDE_WEIGHT = _WORDS.pattern("baby"), _WORDS.pattern("beside_weight")
_ANYONES, _OR_OVER, _NOT_MEANT = _WORDS.pattern("anyones"), _WORDS.pattern("or_over"), _WORDS.pattern("not_meant")
_GROUPS = tuple((_WORDS.made(row), float(row["years"]), bool(row["one"])) for row in _WORDS.data["groups"])
_NEWBORN = _GROUPS[0][1]
_NEAR = 45  # characters from an age told, within which a word of `groups` means the same person
_SEXES: tuple[tuple[Sex, frozenset[str], re.Pattern[str]], ...] = (
    ("female", frozenset(_WORDS.data["female"].split()), _WORDS.pattern("female_signs")),
    ("male", frozenset(_WORDS.data["male"].split()), _WORDS.pattern("male_signs")),
)
_WORD = re.compile(r"\b[a-z]+\b")
_PREGNANT, _NOT_PREGNANT = _WORDS.finder("pregnant"), _WORDS.pattern("not_pregnant")
_WEEKS, _POSTPARTUM = _WORDS.finders("weeks_pregnant"), _WORDS.finder("postpartum")
_BREASTFEEDING = _WORDS.finder("breastfeeding")
_WEIGHT, _NOT_WEIGHT = _WORDS.finder("weight"), _WORDS.pattern("not_weight")
_HEIGHT, _EGFR = _WORDS.finders("height"), _WORDS.finders("egfr")
_CREATININE, _BORN, _DATES = _WORDS.finder("creatinine"), _WORDS.finder("born"), _WORDS.finders("dates")
MOST_MG_DL = 20  # a bare creatinine up to it is in mg/dL, above it in µmol/L
_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec", "ene feb mar abr may jun jul ago sep oct nov dic"
_MONTHS = {name: month for names in _NAMES for month, name in enumerate(names.split(), 1)}


def egfr_of(creatinine_umol_l: float, age: float, sex: str | None) -> float:
    """mL/min/1.73 m² by CKD-EPI 2021, for adults; a sex not known is taken as female, which gives the lower value."""
    return ckd_epi_2021(creatinine_umol_l, age, "male" if sex == "male" else "female")


@remembered(maxsize=64)
def read(text: str) -> Person:
    """What a text tells of a person. A sex is told only where one alone is named; of other facts the first counts."""
    plain = level(text)
    ages = [age for age in _ages(text) if age.told]
    facts: dict[str, Any] = {"ages": tuple(dict.fromkeys(age.years for age in ages))}
    places = {"ages": (ages[0].start, ages[0].stop)} if ages else {}
    for name, value, start, stop in chain(_states(plain), _measures(plain)):
        if name not in places:
            facts[name], places[name] = value, (start, stop)
    return Person(**facts, places=places)


def known(text: str, profile: Profile) -> Person:
    """The person of a text, what it leaves open filled from the profile."""
    told = read(text)
    return replace(
        told, ages=told.ages or (() if profile.age is None else (profile.age,)), sex=told.sex or profile.sex,
        pregnant=told.pregnant or bool(profile.pregnant), weeks=told.weeks or profile.weeks_pregnant,
        breastfeeding=told.breastfeeding or bool(profile.breastfeeding), weight_kg=told.weight_kg or profile.weight_kg,
        height_cm=told.height_cm or profile.height_cm, egfr=profile.egfr if told.egfr is None else told.egfr,
        creatinine_umol_l=told.creatinine_umol_l or profile.creatinine_umol_l,
    )  # fmt: skip


def at(text: str, place: int, sentence: Place, profile: Profile) -> Person:
    """Whom the words at a place are meant for: what the text says there, and the profile for the rest."""
    near = _age_at(_ages(text), place, sentence)
    age = near and near.years
    who, weight = known(text, profile), read(text).weight_kg
    if weight is None and (age is None or profile.age is None or abs(age - profile.age) < 3):
        weight = profile.weight_kg
    age = profile.age if age is None else age
    egfr = who.egfr
    if egfr is None and who.creatinine_umol_l is not None and age is not None and age >= 18:
        egfr = egfr_of(who.creatinine_umol_l, age, who.sex)
    pregnant = who.pregnant and profile.pregnant is not False
    presumed = near is not None and not near.told
    return replace(
        who, ages=() if age is None else (age,), weight_kg=weight, egfr=egfr, pregnant=pregnant, presumed=presumed
    )


def _age_at(ages: tuple[Age, ...], place: int, sentence: Place) -> Age | None:
    """The age of the nearest person named before in the sentence, else after in it, else elsewhere in the text."""
    start, stop = sentence
    before = [age for age in ages if start <= age.start < place]
    after = [age for age in ages if place <= age.start < stop]
    if before or after:
        return before[-1] if before else after[0]
    single = [age for age in ages if age.one]
    earlier = [age for age in single if age.start < start]
    return earlier[-1] if earlier else single[0] if single else None


@remembered(maxsize=64)
def _ages(text: str) -> tuple[Age, ...]:
    """The ages that a text tells, and those of the words for people where none other is told close by."""
    plain = level(text)
    found: list[Age] = []
    for start in numbers(plain):
        past = not found or start >= found[-1].stop
        if past and (age := _with_unit(plain, start) or _without_unit(text, plain, start)) and age.years <= 120:
            found.append(age)
    for pattern, years, one in _GROUPS:
        for match in pattern.finditer(plain):
            near = any(abs(age.start - match.start()) <= _NEAR and age.years != years for age in found)
            if not near and not _NOT_MEANT.search(plain, max(0, match.start() - 40), match.start()):
                found.append(Age(*match.span(), years, years == _NEWBORN and one, one))
    return tuple(sorted(found))


def _with_unit(plain: str, start: int) -> Age | None:
    """`5 years old`, `aged 6 to 12 years`, `my son is 3 months`, 5岁."""
    match = _AGE.match(plain, start)
    if match is None:
        return None
    under = _UNDER.search(plain, max(0, start - 40), start)
    if not (under and under["age"]) and not _is_age(plain, match, _BEFORE_AGE.search(plain, max(0, start - 40), start)):
        return None
    ends = [_years(number(written)[0], match["unit"]) for written in match.group("n", "n2") if written]
    return _age(plain, start, match.end(), ends, bool(under))


def _is_age(plain: str, match: re.Match[str], cue: re.Match[str] | None) -> bool:
    """Whether a number of years, months, weeks or days is an age, by what stands around it."""
    unit = match["unit"]
    if match["old"] or unit.endswith("岁"):
        return True
    if unit.startswith(("y", "mo")) and _BESIDE_WEIGHT.match(plain, match.end()):
        return True
    if unit in ("m", "w", "d") or unit.startswith("hour") or _NO_AGE_AFTER.match(plain, match.end()):
        return False
    if unit.startswith("ano"):
        return not _NO_AGE_BEFORE.search(plain, max(0, match.start() - 20), match.start())
    if cue is None or unit.startswith(("y", "mo", "mes")):
        return cue is not None
    # "She is 7 days into it", "for this toddler, 7 days": of weeks and days only a baby's are sure to be an age.
    return bool(_BABY.search(cue.group())) or not (cue["self"] or cue.group().rstrip().endswith(","))


def _without_unit(text: str, plain: str, start: int) -> Age | None:
    """`22 male`, `62F`, `aged 6 to 12`, `I'm 40`, `my mother, 71`."""
    with_sex = _AGE_WITH_SEX.match(plain, start)
    if with_sex and not (with_sex["letter"] and with_sex["gap"] and text[with_sex.start("letter")].islower()):
        return _age(plain, start, with_sex.end("n"), [float(with_sex["n"])])
    match = _BARE_AGE.match(plain, start)
    cue = _BEFORE_BARE_AGE.search(plain, max(0, start - 40), start) if match else None
    if not match or not cue or (match["n"].isalpha() and not cue.group().endswith(" ")):
        return None
    ends = [number(written)[0] for written in match.groups() if written]
    return _age(plain, start, match.end(), ends, "under" in cue.group() or "below" in cue.group())


def _age(plain: str, start: int, stop: int, ends: list[float], under: bool = False) -> Age:
    """An age told of one person; of a group its oldest."""
    years = max(ends[-1] * 0.99, ends[0]) if len(ends) > 1 else ends[0] * 0.99 if under else ends[0]
    group = under or len(ends) > 1 or _OR_OVER.match(plain, stop) or _ANYONES.search(plain, max(0, start - 25), start)
    return Age(start, stop, years, not group, not group)


def _years(value: float, unit: str) -> float:
    if unit.startswith(("mo", "mth", "mes", "个")) or unit == "m":
        return value / 12
    if unit.startswith(("w", "sem")) or unit == "周":
        return value / 52
    if unit.startswith("h"):
        return 0.0
    return value / 365 if unit.startswith(("d", "天")) else value


def _states(plain: str) -> Iterator[Fact]:
    """Sex, pregnancy with its weeks, a recent birth and breast-feeding."""
    pregnant = next((match for match in _PREGNANT.finditer(plain) if _is_pregnant(plain, match)), None)
    if pregnant:
        yield "pregnant", True, *pregnant.span()
        told = (match for match in _all(_WEEKS, plain) if int(match["n"]) <= 43)
        if weeks := next(told, None):
            yield "weeks", float(weeks["n"]), *weeks.span()
    words = set(_WORD.findall(plain))
    sexes = {sex: place for sex, names, signs in _SEXES if (place := _first(plain, names & words, signs))}
    if pregnant:
        sexes.setdefault("female", pregnant.span())
    if len(sexes) == 1:
        for sex, place in sexes.items():
            yield "sex", sex, *place
    if match := _POSTPARTUM.search(plain):
        yield "postpartum", True, *match.span()
    for match in _BREASTFEEDING.finditer(plain):
        if status(plain, *match.span()) == "present":
            yield "breastfeeding", True, *match.span()


def _first(plain: str, words: Set[str], signs: re.Pattern[str]) -> Place | None:
    """Where the first of the words or signs stands."""
    found = [match.span() for word in words if (match := re.search(rf"\b{word}\b", plain))]
    return min([*found, *(match.span() for match in signs.finditer(plain))], default=None)


def _all(finders: Iterable[Finder], plain: str) -> Iterator[re.Match[str]]:
    return (match for finder in finders for match in finder.finditer(plain))


def _is_pregnant(plain: str, match: re.Match[str]) -> bool:
    if _NOT_PREGNANT.search(plain, max(0, match.start() - 30), match.end() + 20):
        return False
    return status(plain, *match.span()) in ("present", "historical")


def _measures(plain: str) -> Iterator[Fact]:
    """Weight, height, the kidneys' figures, and the day of birth; what no one can have is not read."""
    for match in _WEIGHT.finditer(plain):
        lost = _NOT_WEIGHT.search(plain, max(0, match.start() - 20), match.start())
        if not lost and 0.3 <= (weight := _kilograms(match)) <= 650:
            yield "weight_kg", weight, *match.span()
    for match in _all(_HEIGHT, plain):
        if 40 <= (height := _centimetres(match)) <= 250:
            yield "height_cm", height, *match.span()
    for match in _all(_EGFR, plain):
        below = re.search("<|below|under|less", match["gap"])
        if (rate := float(match["n"]) - (0.1 if below else 0.0)) <= 250:
            yield "egfr", max(0.0, rate), *match.span()
    for match in _CREATININE.finditer(plain):
        if 5 <= (creatinine := _micromoles(match)) <= 5000:
            yield "creatinine_umol_l", creatinine, *match.span()
    for match in _BORN.finditer(plain):
        if found := _date(match["date"]):
            yield "born", found[0], match.start(), match.start("date") + found[1]


def _micromoles(match: re.Match[str]) -> float:
    value, unit = float(match["n"]), match["unit"]
    in_mg = unit == "mg" or (unit is None and value <= MOST_MG_DL)
    return value * CREATININE_UMOL_PER_MG_DL if in_mg else value


def _kilograms(match: re.Match[str]) -> float:
    if match["stone"]:
        return float(match["stone"]) * 6.35029 + float(match["pounds"] or 0) / 2.2046
    value = float(match["n"].replace(",", "."))
    return value / 2.2046 if match["unit"].startswith(("lb", "pound")) else value


def _centimetres(match: re.Match[str]) -> float:
    value = float((match["n"] or "0").replace(",", "."))
    if feet := match.groupdict().get("feet"):
        return round(float(feet) * 30.48 + value * 2.54, 1)
    return value * 100 if value < 3 else value


def _date(written: str) -> tuple[str, int] | None:
    """As much of an ISO date as is sure, and where it stops: of `03/04/1960` and of 31 February the year alone."""
    match = next((match for finder in _DATES if (match := finder.search(written))), None)
    if not match:
        return None
    said = match.groupdict()
    month = _MONTHS[said["name"]] if said.get("name") else int(said.get("month") or 0)
    day = int(said.get("day") or 0)
    if said.get("either"):
        month, day = sorted((int(said["either"]), int(said["other"])))
        month = 0 if day <= 12 and day != month else month
    iso = said["year"] + (f"-{month:02d}" if month else "") + (f"-{day:02d}" if month and day else "")
    return (iso if _exists(iso) else said["year"]), match.end()


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(f"{day}-01-01"[:10])
    except ValueError:
        return False
    return True
