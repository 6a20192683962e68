"""What a patient's own words tell of them: facts with their proof, kept current as new ones are told.

A fact is never changed: a newer one takes its place. What can't both be true is flagged, and the safer of the two
stays: an allergy that is denied later is still an allergy until somebody clears it up.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from primum.safety.calculators import CREATININE_UMOL_PER_MG_DL
from primum.safety.contraindications import label
from primum.safety.lexicon import classes, drugs, members
from primum.safety.profile import Profile
from primum.safety.tables import read_table

Kind = Literal[
    "age", "birth_date", "sex", "pregnancy", "breastfeeding", "weight", "height", "allergy", "medicine", "condition",
    "procedure", "family_history", "smoking", "alcohol", "laboratory", "language",
]  # fmt: skip
Role = Literal["patient", "doctor"]
PartialDate = Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
ANY, DRUGS, FOODS = "any", "drugs", "foods"  # what a denial of all denies: "no allergies", "no drug allergies"

_MEASURED = frozenset({"number", "unit"})
_DETAILS: dict[str, frozenset[str]] = {
    "age": _MEASURED,
    "weight": _MEASURED,
    "height": _MEASURED,
    "laboratory": _MEASURED,
    "pregnancy": frozenset({"weeks"}),
    "allergy": frozenset({"reaction", "severity"}),
    "medicine": frozenset({"dose", "frequency", "once"}),
    "family_history": frozenset({"relative"}),
}
_DETAIL_FIELDS = frozenset().union(*_DETAILS.values())
_MANY = frozenset({"allergy", "medicine", "condition", "procedure", "family_history", "laboratory", "language"})
# Said otherwise one day, it was never true: a change of any other is but a change.
_LASTING = frozenset({"allergy", "condition", "procedure", "family_history", "sex", "birth_date"})
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
    unit: str | None = None
    weeks: float | None = None

    @model_validator(mode="after")
    def _checked(self) -> Self:
        """Details of its own kind alone, and a patient's words among its quotes."""
        foreign = {name for name in _DETAIL_FIELDS - _DETAILS.get(self.kind, frozenset()) if getattr(self, name)}
        if foreign:
            raise ValueError(f"a fact of {self.kind} has no {', '.join(sorted(foreign))}")
        if not any(quote.role == "patient" for quote in self.quotes):
            raise ValueError("no words of the patient prove it")
        return self

    @property
    def label(self) -> str:
        """The value as a report names it: `none` for a denial of all, `no X` for one of X."""
        if not self.negated:
            return self.value
        return "none" if self.value in (ANY, DRUGS, FOODS) else f"no {self.value}"

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
    return Merged(current=tuple(record.current), ended=tuple(record.ended), contradictions=tuple(record.contradictions))


class _Record:
    """The facts so far, while each further one is taken in."""

    def __init__(self) -> None:
        self.current: list[Fact] = []
        self.ended: list[Fact] = []
        self.contradictions: list[Contradiction] = []

    def take(self, fact: Fact) -> None:
        if fact.valid_until:
            self._end(fact)
        elif fact.negated and fact.value in (ANY, DRUGS, FOODS):
            self._deny_all(fact)
        elif fact.kind == "laboratory":
            self._measure(fact)
        else:
            self._tell(fact)

    def _same(self, fact: Fact) -> Fact | None:
        return next((one for one in self.current if one.key == fact.key), None)

    def _replace(self, old: Fact, *, until: str | None = None) -> None:
        """Takes a fact out of the current ones; one that held until then says so."""
        self.current.remove(old)
        self.ended.append(old.model_copy(update={"valid_until": until}) if until else old)

    def _contradict(self, known: Fact, new: Fact, kept: Literal["known", "new"]) -> None:
        self.contradictions.append(Contradiction(known=known, new=new, kept=kept))

    def _end(self, fact: Fact) -> None:
        """What ended: `I stopped it in May` ends the medicine, `I took one yesterday` ends nothing."""
        known = self._same(fact)
        if known and not fact.once and (known.valid_from or "") <= (fact.valid_until or ""):
            self.current.remove(known)
            fact = fact if known.negated else _joined(known, fact)
        self.ended.append(fact)

    def _deny_all(self, fact: Fact) -> None:
        against = [one for one in self.current if one.kind == fact.kind and not one.negated and _covers(fact, one)]
        for known in against:
            if fact.corrects:
                self._replace(known)
            else:
                self._contradict(known, fact, "known")
        if against and not fact.corrects:
            self.ended.append(fact)
            return
        if same := self._same(fact):
            self.current.remove(same)
        self.current.append(fact)

    def _measure(self, fact: Fact) -> None:
        """Of two values of a test the later one counts, whichever was told first."""
        known = self._same(fact)
        if known and (known.valid_from or known.said.isoformat()) > (fact.valid_from or fact.said.isoformat()):
            self.ended.append(fact)
            return
        if known:
            self._replace(known)
        self.current.append(fact)

    def _tell(self, fact: Fact) -> None:
        if not fact.negated and not self._told_more_exactly(fact):
            self._undeny(fact)
        elif not fact.negated:
            return
        known = self._same(fact)
        if known is None:
            self.current.append(fact)
        elif known.negated == fact.negated and (known.value == fact.value or fact.kind in _MANY):
            self._again(known, fact)
        elif known.negated != fact.negated and fact.kind in _LASTING and fact.negated and not fact.corrects:
            self._contradict(known, fact, "known")
            self.ended.append(fact)
        else:
            if not fact.corrects and _at_odds(known, fact):
                self._contradict(known, fact, "new")
            self._replace(known, until=_until(known, fact))
            self.current.append(fact)
        self._ages(fact)

    def _told_more_exactly(self, fact: Fact) -> bool:
        """Whether a medicine of this class is known by its name; a class that is known gives way to its member."""
        if fact.kind != "medicine":
            return False
        for known in [one for one in self.current if one.kind == "medicine" and not one.negated]:
            if known.value in classes(fact.value) and known.dose is None:
                self._replace(known)
            elif fact.value in classes(known.value):
                return True
        return False

    def _undeny(self, fact: Fact) -> None:
        """A denial of all gives way to what is told; a new medicine is news, a new allergy contradicts."""
        for known in [one for one in self.current if one.kind == fact.kind and one.negated and _covers(one, fact)]:
            if fact.kind != "medicine" and not fact.corrects:
                self._contradict(known, fact, "new")
            self._replace(known)

    def _again(self, known: Fact, fact: Fact) -> None:
        """Told once more: what one of the two leaves open, the other tells; a new dose takes the place of the old."""
        place = self.current.index(known)
        self.current[place] = _joined(known, fact)
        if fact.dose and known.dose and fact.dose != known.dose:
            self.ended.append(known.model_copy(update={"valid_until": fact.valid_from or fact.said.isoformat()}))

    def _ages(self, fact: Fact) -> None:
        """An age and a day of birth that don't fit."""
        for other in self.current:
            if {fact.kind, other.kind} == {"age", "birth_date"}:
                born, age = (fact, other) if fact.kind == "birth_date" else (other, fact)
                if age.number is not None and abs(_age_at(born.value, age.said) - age.number) >= 2:
                    self._contradict(other, fact, "new")


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
    """The newer fact, with the details and the proof of the older where it has none of its own."""
    open_fields = {*_DETAILS.get(fact.kind, ()), "valid_from"}
    kept = {name: getattr(known, name) for name in open_fields if getattr(fact, name) in (None, False)}
    return fact.model_copy(update={**kept, "quotes": tuple(dict.fromkeys((*known.quotes, *fact.quotes)))})


def _at_odds(known: Fact, fact: Fact) -> bool:
    """Whether both can't be true, not even one after the other."""
    if fact.kind == "age" and known.number is not None and fact.number is not None:
        passed = (fact.said - known.said).days / 365.25
        return abs(known.number + passed - fact.number) >= 1.5
    return fact.kind in _LASTING or (fact.kind == "medicine" and fact.negated)


def _until(known: Fact, fact: Fact) -> str | None:
    """When a state ended that another took the place of; what was wrong from the start never held."""
    changes = fact.kind not in _LASTING and not fact.corrects and known.negated != fact.negated
    return (fact.valid_from or fact.said.isoformat()) if changes and not known.negated else None


def _age_at(born: str, day: date) -> float:
    """The years from a partial date of birth to a day."""
    year, month, of_month = (int(part) for part in f"{born}-07-01"[: 10 if len(born) == 4 else 99].split("-")[:3])
    return (day - date(year, month, of_month)).days / 365.25


def profile_of(facts: Sequence[Fact], *, today: date | None = None) -> Profile:
    """The profile that the facts make on a day, by default that of the last fact: an age grows, weeks go by."""
    current = merge((), facts).current
    day = today or max((fact.said for fact in facts), default=date.min)
    single: dict[str, Fact] = {fact.kind: fact for fact in current if fact.kind not in _MANY}
    tests = {fact.value: fact for fact in current if fact.kind == "laboratory"}
    held = [fact for fact in current if not fact.negated]
    made: dict[str, Any] = {
        "age": _age(single, day),
        "sex": single["sex"].value if "sex" in single else None,
        "weight_kg": _number(single.get("weight")),
        "height_cm": _number(single.get("height")),
        "breastfeeding": None if "breastfeeding" not in single else not single["breastfeeding"].negated,
        "allergies": tuple(_allergy(fact) for fact in held if fact.kind == "allergy"),
        "medicines": tuple(_medicine(fact) for fact in held if fact.kind == "medicine"),
        "conditions": tuple(_condition(fact) for fact in held if fact.kind in ("condition", "procedure")),
        "egfr": _number(tests.get("egfr")),
        "creatinine_umol_l": _creatinine(tests.get("creatinine")),
    }
    return Profile(**made, **_pregnancy(single.get("pregnancy"), day))


def _number(fact: Fact | None) -> float | None:
    return None if fact is None or fact.negated else fact.number


def _age(single: Mapping[str, Fact], day: date) -> float | None:
    """By the day of birth if it is known, else the age as told and the years since."""
    if born := single.get("birth_date"):
        years = _age_at(born.value, day)
        return float(int(years)) if years >= 2 else max(0.0, round(years, 2))
    if (told := single.get("age")) and told.number is not None:
        passed = (day - told.said).days / 365.25
        return told.number + (int(passed) if told.number >= 2 else round(passed, 2))
    return None


def _pregnancy(fact: Fact | None, day: date) -> dict[str, bool | float | None]:
    """Whether pregnant, and in which week on that day; past its term nothing is known."""
    if fact is None or fact.negated:
        return {"pregnant": None if fact is None else False}
    passed = (day - fact.said).days
    weeks = None if fact.weeks is None else round(fact.weeks + passed / 7, 1)
    over = passed > _MOST_DAYS_PREGNANT if weeks is None else weeks > _MOST_WEEKS
    return {"pregnant": None} if over else {"pregnant": True, "weeks_pregnant": weeks}


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
    return round(number * CREATININE_UMOL_PER_MG_DL, 1) if (fact.unit or "").startswith("mg") else number
