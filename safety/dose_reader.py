"""Doses of a text: how much of which drug, how often, by which route, and whether it is advised, limited or denied.

First the text's tokens (amounts, frequencies) are read and given to the drugs named; then the tokens of
each drug are put together to doses.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from math import log
from typing import Literal

from primum.safety import dose_words as words
from primum.safety.dose_words import COUNTED, TAKEN_WHOLE
from primum.safety.lexicon import mentions
from primum.safety.phrases import Phrases, plain
from primum.safety.tables import read_table
from primum.safety.units import level, number, numbers

Kind = Literal["advice", "limit", "denied", "warning", "unreadable"]
_TIMES = re.compile(r"\d+(?=\s*(?:times|x)\b)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'“(¿¡]?[A-Z0-9ÁÉÍÓÚ*•-])|[。！？；;\n]+")


_KINDS = ("week", "cap", "split", "day", "time")  # of frequencies that are not merely so often


@dataclass(frozen=True)
class Dose:
    """One dose as the text gives it. Masses are in mg; a range counts with its upper end.

    `amount` is one intake in `unit`; `daily` a total of the day that the text states; `per_day` intakes a day (a
    seventh for one a week); `parts` each substance, what one `unit` of the dose holds of it, and the unit of that.
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
    route: str | None = None
    other: float | None = None
    note: str = ""
    extra: bool = False
    parts: tuple[tuple[str, float, str], ...] = ()

    @property
    def total(self) -> float | None:
        """Amount a day, if the text says it or how often."""
        if self.daily is not None:
            return self.daily
        return self.amount * self.per_day if self.amount is not None and self.per_day is not None else None


@dataclass(frozen=True)
class Ingredient:
    """What a product holds of one substance; without an amount, the product is but another name of it."""

    substance: str
    amount: float | None
    unit: str
    per: str
    per_amount: float


@dataclass(frozen=True)
class Name:
    """A drug or product named at `start:stop`; `drug` is the substance or the product's own name."""

    start: int
    stop: int
    written: str
    drug: str


@dataclass
class _Token:
    """A part of a dose: an amount or a frequency. `value` is in `unit`, or intakes a day."""

    kind: str
    start: int
    stop: int
    value: float = 0.0
    unit: str = ""
    times: float | None = None
    per: set[str] = field(default_factory=set)
    per_ml: float | None = None
    other: float | None = None
    hours: float | None = None
    owner: Name | None = None

    @property
    def is_amount(self) -> bool:
        return self.kind in ("amount", "count", "strength", "bare", "unitless", "odd")


@cache
def products() -> dict[str, tuple[Ingredient, ...]]:
    """What each product holds, from `data/products.csv`; an alias holds its one substance, without an amount."""
    found: dict[str, list[Ingredient]] = {}
    for row in read_table("products.csv"):
        amount = float(row["amount"]) if row["amount"] else None
        per_amount, _, per = row["per"].rpartition(" ")
        item = Ingredient(row["substance"], amount, row["unit"] or "mg", per, float(per_amount or 1))
        for name in row["product"].split("|"):
            found.setdefault(name.strip().lower(), []).append(item)
    return {name: tuple(items) for name, items in found.items()}


@cache
def usual_units() -> dict[str, str]:
    """The substances that the table of doses knows, each with the unit in which it is usually written."""
    return {row["substance"]: row["unit"] for row in reversed(read_table("doses.csv"))}


@cache
def _drugs() -> Phrases:
    """The names of the two tables: each means the substance, or the product if it holds amounts of its own."""
    names = [name for name in (*usual_units(), *reversed(products())) if not name.endswith(" tablet")]
    held = {name: products().get(name, ()) for name in names}
    return Phrases({n: h[0].substance if len(h) == 1 and h[0].amount is None else n for n, h in held.items()})


@lru_cache(maxsize=1024)
def names(text: str) -> tuple[Name, ...]:
    """Drugs and products of a text, by the tables' names first and then by the lexicon's."""
    shown = _TIMES.sub(lambda number: "_" * len(number.group()), text)  # "Tylenol 3 times a day" is not Tylenol 3
    found = [Name(start, stop, text[start:stop], drug) for start, stop, drug in _drugs().places(level(shown))]
    for mention in mentions(shown):
        name = _drugs().meanings.get(plain(mention.name), mention.name)
        tail = name not in usual_units() and any(0 <= mention.start - other.stop <= 1 for other in found)
        if not tail and all(mention.stop <= other.start or mention.start >= other.stop for other in found):
            found.append(Name(mention.start, mention.stop, mention.written, name))
    return tuple(sorted(found, key=lambda name: name.start))


@lru_cache(maxsize=64)
def sentences(text: str) -> tuple[tuple[int, int], ...]:
    """Start and stop of each sentence."""
    bounds = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return tuple((a, b) for a, b in pairwise(bounds) if text[a:b].strip())


def sentence_at(text: str, place: int) -> tuple[int, int]:
    """Start and stop of the sentence in which a place lies."""
    return next(((a, b) for a, b in sentences(text) if a <= place < b), (0, len(text)))


class _Text:
    """A text that is read: levelled, with the drugs it names, its routes, and which of its letters are read already."""

    def __init__(self, written: str) -> None:
        self.written = written
        self.plain = level(written)
        self.names = names(written)
        self._read = bytearray(len(written))

    def free(self, start: int, stop: int) -> bool:
        return self._read.find(1, start, stop) < 0

    def take(self, start: int, stop: int) -> None:
        self._read[start:stop] = b"\1" * (stop - start)

    @cached_property
    def routes(self) -> list[tuple[int, str]]:
        return [(match.start(), route) for route, finder in words.ROUTES for match in finder.finditer(self.plain)]

    def before(self, place: int) -> str:
        """What stands before a place in its sentence."""
        start = max((a for a, _ in sentences(self.written) if a <= place), default=0)
        return self.plain[max(start, place - 120) : place]

    def after(self, place: int, start: int) -> str:
        """What follows a place in the sentence that holds `start`."""
        return self.plain[place : sentence_at(self.written, start)[1]]


def _tokens(text: _Text) -> list[_Token]:
    """Amounts and frequencies in order, none overlapping another; what is read first wins."""
    found: list[_Token] = []
    for name in text.names:
        if any(sign.isdigit() for sign in name.written):
            text.take(name.start, name.stop)
    for read in (_ratios, _frequencies, _amounts, _odd_units, _bare_counts, _beside_names):
        for token in read(text):
            if text.free(token.start, token.stop):
                text.take(token.start, token.stop)
                found.append(token)
    return sorted(found, key=lambda token: token.start)


def _ratios(text: _Text) -> Iterator[_Token]:
    """`30/500`: the strengths of a product's ingredients; one sum where the table counts them together."""
    for match in words.RATIO.finditer(text.plain):
        name = next((name for name in text.names if name.stop <= match.start() <= name.stop + 25), None)
        if name and len(products().get(name.drug, ())) > 1:
            yield _Token("ratio", *match.span())
        elif name:
            yield _Token("amount", *match.span(), sum(_parts_of(match.group())), "mg")


def _parts_of(ratio: str) -> tuple[float, ...]:
    return tuple(float(part) for part in re.findall(r"\d+(?:\.\d+)?", ratio))


def _frequencies(text: _Text) -> Iterator[_Token]:
    """Intakes a day, with the shortest time between two where the text gives it; of a range the more."""
    for kind, per_day, finder in words.FREQUENCIES:
        for match in finder.finditer(text.plain):
            said = match.groupdict()
            many = [_many(said[group]) for group in ("n", "n2") if said.get(group)]
            token = _Token(kind if kind in _KINDS else "freq", *match.span(), per_day, hours=_hours(kind, many))
            if token.hours:
                token.value = 24 / max(token.hours, 0.1)
            elif kind == "days":
                token.value = 1 / max(many[0] * _days(said["p"]), 1)
            elif many:
                token.value = max(many) / _days(said.get("p") or "day")
            yield token


def _hours(kind: str, many: list[float]) -> float | None:
    return {"hours": min(many, default=0), "minutes": min(many, default=0) / 60, "hour": 1.0}.get(kind)


def _many(word: str) -> float:
    return words.INTAKES.get(word.replace(".", "")) or number(word)[0]


def _days(period: str) -> float:
    """The days of `a week`, `monthly`, `天`."""
    return next((days for days, pattern in words.PERIODS if pattern.search(period)), 1.0)


def _amounts(text: _Text) -> Iterator[_Token]:
    for match in words.AMOUNT.finditer(text.plain):
        token = _amount(match)
        _read_per(text, token)
        measured = words.LAB.search(text.plain[max(0, token.start - 60) : token.start])
        place = max(0, token.start - 60) + measured.start() if measured else -1
        of_body = measured and not any(name.start <= place < name.stop for name in text.names)
        if "lab" in token.per or of_body or (token.kind == "amount" and words.NO_DRUG.match(text.plain, token.stop)):
            token.kind = "lab"
        elif token.per_ml:
            token.kind = "strength"
        yield token


def _amount(match: re.Match[str]) -> _Token:
    """`500 mg`, `2 x 500 mg`, `400-800 mg`: of a range the upper end."""
    kind, factor = words.UNITS[match["unit"]]
    value, other = number(match["upper"] or match["number"])
    low = number(match["number"])[0] * (words.UNITS[match["low"]][1] if match["low"] else factor)
    token = _Token("count" if kind in COUNTED else "amount", *match.span(), max(low, value * factor), kind)
    token.other = other * factor if other else None
    if match["times"] and kind not in COUNTED:
        token.times = number(match["times"])[0]
    return token


def _read_per(text: _Text, token: _Token) -> None:
    """`/kg`, `per dose`, `/5 ml`: what an amount is for."""
    while (per := words.PER.match(text.plain, token.stop)) and text.free(*per.span()):
        name = per.lastgroup or ""
        if name == "ml" and token.unit != "ml":
            token.per_ml = float(per["n"] or 1)
        token.per.add(name)
        token.stop = per.end()


def _odd_units(text: _Text) -> Iterator[_Token]:
    for match in words.ODD_UNIT.finditer(text.plain):
        if match["unit"] not in words.NO_UNITS and not words.NO_DRUG.match(text.plain, match.end()):
            yield _Token("odd", *match.span())


def _bare_counts(text: _Text) -> Iterator[_Token]:
    """`take 2 every 6 hours`: tablets that no unit follows."""
    for match in words.BARE_COUNT.finditer(text.plain):
        value = max(number(written)[0] for written in match.group("n", "n2") if written)
        if value <= 60:
            yield _Token("bare", match.start("n"), match.end(), value, "tablet")


def _beside_names(text: _Text) -> Iterator[_Token]:
    """`two paracetamol`; `ibuprofen 800 bd`."""
    for name in text.names:
        for start in numbers(text.plain):
            match = (
                words.BEFORE_NAME.match(text.plain, start, name.start) if name.start - 40 < start < name.start else None
            )
            if match and match["n"] not in words.VAGUE and 0.5 <= (value := number(match["n"])[0]) <= 100:
                yield _Token("bare", *match.span("n"), value, "tablet")
        match = words.AFTER_NAME.match(text.plain, name.stop)
        if match and match["n"][0].isdigit():
            yield _Token("unitless", *match.span("n"), number(match["n"])[0])


def _owners(text: _Text, tokens: list[_Token]) -> None:
    """Gives each token the drug that it belongs to."""
    previous: Name | None = None
    only = text.names[0] if len({name.drug for name in text.names}) == 1 else None
    for a, b in sentences(text.written):
        here = [name for name in text.names if a <= name.start < b]
        inside = [token for token in tokens if a <= token.start < b]
        amounts = [token for token in inside if token.is_amount]
        leads = bool(
            amounts and here and amounts[0].start < here[0].start and _belongs(text, amounts[0], here[0], inside)
        )
        for token in amounts:
            behind = bisect_right([name.start for name in here], token.start)
            before, after = here[behind - 1] if behind else None, here[behind] if behind < len(here) else None
            close = before and not leads and not re.search(r"\w", text.plain[before.stop : token.start])
            if after and not close and _belongs(text, token, after, inside):
                token.owner = after
            else:
                token.owner = before or (previous if leads else after) or after or previous or only
        for token in inside:
            if not token.is_amount:
                token.owner = _nearest(token, amounts, here) or previous
        previous = here[-1] if here else previous


def _belongs(text: _Text, token: _Token, name: Name, tokens: list[_Token]) -> bool:
    """Whether only filling words and other parts of the dose stand between an amount and the name behind it."""
    gap = list(text.plain[token.stop : name.start])
    for other in tokens:
        for place in range(max(other.start, token.stop), min(other.stop, name.start)):
            gap[place - token.stop] = " "
    rest = "".join(gap)
    return len(rest) < 60 and not re.search(r"\band\b|[.;!?]", rest) and bool(words.FILL.fullmatch(rest))


def _nearest(token: _Token, amounts: list[_Token], here: list[Name]) -> Name | None:
    """The owner of a frequency: that of the amount before it, a product of known strength, or what comes next."""
    earlier = [one.owner for one in amounts if one.start < token.start and one.owner]
    products_before = [
        n for n in here if n.start < token.start and any(i.amount for i in products().get(n.drug, ())[:1])
    ]
    later = [one.owner for one in amounts if one.start > token.start and one.owner]
    if earlier or products_before:
        return earlier[-1] if earlier else products_before[-1]
    return later[0] if later else here[-1] if here else None


def _kind(text: _Text, token: _Token) -> Kind:
    """Whether an amount is advised, a limit, denied, or a warning about too much."""
    before, after = text.before(token.start), text.after(token.stop, token.start)
    if words.LIMIT_BEFORE.search(before) or words.LIMIT_AFTER.match(after):
        return "limit"
    asked = after.rstrip().endswith("?")
    denial = words.DENIED.search(before)
    if denial and not words.TURNS.search(denial["between"]) and "without" not in before:
        return "advice" if asked and denial.group().startswith(("can", "shouldn")) else "denied"
    if asked:
        return "advice"
    if words.MORE.search(before):
        return "advice" if words.ALLOWED.search(before) and not re.search(r"\bif\b", before) else "warning"
    harm = words.HARM_AFTER.match(after)
    if harm and not words.NO_HARM.search(harm.group()):
        return "warning"
    if words.POISONED.search(before):
        return "advice" if re.search(r"\b(?:i|he|she|took|taken|swallowed)\b", before) else "warning"
    return "advice"


def _route(text: _Text, token: _Token) -> str | None:
    """The route that the sentence names nearest to the amount."""
    if form := {"patch": "transdermal", "suppository": "rectal"}.get(token.unit):
        return form
    a, b = sentence_at(text.written, token.start)
    near = [(abs(start - token.stop), route) for start, route in text.routes if a <= start < b]
    if token.unit == "puff":
        return next((route for _, route in near if route in ("nasal", "sublingual")), "inhaled")
    return min(near)[1] if near else None


@lru_cache(maxsize=512)
def read_doses(text: str) -> tuple[Dose, ...]:
    """Every dose of the text, in its order. A range counts with its upper end; nothing is guessed silently."""
    if not names(text):
        return ()
    read = _Text(text)
    tokens = _tokens(read)
    _owners(read, tokens)
    doses: list[Dose] = []
    for drug in dict.fromkeys(token.owner.drug for token in tokens if token.owner):
        doses += _Builder(read, drug).read([t for t in tokens if t.owner and t.owner.drug == drug])
    doses.sort(key=lambda dose: dose.start)
    return tuple(_shared_frequency(read.plain, doses))


def _shared_frequency(plain: str, doses: list[Dose]) -> list[Dose]:
    """`400 mg of this and 1 g of that four times a day`: the frequency goes for both."""
    for i in reversed(range(len(doses) - 1)):
        one, other = doses[i], doses[i + 1]
        both = one.drug != other.drug and one.kind == other.kind == "advice" and one.amount and one.total is None
        gap = plain[one.stop : other.start]
        if both and other.per_day and len(gap) < 40 and words.JOINED.search(gap) and not re.search("[.;!?]", gap):
            doses[i] = replace(one, per_day=other.per_day, interval_hours=other.interval_hours)
    return doses


class _Builder:
    """Puts the tokens of one drug together to doses."""

    def __init__(self, text: _Text, drug: str) -> None:
        self.text = text
        self.drug = drug
        self.done: list[Dose] = []
        self.now: Dose | None = None  # the dose to which the next tokens may still belong
        self.timed = False  # its frequency are times of the day so far
        self.strength: float | None = None  # of one tablet
        self.strength_unit = "mg"
        self.per_ml: tuple[float, str] | None = None
        self.ratio: tuple[float, ...] = ()
        self.waiting: _Token | None = None  # a frequency before its dose
        self.day_before: _Token | None = None  # `a day` before its dose

    def read(self, tokens: list[_Token]) -> list[Dose]:
        """The doses that the drug's tokens make."""
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            if token.kind in ("amount", "count", "bare"):
                self._take(token, following)
            elif token.kind == "unitless":
                self._unitless(token)
            elif token.kind == "strength":
                self._set_strength(token)
            elif token.kind == "ratio":
                self.ratio = _parts_of(self._said(token))
            elif token.kind == "odd":
                self._unreadable(token)
            else:
                self._when(token)
        self._close()
        self._one_of_a_product()
        return [self._finish(dose) for dose in self.done]

    def _said(self, token: _Token) -> str:
        return self.text.written[token.start : token.stop]

    def _gap(self, token: _Token) -> str:
        """What stands between the dose in hand and a token."""
        return self.text.plain[self.now.stop : token.start] if self.now else ""

    def _close(self) -> None:
        if self.now is not None:
            self.done.append(self.now)
        self.now, self.timed = None, False

    def _start(self, token: _Token, amount: float, unit: str, count: float | None = None, note: str = "") -> Dose:
        """Opens a dose; a frequency that stands right before it is its own."""
        self._close()
        dose = Dose(
            self.drug, token.owner.written if token.owner else self.drug, token.start, token.stop,
            _kind(self.text, token), amount, unit, count, route=_route(self.text, token), other=token.other,
            per_kg="kg" in token.per, note=note,
            extra=bool(words.EXTRA.search(self.text.plain, max(0, token.start - 30), token.start)),
        )  # fmt: skip
        if "day" in token.per:
            dose = replace(dose, daily=amount, amount=None)
        if self.waiting and token.start - self.waiting.stop < 25:
            dose = replace(dose, per_day=self.waiting.value, interval_hours=self.waiting.hours)
        elif self.day_before and token.start - self.day_before.stop < 12:
            dose = replace(dose, daily=amount, amount=None)
        self.waiting = self.day_before = None
        self.now = dose
        return dose

    def _take(self, token: _Token, following: _Token | None) -> None:
        if _kind(self.text, token) == "limit":
            self._limit(token, following)
        elif token.unit in TAKEN_WHOLE:
            self._count(token)
        elif token.unit == "ml":
            self._volume(token)
        elif token.kind == "count":
            self._pieces(token)
        else:
            self._mass(token)

    def _unitless(self, token: _Token) -> None:
        unit = usual_units().get(self.drug, "mg")
        scale = {"mcg": 0.001, "g": 1000.0}.get(unit, 1.0)
        said = f"{self._said(token)} without a unit"
        self._start(token, token.value * scale, "mg" if unit in ("mcg", "g") else unit, note=said)

    def _follows(self, token: _Token) -> bool:
        """Whether an amount may say more of the dose in hand."""
        now, gap = self.now, self._gap(token)
        is_open = now is not None and now.per_day is None and now.kind != "limit"
        return is_open and len(gap) < 40 and not words.PARTED.search(gap)

    def _mass(self, token: _Token) -> None:
        now = self.now
        if now and now.count and now.unit == "tablet" and self._follows(token):
            self._of_each(now, token)
        elif now and now.unit == "ml" and now.amount and self._gap(token).strip() == "(" and self._follows(token):
            self.now = replace(now, amount=token.value, unit=token.unit, stop=token.stop)
        elif token.times:
            self.strength, self.strength_unit = token.value, token.unit
            self._start(token, token.value * token.times, token.unit, count=token.times)
        else:
            now = self._start(token, token.value, token.unit)
            if "each" in token.per or words.TABLETS_NEXT.match(self.text.plain, token.stop):
                self.strength, self.strength_unit = token.value, token.unit
            if now.amount is not None:
                self._times_after(now, now.amount, token)

    def _of_each(self, now: Dose, token: _Token) -> None:
        """`2 tablets of 500 mg`, `2 tablets (1000 mg)`."""
        count = now.count or 1.0
        total = self._gap(token).rstrip().endswith("(") and self._is_total(count, token)
        self.strength, self.strength_unit = token.value / count if total else token.value, token.unit
        amount = self.strength * count
        now = replace(now, amount=amount, unit=token.unit, stop=token.stop, other=token.other)
        self.now = now if now.daily is None else replace(now, daily=amount, amount=None)

    def _is_total(self, count: float, token: _Token) -> bool:
        """Whether an amount in brackets is that of all tablets together, by what one usually holds."""
        each = "each" in token.per or words.EACH_NEXT.match(self.text.plain, token.stop)
        usual = _usual_strength(self.drug)
        return not each and count > 1 and usual is not None and abs(token.value - usual * count) < 0.5

    def _times_after(self, now: Dose, amount: float, token: _Token) -> None:
        """`400 mg x 2`, `400 mg x 3 daily`."""
        match = words.TIMES_AFTER.match(self.text.plain, token.stop)
        if not match:
            return
        many = float(match[1])
        if match["daily"] is not None:
            self.now = replace(now, per_day=many)
        else:
            self.now = replace(now, amount=amount * many, count=many)

    def _pieces(self, token: _Token) -> None:
        """Puffs, drops, patches: `100 mcg, 2 puffs`."""
        now = self.now
        if now and now.unit == "mg" and now.amount and not now.count and not now.per_day and len(self._gap(token)) < 30:
            self.now = replace(now, amount=now.amount * token.value, count=token.value, stop=token.stop)
        else:
            self._start(token, token.value, token.unit)

    def _count(self, token: _Token) -> None:
        """Tablets, with the strength that is told before or after, or that is usual."""
        if self._counts_what_is_told(token):
            return
        strength = self._strength(token)
        note = f"a tablet counted as {strength:g} mg" if strength and not self.strength else ""
        if strength and not self._held_in("tablet"):
            self._start(token, token.value * strength, self.strength_unit, count=token.value, note=note)
        else:
            self._start(token, token.value, "tablet", count=token.value, note=note)

    def _counts_what_is_told(self, token: _Token) -> bool:
        """`500 mg, 2 tablets`: so many of the dose in hand; `1000 mg (2 tablets)`: the dose in hand once more."""
        now, gap = self.now, self._gap(token)
        if now is None or now.amount is None or now.per_day is not None or now.count is not None:
            return False
        if now.unit in COUNTED or now.unit == "ml":
            return False
        if words.THAT_IS.fullmatch(gap):
            return True
        if now.kind == "limit" or len(gap) >= 60:
            return False
        self.strength, self.strength_unit = now.amount, now.unit
        other = now.other * token.value if now.other else None
        self.now = replace(now, amount=now.amount * token.value, count=token.value, stop=token.stop, other=other)
        return True

    def _strength(self, token: _Token) -> float | None:
        """What one tablet holds, if it is told before or usual; nothing if it is told behind."""
        told_next = words.STRENGTH_NEXT.match(self.text.plain, token.stop)
        return self.strength or (None if told_next else _usual_strength(self.drug))

    def _volume(self, token: _Token) -> None:
        if self.per_ml:
            self._start(token, token.value * self.per_ml[0], self.per_ml[1])
        elif not (self.now and self.now.amount and self.now.unit != "ml" and words.THAT_IS.fullmatch(self._gap(token))):
            self._start(token, token.value, "ml")

    def _set_strength(self, token: _Token) -> None:
        """`120 mg/5 ml`: what a millilitre holds, also of a volume before it."""
        each = token.value / (token.per_ml or 1.0)
        self.per_ml, now = (each, token.unit), self.now
        if now and now.unit == "ml":
            amount = None if now.amount is None else now.amount * each
            self.now = replace(
                now, amount=amount, daily=None if now.daily is None else now.daily * each, unit=token.unit
            )

    def _limit(self, token: _Token, following: _Token | None) -> None:
        """A stated maximum, kept apart from the dose in hand."""
        value, unit = token.value * (token.times or 1.0), token.unit
        strength = self._strength(token)
        if unit == "tablet" and not self._held_in("tablet"):
            if strength is None:
                return
            value, unit = value * strength, self.strength_unit
        elif unit == "ml" and self.per_ml:
            value, unit = value * self.per_ml[0], self.per_ml[1]
        around = self.text.plain[max(0, token.start - 40) : token.start] + " | "
        around += self.text.plain[token.stop : token.stop + 30]
        single = "dose" in token.per or words.SINGLE.search(around)
        weekly = words.WEEKLY.search(around)
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
        elif weekly or not often:
            limit = replace(limit, daily=value / 7 if weekly else value, amount=None, note="week" if weekly else "")
        self.done.append(limit)

    def _unreadable(self, token: _Token) -> None:
        if _kind(self.text, token) == "advice":
            written = token.owner.written if token.owner else self.drug
            self.done.append(Dose(self.drug, written, token.start, token.stop, "unreadable", note=self._said(token)))

    def _when(self, token: _Token) -> None:
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
        elif token.kind == "cap":
            self.now = replace(now, per_day=min(now.per_day or token.value, token.value))

    def _often(self, now: Dose, token: _Token) -> None:
        if now.daily is not None and now.amount is None:
            if token.kind != "week":
                self.now = replace(now, amount=now.daily / max(token.value, 1), per_day=None)
        elif now.per_day is None or self.timed:
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

    def _daily(self, now: Dose, token: _Token) -> None:
        if now.per_day is None and now.daily is None and len(self._gap(token)) < 60:
            self.now = replace(now, daily=now.amount, amount=None)
        else:
            self.day_before = token

    def _at_time(self, now: Dose, token: _Token) -> None:
        """`10 mg in the morning and 20 mg at night`: two doses of one day, not one or the other."""
        if now.per_day is None and now.daily is None:
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
            one = _Token("count", often.start, often.stop, 1.0, held[0].per, owner=often.owner)
            self._start(one, 1.0, one.unit, count=1.0)
            self._close()

    def _held_in(self, form: str) -> bool:
        """Whether the table says what one tablet, sachet or puff of the product holds."""
        return any(item.amount is not None and _same_form(item.per, form) for item in products().get(self.drug, ()))

    def _finish(self, dose: Dose) -> Dose:
        """The dose with the substances of the product."""
        held = products().get(self.drug, ())
        if not held or (held[0].amount is None and len(held) == 1):
            return replace(dose, parts=((self.drug, 1.0, dose.unit),))
        amounts = [item.amount or 0.0 for item in held]
        if self.ratio and len(self.ratio) == len(held):
            amounts = list(self.ratio)
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
