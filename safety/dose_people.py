"""Whom a dose of a text is meant for: what the text says of age, weight, kidneys and pregnancy, over the profile."""

import re
from dataclasses import dataclass
from functools import lru_cache

from primum.safety.dose_reader import NUMBER, normal, number, sentences
from primum.safety.profile import Profile

_CHILD = (
    r"(?:child(?:ren)?|kids?|son|daughter|toddlers?|bab(?:y|ies)|infants?|newborns?|neonates?|boys?|girls?|grandson"
    r"|granddaughter|nephew|niece|niñ[oa]s?|hij[oa]s?|bebés?|teen(?:ager)?s?|adolescents?|patient|man|woman|he|she"
    r"|little one|孩子|宝宝|儿童|儿子|女儿|enfants?|kind(?:er)?|hijito|adults?)"
)
_AGE_UNIT = (
    r"(?P<unit>years?|yrs?|y/?o|y|months?|mos?|mths?|weeks?|wks?|days?|años|años|meses|ans|mois|jahre|岁|个月|周)"
)
_AGE = re.compile(
    rf"(?P<n>{NUMBER})(?:\s*(?:-|–|to|to under|或|至|a)\s*(?P<n2>{NUMBER}))?[\s-]*{_AGE_UNIT}[\s-]*(?P<old>old\b"
    r"|of age\b|大)?",
    re.IGNORECASE,
)
_BEFORE_AGE = re.compile(
    rf"(?:\baged?\s*(?:of|is|:)?\s*|\b{_CHILD}\s*(?:,|\(|is|['’]s|who is|aged|of|de|von|between"
    r"|under|over|below|from|tiene|turned)*\s*|['’]s\s+|\bis\s+|\bi am\s+|\bi['’]m\s+)(?:only "
    r"|just |now )?$",
    re.IGNORECASE,
)
_UNDER = re.compile(
    r"\b(?:under|below|younger than|less than|menor(?:es)? de|up to)\s*(?:the age of |age )?$", re.IGNORECASE
)
_BARE_AGE = re.compile(
    rf"\b(?:{_CHILD}\s+(?:is|aged?|,|who is|under|below|over)\s*|aged?\s+(?:of\s+)?|under\s+(?:the "
    rf"age of\s+)|(?:he|she)['’]s\s+|\bi['’]m\s+|\bi am\s+"
    r"|\b(?:dad|father|mum|mom|mother|husband|wife|grand\w+|brother|sister|uncle|aunt|patient|son|daughter|man|woman|boy|girl)\s*[,(]\s*)"
    r"(?P<n>\d{1,3})"
    r"(?:\s*(?:-|–|to)\s*(?P<n2>\d{1,2}))?(?!\s*(?:%|mg|kg|ml|mcg|\d|/|\.\d|cm|months?|weeks?|days?"
    r"|tablets?|°|g\b|times|lb|pounds))",
    re.IGNORECASE,
)
_WEIGHT = re.compile(
    rf"(?P<n>{NUMBER})\s*-?\s*(?P<unit>kg|kgs|kilos?|kilograms?|kilogramos|lbs?|pounds|公斤|千克)(?![A-Za-z/²])",
    re.IGNORECASE,
)
_NOT_WEIGHT = re.compile(r"(?:/|\bper|\blost|\bgained|\blose|\bgain|\bbmi|每)\s*(?:\d+\s*)?$", re.IGNORECASE)
_GROUPS: tuple[tuple[str, float, bool], ...] = (
    (r"\b(?:my|our|the|a|this|his|her|your|mi) (?:newborn|neonate)\b|新生儿", 0.02, True),
    (r"\b(?:my|our|the|a|this|his|her|your|mi|el) (?:[\w-]+ ){0,2}(?:bab(?:y|ies)|infant|bebé)\b(?! "
    r"aspirin)|婴儿|宝宝", 0.5, True),
    (r"\b(?:my|our|the|a|this|his|her|your) (?:[\w-]+ ){0,2}toddler\b", 2.0, True),
    (
        r"\b(?:my|our|the|this|his|her|your|mi|a|su) (?:[\w-]+ ){0,2}(?:child|kid|son|daughter|little "
        r"(?:boy|girl)|hij[oa]|niñ[oa])\b(?!['’]s dose)"
        r"|孩子|儿子|女儿|小孩",
        9.0,
        True,
    ),
    (r"\bchildren\b|\bkids\b|\bpaediatric|\bpediatric|儿童|\bniños\b", 9.0, False),
    (r"\binfants\b|\bbabies\b", 0.5, False), (r"\btoddlers\b", 2.0, False), (r"\bnewborns\b|\bneonates\b", 0.02, False),
    (r"\b(?:elderly|older adults?|older people|older patients|老年人|ancianos?)\b|老人", 78.0, False),
    (r"\b(?:my|his|her) (?:grandmother|grandma|grandfather|grandpa|gran|nan|abuel[oa])\b", 78.0, True),
    (r"\badults?\b|成人|\badultos?\b", 40.0, False),
)  # fmt: skip
_GROUP = tuple((re.compile(pattern, re.IGNORECASE), age, lasting) for pattern, age, lasting in _GROUPS)
_GRADES = (
    (re.compile(r"\b(?:dialysis|esrd|end[- ]stage (?:renal|kidney)|(?:ckd|kidney disease) (?:stage )?(?:5|v)\b"
    r"|ckd5|kidney failure|renal failure|stage 5 (?:ckd|chronic kidney))|透析|肾衰", re.I), 10.0),
    (re.compile(r"\b(?:severe (?:renal|kidney|ckd|chronic kidney)|ckd ?(?:stage )?(?:4|iv)\b|stage (?:4|iv) "
    r"(?:ckd|chronic kidney|kidney)|(?:kidney disease|chronic kidney disease),? stage (?:4|iv)\b"
    r"|advanced kidney)", re.I), 22.0),
    (re.compile(r"\b(?:ckd ?(?:stage )?3b|stage 3b (?:ckd|chronic|kidney))", re.I), 37.0),
    (re.compile(r"\b(?:ckd ?(?:stage )?3a?\b|stage 3a? (?:ckd|chronic|kidney)|(?:chronic )?kidney disease,? "
    r"(?:stage )?3a?\b|moderate (?:renal|kidney))", re.I), 46.0),
)  # fmt: skip
_EGFR = re.compile(
    r"\b(?:e?gfr|crcl|cr cl|creatinine clearance|kidney function)\b\s*(?:is|of|was|=|:|at|about"
    r"|around|<|under|below|\(|only)*\s*(?P<n>\d{1,3})(?!\s*(?:mg|kg))",
    re.IGNORECASE,
)
_LIVER = re.compile(
    r"\b(?:cirrho\w+|liver (?:disease|failure|impairment|problems?|damage|cirrhosis)|hepatic (?:impairment"
    r"|failure|disease)"
    r"|hepatitis|alcoholi\w+|heavy drink\w+|drinks? heavily|child-pugh)\b|肝硬化|肝病|肝功能不全",
    re.IGNORECASE,
)
_NOT_LIVER = re.compile(
    r"\b(?:no|not|without|never|cause|causes|damage|harm|risk of)\b[^.;]{0,30}$|\bvaccin", re.IGNORECASE
)
_PREGNANT = re.compile(
    r"\b(?:i am|i['’]m|i['’]m|she is|she['’]s|am|is|being|while|during|a|my|who are|if) (?:\w+ "
    r"){0,3}?(?:pregnant|pregnancy)\b|\b(?P<w>\d{1,2}) weeks (?:pregnant|gestation|along)"
    r"|\bpregnant (?:woman|women|patient|wife)\b|\bin pregnancy\b|\bembarazada\b|怀孕|孕妇|妊娠",
    re.IGNORECASE,
)
_NOT_PREGNANT = re.compile(r"\b(?:not|n['’]t|no longer)\s+(?:\w+ ){0,2}?$", re.IGNORECASE)


@dataclass(frozen=True)
class Person:
    """Whom a dose is meant for. `child` without an age: only that word is known."""

    age: float | None = None
    weight_kg: float | None = None
    egfr: float | None = None
    liver: bool = False
    pregnant: bool = False
    weeks: float | None = None

    @property
    def words(self) -> str:
        """The person in a few words."""
        if self.age is None:
            return "an adult"
        if self.age < 2:
            return f"a child of {self.age * 12:.0f} months" if self.age >= 1 / 12 else "a newborn"
        return (
            f"a child of {self.age:g} years" if self.age < 18 else "an adult" if self.age < 60 else f"age {self.age:g}"
        )


def _years(value: float, unit: str) -> float:
    unit = unit.lower()
    if unit.startswith(("mo", "mth", "mes", "mois", "个月")):
        return value / 12
    if unit.startswith(("w", "周")):
        return value / 52
    return value / 365 if unit.startswith("d") else value


@lru_cache(maxsize=1024)
def _ages(text: str) -> tuple[tuple[int, int, float, bool], ...]:
    """Start, stop, age in years of each person the text names, and whether one person is meant."""
    found: list[tuple[int, int, float, bool]] = []
    for match in _AGE.finditer(text):
        before = text[max(0, match.start() - 40) : match.start()]
        han = match["unit"] == "岁" or match["old"] == "大"
        under = _UNDER.search(before)
        if not (
            match["old"] or han or _BEFORE_AGE.search(before) or match["unit"].lower() in ("yo", "y/o", "años") or under
        ):
            continue
        low = number(match["n"])[0]
        age = _years(low, match["unit"])
        if match["n2"]:
            age = max(_years(number(match["n2"])[0], match["unit"]) - 0.01, age)
        elif under:
            age = max(age - 0.1, 0.01)
        if age < 125:
            found.append((match.start(), match.end(), age, not (match["n2"] or under)))
    for match in _BARE_AGE.finditer(text):
        if all(match.start() >= b or match.end() <= a for a, b, _, _ in found):
            under = re.search(r"(?:under|below)", match.group(), re.IGNORECASE)
            age = float(match["n2"] or match["n"]) - (0.1 if under or match["n2"] else 0.0)
            if age < 125:
                found.append((match.start("n"), match.end(), age, not (under or match["n2"])))
    for pattern, age, lasting in _GROUP:
        for match in pattern.finditer(text):
            denied = re.search(
                r"\b(?:not|from|never|avoid)\b[^.;,]{0,25}$", text[max(0, match.start() - 40) : match.start()], re.I
            )
            if not denied and all(abs(a - match.start()) > 45 for a, _, known, _ in found if known != age):
                found.append((match.start(), match.end(), age, lasting))
    return tuple(sorted(found))


def _age_at(text: str, place: int) -> float | None:
    """The age that counts for a dose: the nearest person named before it, else after it in its sentence."""
    a, b = next(((a, b) for a, b in sentences(text) if a <= place < b), (0, len(text)))
    ages = _ages(text)
    before = [age for start, _, age, _ in ages if a <= start < place]
    if before:
        return before[-1]
    after = [age for start, _, age, _ in ages if place <= start < b]
    if after:
        return after[0]
    lasting = [age for start, _, age, one in ages if one and start < a]
    return lasting[-1] if lasting else next((age for _, _, age, one in ages if one), None)


@lru_cache(maxsize=1024)
def _weight(text: str) -> float | None:
    for match in _WEIGHT.finditer(text):
        if not _NOT_WEIGHT.search(text[max(0, match.start() - 20) : match.start()]):
            value = number(match["n"])[0]
            return value / 2.2046 if match["unit"].lower().startswith(("lb", "pound")) else value
    return None


def person(text: str, place: int, profile: Profile) -> Person:
    """Whom the dose at `place` is meant for: what the text says there, and the profile for the rest."""
    text = normal(text)
    age = _age_at(text, place)
    weight = _weight(text)
    conditions = " ; ".join(profile.conditions)
    liver = bool(_LIVER.search(conditions)) or any(
        not _NOT_LIVER.search(text[max(0, m.start() - 40) : m.start()]) for m in _LIVER.finditer(text)
    )
    pregnant, weeks = bool(profile.pregnant), profile.weeks_pregnant
    for match in _PREGNANT.finditer(text):
        if not _NOT_PREGNANT.search(match.group()[:-8] if "not" in match.group() else text[: match.start()]):
            pregnant = profile.pregnant is not False
            weeks = float(match["w"]) if match["w"] else weeks
    if weight is None and (age is None or profile.age is None or abs(age - profile.age) < 3):
        weight = profile.weight_kg
    age = age if age is not None else profile.age
    return Person(age, weight, _egfr(text, conditions, profile), liver, pregnant, weeks)


def _egfr(text: str, conditions: str, profile: Profile) -> float | None:
    """The kidneys' function: as said in the text, as measured, from creatinine, or from the stage of the disease."""
    said = _EGFR.search(text)
    if said:
        return float(said["n"])
    if profile.egfr is not None:
        return profile.egfr
    if profile.creatinine_umol_l is not None and profile.age is not None and profile.age >= 18 and profile.sex:
        from primum.safety.calculators import ckd_epi_2021

        return ckd_epi_2021(profile.creatinine_umol_l, profile.age, profile.sex)
    for words in (conditions, text):
        for pattern, value in _GRADES:
            if pattern.search(words):
                return value
    return None
