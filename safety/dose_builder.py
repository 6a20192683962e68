"""The parts of one drug's doses put together: what one tablet holds, how many, how often."""

import re
from dataclasses import dataclass, replace
from math import log
from typing import Literal

from primum.safety import dose_words as words
from primum.safety.dose_tokens import (
    MOST_AT_ONCE,
    Text,
    Token,
    parts_of,
    products,
    sentence_at,
    usual_most,
    usual_units,
)
from primum.safety.dose_words import COUNTED, TAKEN_WHOLE

_FORMS = {"transdermal": "patch", "inhaled": "puff"}  # what is counted where no unit says so
_FACTORS = {"mg": 1.0, "mcg": 0.001, "g": 1000.0}

_FEWEST_HANDED_OUT, _MONTH, _ALIKE = 5, 28, 0.03  # tablets; what differs by less is the same amount
_MOST_COUNTED, _MOST_TABLETS = 12, 60  # a larger figure without a unit may be an amount, and is one

Kind = Literal["advice", "limit", "denied", "warning", "former", "unreadable"]


@dataclass(frozen=True)
class Dose:
    """One dose as the text gives it. Masses are in mg; a range counts with its upper end.

    `amount` is one intake in `unit`; `daily` a total of the day that the text states; `per_day` intakes a day (a
    seventh for one a week); `hours` the time that it runs in; `per_hour` marks what runs in all the time or comes
    out of a patch, `per_area` what is told for a square metre. `course` is the days that it is told for. `told` marks
    what was ordered, not what was taken, `each_time` what is taken as often as the dose before. `parts` has each
    substance, what one `unit` of the dose holds of it, and the unit of that.
    """

    drug: str
    written: str
    start: int
    stop: int
    kind: Kind = "advice"
    amount: float | None = None
    unit: str = "mg"
    count: float | None = None
    per_day: float | None = None
    interval_hours: float | None = None
    daily: float | None = None
    per_kg: bool = False
    per_area: bool = False
    per_hour: bool = False
    route: str | None = None
    other: float | None = None
    note: str = ""
    extra: bool = False
    told: bool = False
    hours: float | None = None
    each_time: bool = False
    course: float | None = None
    parts: tuple[tuple[str, float, str], ...] = ()

    @property
    def total(self) -> float | None:
        """Amount a day, if the text says it or how often."""
        if self.daily is not None:
            return self.daily
        return self.amount * self.per_day if self.amount is not None and self.per_day is not None else None


def _stands_for_another(before: str) -> bool:
    """`5 mg, not 50`: whether a number follows the amount that is meant in its place."""
    return words.NOT_THIS.search(before) is not None and words.AMOUNT.search(before) is not None


def _kind(text: Text, token: Token) -> Kind:
    """Whether an amount is advised, a limit, denied, over and done with, or a warning about too much."""
    before, after = text.before(token.start), text.after(token.stop, token.start)
    if words.LIMIT_BEFORE.search(before) or words.LIMIT_AFTER.match(after):
        return "limit"
    asked = after.rstrip().endswith("?")
    if words.REFUSED_BEFORE.search(before) or (_stands_for_another(before) and not asked):
        return "denied"
    denial = words.DENIED.search(before)
    if denial and not words.TURNS.search(denial["between"]) and "without" not in before:
        return "advice" if asked and denial.group().startswith(("can", "shouldn")) else "denied"
    sentence = before + " | " + after
    if words.PAST.may(sentence) and words.PAST.search(sentence) and not words.LASTING.search(sentence):
        return "former"
    if asked:
        return "advice"
    if words.MORE.search(before):
        return "advice" if words.ALLOWED.search(before) and not re.search(r"\bif\b", before) else "warning"
    if words.WARNED.search(sentence):
        return "warning"
    harm = words.HARM_AFTER.match(after)
    if harm and not words.NO_HARM.search(harm.group()):
        return "advice" if words.TAKER.search(before) else "warning"
    if words.POISONED.search(before):
        return "advice" if re.search(r"\b(?:i|he|she|took|taken|swallowed)\b", before) else "warning"
    return "advice"


def _route(text: Text, token: Token) -> str | None:
    """The route that the sentence names nearest to the amount."""
    if form := {"patch": "transdermal", "suppository": "rectal"}.get(token.unit):
        return form
    a, b = sentence_at(text.written, token.start)
    near = [(abs(start - token.stop), route) for start, route in text.routes if a <= start < b]
    if token.unit == "tablet":  # `3 tabs daily, eye check`
        near = [(gap, route) for gap, route in near if route not in ("eye", "ear", "nasal")]
    if token.unit == "puff":
        return next((route for _, route in near if route in ("nasal", "sublingual")), "inhaled")
    return min(near)[1] if near else None


class Builder:
    """Puts the tokens of one drug together to doses."""

    def __init__(self, text: Text, drug: str) -> None:
        self.text = text
        self.drug = drug
        self.done: list[Dose] = []
        self.kinds: dict[tuple[int, int], Kind] = {}  # of the tokens that were judged already
        self.now: Dose | None = None  # the dose to which the next tokens may still belong
        self.timed = False  # its frequency are times of the day so far
        self.strength: float | None = None  # of one tablet, as told
        self.strength_unit = "mg"
        self.counted = False  # a number without a unit was a count of tablets
        self.piece_at = 0  # where the strength of one was told apart from a dose
        self.last: Token | None = None  # the last mass told
        self.listed: int | None = None  # where a mass without a unit ended
        self.per_ml: tuple[float, str] | None = None
        self.ratio: tuple[float, ...] = ()
        self.waiting: Token | None = None  # a frequency before its dose
        self.day_before: Token | None = None  # `a day` before its dose

    def read(self, tokens: list[Token]) -> list[Dose]:
        """The doses that the drug's tokens make."""
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            if token.kind == "bare" and self._is_handed_out(token):
                continue
            if token.kind == "bare" and not self._of_a_strength(token, following) and self._is_mass(token):
                self._take(self._with_unit(token), following)
                self.listed = token.stop
            elif token.kind in ("amount", "count", "bare"):
                self.counted |= token.kind == "bare"
                self._take(token, following)
            elif token.kind == "unitless":
                self._unitless(token, following)
            elif token.kind == "piece":
                self._piece(token, following)
            elif token.kind == "over":
                self.now = replace(self.now, hours=token.value) if self.now else None
            elif token.kind == "strength":
                self._set_strength(token)
            elif token.kind == "ratio":
                self.ratio = parts_of(self._said(token))
            elif token.kind == "odd":
                self._unreadable(token)
            elif (
                token.kind == "time"
                and following
                and words.HAN_GAP.fullmatch(self.text.plain, token.stop - 1, following.start)
            ):
                self.waiting = token  # 早上五片: the time stands before what is taken then
            else:
                self._when(token)
        self._close()
        self._one_of_a_product()
        return [self._finish(dose) for dose in self.done]

    def _kind(self, token: Token) -> Kind:
        place = token.start, token.stop
        if place not in self.kinds:
            self.kinds[place] = _kind(self.text, token)
        return self.kinds[place]

    def _said(self, token: Token) -> str:
        return self.text.written[token.start : token.stop]

    def _gap(self, token: Token) -> str:
        """What stands between the dose in hand and a token."""
        return self.text.plain[self.now.stop : token.start] if self.now else ""

    def _close(self) -> None:
        if self.now is not None:
            self.done.append(self.now)
        self.now, self.timed = None, False

    def _start(self, token: Token, amount: float, unit: str, count: float | None = None, note: str = "") -> Dose:
        """Opens a dose; a frequency that stands right before it is its own."""
        extra = token.kind == "bare" and self._counted_on(token)
        self._close()
        dose = Dose(
            self.drug, token.owner.written if token.owner else self.drug, token.start, token.stop,
            self._kind(token), amount, unit, count, route=_route(self.text, token), other=token.other,
            per_kg="kg" in token.per, per_area="area" in token.per, per_hour="hour" in token.per,
            note=note, told=self._is_told(token),
            extra=extra or bool(words.EXTRA.search(self.text.plain, max(0, token.start - 30), token.stop)),
        )  # fmt: skip
        if "day" in token.per:
            dose = replace(dose, daily=amount, amount=None)
        if (
            self.waiting
            and not words.PARTED.search(self.text.plain, self.waiting.stop, token.start)
            and (token.start - self.waiting.stop < 25)
        ):
            dose = self._with_waiting(dose, self.waiting)
        elif self.day_before and token.start - self.day_before.stop < 12:
            dose = replace(dose, daily=amount, amount=None)
        self.waiting = self.day_before = None
        self.now = dose
        return dose

    def _with_waiting(self, dose: Dose, often: Token) -> Dose:
        """The dose with the frequency or the time of day that stood before it."""
        if often.kind != "time":
            return replace(dose, per_day=often.value, interval_hours=often.hours)
        self.timed = True
        return replace(dose, per_day=1.0, extra=dose.extra or any(one.per_day == 1.0 for one in self.done[-1:]))

    def _take(self, token: Token, following: Token | None) -> None:
        if self._is_handed_out(token) or self._is_of_the_day(token):
            return
        if self._kind(token) == "limit":
            self._limit(token, following)
        elif token.unit in TAKEN_WHOLE:
            self._count(token)
        elif token.unit == "ml":
            self._volume(token)
        elif token.kind == "count":
            self._pieces(token)
        else:
            self._mass(token)

    def _is_handed_out(self, token: Token) -> bool:
        """`500 mg three times a day, 21 capsules`: a count behind a whole schedule is that of the course."""
        now, many = self.now, token.times or token.value
        if now is None or now.kind == "limit" or (now.total is None and many < _MONTH):
            return False
        by_tens = now.unit == "tablet" and many >= _MONTH and many % 10 == 0
        pack = token.kind == "bare" and many >= MOST_AT_ONCE and (many % 7 == 0 or by_tens)  # `10 mg at night, 28`
        if not (pack or token.kind == "count" or token.times):
            return False
        if many < _FEWEST_HANDED_OUT or many == now.count or not words.HANDED_OUT_BEFORE.search(self._gap(token)):
            return False
        said = self._gap(token) if now.total else self.text.before(token.start)
        return not words.SWALLOWED.search(said) and bool(words.HANDED_OUT_AFTER.match(self.text.plain, token.stop))

    def _is_of_the_day(self, token: Token) -> bool:
        """`2,700 mg a day, as three 900s`, `8 in all, two at a time`: the day's total once more, or one intake."""
        now, gap = self.now, self._gap(token)
        if now is None or now.daily is None or now.kind != "advice" or len(gap) > 60:
            return False
        mass, unit = token.value * (token.times or 1.0), token.unit
        if token.kind == "piece":
            mass, unit = self._with_unit(replace(token, unit="")).value * (token.times or 1.0), now.unit
        elif unit == "tablet" and now.unit != "tablet":
            strength, _ = self._strength(token)
            mass, unit = mass * (strength or (0.0, ""))[0], (strength or (0.0, ""))[1]
        if unit != now.unit or not mass:
            return False
        if token.times and abs(mass / now.daily - 1) < _ALIKE:
            return True
        each_go = words.EACH_GO_AFTER.match(self.text.plain, token.stop) or words.EACH_GO_BEFORE.search(gap)
        if not each_go or mass > now.daily or now.amount is not None:
            return False
        self.now = replace(now, amount=mass)
        return True

    def _counted_on(self, token: Token) -> bool:
        """`two at the gate and two on board`: a count that adds to the one before it."""
        now, gap = self.now, self._gap(token)
        once = now is not None and now.count is not None and (now.per_day is None or self.timed)
        return once and len(gap) < 40 and bool(words.COUNTED_ON.search(gap)) and not words.OTHERWISE.search(gap)

    def _is_told(self, token: Token) -> bool:
        before, after = self.text.before(token.start), self.text.plain[token.stop : token.stop + 30]
        return bool(words.TOLD.search(before) or words.TOLD_AFTER.match(after))

    def _of_a_strength(self, token: Token, following: Token | None) -> bool:
        """`50 paracetamol 500 mg`: a count, then the name, then what one holds."""
        name = token.owner
        if name is None or following is None or following.kind != "amount":
            return False
        return token.stop <= name.start and 0 <= following.start - name.stop <= 1

    def _is_mass(self, token: Token) -> bool:
        """Whether a number without a unit is another amount (`then 75 daily`), by what was told or is usual."""
        now, last = self.now, self.last.value / self.last.factor if self.last else None
        figure = self._said(token)[0].isdigit() and not words.OF_THEM.search(self._said(token))
        if last and self.listed and words.LISTED.fullmatch(self.text.plain, self.listed, token.start):
            return 0.1 <= token.value / last <= 10
        if figure and last == token.value > 1:
            return token.value > _MOST_COUNTED or now is None or now.count is None
        ordered = words.AS_MASS.search(self.text.before(token.start))
        if token.value <= _MOST_COUNTED:
            whole = now is not None and now.count is None and now.unit != "tablet"
            if ordered and last and ordered.group().startswith(("s", "m", "instead", "en ")):
                return (0.01 if self.last and self.last.unit == "unit" else 0.1) <= token.value / last <= 100
            return bool(ordered and last and whole and 0.1 <= token.value / last <= 10)
        if not figure or ((self.strength or self.counted) and not ordered and token.value <= _MOST_TABLETS):
            return False
        mass, usual = self._with_unit(token).value, usual_most().get(self.drug, 0.0)
        if self.last:
            return 0.05 <= mass / self.last.value <= 20
        return bool(usual and mass >= 0.05 * usual * _FACTORS.get(usual_units()[self.drug], 1.0))

    def _with_unit(self, token: Token) -> Token:
        """A number without a unit in that of the amount before it or in the usual one, whichever makes it likely."""
        usual, most = usual_units().get(self.drug, "mg"), usual_most().get(self.drug, 0.0)
        if any((item.amount or 1.0) < 1 for item in products().get(self.drug, ())[:1]):
            usual = "mcg"  # of an inhaler
        if self.last and self.last.unit != "mg":
            return replace(token, kind="amount", unit=self.last.unit)
        if usual not in _FACTORS:
            return replace(token, kind="amount", unit=usual)
        most *= _FACTORS[usual]
        factors = [self.last.factor if self.last else _FACTORS[usual], _FACTORS[usual], 1.0, 0.001]
        likely = (factor for factor in factors if not most or 0.005 <= token.value * factor / most <= 20)
        factor = next(likely, factors[0])
        return replace(token, kind="amount", value=token.value * factor, unit="mg", factor=factor)

    def _unitless(self, token: Token, following: Token | None) -> None:
        """`ibuprofen 800 bd`, `Wellbutrin XL 300, one at night`; `paracetamol 2 at night` is a count."""
        most = usual_most().get(self.drug, 0.0)
        if token.value <= _MOST_COUNTED and most and token.value < 0.02 * most:
            self._count(replace(token, kind="bare", unit="tablet"))
            return
        said = f"{self._said(token)} without a unit"
        mass = self._with_unit(token)
        self.last = mass
        now, name = self.now, token.owner
        counted = now is not None and name is not None and now.count and now.stop <= name.start
        if now and name and counted and words.FILL.fullmatch(self.text.plain, now.stop, name.start):
            self._of_each(now, mass)  # `dos pastillas de zolpidem de 10`
            self.now = replace(self.now, note="") if self.now else None
            return
        if following and following.kind == "bare" and following.start - token.stop < 40:
            self.strength, self.strength_unit = mass.value, mass.unit
        now = self._start(mass, mass.value, mass.unit, note=said)
        if words.PATCH_NEXT.match(self.text.plain, token.stop):
            self.now = replace(now, route="transdermal", note="")

    def _piece(self, token: Token, following: Token | None) -> None:
        """`500s`: the strength of the tablets counted before or after."""
        if self._is_of_the_day(token):
            return
        mass = self._with_unit(replace(token, unit=""))
        self.last, self.strength, self.strength_unit, self.piece_at = mass, mass.value, mass.unit, token.stop
        now = self.now
        if token.times and now and words.THAT_IS.fullmatch(self._gap(token)):
            return
        if token.times:
            self._start(mass, mass.value * token.times, mass.unit, count=token.times)
        elif now and now.unit == "tablet" and now.count and len(self._gap(token)) < 40:
            total = mass.value * now.count
            daily = None if now.daily is None else total
            self.now = replace(
                now, amount=None if daily else total, daily=daily, unit=mass.unit, stop=token.stop, note=""
            )
        elif not (following and following.kind in ("bare", "count")):
            self._start(mass, mass.value, mass.unit)

    def _follows(self, token: Token) -> bool:
        """Whether an amount may say more of the dose in hand."""
        now, gap = self.now, self._gap(token)
        name = token.owner  # `昨晚吃了10片阿普唑仑0.4毫克`: but the name stands between
        named = name.stop - name.start if name and now and now.stop <= name.start < token.start else 0
        is_open = now is not None and (now.per_day is None or len(gap) - named <= 3) and now.kind != "limit"
        return is_open and len(gap) < 40 and not words.PARTED.search(gap)

    def _mass(self, token: Token) -> None:
        now = self.now
        if "dose" not in token.per and not token.times and self._kind(token) != "denied":
            self.last = token
        each = words.EACH_NEXT.match(self.text.plain, token.stop) and len(self._gap(token)) < 40
        if now and now.count and now.unit == "tablet" and (each or self._follows(token)):
            self._of_each(now, token)
        elif now and now.unit == "ml" and now.amount and self._gap(token).strip() == "(" and self._follows(token):
            self.now = replace(now, amount=token.value, unit=token.unit, stop=token.stop)
        elif now and now.amount and now.interval_hours and token.value > now.amount and self._is_up_to(token):
            self.now = replace(now, daily=token.value, interval_hours=None)  # `2 mg every 5 minutes up to 10 mg`
        elif token.times:
            self.strength, self.strength_unit = token.value, token.unit
            self._start(token, token.value * token.times, token.unit, count=token.times)
        else:
            if words.EACH_HOLDS.search(self.text.plain[max(0, token.start - 40) : token.start]):
                self.strength, self.strength_unit = token.value, token.unit
                return
            now = self._start(token, token.value, token.unit)
            if "each" in token.per or words.TABLETS_NEXT.match(self.text.plain, token.stop):
                self.strength, self.strength_unit = token.value, token.unit
            if now.amount is not None:
                self._times_after(now, now.amount, token)

    def _is_up_to(self, token: Token) -> bool:
        return len(self._gap(token)) < 40 and words.UP_TO.search(self.text.before(token.start)) is not None

    def _of_each(self, now: Dose, token: Token) -> None:
        """`2 tablets of 500 mg`, `2 tablets (1000 mg)`."""
        count = now.count or 1.0
        total = self._gap(token).rstrip().endswith("(") and self._is_total(count, token)
        self.strength, self.strength_unit = token.value / count if total else token.value, token.unit
        amount = self.strength * count
        now = replace(now, amount=amount, unit=token.unit, stop=token.stop, other=token.other)
        self.now = now if now.daily is None else replace(now, daily=amount, amount=None)

    def _is_total(self, count: float, token: Token) -> bool:
        """Whether an amount in brackets is that of all tablets together, by what one usually holds."""
        each = "each" in token.per or words.EACH_NEXT.match(self.text.plain, token.stop)
        usual = _usual_strength(self.drug)
        return not each and count > 1 and usual is not None and abs(token.value - usual * count) < 0.5

    def _times_after(self, now: Dose, amount: float, token: Token) -> None:
        """`400 mg x 2`, `400 mg x 3 daily`."""
        match = words.TIMES_AFTER.match(self.text.plain, token.stop)
        if not match:
            return
        many = float(match[1])
        if many >= MOST_AT_ONCE and not words.SWALLOWED.search(
            self.text.before(token.start) + self.text.after(token.stop, token.start)
        ):
            return  # so many are handed out
        if match["daily"] is not None:
            self.now = replace(now, per_day=many)
        else:
            self.now = replace(now, amount=amount * many, count=many)

    def _pieces(self, token: Token) -> None:
        """Puffs, drops, patches: `100 mcg, 2 puffs`."""
        now = self.now
        if now and now.unit == "mg" and now.amount and not now.count and not now.per_day and len(self._gap(token)) < 30:
            self.now = replace(now, amount=now.amount * token.value, count=token.value, stop=token.stop)
        else:
            self._start(token, token.value, token.unit)

    def _count(self, token: Token) -> None:
        """Tablets, with the strength that is told before or after, or that is usual."""
        if self._counts_what_is_told(token) or self._says_how_often(token):
            return
        strength, note = self._strength(token)
        form = _FORMS.get(_route(self.text, token) or "") if token.kind == "bare" and strength is None else None
        if form and not self._held_in("tablet"):
            self._start(token, token.value, form, count=token.value)
            return
        before = self.now or next(iter(self.done[-1:]), None)
        if strength and not self._held_in("tablet"):
            now = self._start(token, token.value * strength[0], strength[1], count=token.value, note=note)
        else:
            now = self._start(token, token.value, "tablet", count=token.value, note=note)
        most = before.daily if before and before.unit == now.unit and now.amount else None
        if most and now.amount and now.amount <= most and words.I_HAD.search(self.text.before(token.start)):
            self.now = replace(now, daily=now.amount, amount=None)  # `at most 8 a day, and I had 6`

    def _counts_what_is_told(self, token: Token) -> bool:
        """`500 mg, 2 tablets`: so many of the dose in hand; `1000 mg (2 tablets)`: the dose in hand once more."""
        now, gap = self.now, self._gap(token)
        if now is None or now.amount is None or now.count is not None:
            return False
        each_go = words.EACH_GO_BEFORE.search(gap) or words.EACH_GO_AFTER.match(self.text.plain, token.stop)
        if now.per_day is not None and not (each_go and len(gap) < 20):
            return False
        if now.unit in COUNTED or now.unit == "ml" or self.piece_at > now.stop:
            return False
        if words.THAT_IS.fullmatch(gap):
            return True
        if now.kind == "limit" or len(gap) >= 60:
            return False
        if self.strength and now.amount != self.strength:
            return now.amount == self.strength * token.value
        self.strength, self.strength_unit = now.amount, now.unit
        other = now.other * token.value if now.other else None
        amount, told = now.amount * token.value, now.told or self._is_told(token)
        now = replace(now, amount=amount, count=token.value, stop=token.stop, other=other, told=told)
        self.now = self._with_waiting(now, self.waiting) if self.waiting and self.waiting.kind == "time" else now
        self.waiting = None
        return True

    def _says_how_often(self, token: Token) -> bool:
        """`one every 4 hours, six a day`: how many of the dose in hand, not another dose."""
        now = self.now
        if now is None or now.per_day is None or now.per_day < 2 or token.kind != "bare" or self.timed:
            return False
        a_day = words.A_DAY.match(self.text.plain, token.stop)
        if not a_day or len(self._gap(token)) > 30 or now.kind == "limit":
            return False
        each = now.count or (now.amount if now.unit in COUNTED else None) or 1.0
        self.now = replace(now, per_day=token.value / each, interval_hours=now.interval_hours)
        return True

    def _strength(self, token: Token) -> tuple[tuple[float, str] | None, str]:
        """What one tablet holds and a note: told before, else the last amount told, else usual; not if told behind."""
        if self.strength:
            return (self.strength, self.strength_unit), ""
        if words.STRENGTH_NEXT.match(self.text.plain, token.stop):
            return None, ""
        if self.last and self.last.unit not in (*COUNTED, "ml") and not self.last.per & {"kg", "day", "hour"}:
            return (self.last.value, self.last.unit), ""
        usual = _usual_strength(self.drug)
        return (usual, "mg") if usual else None, f"a tablet counted as {usual:g} mg" if usual else ""

    def _volume(self, token: Token) -> None:
        if self.now and self.now.amount and self.now.unit != "ml" and words.DILUTED.fullmatch(self._gap(token)):
            self.per_ml = self.now.amount / token.value, self.now.unit
            return
        if self.per_ml is None and self.drug.startswith("insulin"):
            self.per_ml = (100.0, "unit")  # but for special pens, all insulin has 100 units in a millilitre
        if self.per_ml:
            if words.OF_A_BOTTLE.fullmatch(self._gap(token)) and self.now and self.now.total is None:
                self.now = None  # `250 mg in 5 ml: 10 ml` told but the strength
            self._start(token, token.value * self.per_ml[0], self.per_ml[1])
        elif self.now and self.now.amount and self.now.unit != "ml" and words.THAT_IS.fullmatch(self._gap(token)):
            self.per_ml = self.now.amount / token.value, self.now.unit
        else:
            self._start(token, token.value, "ml")

    def _set_strength(self, token: Token) -> None:
        """`120 mg/5 ml`: what a millilitre holds, also of a volume before it."""
        self.per_ml = each, unit = token.value / (token.per_ml or 1.0), token.unit

        def converted(dose: Dose) -> Dose:
            if dose.unit != "ml":
                return dose
            amount, daily = (None if told is None else told * each for told in (dose.amount, dose.daily))
            return replace(dose, amount=amount, daily=daily, unit=unit)

        self.done = list(map(converted, self.done))
        self.now = converted(self.now) if self.now else None

    def _limit(self, token: Token, following: Token | None) -> None:
        """A stated maximum, kept apart from the dose in hand."""
        if token.kind == "amount" and self.last is None and self.text.plain[: token.start].endswith("("):
            self.last = token  # `max two a day (220 mg)`
        if words.BY_THE_COURSE.match(self.text.plain, token.stop):
            return
        value, unit = token.value * (token.times or 1.0), token.unit
        strength, _ = self._strength(token)
        if unit == "tablet" and not self._held_in("tablet"):
            if strength is None:
                return
            value, unit = value * strength[0], strength[1]
        elif unit == "ml" and self.per_ml:
            value, unit = value * self.per_ml[0], self.per_ml[1]
        before = self.text.plain[max(0, token.start - 40) : token.start]
        after = self.text.plain[token.stop : token.stop + 30]
        a_day = following and following.kind == "day" and following.start - token.stop < 12
        single = "dose" in token.per or words.SINGLE.search(after) or (not a_day and words.SINGLE.search(before))
        weekly = words.WEEKLY.search(f"{before} | {after}")
        held = self.now, self.timed, self.waiting
        self.now = self.waiting = None
        limit = replace(self._start(token, value, unit), kind="limit")
        self.now, self.timed, self.waiting = held
        often = (
            following if following and following.kind in ("freq", "week") and following.start - token.stop < 8 else None
        )
        if often and not weekly:
            limit = replace(limit, per_day=often.value)
        if single:
            limit = replace(limit, amount=value, daily=None)
        elif (weekly or not often) and not limit.per_hour:
            note = "week" if weekly else "" if a_day else "once or a day"
            limit = replace(limit, daily=value / 7 if weekly else value, amount=None, note=note)
        self.done.append(limit)

    def _unreadable(self, token: Token) -> None:
        if self._kind(token) == "advice":
            written = token.owner.written if token.owner else self.drug
            self.done.append(Dose(self.drug, written, token.start, token.stop, "unreadable", note=self._said(token)))

    def _when(self, token: Token) -> None:
        """A frequency or a time of day, of the dose in hand or the next."""
        now = self.now
        if now is None:
            self.waiting = token if token.kind in ("freq", "week") else self.waiting
            self.day_before = token if token.kind == "day" else self.day_before
        elif token.kind in ("freq", "week"):
            self._often(now, token)
        elif token.kind == "day":
            self._daily(now, token)
        elif token.kind == "split":
            daily = now.amount if now.daily is None else now.daily
            if daily is not None and now.per_day in (None, 1.0):
                self.now = replace(now, daily=daily, amount=daily / token.value, per_day=token.value)
        elif token.kind == "time":
            self._at_time(now, token)
        elif token.kind == "today":
            in_all = words.OF_A_DAY.search(self.text.before(now.start)) and not words.OF_A_DAY.search(self._said(token))
            if (now.count or in_all) and now.per_day is None and now.daily is None:
                self.now = replace(now, daily=now.amount, amount=None)
        elif token.kind == "same":
            self.now = replace(now, each_time=True)
        elif token.kind == "cap":
            self.now = replace(now, per_day=min(now.per_day or token.value, token.value))

    def _often(self, now: Dose, token: Token) -> None:
        if now.daily is not None and now.amount is None:
            if token.kind != "week":
                self.now = replace(now, amount=now.daily / max(token.value, 1), per_day=None)
        elif now.per_day is None or self.timed or words.READ_AS.search(self._gap(token)):
            self.now = replace(now, per_day=token.value, interval_hours=token.hours)
            self.timed = False
        elif words.UP_TO.search(self.text.before(token.start)):
            self.now = replace(now, per_day=min(now.per_day, token.value))
        elif token.hours and now.interval_hours is None and len(self._gap(token)) < 60:
            self.now = replace(now, interval_hours=token.hours)
        elif now.per_day == 1.0 and token.value < 1 and len(self._gap(token)) < 30:
            self.now = replace(now, per_day=token.value)
        else:
            self.waiting = token

    def _daily(self, now: Dose, token: Token) -> None:
        if self._not_weekly(now, token):
            self.now = replace(now, per_day=1.0)
        elif now.per_day is None and now.daily is None and len(self._gap(token)) < 60:
            whole = now.route == "transdermal"  # a patch a day, not a day's amount
            self.now = replace(now, per_day=1.0) if whole else replace(now, daily=now.amount, amount=None)
        else:
            self.day_before = token

    def _not_weekly(self, now: Dose, token: Token) -> bool:
        """`my weekly tablet, 70 mg every morning`: taken daily."""
        weekly = now.per_day is not None and now.per_day < 0.5
        return weekly and len(self._gap(token)) < 4 and bool(words.EVERY.match(self._said(token).lower()))

    def _at_time(self, now: Dose, token: Token) -> None:
        """`10 mg in the morning and 20 mg at night`: two doses of one day, not one or the other."""
        if self._not_weekly(now, token):
            self.now = replace(now, per_day=1.0)
        elif now.per_day is None and now.daily is None:
            last = next((dose for dose in reversed(self.done) if dose.kind == "advice"), None)
            between = self.text.plain[last.stop : now.start] if last else ""
            added = (
                last is not None and last.per_day == 1.0 and not words.OTHERWISE.search(between) and len(between) < 60
            )
            self.now = replace(now, per_day=1.0, extra=now.extra or added)
            self.timed = True
        elif self.timed and now.per_day is not None and len(self._gap(token)) < 60:
            self.now = replace(now, per_day=now.per_day + 1)

    def _one_of_a_product(self) -> None:
        """`co-codamol twice a day`: with no amount told, one of a product of known strength."""
        often, held = self.waiting, products().get(self.drug, ())
        if not self.done and often and any(item.amount for item in held) and held[0].per in COUNTED:
            one = Token("count", often.start, often.stop, 1.0, held[0].per, owner=often.owner)
            self._start(one, 1.0, one.unit, count=1.0)
            self._close()

    def _held_in(self, form: str) -> bool:
        """Whether the table says what one tablet, sachet or puff of the product holds."""
        return any(item.amount is not None and _same_form(item.per, form) for item in products().get(self.drug, ()))

    def _in_order(self, amounts: list[float]) -> list[float]:
        """The told strengths for the ingredients; inhalers have theirs in micrograms, now one first, now the other."""
        if amounts[0] >= 1:
            return list(self.ratio)
        order = sorted(range(len(amounts)), key=amounts.__getitem__)
        told = dict(zip(order, sorted(part / 1000 for part in self.ratio), strict=True))
        return [told[i] for i in range(len(amounts))]

    def _finish(self, dose: Dose) -> Dose:
        """The dose with the substances of the product."""
        if dose.per_hour and dose.route is None and (dose.per_day is None or dose.per_day >= 1):
            dose = replace(dose, route="iv")  # a patch is told with its days
        held = products().get(self.drug, ())
        if not held or (held[0].amount is None and len(held) == 1):
            return replace(dose, parts=((self.drug, 1.0, dose.unit),))
        amounts = [item.amount or 0.0 for item in held]
        if self.ratio and len(self.ratio) == len(held):
            amounts = self._in_order(amounts)
        if dose.unit == "tablet" or _same_form(held[0].per, dose.unit):
            parts = [(i.substance, a / i.per_amount, i.unit) for i, a in zip(held, amounts, strict=True)]
        elif dose.unit == "mg" and len(held) == 1:
            parts = [(held[0].substance, 1.0, "mg")]
        elif dose.unit == "mg":  # the ingredient whose strength is nearest is the one meant
            value = (dose.amount or dose.daily or 1.0) / (dose.count or 1.0)
            meant = min((a for a in amounts if a), key=lambda a: abs(log(max(value, 1e-6) / a)), default=1.0)
            parts = [(i.substance, a / meant, i.unit) for i, a in zip(held, amounts, strict=True)]
        else:
            kind: Kind = "unreadable" if dose.kind == "advice" else dose.kind
            return replace(dose, kind=kind, note=self.text.written[dose.start : dose.stop])
        return replace(dose, parts=tuple(parts))


def _same_form(per: str, unit: str) -> bool:
    """Whether what the table tells of one form holds for another."""
    return per == unit or (per, unit) in (("tablet", "sachet"), ("tablet", "suppository"), ("sachet", "tablet"))


def _usual_strength(drug: str) -> float | None:
    """What a tablet holds where one strength is so usual that it may be taken for granted: `two paracetamol`."""
    held = products().get(f"{drug} tablet", ()) or products().get(drug, ())
    return held[0].amount if len(held) == 1 and held[0].per == "tablet" else None
