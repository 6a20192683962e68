"""The parts of doses in a text: drugs, amounts, counts, strengths and frequencies, and which belongs to which drug."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from math import inf

from primum.safety import dose_words as words
from primum.safety.dose_words import COUNTED, TAKEN_WHOLE
from primum.safety.lexicon import members, mentions
from primum.safety.phrases import Phrases, plain
from primum.safety.remembered import remembered
from primum.safety.tables import read_table
from primum.safety.units import level, number, numbers

_TIMES = re.compile(r"\d+(?=\s*(?:times|x)\b)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'“(¿¡]?[A-Z0-9ÁÉÍÓÚ*•-])|[。！？；;\n]+")
FEWEST_PACKED, MOST_AT_ONCE = 10, 14  # tablets: a pack holds no fewer, and no one takes more without a word on it
_FEWEST = {"puff": 50, "spray": 50, "unit": 100}  # in an inhaler, a bottle, a pen
_MOST_MG = 5000  # that stand before a name without a unit
_MOST_PATCHES = 8  # more is what one patch holds: `fentanyl 50 patches`
_PLAIN_KINDS = ("week", "cap", "split", "day", "time", "same", "today")  # of frequencies that are not merely so often


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
class Token:
    """A part of a dose: an amount or a frequency. `value` is in `unit`, or intakes a day; `factor` made it mg or ml."""

    kind: str
    start: int
    stop: int
    value: float = 0.0
    unit: str = ""
    factor: float = 1.0
    times: float | None = None
    per: set[str] = field(default_factory=set)
    per_ml: float | None = None
    other: float | None = None
    hours: float | None = None
    owner: Name | None = None

    @property
    def is_amount(self) -> bool:
        return self.kind in ("amount", "count", "strength", "piece", "bare", "unitless", "odd")


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
def usual_most() -> dict[str, float]:
    """The most at once for adults, in the usual unit: tells 500 of a strength from 2 of a count."""
    rows = reversed(read_table("doses.csv"))
    return {row["substance"]: float(row["max_single"] or row["max_total"] or 0) for row in rows}


@cache
def _drugs() -> Phrases:
    """The names of the two tables: each means the substance, or the product if it holds amounts of its own."""
    names = [name for name in (*usual_units(), *reversed(products())) if not name.endswith(" tablet")]
    held = {name: products().get(name, ()) for name in names}
    return Phrases({n: h[0].substance if len(h) == 1 and h[0].amount is None else n for n, h in held.items()})


@remembered(maxsize=1024)
def names(text: str) -> tuple[Name, ...]:
    """Drugs and products of a text, by the tables' names first and then by the lexicon's."""
    shown = _TIMES.sub(lambda number: "_" * len(number.group()), text)  # "Tylenol 3 times a day" is not Tylenol 3
    found = [Name(start, stop, text[start:stop], drug) for start, stop, drug in _drugs().places(level(shown))]
    for mention in mentions(shown):
        name = _drugs().meanings.get(plain(mention.name), mention.name)
        if name in words.FOODS or (name not in usual_units() and members(name)):
            continue  # "opioid-naive": a class has no dose
        tail = name not in usual_units() and any(0 <= mention.start - other.stop <= 1 for other in found)
        if not tail and all(mention.stop <= other.start or mention.start >= other.stop for other in found):
            found.append(Name(mention.start, mention.stop, mention.written, name))
    return tuple(sorted(found, key=lambda name: name.start))


@remembered(maxsize=64)
def sentences(text: str) -> tuple[tuple[int, int], ...]:
    """Start and stop of each sentence."""
    bounds = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return tuple((a, b) for a, b in pairwise(bounds) if text[a:b].strip())


def sentence_at(text: str, place: int) -> tuple[int, int]:
    """Start and stop of the sentence in which a place lies."""
    return next(((a, b) for a, b in sentences(text) if a <= place < b), (0, len(text)))


class Text:
    """A text that is read: levelled, with the drugs it names, its routes, and which of its letters are read already."""

    def __init__(self, written: str) -> None:
        self.written = written
        self.plain = level(written)
        self.names = names(written)
        self._unnamed = self._without_names()
        self._read = bytearray(len(written))

    def free(self, start: int, stop: int) -> bool:
        return self._read.find(1, start, stop) < 0

    def take(self, start: int, stop: int) -> None:
        self._read[start:stop] = b"\1" * (stop - start)

    @cached_property
    def routes(self) -> list[tuple[int, str]]:
        return [(match.start(), route) for route, finder in words.ROUTES for match in finder.finditer(self.plain)]

    def _without_names(self) -> str:
        shown = self.plain
        for name in self.names:
            shown = shown[: name.start] + "x" * (name.stop - name.start) + shown[name.stop :]
        return shown

    def before(self, place: int) -> str:
        """What stands before a place in its sentence, without names: `Lemsip Max` is no maximum."""
        start = max((a for a, _ in sentences(self.written) if a <= place), default=0)
        return self._unnamed[max(start, place - 120) : place]

    def after(self, place: int, start: int) -> str:
        """What follows a place in the sentence that holds `start`."""
        return self._unnamed[place : sentence_at(self.written, start)[1]]


def _tokens(text: Text) -> list[Token]:
    """Amounts and frequencies in order, none overlapping another; what is read first wins."""
    found: list[Token] = []
    for name in text.names:
        if any(sign.isdigit() for sign in name.written):
            text.take(name.start, name.stop)
    for match in words.PLAN.finditer(text.plain):
        text.take(*match.span())
    for read in (_ratios, _solutions, _frequencies, _amounts, _pieces, _odd_units, _beside_names):
        found += _taken(text, read(text))
    found += _taken(text, _counts(text, found))
    found.sort(key=lambda token: token.start)
    return [token for i, token in enumerate(found) if not _packed(text, token, found[i + 1 : i + 3])]


def _packed(text: Text, token: Token, later: list[Token]) -> bool:
    """Whether a number tells how many a pack holds: `caps x21`, `a box of 32`, `la caja trae 40`, `一盒24粒`."""
    whole = (token.times or (token.value if token.unit in TAKEN_WHOLE else 0.0)) >= FEWEST_PACKED
    if not whole and token.unit != "ml" and token.value < _FEWEST.get(token.unit, inf):
        return False
    a, b = sentence_at(text.written, token.start)
    before = text.plain[max(a, token.start - 40) : token.start]
    said = words.PACKED.search(before) or words.PACKED_AFTER.match(text.plain, token.stop, b)
    if words.A_DAY.match(text.plain, token.stop) or _is_taken_so(text, token, later):
        return False
    if not said and not (whole and _is_large(text, token, before, later)):
        return False
    return not words.SWALLOWED.search(text.plain[max(a, token.start - 80) : min(b, token.stop + 60)])


def _is_taken_so(text: Text, token: Token, later: list[Token]) -> bool:
    """Whether how often is told right behind it, after the strength perhaps: `20 tablets of 500 mg every night`."""
    for one in later:
        if one.kind in ("freq", "time"):
            return not re.search(r"[.,;:()。，；]", text.plain[token.stop : one.start])
        if one.kind not in ("amount", "strength"):
            return False
    return False


def _is_large(text: Text, token: Token, before: str, later: list[Token]) -> bool:
    """Whether a count stands as that of a pack, too large to be taken at once: `x21`, `(28)`, `30 comprimidos, uno`."""
    if (
        token.unit not in TAKEN_WHOLE
        or token.value < MOST_AT_ONCE
        or not text.plain[token.start].isdigit()
        or words.TAKING.search(before)
    ):
        return False
    if token.kind == "bare":
        return bool(re.search(r"[x*(]\s?$", before))
    alone = text.plain.startswith((",", ".", ";", ")"), token.stop)
    if not alone and not text.plain.startswith((" of ", " de "), token.stop):
        return False
    return any(one.kind in ("bare", "count") and one.value < FEWEST_PACKED for one in later[: 1 if alone else 2])


def _taken(text: Text, tokens: Iterator[Token]) -> Iterator[Token]:
    """Those whose letters no token before them has read."""
    for token in tokens:
        if text.free(token.start, token.stop):
            text.take(token.start, token.stop)
            yield token


def _solutions(text: Text) -> Iterator[Token]:
    """What a millilitre holds: `2%`, `1:1000`, `U-100`, `15 ml: 0.6 g`; and in how many hours it runs in."""
    for match in words.PERCENT.finditer(text.plain):
        yield Token("strength", *match.span(), 10 * float(match["n"]), "mg", per_ml=1.0)
    for match in words.PARTS_IN.finditer(text.plain):
        yield Token("strength", *match.span(), 1e6 / float(re.sub("[ ,]", "", match["n"])), "mg", per_ml=1000.0)
    for match in words.ML_HOLD.finditer(text.plain):
        mass = float(match["n"]) * words.UNITS[match["unit"]][1]
        yield Token("strength", *match.span(), mass, "mg", per_ml=float(match["ml"]))
    for match in words.PER_ML.finditer(text.plain):
        yield Token("strength", *match.span(), float(match["n"]), "unit", per_ml=1.0)
    for match in words.OVER.finditer(text.plain):
        hours = {"s": 1 / 3600, "m": 1 / 60}.get(match["unit"][0], 1.0)
        yield Token("over", *match.span(), number(match["n"])[0] * hours)


def _ratios(text: Text) -> Iterator[Token]:
    """`30/500`: the strengths of a product's ingredients; one sum where the table counts them together."""
    for match in words.RATIO.finditer(text.plain):
        name = next((name for name in text.names if name.stop <= match.start() <= name.stop + 25), None)
        if name and len(products().get(name.drug, ())) > 1:
            yield Token("ratio", *match.span())
        elif name and not re.search(r"[\d,]", text.plain[name.stop : match.start()]):  # "10 mg a day, BP 128/80"
            yield Token("amount", *match.span(), sum(parts_of(match.group())), "mg")


def parts_of(ratio: str) -> tuple[float, ...]:
    """The strengths of a ratio."""
    return tuple(float(part) for part in re.findall(r"\d+(?:\.\d+)?", ratio))


def _frequencies(text: Text) -> Iterator[Token]:
    """Intakes a day, with the shortest time between two where the text gives it; of a range the more."""
    for kind, per_day, finder in words.FREQUENCIES:
        for match in finder.finditer(text.plain):
            said = match.groupdict()
            many = [_many(said[group]) for group in ("n", "n2") if said.get(group)]
            token = Token(kind if kind in _PLAIN_KINDS else "freq", *match.span(), per_day, hours=_hours(kind, many))
            if kind == "rounds":
                token.value, token.hours = many[1], many[0] / 60
            elif token.hours:
                token.value = 24 / max(token.hours, 0.1)
            elif kind == "days":
                token.value = 1 / max(many[0] * days_of(said["p"]), 1)
            elif kind == "clocks":
                token.value = len(words.CLOCK.findall(match.group()))
            elif kind == "weekdays":
                token.kind, token.value = "week", _weekdays(match.group()) / 7
            elif many:
                token.value = max(many) / days_of(said.get("p") or "day")
            yield token


def _weekdays(said: str) -> int:
    """`Monday, Wednesday and Friday` are three; `Mon to Fri`, every day but those at the end of the week, five."""
    many = len(words.WEEKDAY.findall(said))
    return 5 if many == 2 and re.search(r"\bto\b|-", said) else many


def _hours(kind: str, many: list[float]) -> float | None:
    return {"hours": min(many, default=0), "minutes": min(many, default=0) / 60, "hour": 1.0}.get(kind)


def _many(word: str) -> float:
    return words.INTAKES.get(word.replace(".", "")) or number(word)[0]


def days_of(period: str) -> float:
    """The days of `a week`, `monthly`, `天`."""
    return next((days for days, pattern in words.PERIODS if pattern.search(period)), 1.0)


def _amounts(text: Text) -> Iterator[Token]:
    for match in words.AMOUNT.finditer(text.plain):
        token = _amount(match)
        if not text.free(match.start(), match.start("number")):
            token.start, token.times = match.start("number"), None
        _read_per(text, token)
        measured = words.LAB.search(text.plain[max(0, token.start - 60) : token.start])
        place = max(0, token.start - 60) + measured.start() if measured else -1
        of_body = measured and not any(name.start <= place < name.stop for name in text.names)
        if "lab" in token.per or of_body or (token.kind == "amount" and words.NO_DRUG.match(text.plain, token.stop)):
            token.kind = "lab"
        elif token.per_ml:
            token.kind = "strength"
        elif token.unit == "patch" and token.value > _MOST_PATCHES:
            token.kind, token.unit = "unitless", ""
        yield token


def _amount(match: re.Match[str]) -> Token:
    """`500 mg`, `2 x 500 mg`, `400-800 mg`: of a range the upper end, but `from 15 to 10 mg` is 10 mg now."""
    kind, factor = words.UNITS[match["unit"]]
    value, other = number(match["upper"] or match["number"])
    low = number(match["number"])[0] * (words.UNITS[match["low"]][1] if match["low"] else factor)
    token = Token("count" if kind in COUNTED else "amount", *match.span(), max(low, value * factor), kind, factor)
    if match["upper"] and words.CHANGED.search(match.string[max(0, match.start() - 60) : match.start()]):
        token.value = value * factor
    token.other = other * factor if other else None
    if match["times"] and kind not in COUNTED:
        token.times = number(match["times"])[0]
    return token


def _read_per(text: Text, token: Token) -> None:
    """`/kg`, `per dose`, `/5 ml`: what an amount is for."""
    while (per := words.PER.match(text.plain, token.stop)) and text.free(*per.span()):
        name = per.lastgroup or ""
        if name == "ml" and token.unit != "ml":
            token.per_ml = float(per["n"] or 1)
        if name == "minute":
            token.value, name = token.value * 60, "hour"
        token.per.add(name)
        token.stop = per.end()


def _odd_units(text: Text) -> Iterator[Token]:
    for match in words.ODD_UNIT.finditer(text.plain):
        if match["unit"] not in words.NO_UNITS and not words.NO_DRUG.match(text.plain, match.end()):
            yield Token("odd", *match.span())


def _pieces(text: Text) -> Iterator[Token]:
    """What one tablet holds: `500s`, `two of the 500s`, `my tablets are 250`."""
    for match in words.PIECE.finditer(text.plain):
        if not words.DECADE.search(text.plain, max(0, match.start() - 30), match.start("n")):
            times = number(match["times"])[0] if match["times"] else None
            yield Token("piece", *match.span(), float(match["n"]), times=times)
    for match in words.PIECE_OF.finditer(text.plain):
        yield Token("piece", match.start("n"), match.end("n"), float(match["n"]))


def _counts(text: Text, found: list[Token]) -> Iterator[Token]:
    """`take 2 every 6 hours`, `and another`: tablets that no unit follows."""
    whens = {token.start for token in found if token.kind in ("freq", *_PLAIN_KINDS)}
    amounts = [token.stop for token in found if token.is_amount] + [name.stop for name in text.names]
    for match in words.ANOTHER.finditer(text.plain):
        yield Token("bare", *match.span(), 1.0, "tablet")
    for match in words.COUNTED_BARE.finditer(text.plain):
        start, stop = match.start("n"), match.end()
        if match["n"] in ("a", "an") or words.PRONOUN.search(text.plain, max(0, start - 20), start):
            continue
        before, after = text.plain[max(0, start - 60) : start], words.TO_WHEN.match(text.plain, stop)
        near = any(0 <= start - place <= 60 for place in amounts)
        said = words.TAKING.search(before) or (near and (words.AGAIN.search(before) or words.AS_MASS.search(before)))
        if (after and after.end() in whens) or (said and words.COUNTED_NEXT.match(text.plain, stop)):
            value = max(number(written)[0] for written in match.group("n", "n2") if written)
            times = number(match["times"])[0] if match["times"] else None
            yield Token("bare", start, stop, value, "tablet", times=times)
            amounts.append(stop)


def _beside_names(text: Text) -> Iterator[Token]:
    """`two paracetamol`; `ibuprofen 800 bd`."""
    for name in text.names:
        for start in numbers(text.plain):
            match = (
                words.BEFORE_NAME.match(text.plain, start, name.start) if name.start - 40 < start < name.start else None
            )
            if not match or match["n"] in words.VAGUE or _is_labelled(text, start):
                continue
            if _may_count(value := number(match["n"])[0]):
                yield Token("bare", *match.span("n"), value, "tablet")
        match = words.AFTER_NAME.match(text.plain, name.stop)
        counts = match and any(0 <= other.start - match.end("n") <= 1 for other in text.names)  # `and 2 Nurofen Plus`
        if match and not counts and match["n"][0].isdigit() and number(match["n"])[0]:
            yield Token("unitless", *match.span("n"), number(match["n"])[0])


def _is_labelled(text: Text, start: int) -> bool:
    """Whether a number is a degree or a place, not a count: `CKD 4`, `NYHA 3`, `day 3`."""
    return words.LABEL.search(text.plain, max(0, start - 25), start) is not None


def _may_count(value: float) -> bool:
    """Whether a number right before a name may be a count or a dose of it, not a year."""
    return 0.5 <= value <= 100 or (value <= _MOST_MG and (value % 50 == 0 or value < 1900))


def owned(text: Text) -> list[Token]:
    """The tokens of a text, each with the drug that it belongs to."""
    tokens = _tokens(text)
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
            if before and after and _in_brackets(text.plain[before.stop : after.start], token.start - before.stop):
                after = None
            close = before and not leads and not re.search(r"\w", text.plain[before.stop : token.start])
            own = before and after and _has_own(text, token, after, amounts)
            if after and not close and not own and _belongs(text, token, after, inside):
                token.owner = after
            else:
                token.owner = before or (previous if leads else after) or after or previous or only
        for token in inside:
            if not token.is_amount:
                token.owner = _nearest(token, amounts, here) or previous
        previous = here[-1] if here else previous
    return tokens


def _in_brackets(between: str, place: int) -> bool:
    """`methotrexate 20 mg (eight tablets), folic acid`: what the brackets hold is of the name before them."""
    return "(" in between[:place] and ")" not in between[:place] and ")" in between[place:]


def _has_own(text: Text, token: Token, name: Name, amounts: list[Token]) -> bool:
    """`10 mg in the morning and 10 mg at night, enalapril 5 mg`: whether the name behind a comma has its own amount."""
    return "," in text.plain[token.stop : name.start] and any(0 <= one.start - name.stop <= 3 for one in amounts)


def _belongs(text: Text, token: Token, name: Name, tokens: list[Token]) -> bool:
    """Whether only filling words and other parts of the dose stand between an amount and the name behind it."""
    gap = list(text.plain[token.stop : name.start])
    for other in tokens:
        for place in range(max(other.start, token.stop), min(other.stop, name.start)):
            gap[place - token.stop] = " "
    rest = "".join(gap)
    return len(rest) < 60 and not re.search(r"\band\b|[.;!?]", rest) and bool(words.FILL.fullmatch(rest))


def _nearest(token: Token, amounts: list[Token], here: list[Name]) -> Name | None:
    """The owner of a frequency: that of the amount before it, a product of known strength, or what comes next."""
    earlier = [one.owner for one in amounts if one.start < token.start and one.owner]
    products_before = [
        n for n in here if n.start < token.start and any(i.amount for i in products().get(n.drug, ())[:1])
    ]
    later = [one.owner for one in amounts if one.start > token.start and one.owner]
    if earlier or products_before:
        return earlier[-1] if earlier else products_before[-1]
    return later[0] if later else here[-1] if here else None
