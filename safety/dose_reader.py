"""Doses of a text: how much of which drug, how often, by which route, and whether it is advised, limited or denied.

The parts that `dose_tokens` reads are put together to doses by `dose_builder`, drug by drug; then the doses are seen
side by side: which frequency goes for two, which dose is someone else's or was put right.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

from primum.safety import dose_words as words
from primum.safety.dose_builder import Builder, Dose
from primum.safety.dose_tokens import Text, days_of, names, owned, sentence_at
from primum.safety.remembered import remembered
from primum.safety.units import number

_ALIKE = 0.03  # what differs by less is the same amount
_CLOSE = 80  # characters behind a dose in which its taker says that it was not taken


@remembered(maxsize=512)
def read_doses(text: str) -> tuple[Dose, ...]:
    """Every dose of the text, in its order. A range counts with its upper end; nothing is guessed silently."""
    if not names(text):
        return ()
    read = Text(text)
    tokens = owned(read)
    doses: list[Dose] = []
    for drug in dict.fromkeys(token.owner.drug for token in tokens if token.owner):
        doses += Builder(read, drug).read([t for t in tokens if t.owner and t.owner.drug == drug])
    doses.sort(key=lambda dose: dose.start)
    doses = [_each_time(dose, doses[:i]) for i, dose in enumerate(doses)]
    doses = [_for_a_course(read, dose, later) for dose, later in zip_longest(doses, doses[1:]) if dose]
    doses = [dose for i, dose in enumerate(doses) if not _restated(read, dose, doses[:i])]
    doses = [dose for i, dose in enumerate(doses) if not _summed(read, dose, doses[:i])]
    infused = {dose.drug for dose in doses if dose.hours or (dose.per_hour and dose.route == "iv")}
    doses = [replace(one, route="iv") if one.route is None and one.drug in infused else one for one in doses]
    return tuple(_now_taken(read, _shared_frequency(read.plain, doses)))


def _each_time(dose: Dose, before: list[Dose]) -> Dose:
    """`and two paracetamol each time`: as often as what was told before."""
    often = next((one.per_day for one in reversed(before) if one.per_day), None)
    if not dose.each_time or dose.total is not None:
        return dose
    return replace(dose, per_day=often, extra=True)


def _for_a_course(text: Text, dose: Dose, later: Dose | None) -> Dose:
    """The dose with the days that it is told for, before the next dose: `for 7 days`, `5/7`, `days 1, 2 and 3`."""
    stop = min(dose.stop + _CLOSE, sentence_at(text.written, dose.start)[1], later.start if later else len(text.plain))
    match = words.COURSE.search(text.plain[dose.stop : stop])
    if match is None:
        return dose
    said = match.groupdict()
    period = said["p"] or said["one"] or said["q"] or {"52": "week", "12": "month"}.get(said["of"] or "", "day")
    if said["days"]:
        days = [int(day) for day in re.findall(r"\d+", said["days"])]
        listed = len(days) > 2 or re.search("and|y|,|&", said["days"])
        if listed and days[-1] - days[0] != len(days) - 1:
            return dose
        often = 1.0 if dose.per_day is None and dose.daily is None else dose.per_day
        return replace(dose, course=days[-1] - days[0] + 1.0, per_day=often)
    many = said["n"] or said["many"] or said["han"] or "1"
    return replace(dose, course=number(many)[0] * (1 / 24 if period.startswith("h") else days_of(period)))


def _restated(text: Text, dose: Dose, before: list[Dose]) -> bool:
    """`Lialda, four 1.2 g tablets, plus budesonide. 4.8 grams?`: what was told of another drug is told once more."""
    a, b = sentence_at(text.written, dose.start)
    if any(a <= name.start < b for name in text.names) or dose.unit != "mg" or dose.per_day is not None:
        return False
    amount = dose.amount or dose.daily
    return any(one.drug != dose.drug and amount in (one.amount, one.total) for one in before)


def _summed(text: Text, dose: Dose, before: list[Dose]) -> bool:
    """`500 mg three times a day, 1.5 g in all`: what was told by its parts is told once more as their sum."""
    last = next((one for one in reversed(before) if one.drug == dose.drug), None)
    if last is None or last.total is None or dose.kind != last.kind or dose.per_day is not None:
        return False
    gap, amount = text.plain[last.stop : dose.start], dose.amount or dose.daily or 0.0
    return len(gap) < _CLOSE and abs(amount / last.total - 1) < _ALIKE and words.SUMMED.search(gap) is not None


def _now_taken(text: Text, doses: list[Dose]) -> Iterator[Dose]:
    """The doses, those that were put right and those of someone else marked as former."""
    mine = words.MINE.search(text.plain) and any(one.kind == "advice" and not _others(text, one) for one in doses)
    for dose, later in zip_longest(doses, doses[1:]) if doses else ():
        between = text.plain[dose.stop : later.start] if later else ""
        same = later is not None and later.drug == dose.drug
        capped = same and later and words.CAPPED.search(between) and _is_more(dose, later)
        misread = same and not capped and words.MISREAD.search(between)
        put_right = same and not misread and len(between) < 150 and words.PUT_RIGHT.search(between)
        if (
            put_right
            and words.FRESH.search(text.before(dose.start) + between)
            and words.SWALLOWED.search(text.before(dose.start))
        ):
            put_right = None  # `took 30 mg by mistake last night, now I take 3`
        behind = between or text.plain[dose.stop : dose.stop + _CLOSE]
        not_done = words.NOT_DONE.search(behind) or (_is_wished(text, dose) and words.REFUSED_AFTER.search(behind))
        if misread:
            dose = replace(dose, told=True)
        if dose.kind == "advice" and (capped or put_right or not_done or (mine and _others(text, dose))):
            dose = replace(dose, kind="former")
        yield dose


def _is_more(dose: Dose, later: Dose) -> bool:
    """Whether a dose may be the larger one, which by weight or by the square metre it always may."""
    amount, other = dose.amount or dose.daily or 0.0, later.amount or later.daily or 0.0
    return dose.per_kg or dose.per_area or amount > other


def _is_wished(text: Text, dose: Dose) -> bool:
    """Whether a dose was asked for, offered or planned, and is not told as taken: only then a refusal is of it."""
    before = text.before(dose.start)
    return words.WISHED.search(before) is not None and not words.TAKER.search(before)


def _others(text: Text, dose: Dose) -> bool:
    """Whether its sentence tells that a dose is someone else's, or one that someone might take."""
    before = text.before(dose.start)
    if words.SUPPOSED.search(before):
        return True
    return words.OTHERS.search(before) is not None and not words.MINE.search(before)


def _shared_frequency(plain: str, doses: list[Dose]) -> list[Dose]:
    """`400 mg of this and 1 g of that four times a day`: the frequency goes for both."""
    for i in reversed(range(len(doses) - 1)):
        one, other = doses[i], doses[i + 1]
        gap = plain[one.stop : other.start]
        other_brand = one.drug == other.drug and one.written.lower() != other.written.lower() and "(" not in gap
        both = one.kind == other.kind == "advice" and one.amount and one.total is None
        both = both and (one.drug != other.drug or other_brand)
        often = other.per_day
        if both and often and len(gap) < 40 and words.JOINED.search(gap) and not re.search("[.;!?]", gap):
            share = 2 if words.ALTERNATING.search(plain) else 1
            hours = other.interval_hours and other.interval_hours * share
            other = replace(other, extra=other.extra or other_brand)
            doses[i : i + 2] = [replace(it, per_day=often / share, interval_hours=hours) for it in (one, other)]
    return doses
