"""Dates that are more exact than a year, and ages over 89 with the years of birth that tell them."""

import re
from collections.abc import Iterator
from datetime import date

from primum.safety.spans import Span

_OLDEST = 89  # years of age that may stay: 45 CFR 164.514(b)(2)(i)(C)

_YEAR = r"(?:1[89]|20)\d\d"
_TIME = r"(?:(?:T|,?\s+(?:at\s+)?)\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:\s?[ap]\.?m\b\.?|Z\b)?)?"
_DAY = r"(?:[12]\d|3[01]|0?[1-9])"
_NTH = rf"{_DAY}(?:st|nd|rd|th)?"
_NUMBER = r"(?:1[0-2]|0?[1-9])"
_LONG = "January|February|March|April|June|July|August|September|October|November|December"
_SHORT = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
_MONTH = rf"(?:{_LONG}|{_LONG.upper()}|(?:{_SHORT})\b\.?)"
_MES = "(?i:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)"
_YEAR_ZH, _DAY_ZH = "(?:\\d{4}|[〇零一二三四五六七八九]{4})年", "(?:\\d{1,2}|[一二三四五六七八九十]{1,3})"
_NO_VERB = (
    r"(?!\s+(?:be|cause|have|not|also|need|help|lead|increase|reduce|occur|make|require|include|affect|want|get)\b)"
)
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_UNIT = r"(?!\s?(?:mg|mcg|g|ml|%|times|percent|days|weeks|patients|cases|people|tablets)\b|%)"

_DATES = tuple(
    re.compile(expression)
    for expression in (
        rf"(?<![\d.-]){_YEAR}([-/.]){_NUMBER}\1{_DAY}(?!\d){_TIME}",
        rf"(?<![\d./-]){_DAY}([-/.]){_NUMBER}\1{_YEAR}(?!\d){_TIME}",
        rf"(?<![\d./-]){_NUMBER}([-/.]){_DAY}\1{_YEAR}(?!\d){_TIME}",
        rf"(?<![\d./-])(?:{_DAY}([/-]){_NUMBER}\1|{_NUMBER}([/-]){_DAY}\2)\d\d(?![\d/]|-\d){_TIME}",
        rf"(?<![\d.-])(?:{_WEEKDAY},?\s+)?(?:the\s+)?{_NTH}(?:\s+of)?[\s-]+(?:{_MONTH}|May\b)[,.]?"
        rf"(?:[\s-]+{_YEAR}\b{_TIME}|-\d\d\b)",
        rf"(?<![\d.-])(?:{_WEEKDAY},?\s+)?{_NTH}(?:\s+of)?[\s-]+(?:{_MONTH}|May\b{_NO_VERB})(?!\w){_TIME}",
        rf"(?<!\w)(?:{_WEEKDAY},?\s+)?(?:{_MONTH}|May)\s+(?:the\s+)?{_NTH}(?![\d.]*\d){_UNIT}(?:,?\s+{_YEAR}\b)?{_TIME}",
        rf"(?<!\w)(?:{_MONTH}|May),?\s+(?:of\s+)?{_YEAR}\b",
        rf"(?<!\w){_DAY}\s+de\s+{_MES}(?:\s+del?\s+{_YEAR}\b)?",
        rf"(?<!\w)(?:en\s+|de\s+)?{_MES}\s+del?\s+{_YEAR}\b",
        rf"{_YEAR_ZH}{_DAY_ZH}月(?:{_DAY_ZH}[日号])?(?:\d{{1,2}}[时点](?:\d{{1,2}}分)?)?",
        r"(?<!\d)(?:1[0-2]|[1-9])月(?:3[01]|[12]\d|[1-9])[日号]",
        rf"(?<!\w)(?<![Ee]very )(?<![Ee]ach )(?<!to )(?<!through )(?<!- )(?<!–){_WEEKDAY}"
        rf"(?!\w|\s*(?:to|through|-|–)\s*{_WEEKDAY})",
    )
)
_MARKED = tuple(
    re.compile(expression)
    for expression in (
        rf"\b(?:in|since|last|until|by|early|late|mid|next|during)[\s-]+(?P<date>(?:{_LONG})(?!\w))"
        r"(?!\s+(?:to|and|or|through)\b)",
        r"\b(?:in|since|last|until|early|late|next)[\s-]+(?P<date>May)\b(?!\s+[a-z]+\b(?<!\bwith)(?<!\bfor)(?<!\bafter))",
        r"\b(?:[Oo]n|[Ss]ince|[Dd]ated|DOB:?|[Dd]ate:?|[Ss]een|[Aa]dmitted|[Dd]ischarged)\s+"
        rf"(?P<date>{_NUMBER}/{_DAY}|{_DAY}/{_NUMBER})(?!\d|[/.]\d)",
        r"\b(?:[Ee]l|[Ee]ste|[Pp]asado)\s+(?P<date>lunes|martes|miércoles|jueves|viernes|sábado|domingo)\b",
        r"\b(?P<date>(?:Christmas|New Year's|Thanksgiving|Boxing|Labor)\s+(?:Day|Eve))\b",
    )
)
_BORN = re.compile(
    r"(?:\b(?:born|birth|dob|nacid[oa]|naci[oó])\b[\s:]*(?:in|en|year|el|de|el año)?[\s:]*|生于|出生于)"
    rf"(?P<year>{_YEAR})(?![\d/.-]*\d)",
    re.IGNORECASE,
)
_AGE = r"(?P<age>9\d|1[0-3]\d)"
_GROUP = r"(?<!over )(?<!under )(?<!above )(?<!below )(?<!than )(?<!least )(?<!to )(?<!aged )(?<![\d.,/<>≥≤–-])"
_AGES = tuple(
    re.compile(expression, re.IGNORECASE)
    for expression in (
        rf"{_GROUP}\b{_AGE}(?=[\s-]?(?:years?|yrs?)[\s-]?(?:old|of age)\b|[\s-]?y[/.]?o\b|\s?[MF]\b(?!\w)|\s?años\b)",
        rf"(?:\baged?\b|\bturn(?:s|ed|ing)?\b|\bat the age of\b|\bedad:?)\s*:?\s*{_AGE}"
        r"(?![\d.]*\d|\s?%|\s?(?:to|-|–)\s?\d|\s?(?:years?\s)?(?:or|and)\s(?:over|older|above|more))",
        rf"\b(?:I am|I'm|(?:he|she) is|(?:he|she)'s)\s+{_AGE}(?=\s*(?:[.,;!?]|and\b|years?\b|$))",
        rf"(?<!\d){_AGE}(?=周?岁)",
        r"\b(?P<age>nonagenarian|centenarian)\b",
    )
)


def dates(text: str) -> Iterator[Span]:
    """Dates with a day, a month or a weekday; a year alone stays unless it tells an age over 89."""
    for pattern in _DATES:
        yield from (Span("DATE", *found.span()) for found in pattern.finditer(text))
    for pattern in _MARKED:
        yield from (Span("DATE", *found.span("date")) for found in pattern.finditer(text))
    oldest = date.today().year - _OLDEST
    for found in _BORN.finditer(text):
        if int(found["year"]) < oldest:
            yield Span("DATE", *found.span("year"))


def ages(text: str) -> Iterator[Span]:
    """Ages over 89 of somebody; "people over 90" is nobody."""
    for pattern in _AGES:
        yield from (Span("AGE", *found.span("age")) for found in pattern.finditer(text))
