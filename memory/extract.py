"""The facts of a patient's message, by rules alone; each with the words that prove it.

Nothing is taken from a doctor's words but what the patient answers to: "Are you still taking metoprolol?" "Yeah." is a
fact, and both are its proof. What a rule is not sure of it leaves out: a later message may tell it plainly.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from primum.memory.allergies import REACTION, allergen, reaction_told
from primum.memory.clauses import Message, Place, Told, Topic
from primum.memory.dates import began, dates
from primum.memory.facts import ANY, DRUGS, FOODS, Fact, Kind, Quote, Role, possible, proven
from primum.memory.medicines import STOPS, how_often
from primum.memory.questions import EITHER, NO, OPEN, OTHERS_ASKED, UNSURE, WHAT_HAPPENS, Asked, polarity, read
from primum.memory.states import states
from primum.safety.dose_words import AMOUNT
from primum.safety.lexicon import mentions

PATIENTS = frozenset({"user", "patient", "human"})
SPOKESMEN = frozenset({"family", "caregiver", "guest_family", "guest_clinician"})

# How a bare answer is read: the words that make a statement of it.
_COMPLETED: tuple[tuple[str, str, Kind], ...] = (
    (r"\bhow old\b|\byour age\b|\bcuantos anos\b|\bedad\b|多大|几岁|年龄", "i'm ", "age"),
    (r"\bweigh\b|\byour weight\b|\bpesa\w*|体重|多重", "i weigh ", "weight"),
    (r"\bhow tall\b|\byour height\b|\bmide\w*|\bestatura\b|身高|多高", "height ", "height"),
    (
        r"\b(?:when|what year) were you born\b|\bdate of birth\b|\bbirthday\b|\bdob\b|fecha de nacimiento|出生",
        "born ",
        "birth_date",
    ),
    (r"\b(?:your|the) (?:sex|gender)\b|\bmale or female\b|\bsexo\b|性别", "i am ", "sex"),
    (r"\blanguage\b|\bidioma\b|语言", "i speak ", "language"),
    (r"\begfr\b", "egfr ", "laboratory"),
    (r"\bcreatinine\b", "creatinine ", "laboratory"),
)


def extract(
    message: str,
    *,
    asked: str = "",
    today: date,
    topic: Topic = "",
    spoken_for: bool = False,
    message_id: str = "message",
    asked_id: str = "asked",
) -> list[Fact]:
    """The facts that one message of a patient tells.

    Args:
        asked: what the doctor asked or said right before; only what the patient answers to it is taken.
        today: the day of the message, by which `in May` and `for three years` are read.
        topic: what was spoken of before, for questions that only go on ("And what else?").
        spoken_for: somebody else speaks for the patient, so that `he` and `she` are the patient.
    """
    question = Asked(asked, today, topic)
    whole = Message(message, third_is_patient=spoken_for or bool(OTHERS_ASKED.search(question.message.plain)))
    about = question.topic if asked else topic
    told = read(whole, today, about)
    maker = _Maker({message_id: message, asked_id: asked}, message_id, asked_id, today, whole)
    facts = [maker.made(one) for one in told]
    if asked:
        facts += _answers(question, whole, told, maker)
        facts += _completions(question, whole, told, maker)
    return _unique(filter(possible, facts))


def extract_dialogue(turns: Iterable[Mapping[str, str]], *, today: date | None = None) -> list[Fact]:
    """The facts of a dialogue of `role` and `content`, in its order. A turn's `id`, else its number, names its message.

    Patients are `user` and `patient`; who speaks for one is `family`. Nobody else's words prove anything.
    """
    day = today or date.today()
    found: list[Fact] = []
    asked: list[tuple[str, str]] = []
    topic: Topic = ""
    for number, turn in enumerate(turns):
        name, text = turn.get("id", str(number)), turn["content"]
        role = turn["role"].lower()
        if role not in PATIENTS | SPOKESMEN:
            asked.append((name, text))
            continue
        joined = "\n".join(words for _, words in asked)
        facts = extract(
            text, asked=joined, today=day, topic=topic, spoken_for=role in SPOKESMEN, message_id=name, asked_id="asked"
        )
        found += [_placed(fact, asked) for fact in facts]
        topic = Asked(joined, day, topic).topic if joined else topic
        if role in SPOKESMEN:
            asked = [(name, text)]
        elif facts or not text.rstrip().endswith("?"):  # who asks back has not answered yet
            asked = []
    return _unique(found)


def _placed(fact: Fact, asked: Sequence[tuple[str, str]]) -> Fact:
    """The fact with each quote of the joined questions in the message that it is of."""
    quotes = []
    for quote in fact.quotes:
        start = 0
        for name, text in asked if quote.message == "asked" else ():
            if start <= quote.start < start + len(text) + 1:
                quote = quote.model_copy(
                    update={"message": name, "start": quote.start - start, "stop": quote.stop - start}
                )
                break
            start += len(text) + 1
        quotes.append(quote)
    return fact.model_copy(update={"quotes": tuple(quotes)})


@dataclass(frozen=True)
class _Maker:
    """Makes facts of what was read, and has each of them proven."""

    messages: dict[str, str]
    message_id: str
    asked_id: str
    today: date
    whole: Message

    def quote(self, start: int, stop: int, role: Role = "patient") -> Quote:
        """The words at a place, without the blanks and commas around them."""
        name = self.message_id if role == "patient" else self.asked_id
        start, stop = _trimmed(self.messages[name], start, stop)
        return Quote(role=role, message=name, start=start, stop=stop, text=self.messages[name][start:stop])

    def clause(self, told: Told, role: Role = "patient") -> Quote:
        """The clause that tells something, with all of its words."""
        return self.quote(min(told.clause.start, told.start), max(told.clause.stop, told.stop), role)

    def made(self, told: Told, quotes: tuple[Quote, ...] = (), role: Role = "patient") -> Fact:
        text = self.messages[self.message_id if role == "patient" else self.asked_id]
        start, stop = _trimmed(text, told.start, told.stop)
        own = quotes or (self.clause(told), *(self.quote(*place) for place in told.also))
        details = {key: value for key, value in told.details.items() if value is not None}
        of_all = told.negated and told.value in (ANY, DRUGS, FOODS)
        corrects = self.whole.corrects_at(told.clause, of_all) if role == "patient" else self.whole.corrects
        fact = Fact(
            kind=told.kind,
            value=told.value,
            written=text[start:stop],
            negated=told.negated,
            valid_from=told.since,
            valid_until=told.until,
            said=self.today,
            corrects=told.corrects or corrects,
            quotes=own,
            **details,
        )
        return proven(fact, self.messages)


def _trimmed(text: str, start: int, stop: int) -> Place:
    """A place without the blanks and commas around it, unless there is nothing else."""
    while start < stop - 1 and (text[start].isspace() or text[start] == ","):
        start += 1
    while start < stop - 1 and (text[stop - 1].isspace() or text[stop - 1] == ","):
        stop -= 1
    return start, stop


def _answers(question: Asked, whole: Message, told: Sequence[Told], maker: _Maker) -> list[Fact]:
    """The facts that an answer makes of what was asked."""
    said = polarity(whole.plain)
    if not whole.clauses or UNSURE.match(whole.plain.lstrip()):
        return []
    first = whole.clauses[0]
    stop = next((one.stop for one in whole.clauses if one.stop - first.start > 12), whole.clauses[-1].stop)
    reply = maker.quote(first.start, stop)
    facts = _reactions(question, whole, maker, reply)
    proposed = [one for one in question.proposed if all((one.kind, one.value) != (own.kind, own.value) for own in told)]
    if question.presumes:
        if said != "no" and not OPEN.search(whole.plain):
            facts += [
                _confirmed(one, question, whole, maker, reply)
                for one in proposed
                if one.kind == "medicine" and not one.negated and not one.until
            ]
    elif said == "yes":
        either = len(proposed) > 1 and question.asks and EITHER.search(question.words)
        facts += [
            _confirmed(one, question, whole, maker, reply)
            for one in proposed
            if not (
                either or (one.negated and question.asks and not re.match(r"\W*(?:right|correct|that's)", whole.plain))
            )
        ]
    elif said == "no":
        facts += [_refused(one, question, whole, maker, reply) for one in proposed]
    everything = question.everything() if said == "no" else None
    if everything:
        of_kind = [one for one in told if one.kind == everything[0]]
        if all(one.negated and one.value not in (ANY, DRUGS) for one in of_kind):
            facts.append(_nothing(everything, question, maker, reply))
    return facts


def _both(told: Told, maker: _Maker, reply: Quote) -> tuple[Quote, ...]:
    return (maker.clause(told, "doctor"), reply)


def _confirmed(told: Told, question: Asked, whole: Message, maker: _Maker, reply: Quote) -> Fact:
    """What was asked and affirmed, with the dose or the time that the answer adds."""
    told = replace(told, details=dict(told.details))
    quotes = _both(told, maker, reply)
    if told.kind == "medicine" and not told.negated:
        told.details.pop("once", None)
        told.until = None if told.until == told.since else told.until
        stops = STOPS.search(whole.plain)
        added = _dose_in(whole) if len(question.proposed) == 1 else {}
        since = next(iter(dates(whole.plain, question.today)), None) or began(whole.plain, question.today)
        if stops:
            told.until = since.day if since else question.today.isoformat()
        elif since and question.presumes:
            told.since = since.day
        told.details |= added
        if added or stops or since:
            quotes = (quotes[0], maker.quote(0, len(whole.text)))
    return maker.made(told, quotes, "doctor")


def _refused(told: Told, question: Asked, whole: Message, maker: _Maker, reply: Quote) -> Fact:
    """What was asked and denied; a medicine that was still to be taken has ended."""
    quotes = _both(told, maker, reply)
    if told.negated:
        return maker.made(told, quotes, "doctor")
    details = {key: value for key, value in told.details.items() if key == "relative"}
    told = replace(told, negated=True, since=None, until=None, details=details)
    stops = STOPS.search(whole.plain)
    if told.kind == "medicine" and (stops or re.search(r"\bstill\b|还在|todavia", question.words)):
        when = next(iter(dates(whole.plain, question.today)), None)
        told = replace(told, negated=False, until=when.day if when else question.today.isoformat())
        quotes = (quotes[0], maker.quote(0, len(whole.text)))
    return maker.made(told, quotes, "doctor")


def _nothing(everything: tuple[Kind, str], question: Asked, maker: _Maker, reply: Quote) -> Fact:
    """`Any allergies?` `No.`"""
    kind, value = everything
    last = question.last
    whole = maker.quote(last[0].start, last[-1].stop, "doctor")
    clause = last[0]._replace(stop=last[-1].stop)
    told = Told(kind, value, whole.start, whole.stop, clause, negated=True)
    return maker.made(told, (whole, reply), "doctor")


def _reactions(question: Asked, whole: Message, maker: _Maker, reply: Quote) -> list[Fact]:
    """`What happens when you take clonidine?` `I get a bad rash.`"""
    match = WHAT_HAPPENS.search(question.words)
    named = [one for one in mentions(question.text) if question.last and one.start >= question.last[0].start]
    if not match or not named or not REACTION.search(whole.plain) or NO.match(whole.plain):
        return []
    details = reaction_told(whole.plain)
    if details["severity"] in (None, "intolerance") and question.carried != "allergy":
        return []
    clause = question.last[-1]
    told = Told("allergy", allergen(named[0].written), named[0].start, named[0].stop, clause, details=details)
    quote = maker.quote(0, len(whole.text))
    return [maker.made(told, (maker.quote(clause.start, clause.stop, "doctor"), quote or reply), "doctor")]


def _dose_in(whole: Message) -> dict[str, str]:
    """The dose and how often that an answer tells without the name of the medicine."""
    found = how_often(whole, 0, len(whole.text))
    if match := AMOUNT.search(whole.plain):
        found["dose"] = whole.text[match.start() : match.end()].strip()
    return found


def _completions(question: Asked, whole: Message, told: Sequence[Told], maker: _Maker) -> list[Fact]:
    """A bare answer read as the statement that the question makes of it: `How old are you?` `42.`"""
    facts: list[Fact] = []
    if len(whole.text) > 60 or not question.asks:
        return facts
    for pattern, lead, kind in _COMPLETED:
        if re.search(pattern, question.words) and all(one.kind != kind for one in told):
            longer = Message(lead + whole.text.lstrip(), third_is_patient=False)
            shift = len(whole.text) - len(whole.text.lstrip()) - len(lead)
            for one in states(longer, question.today):
                if one.kind == kind and not one.negated and one.stop + shift > 0:
                    start = max(0, one.start + shift)
                    moved = replace(one, start=start, stop=one.stop + shift, clause=whole.clauses[0])
                    doctor = maker.quote(question.last[0].start, question.last[-1].stop, "doctor")
                    facts.append(maker.made(moved, (doctor, maker.quote(0, len(whole.text)))))
    return facts


def _unique(facts: Iterable[Fact]) -> list[Fact]:
    """Each fact once: of two that tell the same of the same thing, the one with more details."""
    found: dict[tuple[object, ...], Fact] = {}
    for fact in facts:
        key = (fact.kind, fact.value, fact.negated, fact.relative, fact.valid_until, fact.once, fact.quotes[-1].message)
        known = found.get(key)
        if known is None or _told_details(fact) > _told_details(known):
            found[key] = fact
    return list(found.values())


def _told_details(fact: Fact) -> int:
    return len(fact.model_dump(exclude_none=True, exclude_defaults=True))
