"""Where somebody is: addresses, postal codes, towns and countries, and organisations."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import takewhile

from primum.safety.capitals import Capital, capitals, is_thing
from primum.safety.lexicon import named
from primum.safety.personal_words import (
    OFTEN,
    any_of,
    countries,
    fold,
    folded,
    frequency,
    meaning,
    places,
    words_of_places,
)
from primum.safety.spans import Span

_STATES = frozenset(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY "
    "LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI "
    "SC SD TN TX UT VT VA WA WV WI WY DC PR AA AE AP".split()
)
_NUMBER = r"\d{1,6}[A-Za-z]?(?:[-/]\d{1,4}[A-Za-z]?)?"
_WORD = r"[^\W\d_][^\W_]*(?:['’.-][^\W\d_]+)*\.?"
_NAMED = r"(?:St\.|[^\W\d_a-z][^\W_]*(?:['’.-][^\W\d_]+)*|de|la|of|the|and)"
_UK = re.compile(r"(?<!\w)[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}(?!\w)")
_CANADA = re.compile(r"(?<!\w)[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d(?!\w)")
_STATE_ZIP = re.compile(r"(?<!\w)([A-Z]{2}),? (\d{5}(?:-\d{4})?)(?!\w)")
_ZIP = re.compile(
    r"(?:\b(?:zip(?: ?code)?|post(?:al)? ?code|plz|c\.p\.|código postal)|邮编|邮政编码)"
    r"[ :：=]*(?:is |es |number |是|为){0,2}[ :]*"
    r"(?P<code>(?=[A-Z -]*\d)[A-Z\d](?:[A-Z\d]|[ -](?=[A-Z\d])){2,9})(?!\w)",
    re.IGNORECASE,
)
_CODE_NEXT = re.compile(r",?\s+(?:[A-Z]{1,2}\d{1,2}[A-Z]? \d[A-Z]{2}\b|(?:[A-Z]{2} )?\d{5}\b)")
_GAP = re.compile(r"(?:(?<=\d)\.)?[\s,>()–-]{1,8}")
_BEFORE = re.compile(r"(?<![\w.,/-])\d{1,6},?[\s>]{1,3}$")
_PART = re.compile(rf"(?P<number>\d[\w-]{{0,9}}(?: \d\d\b)?)|(?P<word>{_WORD})")
_IN = re.compile(r"\b(?:[Ii]n|[Ff]rom|[Nn]ear|[Tt]o|[Aa]t|[Ww]here:)\s+(?=[^\W\d_])")
_MICROBE = re.compile(r"(?:ae|us|um|is|coccus|bacter|ella|ia|virus|oma|ase|in|ine|mab|nib|id|ol|ide|ate|one)$")
_UNITS = frozenset("apt suite flat unit box psc room floor po pmb apartment ste house block building".split())
_REACH = 14  # words and numbers that an address goes on for


def addresses(text: str) -> Iterator[Span]:
    """Addresses with what follows of them, and postal codes."""
    for found in _STATE_ZIP.finditer(text):
        if found[1] in _STATES:
            yield Span("PLACE", *found.span())
    for pattern in (_UK, _CANADA):
        yield from (Span("PLACE", *found.span()) for found in pattern.finditer(text))
    yield from (Span("PLACE", *found.span("code")) for found in _ZIP.finditer(text))
    for pattern in _streets():
        for found in pattern.finditer(text):
            if _has_capital(found.group()):
                led = _BEFORE.search(text, max(0, found.start() - 10), found.start())
                yield Span("PLACE", led.start() if led else found.start(), _end_of_address(text, found.end()))
    for found in _told().finditer(text):
        if (end := _end_of_address(text, found.end())) > found.end() and _is_address(text[found.end() : end]):
            yield Span("PLACE", found.end(), end)
    yield from (Span("PLACE", *found.span()) for found in _chinese().finditer(text))


def _has_capital(written: str) -> bool:
    return any(char.isupper() for char in written)


def _is_address(written: str) -> bool:
    """Whether what follows "my address is" is one: words and a number."""
    return bool(re.search(r"\d", written)) and bool(re.search(r"[^\W\d_]{3}", written))


@cache
def _streets() -> tuple[re.Pattern[str], ...]:
    first, types, counted = any_of("street_first"), any_of("streets"), rf"{_NUMBER}(?!\w|\s?(?:mg|ml|mcg|%|days|weeks))"
    ends = rf"(?:\w{{2,24}}{any_of('street_endings')}|{any_of('street_ends')})"
    few = "(?:de|del|de la|la|las|los|da|do|dos|das|di|du|des|der|von|van|y|and|the|u\\.)"
    return (
        re.compile(rf"(?<![\w.]){_NUMBER},?[^\S\n]+(?:{_NAMED}[^\S\n]+){{1,4}}?{types}(?!\w)\.?"),
        re.compile(rf"(?<!\w)(?:[^\W\d_][^\W\d_.'’-]+[^\S\n]+){{0,2}}{ends}\.?,?[^\S\n]+{counted}\.?", re.IGNORECASE),
        re.compile(
            rf"(?<!\w){first}(?=[\s.])\.?\s+(?:(?:{few}|{_WORD})\s+){{0,4}}{_WORD},?\s+(?:n\.?º\s?)?{counted}",
            re.IGNORECASE,
        ),
        re.compile(
            r"(?<!\w)(?:Apt|Apartment|Suite|Flat|PSC|P\.?O\.? Box|PMB|Apartado)\.?\s+#?\d[\w-]{0,6}(?:,\s+Box\s+\d+)?",
            re.IGNORECASE,
        ),
        re.compile(r"(?<!\w)(?:[A-Z][\w'’-]+\s+){1,3}(?:Street|Road|Avenue|Boulevard|Highway|Parkway|Crescent)(?!\w)"),
    )


@cache
def _told() -> re.Pattern[str]:
    return re.compile(
        rf"\b{any_of('address_is')}(?:\s+of\s+(?:{_WORD}\s+){{1,4}}?is)?"
        r"\s*(?::|=|\?|is\b|at\b|on\b)?(?:\s*(?:it is|it's|user:|in\b))?[\s,]*",
        re.IGNORECASE,
    )


def _end_of_address(text: str, start: int) -> int:
    """Where an address ends that goes on at `start`: behind the last number, place or capital of it."""
    place, end, lines = start, start, 0
    for _ in range(_REACH):
        gap = _GAP.match(text, place) if place > start or (place and text[place - 1].strip()) else None
        part = _PART.match(text, gap.end() if gap else place)
        if not part or (gap and (gap.group().count("\n") > 2 or "-" in gap.group().strip(" "))):
            break
        lines += bool(gap and "\n" in gap.group())
        if not _goes_on(text, part, lines):
            break
        place = part.end()
        end = end if part["word"] and part["word"].islower() else place
    return end - (text[end - 1 : end] == "." and end > start)


def _goes_on(text: str, part: re.Match[str], lines: int) -> bool:
    """Whether a word can be of an address: a number, a capital, but no label ("Phone:") and no sentence."""
    if part["number"]:
        return not re.match(r"\s?(?:mg|ml|%|years?|weeks?|days?)\b", text[part.end() :])
    word = part["word"]
    if text[part.end() : part.end() + 1] in (":", "@", "：") or lines > 5:
        return False
    if not word[0].isupper():
        return fold(word).strip(".") in folded("particles") | {"and", "u", "st", "nad", "pri", "the"}
    key = fold(word).strip(".")
    if key in words_of_places() | places():
        return True
    plain = meaning(word.strip(".")) == "ordinary" and key not in folded("streets") | _UNITS
    return not plain or (
        text[part.end() : part.end() + 1] in ("\n", ",", " ") and not re.match(r"\s+[a-z]{2}", text[part.end() :])
    )


@cache
def _chinese() -> re.Pattern[str]:
    where = any_of("places_zh")
    return re.compile(
        rf"{where}(?:省|市|自治区)?(?:[\u4e00-\u9fff]{{1,6}}?(?:市|区|县|镇|乡))*"
        r"(?:[\u4e00-\u9fff]{1,8}?(?:路|街|大道|巷|村|小区)(?:\d{1,5}(?:号|弄))?(?:\d{1,4}(?:号楼|栋|幢|单元|室|楼|层))*)?"
        r"|[\u4e00-\u9fff]{2,4}(?:路|街|大道|巷)\d{1,5}(?:号|弄)(?:\d{1,4}(?:号楼|栋|幢|单元|室|楼|层))*"
    )


def towns(text: str) -> Iterator[Span]:
    """Towns and countries, and organisations by the words that end or point to them."""
    for run in capitals(text):
        yield from _organisations(text, run)
        yield from _known(text, run)
    for found in _at_place().finditer(text):
        if (span := _after(text, found.end(), 4)) and not is_thing(text, *span):
            yield Span("PLACE", *span)
    yield from (Span("PLACE", *found.span()) for found in _of_a_saint().finditer(text))
    for found in _IN.finditer(text):
        if (span := _after(text, found.end(), 3)) and _is_unknown(text, *span):
            yield Span("PLACE", *span)
    for found in _works_at().finditer(text):
        if span := _after(text, found.end(), 5):
            yield Span("PLACE", *span)
    for found in _is_organisation().finditer(text):
        yield Span("PLACE", *found.span("name"))


@cache
def _at_place() -> re.Pattern[str]:
    return re.compile(rf"\b{any_of('at_place')}\s+(?:the\s+)?(?=[^\W\d_])", re.IGNORECASE)


@cache
def _of_a_saint() -> re.Pattern[str]:
    return re.compile(
        rf"(?<!\w)(?:St\.?|Saint)\s+[A-Z]\w+(?:['’]s)?(?:\s+[A-Z]\w+){{0,2}}?\s+{any_of('organisations')}(?!\w)"
    )


@cache
def _works_at() -> re.Pattern[str]:
    return re.compile(rf"\b{any_of('works_at')}:?\s+(?:the\s+)?(?=[^\W\d_])", re.IGNORECASE)


@cache
def _is_organisation() -> re.Pattern[str]:
    return re.compile(
        rf"(?P<name>(?<!\w)[A-Z][\w&'’.-]*(?:,?\s+(?:and\s+|And\s+)?[A-Z][\w&'’.-]*){{0,4}})"
        rf"\s+{any_of('organisation_after')}\b"
    )


def _is_unknown(text: str, start: int, end: int) -> bool:
    """Whether nothing but a place explains a word behind "in": no medicine, no microbe, no abbreviation."""
    words = re.findall(r"[^\W\d_]+", text[start:end])
    strange = meaning(words[0]) == "unknown" and len(words[0]) > 3 and not _MICROBE.search(words[0])
    return (
        strange
        and not (is_thing(text, start, end) or named(text[start:end]))
        and sum(map(str.isupper, words[0])) in (1, len(words[0]))
    )


def _after(text: str, start: int, most: int) -> tuple[int, int] | None:
    """The capitals that begin at a place, and no more than so many."""
    for run in capitals(text):
        kept = [one for one in run if one.start >= start][:most]
        if kept and kept[0].start == start:
            kept = list(takewhile(lambda one: meaning(one.word) != "thing" or one.is_place, kept))
            return (kept[0].start, kept[-1].end) if kept else None
    return None


def _known(text: str, run: list[Capital]) -> Iterator[Span]:
    """Places of the list, the longest first at each word."""
    at = 0
    while at < len(run):
        size = next(
            (n for n in range(min(4, len(run) - at), 0, -1) if fold(_said(text, run[at : at + n])) in places()), 0
        )
        words = run[at : at + size]
        if (
            words
            and _is_meant(text, words)
            and not _is_of_a_name(words, run[max(0, at - 1) : at] + run[at + size : at + size + 1])
        ):
            yield Span("PLACE", words[0].start, words[-1].end)
        at += max(size, 1)


def _is_of_a_name(words: list[Capital], beside: list[Capital]) -> bool:
    """Whether the name of a town is part of somebody's: "Sofia Lima"."""
    if len(words) > 1 or fold(words[0].word) in countries():
        return False
    return any(one.is_initial or meaning(one.word) in ("given", "surname", "unknown") for one in beside)


def _said(text: str, words: list[Capital]) -> str:
    return re.sub(r"\s+", " ", text[words[0].start : words[-1].end])


def _is_meant(text: str, words: list[Capital]) -> bool:
    """Whether a name of a place is one here: a word that is something else as well needs "in" before it."""
    start, end = words[0].start, words[-1].end
    if is_thing(text, start, end):
        return False
    before, after = text[max(0, start - 12) : start], text[end : end + 30]
    led = re.search(r"(?:\b(?:[Ii]n|[Ff]rom|[Nn]ear|[Tt]o|[Aa]t)\s+|,\s*)$", before)
    followed = re.match(r",\s*([^\W\d_]+(?: [A-Z][a-z]+)?)", after)
    if (
        len(words) > 1
        or _CODE_NEXT.match(after)
        or (followed and (fold(followed[1]) in places() or followed[1] in _STATES))
    ):
        return True
    word = words[0].word
    if fold(word) in folded("never_names"):
        return False
    if fold(word) in countries() - folded("unsure_countries"):
        return True
    return bool(led) or (meaning(word) in ("unknown", "ordinary") and frequency(word) < OFTEN)


def _organisations(text: str, run: list[Capital]) -> Iterator[Span]:
    """Capitals up to a word that ends the name of an organisation."""
    ends, pairs = folded("organisations"), folded("organisation_pairs")
    for at in range(1, len(run)):
        two = fold(f"{run[at - 1].word} {run[at].word}")
        if (fold(run[at].word) in ends or (two in pairs and at > 1)) and not is_thing(text, run[0].start, run[at].end):
            first = next((n for n in range(at) if meaning(run[n].word) != "thing" or run[n].is_place), at)
            if first < at:
                yield Span("PLACE", run[first].start, run[at].end)
