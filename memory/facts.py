"""What a patient's own words, or a record, tell of them: facts with their proof, kept current as new ones are told.

A fact is never changed: a newer one takes its place. What can't both be true is flagged, and the safer of the two
stays: an allergy that is denied later is still an allergy until somebody clears it up.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from primum.memory.languages import name_of
from primum.safety.calculators import CREATININE_UMOL_PER_MG_DL
from primum.safety.contraindications import label
from primum.safety.lexicon import classes, drugs, members
from primum.safety.person import MOST_MG_DL
from primum.safety.profile import Profile
from primum.safety.tables import read_table

Kind = Literal[
    "age", "birth_date", "sex", "pregnancy", "breastfeeding", "weight", "height", "allergy", "medicine", "condition",
    "procedure", "family_history", "smoking", "alcohol", "laboratory", "language",
]  # fmt: skip
Role = Literal["patient", "doctor", "record"]  # a record: one that was imported, or a form that was filled in by hand
PartialDate = Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
ANY, DRUGS, FOODS = "any", "drugs", "foods"  # what a denial of all denies: "no allergies", "no drug allergies"

_MEASURED = frozenset({"number", "unit"})
_DETAILS: dict[str, frozenset[str]] = {
    "age": _MEASURED,
    "weight": _MEASURED,
    "height": _MEASURED,
    "laboratory": _MEASURED | {"low"},
    "pregnancy": frozenset({"weeks"}),
    "allergy": frozenset({"reaction", "severity"}),
    "medicine": frozenset({"dose", "frequency", "once"}),
    "family_history": frozenset({"relative"}),
}
_DETAIL_FIELDS = frozenset().union(*_DETAILS.values())
_MANY = frozenset({"allergy", "medicine", "condition", "procedure", "family_history", "laboratory", "language"})
# Said otherwise one day, it was never true: a change of any other is but a change.
_LASTING = frozenset({"allergy", "condition", "procedure", "family_history", "sex", "birth_date"})
# What may begin after it was denied.
_BEGIN = frozenset({"medicine", "condition", "procedure", "family_history"})
_GRAVITY = (None, "intolerance", "mild", "severe")
_MOST_WEEKS = 43
_MOST_DAYS_PREGNANT = 300


class UnprovenFact(ValueError):
    """A fact whose words are not in the message that is said to prove it."""


class Quote(BaseModel):
    """The exact words of a message that prove a fact: `text` is `message[start:stop]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    message: str = Field(description="the id of the message")
    start: int = Field(ge=0)
    stop: int
    text: str = Field(min_length=1)


class Fact(BaseModel):
    """One thing that is known of a patient, and the words that prove it.

    `value` is canonical, `written` are the words for it. A fact with `valid_until` has ended. `negated`: the patient
    says that it isn't so; the value is then what is denied, `any` for all of a kind ("no allergies").
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    value: str = Field(min_length=1)
    written: str = Field(min_length=1)
    negated: bool = False
    valid_from: PartialDate | None = None
    valid_until: PartialDate | None = None
    said: date = Field(description="the day on which it was told")
    corrects: bool = Field(False, description="told as a correction of what was told before")
    quotes: tuple[Quote, ...] = Field(min_length=1)
    reaction: str | None = None
    severity: Literal["severe", "mild", "intolerance"] | None = None
    dose: str | None = None
    frequency: str | None = None
    once: bool = Field(False, description="a single intake, not a medicine that is taken regularly")
    relative: str | None = None
    number: float | None = None
    low: float | None = Field(None, description="the lower value of a blood pressure, of which `number` is the upper")
    unit: str | None = None
    weeks: float | None = None

    @model_validator(mode="after")
    def _checked(self) -> Self:
        """Details of its own kind alone, and words of the patient or of a record among its quotes."""
        foreign = {name for name in _DETAIL_FIELDS - _DETAILS.get(self.kind, frozenset()) if getattr(self, name)}
        if foreign:
            raise ValueError(f"a fact of {self.kind} has no {', '.join(sorted(foreign))}")
        if not any(quote.role in ("patient", "record") for quote in self.quotes):
            raise ValueError("no words of the patient or of a record prove it")
        return self

    @property
    def label(self) -> str:
        """The value as a report names it: `none` for a denial of all, `no X` for one of X."""
        if not self.negated:
            return self.value
        return "none" if self.value in (ANY, DRUGS, FOODS) else f"no {self.value}"

    @property
    def words(self) -> str:
        """The fact as a list names it: `warfarin 5 mg once daily`, `mother: diabetes`, `no allergies`."""
        if self.negated:
            whole = {"allergy": "allergies", "medicine": "medicines", "condition": "conditions"}
            scope = {DRUGS: "medicine ", FOODS: "food "}.get(self.value, "")
            of_all = f"no {scope}{whole.get(self.kind, self.kind.replace('_', ' '))}"
            whole_kind = self.value in (ANY, DRUGS, FOODS) or self.kind in ("smoking", "alcohol")
            words = of_all if whole_kind else f"no {self._what}"
        else:
            words = self._what
        if self.kind == "family_history":
            words = f"{self.relative or 'family'}: {words}"
        # Of an illness that is told to be over, the day on which that was told is but the latest on which it ended.
        until = "ended by" if self.kind == "condition" and self.valid_until == self.said.isoformat() else "until"
        span = " ".join(f"{word} {day}" for word, day in (("since", self.valid_from), (until, self.valid_until)) if day)
        if self.kind == "procedure" and self.valid_from and not self.valid_until:
            span = self.valid_from  # it was done then, and does not go on
        return f"{words} ({span})" if span and self.kind not in ("birth_date", "laboratory") else words

    @property
    def _what(self) -> str:
        values = "/".join(f"{value:g}" for value in (self.number, self.low) if value is not None)
        measured = " ".join(filter(None, (values, self.unit)))
        match self.kind:
            case "allergy":
                how = ", ".join(filter(None, (self.severity, self.reaction)))
                return f"allergy to {self.written}" + (f" ({how})" if how else "")
            case "medicine":
                return _medicine(self)
            case "condition" | "procedure" | "family_history":
                return _condition(self)
            case "laboratory":
                return f"{self.value} {measured}" + (f" ({self.valid_from})" if self.valid_from else "")
            case "age":
                return f"{_in_months(self.number) or measured or self.value} old"
            case "birth_date":
                return f"born {self.value}"
            case "weight" | "height":
                return f"{self.kind} {measured or self.value}"
            case "pregnancy":
                return "pregnancy" + (f" ({self.weeks:g} weeks when told)" if self.weeks is not None else "")
            case "smoking" | "alcohol" if self.value == "former":
                return "ex-smoker" if self.kind == "smoking" else "no longer drinks alcohol"
            case "smoking" | "alcohol":
                return f"{self.kind}: {self.value}"
            case "language":
                return f"language: {name_of(self.value)}"
            case "breastfeeding":
                return "breast-feeding"
            case _:
                return self.value

    @property
    def key(self) -> tuple[str, ...]:
        """Two facts of one key are about the same thing."""
        return (self.kind, self.value, self.relative or "") if self.kind in _MANY else (self.kind,)


class Contradiction(BaseModel):
    """Two facts that can't both be true. `kept` says which of them the current facts go by."""

    model_config = ConfigDict(frozen=True)

    known: Fact
    new: Fact
    kept: Literal["known", "new"]

    @property
    def believed(self) -> Fact:
        """The one that the current facts go by."""
        return self.known if self.kept == "known" else self.new


class Merged(BaseModel):
    """The facts that hold now, those that ended or gave way, and what was contradicted on the way."""

    model_config = ConfigDict(frozen=True)

    current: tuple[Fact, ...] = ()
    ended: tuple[Fact, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()


def proven(fact: Fact, messages: Mapping[str, str]) -> Fact:
    """The fact, if each of its quotes stands in its message and the words of its value in one of them.

    Raises:
        UnprovenFact: a message is missing, its words are others, or no quote tells the value.
    """
    for quote in fact.quotes:
        if messages.get(quote.message, "")[quote.start : quote.stop] != quote.text:
            raise UnprovenFact(f"{fact.kind}: its words are not in message {quote.message!r}")
    if not any(fact.written in quote.text for quote in fact.quotes):
        raise UnprovenFact(f"{fact.kind}: no quote tells its value")
    return fact


def merge(known: Iterable[Fact], new: Iterable[Fact]) -> Merged:
    """The known facts with new ones told, the oldest first. What ended stays in the record, not in `current`."""
    record = _Record()
    for fact in (*known, *new):
        record.take(fact)
    return Merged(
        current=tuple(record.current.values()),
        ended=tuple(record.ended),
        contradictions=tuple(record.contradictions),
    )


class _Record:
    """The facts so far, while each further one is taken in; of one key one is current."""

    def __init__(self) -> None:
        self.current: dict[tuple[str, ...], Fact] = {}
        self.ended: list[Fact] = []
        self.contradictions: list[Contradiction] = []

    def take(self, fact: Fact) -> None:
        if fact.valid_until:
            self._end(fact)
        elif fact.negated and fact.value in (ANY, DRUGS, FOODS):
            self._deny_all(fact)
        else:
            self._tell(fact)

    def _held(self, kind: Kind) -> list[Fact]:
        return [one for one in self.current.values() if one.kind == kind and not one.negated]

    def _denial(self, fact: Fact) -> Fact | None:
        """What denies all of which this is one."""
        denials = (self.current.get((fact.kind, scope, "")) for scope in (ANY, DRUGS, FOODS))
        return next((one for one in denials if one and one.negated and _covers(one, fact)), None)

    def _replace(self, old: Fact, *, until: str | None = None) -> None:
        """Takes a fact out of the current ones; one that held until then says so."""
        del self.current[old.key]
        self.ended.append(old.model_copy(update={"valid_until": until}) if until else old)

    def _contradict(self, known: Fact, new: Fact, kept: Literal["known", "new"]) -> None:
        self.contradictions.append(Contradiction(known=known, new=new, kept=kept))

    def _end(self, fact: Fact) -> None:
        """What ended: `I stopped it in May` ends the medicine, `I took one yesterday` ends nothing."""
        known = self.current.get(fact.key)
        if known and _ends(known, fact):
            del self.current[known.key]
            fact = fact if known.negated else _joined(known, fact)
        self.ended.append(fact)

    def _deny_all(self, fact: Fact) -> None:
        """A denial of all: what was told before stays and is flagged."""
        against = [one for one in self._held(fact.kind) if _covers(fact, one)]
        for known in against:
            if fact.corrects and not _is_older(fact, known):
                self._replace(known)
            elif not _began_since(fact, known):
                self._contradict(known, fact, "known")
        if any(one.key in self.current for one in against):
            self.ended.append(fact)
        else:
            self.current.pop(fact.key, None)
            self.current[fact.key] = fact

    def _tell(self, fact: Fact) -> None:
        known = self.current.get(fact.key) or (None if fact.negated else self._denial(fact))
        if known and _is_older(fact, known) and _differ(known, fact) and not _is_safer(known, fact):
            self._too_late(known, fact)
            return
        if not fact.negated:
            if self._told_more_exactly(fact):
                return
            self._undeny(fact)
        self._take_place(self.current.get(fact.key), fact)
        self._ages(fact)

    def _take_place(self, known: Fact | None, fact: Fact) -> None:
        """Of what is known of the same thing; or beside it, or not at all."""
        if known is None:
            self.current[fact.key] = fact
        elif not _differ(known, fact):
            self._again(known, fact)
        elif fact.negated and not known.negated and _denies_another(known, fact):
            self.ended.append(fact)
        elif fact.negated and fact.kind in _LASTING and not fact.corrects:
            self._contradict(known, fact, "known")
            self.ended.append(fact)
        else:
            if not fact.corrects and _at_odds(known, fact):
                self._contradict(known, fact, "new")
            self._replace(known, until=_until(known, fact))
            self.current[fact.key] = fact

    def _too_late(self, known: Fact, fact: Fact) -> None:
        """An older statement than the one that is known: it changes nothing, and may be at odds with it."""
        if _at_odds(known, fact):
            self._contradict(known, fact, "known")
        self.ended.append(fact)

    def _told_more_exactly(self, fact: Fact) -> bool:
        """Whether a medicine of this class is known by its name; a class that is known gives way to its member."""
        if fact.kind != "medicine":
            return False
        for name in classes(fact.value):
            known = self.current.get(("medicine", name, ""))
            if known and not known.negated and known.dose is None:
                self._replace(known)
        is_class = bool(members(fact.value))
        return is_class and any(fact.value in classes(known.value) for known in self._held("medicine"))

    def _undeny(self, fact: Fact) -> None:
        """A denial of all gives way to what is told; a new medicine is news, a new allergy contradicts."""
        while known := self._denial(fact):
            news = fact.kind == "medicine" or _began_since(known, fact)
            if not news and not fact.corrects:
                self._contradict(known, fact, "new")
            self._replace(known)

    def _again(self, known: Fact, fact: Fact) -> None:
        """Told once more: what one of the two leaves open, the other tells; a new dose takes the place of the old."""
        old, new = (fact, known) if _is_older(fact, known) else (known, fact)
        self.current[known.key] = _joined(old, new)
        if old.dose and new.dose and old.dose != new.dose:
            self.ended.append(old.model_copy(update={"valid_until": new.valid_from or new.said.isoformat()}))

    def _ages(self, fact: Fact) -> None:
        """An age and a day of birth that don't fit."""
        other = self.current.get(("birth_date" if fact.kind == "age" else "age",))
        if fact.kind in ("age", "birth_date") and other and not _fit(fact, other):
            self._contradict(other, fact, "new")


def _ends(known: Fact, fact: Fact) -> bool:
    """Whether what is told of an end reaches what is known: it was told later, and it ended after it began.

    A record that came later tells of an earlier time: what ended before it was last told as current ended another
    time. Of an allergy only a correction takes anything back.
    """
    until = fact.valid_until or ""
    began = (known.valid_from or "")[: len(until)]
    if fact.once or _is_older(fact, known) or began > until or (fact.negated and not known.negated):
        return False
    if fact.kind == "allergy" or fact.corrects:
        return fact.corrects
    trusted = fact.quotes[-1].role != "record" and fact.kind != "pregnancy"  # which may be another one
    return trusted or until >= known.said.isoformat()[: len(until)]


def _is_older(fact: Fact, known: Fact) -> bool:
    """Whether a fact is of an earlier day than the one that is known, whichever was told first."""
    day, other = _day(fact), _day(known)
    return day[: len(other)] < other[: len(day)]


def _day(fact: Fact) -> str:
    """The day for which it holds: of a test and of a birth when it was, of all else when it was told."""
    dated = fact.kind == "laboratory" or (fact.kind == "pregnancy" and fact.negated)
    return (fact.valid_from if dated else None) or fact.said.isoformat()


def _differ(known: Fact, fact: Fact) -> bool:
    """Whether two facts of one key say different things; each value of a test is one of its own."""
    same = known.value == fact.value or fact.kind in _MANY
    return known.negated != fact.negated or not same or fact.kind == "laboratory"


def _is_safer(known: Fact, fact: Fact) -> bool:
    """Whether an older fact stands against a newer denial that didn't take it back: an allergy, an illness."""
    taken_back = known.corrects and known.value == fact.value
    return fact.kind in _MANY and fact.kind in _LASTING and known.negated and not taken_back


def _denies_another(known: Fact, fact: Fact) -> bool:
    """Whether a denial leaves what is known: who is no man is a woman, and one value of a test is not another."""
    return fact.kind == "laboratory" or (fact.kind not in _MANY and known.value != fact.value)


def _began_since(denial: Fact, told: Fact) -> bool:
    """Whether what was denied one day and told on a later one may have begun between."""
    return told.kind in _BEGIN and denial.said < told.said


def _covers(denial: Fact, fact: Fact) -> bool:
    """Whether a denial of all, or of all drugs, denies this."""
    if denial.value == ANY or fact.kind != "allergy":
        return denial.value in (ANY, DRUGS, FOODS)
    if denial.value not in (DRUGS, FOODS):
        return False
    return (denial.value == DRUGS) == _is_drug(fact.value)


def _is_drug(value: str) -> bool:
    """Whether an allergen is a medicine or a class of them, not a food or a plant."""
    return bool(classes(value) or members(value) or drugs(value)) or value in _drug_allergens()


@cache
def _drug_allergens() -> frozenset[str]:
    return frozenset(row["id"] for row in read_table("allergies.csv"))


def _joined(known: Fact, fact: Fact) -> Fact:
    """The newer fact, with the details and the proof of the older where it has none of its own.

    The weeks of a pregnancy go on, and of two reactions to an allergen the graver counts.
    """
    open_fields = {*_DETAILS.get(fact.kind, ()), "valid_from"}
    kept = {name: getattr(known, name) for name in open_fields if getattr(fact, name) in (None, False)}
    if fact.kind == "pregnancy" and fact.weeks is None:
        weeks = _weeks(known, fact.said)
        kept["weeks"] = weeks if (weeks or 0) <= _MOST_WEEKS else None  # past its term it is another pregnancy
    if fact.kind == "allergy" and not fact.corrects and _gravity(known) > _gravity(fact):
        kept |= {"severity": known.severity, "reaction": known.reaction}
    return fact.model_copy(update={**kept, "quotes": tuple(dict.fromkeys((*known.quotes, *fact.quotes)))})


def _gravity(fact: Fact) -> int:
    return _GRAVITY.index(fact.severity)


def _at_odds(known: Fact, fact: Fact) -> bool:
    """Whether both can't be true, not even one after the other."""
    denial, told = (known, fact) if known.negated else (fact, known)
    if known.negated != fact.negated and (_denies_another(known, fact) or _began_since(denial, told)):
        return False
    if fact.kind == "age" and known.number is not None and fact.number is not None:
        passed = (fact.said - known.said).days / 365.25
        return abs(known.number + passed - fact.number) >= 1.5
    return fact.kind in _LASTING or (fact.kind == "medicine" and fact.negated)


def _until(known: Fact, fact: Fact) -> str | None:
    """When a state ended that another took the place of; what was wrong from the start never held."""
    other = known.negated != fact.negated or fact.kind in ("smoking", "alcohol")
    changes = fact.kind not in _LASTING and not fact.corrects and other
    return (fact.valid_from or fact.said.isoformat()) if changes and not known.negated else None


def _fit(one: Fact, other: Fact) -> bool:
    """Whether an age and a day of birth may be one person's."""
    born, age = (one, other) if one.kind == "birth_date" else (other, one)
    years = None if born.negated else _age_at(born.value, age.said)
    return years is None or age.number is None or abs(years - age.number) < 2


def _age_at(born: str, day: date) -> float | None:
    """The years from a partial date of birth to a day; none if there is no such date."""
    try:
        return (day - date.fromisoformat(f"{born}-07-01"[:10] if len(born) == 4 else f"{born}-01"[:10])).days / 365.25
    except ValueError:
        return None


def possible(fact: Fact) -> bool:
    """Whether it can be so: a day of birth that there was, a measure or a value of a test that somebody can have."""
    if fact.kind == "birth_date" and not fact.negated:
        years = _age_at(fact.value, fact.said)
        return years is not None and years > -1 and not _wrong({"age": max(0.0, years)})
    measured = {"age": "age", "weight": "weight_kg", "height": "height_cm", "egfr": "egfr"}
    name = measured.get(fact.value if fact.kind == "laboratory" else fact.kind)
    told = {name: fact.number} if name else {"weeks_pregnant": fact.weeks}
    return not _wrong(told | {"creatinine_umol_l": _creatinine(fact) if fact.value == "creatinine" else None})


def _wrong(made: Mapping[str, Any]) -> set[str]:
    """The fields of a profile that nobody can have."""
    try:
        Profile(**made)
    except ValidationError as error:
        return {str(one["loc"][0]) for one in error.errors()}
    return set()


def profile_of(facts: Sequence[Fact], *, today: date | None = None) -> Profile:
    """The profile that the facts make on a day, by default that of the last fact: an age grows, weeks go by."""
    current = merge((), facts).current
    day = today or max((fact.said for fact in facts), default=date.min)
    single: dict[str, Fact] = {fact.kind: fact for fact in current if fact.kind not in _MANY}
    tests = {fact.value: fact for fact in current if fact.kind == "laboratory"}
    held = [fact for fact in current if not fact.negated]
    made: dict[str, Any] = {
        "age": _age(single, day),
        "sex": None if "sex" not in single or single["sex"].negated else single["sex"].value,
        "weight_kg": _number(single.get("weight")),
        "height_cm": _number(single.get("height")),
        "breastfeeding": None if "breastfeeding" not in single else not single["breastfeeding"].negated,
        "allergies": tuple(_allergy(fact) for fact in held if fact.kind == "allergy"),
        "medicines": tuple(_medicine(fact) for fact in held if fact.kind == "medicine"),
        "conditions": tuple(_condition(fact) for fact in held if fact.kind in ("condition", "procedure")),
        "egfr": _number(tests.get("egfr")),
        "creatinine_umol_l": _creatinine(tests.get("creatinine")),
        **_pregnancy(single.get("pregnancy"), day),
    }
    return Profile(**{name: value for name, value in made.items() if name not in _wrong(made)})


def _in_months(years: float | None) -> str | None:
    """An age below two years, in months, and below one month in weeks."""
    if years is None or not 0 < years < 2:
        return None
    unit, count = ("month", round(years * 12)) if years * 12 >= 1 else ("week", round(years * 365.25 / 7))
    return f"{count} {unit}" + ("" if count == 1 else "s")


def told_again(fact: Fact, day: date) -> Fact:
    """The fact as it would be told on a later day: an age has grown, a pregnancy gone on."""
    again: dict[str, Any] = {"said": day}
    if fact.kind == "age" and fact.number is not None and not fact.negated:
        years = _age({"age": fact}, day)
        again |= {"number": years, "value": f"{years:g}"}
    if fact.weeks is not None:
        again["weeks"] = _weeks(fact, day)
    return fact.model_copy(update=again)


def _number(fact: Fact | None) -> float | None:
    return None if fact is None or fact.negated else fact.number


def _age(single: Mapping[str, Fact], day: date) -> float | None:
    """By the day of birth if it is known, else the age as told and the years since; at odds, by the later told."""
    born, told = single.get("birth_date"), single.get("age")
    if born and not born.negated and not (told and told.said > born.said and not _fit(born, told)):
        years = _age_at(born.value, day)
        if years is not None:
            return float(int(years)) if years >= 2 else max(0.0, round(years, 2))
    if told and told.number is not None:
        passed = (day - told.said).days / 365.25
        return told.number + (int(passed) if told.number >= 2 else round(passed, 2))
    return None


def _pregnancy(fact: Fact | None, day: date) -> dict[str, bool | float | None]:
    """Whether pregnant, and in which week on that day; past its term nothing is known."""
    if fact is None or fact.negated:
        return {"pregnant": None if fact is None else False}
    over = fact.weeks is None and (day - fact.said).days > _MOST_DAYS_PREGNANT
    weeks = _weeks(fact, day)
    return {"pregnant": None} if over or (weeks or 0) > _MOST_WEEKS else {"pregnant": True, "weeks_pregnant": weeks}


def _weeks(fact: Fact, day: date) -> float | None:
    """The week of a pregnancy on a day."""
    return None if fact.weeks is None else round(fact.weeks + (day - fact.said).days / 7, 1)


def _allergy(fact: Fact) -> str:
    how = ", ".join(filter(None, (fact.severity if fact.severity != "intolerance" else None, fact.reaction)))
    return f"{fact.written} ({how})" if how else fact.written


def _medicine(fact: Fact) -> str:
    return " ".join(filter(None, (fact.value, fact.dose, fact.frequency)))


def _condition(fact: Fact) -> str:
    try:
        return label(fact.value)
    except KeyError:
        return fact.value


def _creatinine(fact: Fact | None) -> float | None:
    """In µmol/L."""
    number = _number(fact)
    if number is None or fact is None:
        return None
    in_mg = fact.unit.startswith("mg") if fact.unit else number <= MOST_MG_DL
    return round(number * CREATININE_UMOL_PER_MG_DL, 1) if in_mg else number
