"""Sums told in words: those of a few forms that rules read surely, and those that they only see to be sums."""

import re

from primum.safety.units import level

# A question in words that is no health question: money, goods and journeys, and nothing of a body or a medicine.
_ASKS = re.compile(
    r"\bhow (?:much|many|far|fast|long|old)\b|\b(?:in (?:all|total)|altogether|left over)\b"
    r"|\bwhat(?:'s| is| was) (?:the|its|her|his|their) (?:\w+ )?(?:total|sum|price|cost|speed|distance|change)\b"
)
_EVERYDAY = re.compile(
    r"[$€£]|\b(?:dollars?|euros?|cents?|pence|price|costs?|sells?|sold|buys?|bought|pays?|paid|shop|bakery|loa(?:f|ves)"
    r"|apples?|oranges?|marbles?|pencils?|books?|boxes|cookies|eggs|trains?|cars?|bus(?:es)?|km|kilomet\w+|miles?"
    r"|students?|pupils?|classroom|farmer|chickens?|cows?)\b"
)
_OF_HEALTH = re.compile(
    r"\b(?:i(?:'m|'ve)?|my|me|pain\w*|hurts?|ache\w*|chest|heart|blood|breath\w*|dizzy|weight|bmi|baby|child|pregnan\w*|fever"
    r"|doctors?|nurses?|hospitals?|patients?|medic\w+|drugs?|tablets?|pills?|capsules?|doses?|insulin|mg|mcg|µg|ml|units?|diet"
    r"|calor\w+|sugar|carb\w*|exercis\w+|healthy?|symptoms?|sick|ill|die[ds]?|bleed\w*|drank|alcohol|cigarettes?)\b"
)
_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
_MONEY = r"[$€£]?(\d+(?:\.\d+)?)(?: ?(?:dollars?|euros?|pounds?))?"
_BOUGHT = re.compile(
    rf"(\d+)(?: [a-z]+){{0,3}} (?:(?:at|of) {_MONEY}(?: each| apiece| a piece)?|for {_MONEY} (?:each|apiece|a piece))"
    r"(?![\d.]*\d)"
)
_SAME = re.compile(
    r"(?:what(?:'s| is| are)|how (?:much|many) (?:is|are)|calculate|add)? ?"
    r"(\d+) ([a-z]+?)s? (plus|and|minus|less) (\d+) \2s?(?: together| altogether| in all)? ?[?.]*"
)
_JOURNEY = re.compile(r"(\d+(?:\.\d+)?) ?(km|kilomet\w+|miles?) in (\d+(?:\.\d+)?) ?(min(?:ute)?s?|h(?:ou)?rs?)\b")
_SPEED = re.compile(r"\bhow fast\b|\bspeed\b")
_OPERATORS = {"plus": "+", "and": "+", "minus": "-", "less": "-"}


def told_in_words(question: str) -> tuple[str, str]:
    """The expression that a question in words asks for, and what its result is; two empty texts for any other.

    All its figures must be in the form that is known: what has more of them says more than is read.
    """
    plain = " ".join(level(question).split())
    if len(plain) > 400 or _OF_HEALTH.search(plain):
        return "", ""
    if same := _SAME.fullmatch(plain):
        return f"{same[1]} {_OPERATORS[same[3]]} {same[4]}", f"{same[2]}s"
    figures = len(_FIGURES.findall(plain))
    if not _ASKS.search(plain) and not _SPEED.search(plain):
        return "", ""
    bought = _BOUGHT.findall(plain)
    if bought and 2 * len(bought) == figures and _EVERYDAY.search(plain) and "how many" not in plain:
        return " + ".join(f"{count} * {one or other}" for count, one, other in bought), "in all"
    journey = _JOURNEY.search(plain)
    if journey and figures == 2 and _SPEED.search(plain):
        hours = journey[3] if journey[4].startswith("h") else f"({journey[3]} / 60)"
        return f"{journey[1]} / {hours}", ("km" if journey[2].startswith("k") else "miles") + " an hour"
    return "", ""


def is_sum_in_words(question: str) -> bool:
    """Whether a question of no health surely asks for a sum, though in words that rules can't read."""
    plain = level(question)
    return (
        len(plain) <= 2000
        and len(_FIGURES.findall(plain)) > 1
        and bool(_ASKS.search(plain) and _EVERYDAY.search(plain))
        and not _OF_HEALTH.search(plain)
    )
