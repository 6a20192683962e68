"""When: the partial dates that a patient's words name, from the day on which they are said."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from primum.safety.finder import AtNumbers, Finder
from primum.safety.remembered import remembered
from primum.safety.units import NUMBER, number

_MONTHS = (
    ("jan", "ene"), ("feb",), ("mar",), ("apr", "abr"), ("may",), ("jun",), ("jul",), ("aug", "ago"), ("sep",),
    ("oct",), ("nov",), ("dec", "dic"),
)  # fmt: skip
_NAMES = {name: place for place, names in enumerate(_MONTHS, 1) for name in names}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre"
    r"|noviembre|diciembre)\b\.?"
)
_YEAR = r"(?P<year>(?:19|20)\d\d)(?![\d.]*\d)"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_UNIT = (
    r"(?P<unit>days?|weeks?|wks?|months?|years?|yrs?|dias?|semanas?|mes(?:es)?|anos?|天|周|星期|个?月|年)"
    r"(?:\b|(?<=[天周期月年]))"
)
_MANY = rf"(?P<many>{NUMBER}|several|a few|many)(?: of)?"
_DATES = tuple(
    AtNumbers(pattern) if pattern.startswith(_MANY) else Finder(pattern)
    for pattern in (
        r"(?P<year>(?:19|20)\d\d)[-/.年](?P<number>\d{1,2})(?:[-/.月](?P<day>\d{1,2})日?|月)",
        rf"\b{_DAY} (?:of |de )?{_MONTH},? (?:of |de )?{_YEAR}",
        rf"\b{_MONTH} {_DAY},? {_YEAR}",
        rf"\b{_MONTH},? (?:of |de )?{_YEAR}",
        rf"\b{_DAY} (?:of |de )?{_MONTH}",
        rf"\b(?:in|since|until|till|from|last|this|around|early|late|mid|by|en|desde|hasta|de)[ -](?:the )?"
        rf"(?:end of |start of |beginning of )?{_MONTH}(?: (?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?! ?(?:mg|g|ml"
        rf"|kg)))?(?!,? of (?!\d))",
        r"(?<!\d)(?P<number>1[0-2]|[1-9])月(?:(?P<day>\d{1,2})[日号])?",
        rf"{_MANY}[ -]?{_UNIT}(?: and a half)? ?(?:ago|back|earlier|(?:以?前))",
        rf"\bhace (?:unos |unas )?{_MANY} {_UNIT}",
        r"\b(?P<last>last|this past|past|el|la) (?P<unit>week|month|year|semana|mes|ano)(?: pasad[oa])?\b",
        r"(?P<last>上个?|去)(?P<unit>周|星期|月|年)",
        r"(?P<named>\b(?:yesterday|last night|today|tonight|this (?:morning|afternoon|evening)|just now|earlier today"
        r"|ayer|anoche|hoy|esta manana)\b|昨天|昨晚|今天|今早|前天)",
        rf"(?:\b(?:in|since|until|till|from|back in|around|by|before|after|en|desde|hasta|year|del?)\b *(?:about )?"
        rf"|自?从?)"
        rf"{_YEAR}年?",
    )
)


def _again(expression: str, number: int) -> str:
    """The expression once more in the same pattern, its groups numbered."""
    return re.sub(r"\?P<(\w+)>", rf"?P<\g<1>{number}>", expression)


_LASTS = rf"(?<!a )(?<!per )(?<!once ){_MANY}[ -]?{_UNIT}(?! ?(?:ago|old|of age|前|以前|岁|pregnant))"
_FOR = re.compile(
    rf"\b(?:for|over|durante|desde hace|hace) (?:the (?:past|last) |about |over |almost |nearly |unos )*(?:{_LASTS})"
    rf"|已经?(?:{_again(_LASTS, 2)})|(?:{_again(_LASTS, 3)})了"
)
_ALONE = re.compile(
    rf"^\W*(?:(?:oh|um|uh|about|around|almost|nearly|maybe|over|yes|some)\b,? )*{_LASTS}(?: now| already)?\W*$"
)
_TENS = re.compile(
    r"\b(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[ -]$"
)  # of "twenty five" only the five is read
_DAYS = {"d": 1, "w": 7, "s": 7, "周": 7, "星": 7, "天": 1}


# Between two things that one clause names: the second is said to be done, or only listed.
_DOES = re.compile(
    r"\b(?:i|i'm|i've|my|he|she|am|was|were|had|got|have|take|taking|took|start\w*|began|stop\w*|quit|use|using|came"
    r"|switch\w*|chang\w*|prescribed|diagnosed|removed|put|tomo|empece|deje|dej[oe])\b|[吃服停换]"
)
_JOINS = re.compile(r"\W*(?:(?:and|but|then|plus|y)\b|和)|,")
_JOINED = re.compile(r"(?:\b(?:and|but|then|plus|y)|,|和) *$")


class When(NamedTuple):
    """A partial ISO date, and where it is named."""

    day: str
    start: int
    stop: int


@remembered(maxsize=256)
def dates(plain: str, today: date) -> tuple[When, ...]:
    """The dates that a text of small letters names, in its order; none after today."""
    found: list[When] = []
    for pattern in _DATES:
        for match in pattern.finditer(plain):
            free = not _TENS.search(plain, 0, match.start()) and all(
                match.end() <= one.start or match.start() >= one.stop for one in found
            )
            if free and (day := _day(match.groupdict(), today)) and day <= today.isoformat()[: len(day)]:
                found.append(When(day, *match.span()))
    return tuple(sorted(found, key=lambda when: when.start))


def began(plain: str, today: date) -> When | None:
    """When what has lasted so long began: `for three years`."""
    for match in (*_FOR.finditer(plain), *_ALONE.finditer(plain)):
        if day := _before(_groups(match), today):
            return When(day, *match.span())
    return None


def told_of(
    named: Sequence[When], plain: str, at: tuple[int, int], others: Iterable[tuple[int, int]]
) -> tuple[When, ...]:
    """The dates of a text that are told of what stands at a place, where others beside it may have their own.

    `I started lisinopril in May and metformin` dates but the first; `lisinopril and metformin in May` dates both, and
    so does a date ahead of them all.
    """
    things = sorted({at, *others})
    if len(things) == 1:
        return tuple(named)
    place = things.index(at)
    owned = [(when, _things_of(when, things, plain)) for when in named]
    own = tuple(when for when, (first, last) in owned if first <= place <= last and (first, last) != _of_all(things))
    return own or tuple(when for when, (first, last) in owned if first <= place <= last)


def _of_all(things: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return 0, len(things) - 1


def _things_of(when: When, things: Sequence[tuple[int, int]], plain: str) -> tuple[int, int]:
    """The first and the last of the things that a date is told of."""
    last = sum(stop <= when.start for _, stop in things) - 1
    if last < 0:
        return _of_all(things)
    if last + 1 < len(things):
        lead, tail = plain[things[last][1] : when.start], plain[when.stop : things[last + 1][0]]
        if not _JOINS.match(tail) and (_DOES.search(tail) or _JOINED.search(lead)):
            first = last = last + 1
            while last + 1 < len(things) and _in_one_list(plain, things, last):
                last += 1
            return first, last
    first = last
    while first > 0 and _in_one_list(plain, things, first - 1):
        first -= 1
    return first, last


def _in_one_list(plain: str, things: Sequence[tuple[int, int]], place: int) -> bool:
    """Whether no verb and no date part a thing from the next."""
    gap = plain[things[place][1] : things[place + 1][0]]
    return not _DOES.search(gap) and not any(pattern.search(gap) for pattern in _DATES)


def _groups(match: re.Match[str]) -> dict[str, str | None]:
    """The groups that took part, under their names without the number of the alternative."""
    return {name.rstrip("0123456789"): words for name, words in match.groupdict().items() if words}


def _day(said: dict[str, str | None], today: date) -> str | None:
    if said.get("named"):
        return _named(said["named"] or "", today)
    if said.get("last"):
        return _before({"many": "1", "unit": said["unit"]}, today)
    if said.get("many"):
        return _before(said, today)
    month = int(said["number"] or 0) if said.get("number") else _NAMES.get((said.get("month") or "")[:3], 0)
    if said.get("year"):
        return _iso(int(said["year"] or 0), month, int(said.get("day") or 0))
    day = int(said.get("day") or 0)
    return _iso(today.year if (month, day) <= (today.month, today.day) else today.year - 1, month, day)


def _named(word: str, today: date) -> str:
    back = 2 if word == "前天" else 1 if word in ("yesterday", "last night", "ayer", "anoche", "昨天", "昨晚") else 0
    return (today - timedelta(days=back)).isoformat()


def _before(said: dict[str, str | None], today: date) -> str | None:
    """So many days, weeks, months or years before today, as exactly as that is told."""
    unit, many = (said["unit"] or "").removeprefix("个"), said["many"] or ""
    if not many or many in ("several", "a few", "many"):
        return None
    count = number(many)[0]
    if unit.startswith(("y", "an", "年")):
        return str(today.year - int(count)) if count < 120 else None
    if unit.startswith(("mo", "me", "月")):
        months = today.year * 12 + today.month - 1 - int(count)
        return f"{months // 12}-{months % 12 + 1:02d}" if count < 1200 else None
    return (today - timedelta(days=int(count * _DAYS[unit[0]]))).isoformat() if count < 4000 else None


def _iso(year: int, month: int, day: int) -> str | None:
    """As much of the date as is told and exists."""
    if not 1 <= month <= 12:
        return str(year)
    if not day:
        return f"{year}-{month:02d}"
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return f"{year}-{month:02d}"
