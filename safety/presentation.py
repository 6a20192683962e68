"""A case as it is told: who, what there is and what not, and what was left out. Rules alone; nothing is added.

A presentation is made of the case's own clauses, word for word, each put where it belongs.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from primum.safety import contraindications, vitals
from primum.safety.context import normalise, status
from primum.safety.lexicon import mentions
from primum.safety.person import read as read_person
from primum.safety.profile import Profile
from primum.safety.vitals import Vitals
from primum.safety.words import claims

Item = Literal[
    "age", "sex", "duration", "vital_signs", "medicines", "allergies", "history", "pregnancy", "weight",
    "kidney_function",
]  # fmt: skip
Group = Literal["findings", "absent", "vitals", "background", "medicines", "allergies"]

_PERSON = re.compile(
    r"^\W*(?:(?:an?|the|this|my) )?(?:[a-z-]+ ){0,2}?(?:"
    r"\d{1,3}(?:\.\d)?[- ]?(?:year|yr|month|week|day|y|m)s?[- /]?(?:of age|olds?|o)?\b,?(?: ?(?!with\b)[a-z-]+){0,2}?"
    r"|(?:man|woman|male|female|boy|girl|child|infant|baby|patient|gentleman|lady) (?:aged? |of )?\d{1,3}"
    r"(?: years?| months?)?"
    r"|\d{1,3} ?[mf]\b)"
    r"(?:,? (?:who )?(?:presents?|presenting|presented|comes?|came|complains?|complaining|reports?|reporting|has|had"
    r"|is brought|was brought|brought|attends?)(?: in)?"
    r"(?: (?:to|by|at) (?:the |an? |his |her )?[a-z]+(?: department)?)?"
    r"(?: (?:with|of|because of|for))?| with|(?=[,.;:]|$))[ ,.:]*",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?:[^,;.\n]|(?<=\d)[.,](?=\d)|(?<=\bDr)\.)+", re.IGNORECASE)
_BACKGROUND = re.compile(
    r"\b(?:smok\w+|pack[- ]?years?|alcohol|drinks|units a week|history|hx|pmh|known|previous(?:ly)?|past|years ago"
    r"|family|lives|works|travel\w*|returned from|immuni[sz]\w+|vaccinat\w+|immobil\w+|surgery|obes\w+|bmi"
    r"|pregnan\w+|weeks' gestation|postpartum|diabetic|hypertensive|asthmatic)\b",
    re.IGNORECASE,
)
_LEADS = re.compile(
    r"^(?:and|but|also|with|who|has|had|he|she|they|there (?:is|are)|is|was|now|takes?|taking|is on|on|medications?:"
    r"|medicines?:|meds?:|denies|no|not|without|any)\s+",
    re.IGNORECASE,
)
_DURATION = re.compile(
    r"\b(?:for|since|over|past|last|within|x)\b[^,;.]{0,14}?\b(?:\d+|an?|one|two|three|four|five|six|few|several)?"
    r"[ -]?(?:min(?:ute)?s?|h(?:ou)?rs?|days?|nights?|weeks?|months?|years?|yesterday|morning|noon|midnight)\b"
    r"|\b\d+[- ]?(?:min(?:ute)?|hour|hr|day|week|month|year)s?(?:[- ](?:history|duration)\b| ago\b)"
    r"|\b(?:since|sudden(?:ly)?|abrupt\w*|began|started|onset|this morning|last night|overnight|yesterday)\b",
    re.IGNORECASE,
)
_SAID: dict[Item, re.Pattern[str]] = {
    "medicines": re.compile(r"\b(?:no|not on|takes? no|nil|without)\b[^,;.]{0,24}\b(?:medic\w+|drugs|meds|tablets)\b"
                            r"|\bdrug history nil", re.IGNORECASE),
    "allergies": re.compile(r"\bnk[d]?a\b|\b(?:no|nil|without|denies)\b[^;.]{0,24}\ballerg", re.IGNORECASE),
    "history": re.compile(r"\b(?:previously|otherwise|usually|normally) (?:well|healthy|fit)\b"
                          r"|\bfit and (?:well|healthy)"
                          r"|\b(?:no|nil|unremarkable|without)\b[^,;.]{0,24}\b(?:history|conditions|illness\w*|pmh)\b"
                          r"|\bpmh\b|\bhistory of\b", re.IGNORECASE),
    "pregnancy": re.compile(r"\bpregnan|\blmp\b|last (?:menstrual )?period|menopaus|hysterectom|\bhcg\b|sterili[sz]ed"
                            r"|postpartum|gestation", re.IGNORECASE),
}  # fmt: skip
_SIGNS = {
    "systolic": "blood pressure", "heart_rate": "heart rate", "respiratory_rate": "respiratory rate",
    "spo2": "oxygen saturation", "temperature": "temperature",
}  # fmt: skip
# Conditions of the rules that are no illness from before, but a habit, an age, or what somebody comes with.
NO_ILLNESS = frozenset(
    "smoker smoker-over-35 older-adult infant newborn pregnancy possible-pregnancy breastfeeding postpartum syncope "
    "falls hypotension constipation back-pain vertigo infection viral-illness insomnia dehydration delirium dry-mouth "
    "active-bleeding gi-bleeding vaginal-bleeding bloody-diarrhoea urinary-retention head-injury bradycardia".split()
)
_MEASURED = {"weight_kg", "height_cm", "egfr", "creatinine_umol_l"}  # of a person
_MEASURES = re.compile(
    r"\b(?:weigh\w*|height|tall|body|mass|serum|creatinine|cr|egfr|gfr|crcl|aged?|kgs?|cm|m[gl]/\w+|dl|[uµ]mol/l|ml/min\S*)\b",
    re.IGNORECASE,
)
_FERTILE = (12, 56)  # years
_OLD = 65
_TOLD_SHORTLY = 8  # words, below which a message is hardly a case
_ASKS = re.compile(r"\?|^\W*(?:what|how|why|when|which|who|can|could|should|is|are|does|do|may|tell|explain)\b",
                   re.IGNORECASE)  # fmt: skip
# Words that ask for what a case is worked up into anyway, and words that may stand beside them.
_WANTED = frozenset(
    "differential differentials ddx diagnosis diagnoses next step steps work workup up manage management investigation "
    "investigations test tests plan treatment treat thoughts do".split()
)
_BESIDE = frozenset(
    "what what's how which is are would should your you we i the a an most likely please give suggest list and or best "
    "top three five initial immediate possible probable recommended appropriate further for of him her them this "
    "patient case now here".split()
)
# A dose is asked for, which no work-up tells.
_DOSE = re.compile(
    r"\bdos(?:e|es|ing|age) (?:of|for|in|adjust\w*)\b|\b(?:max\w*|starting|loading) dose\b", re.IGNORECASE
)
_OWN = re.compile(r"\b(?:i|i'm|i've|my|me|we)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Presentation:
    """A case's own clauses, sorted. `findings` hold now, `absent` are denied; `person` is told in code's words."""

    person: str = ""
    findings: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    vitals: tuple[str, ...] = ()
    background: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()
    allergies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Missing:
    """What a case does not tell and a clinician would ask."""

    item: Item
    question: str


def present(text: str, profile: Profile) -> Presentation:
    """The presentation of a case. Medicines, allergies and conditions of the profile count beside what is told."""
    sorted_: dict[Group, list[str]] = {}
    for clause, group in _clauses(text, profile):
        sorted_.setdefault(group, []).append(clause)
    medicines = _with_known(sorted_.get("medicines", []), profile.medicines)
    allergies = _with_known(sorted_.get("allergies", []), profile.allergies)
    background = sorted_.get("background", [])
    told = contraindications.conditions_of([text])
    chart = [one for one in profile.conditions if not contraindications.conditions_of([one]) <= told]
    return Presentation(
        person=_who(text, profile),
        findings=tuple(sorted_.get("findings", [])),
        absent=tuple(sorted_.get("absent", [])),
        vitals=tuple(sorted_.get("vitals", [])),
        background=tuple(_with_known(background, tuple(chart))),
        medicines=tuple(medicines),
        allergies=tuple(allergies),
    )


def missing(text: str, profile: Profile) -> tuple[Missing, ...]:
    """What the case and the profile leave open, the most telling first."""
    return tuple(Missing(item, question) for item, question in _open(text, profile))


def is_case(text: str) -> bool:
    """Whether a clinician's message surely is a case: somebody of an age, what ails them, and no other question."""
    who, tale = read_person(text), " ".join(_told(text))
    if who.age is None or _ASKS.search(tale) or _DOSE.search(tale) or _OWN.search(tale):
        return False
    if len(tale.split()) < _TOLD_SHORTLY:
        return False
    told = present(text, Profile())
    return bool(told.findings) and len(told.findings) + len(told.vitals) + len(told.absent) >= 2


def _clauses(text: str, profile: Profile) -> Iterator[tuple[str, Group]]:
    plain, after = normalise(text), 0
    known = {name for medicine in profile.medicines for name in _names(medicine)}
    for sentence in _told(text):
        rest = _PERSON.sub("", sentence, count=1)
        for written in _parts(rest):
            word = next(iter(claims(written)), "")
            place = max(plain.find(word, after), 0)
            said = status(plain, place, place + len(word)) if word else "present"
            after = place
            if group := _group(written, said, known):
                yield _bare(written), group


def _told(text: str) -> list[str]:
    """The sentences of a case, without those that ask for its work-up."""
    return [one for one in re.split(r"\n+|(?<=[.!?])\s+", text) if not _asks_for_work_up(one)]


def _asks_for_work_up(sentence: str) -> bool:
    words = {*re.findall(r"[a-z']+", sentence.lower())}
    return bool(words & _WANTED) and words <= _WANTED | _BESIDE


def _parts(sentence: str) -> Iterator[str]:
    """A sentence's clauses that say something; of one with a vital sign each half for itself."""
    for match in _CLAUSE.finditer(sentence):
        clause = " ".join(match.group().split()).strip(" .:")
        measured = vitals.read(clause) != Vitals()
        for part in re.split(r" (?:and|with) (?!a pulse\b)", clause) if measured else [clause]:
            if claims(part) or vitals.read(part) != Vitals():
                yield part


def _group(clause: str, said: str, known: set[str]) -> Group | None:
    """Where a clause belongs; nowhere if it only tells an age, which the person's words tell."""
    if vitals.read(clause) != Vitals():
        return "vitals"
    who = read_person(clause)
    if who.places and not claims(_without(clause, who.places.values())):
        return "vitals" if who.places.keys() & _MEASURED else None
    if _SAID["allergies"].search(clause):
        return "absent"
    if re.search(r"\ballerg", clause, re.IGNORECASE):
        return "absent" if said == "negated" else "allergies"
    if known & {one.name for one in mentions(clause)}:
        return "medicines"
    if said == "negated" or re.match(r"(?:no|not|denies|without)\b", clause, re.IGNORECASE):
        return "absent"
    if said in ("historical", "family") or _BACKGROUND.search(clause) or _illnesses([clause]):
        return "background"
    return "findings"


def _without(clause: str, places: Iterable[tuple[int, int]]) -> str:
    """What a clause says beside measured facts of the person."""
    rest = "".join(letter for at, letter in enumerate(clause) if not any(a <= at < b for a, b in places))
    return _MEASURES.sub(" ", rest)


def _illnesses(texts: Iterable[str]) -> frozenset[str]:
    return contraindications.conditions_of(texts) - NO_ILLNESS


def _bare(clause: str) -> str:
    """A clause without the words that only lead it, a negation not among them."""
    while match := _LEADS.match(clause):
        if re.match(r"(?:no|not|denies|without|any)\b", match.group(), re.IGNORECASE):
            break
        clause = clause[match.end() :]
    return clause


def _with_known(told: list[str], known: tuple[str, ...]) -> list[str]:
    """What is told, each once, and what is known besides."""
    said = " ".join(told)
    named = {one.name for one in mentions(said)}
    new = (one for one in known if normalise(one) not in normalise(said))
    return list(dict.fromkeys([*told, *(one for one in new if not named & _names(one))]))


def _names(medicine: str) -> set[str]:
    return {medicine.lower(), *(one.name for one in mentions(medicine))}


def _who(text: str, profile: Profile) -> str:
    who = read_person(text)
    age = who.age if who.ages else profile.age
    sex = who.sex or profile.sex
    grown = age is None or age >= 18
    noun = {"female": "woman" if grown else "girl", "male": "man" if grown else "boy"}.get(
        sex or "", "adult" if age is not None and grown else "child" if not grown else ""
    )
    pregnant = "pregnant " if who.pregnant or profile.pregnant else ""
    return " ".join(f"{_years(age)} {pregnant}{noun}".split())


def _years(age: float | None) -> str:
    if age is None:
        return ""
    if age < 1 / 12:
        return f"{age * 365:.0f}-day-old"
    return f"{age * 12:.0f}-month-old" if age < 2 else f"{age:.3g}-year-old"


def _open(text: str, profile: Profile) -> Iterator[tuple[Item, str]]:
    who, told = read_person(text), vitals.read(text)
    ages = who.ages or (() if profile.age is None else (profile.age,))
    sex = who.sex or profile.sex
    if not ages:
        yield "age", "How old is the patient?"
    if sex is None:
        yield "sex", "Which sex?"
    if not _DURATION.search(text):
        yield "duration", "Since when, and how did it begin?"
    if gone := [name for sign, name in _SIGNS.items() if getattr(told, sign) is None]:
        yield "vital_signs", f"Vital signs not given: {', '.join(gone)}."
    if not profile.medicines and not _SAID["medicines"].search(text):
        yield "medicines", "Which medicines, over the counter and recreational included?"
    if not profile.allergies and not _SAID["allergies"].search(text):
        yield "allergies", "Any allergy?"
    if not _illnesses([*profile.conditions, text]) and not _SAID["history"].search(text):
        yield "history", "Which illnesses and operations before?"
    fertile = not ages or any(_FERTILE[0] <= age < _FERTILE[1] for age in ages)
    told_of = profile.pregnant is not None or who.pregnant or _SAID["pregnancy"].search(text)
    if sex == "female" and fertile and not told_of:
        yield "pregnancy", "Pregnant, or could she be?"
    if ages and max(ages) < 16 and who.weight_kg is None and profile.weight_kg is None:
        yield "weight", "What does the child weigh?"
    kidneys = (who.egfr, who.creatinine_umol_l, profile.egfr, profile.creatinine_umol_l)
    if ages and max(ages) >= _OLD and all(value is None for value in kidneys):
        yield "kidney_function", "Kidney function (creatinine or eGFR)?"
