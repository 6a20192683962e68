"""Words that turn a statement round: more and less, raise and lower, before and after."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from primum.safety.remembered import remembered
from primum.safety.units import without_quantities
from primum.safety.words import Bag, content, tokens

# Each pair: the words of one side, those of the other. Words of a third meaning (cut, drop, fall) are left out.
_PAIRS = (
    (
        "more greater higher raise raised raises raising increase increased increases increasing boost boosts",
        "less fewer lower lowered lowers lowering reduce reduced reduces reducing decrease decreased decreases",
    ),
    ("high", "low"),
    ("before", "after"),
    ("improve improves improved improving better", "worsen worsens worsened worsening worse"),
    ("early earlier", "late later"),
    ("hot warm", "cold cool"),
    ("always usually often commonly", "never rarely seldom"),
    ("inside", "outside"),
    ("cause causes caused causing trigger triggers", "prevent prevents prevented preventing protect protects"),
    ("start starts starting started", "stop stops stopping stopped"),
    ("relieve relieves relieving relieved ease eases easing", "worsen worsens worsening worsened"),
    ("safe safely", "unsafe dangerous"),
    ("with", "without"),
)
_STRICT = 2  # of the first pairs, an opposite counts although it is said of something else
_SIDES = {
    word: (axis, side) for axis, pair in enumerate(_PAIRS) for side, words in enumerate(pair) for word in words.split()
}
# These are said of the next word alone ("more salt lowers …"), verbs of the next two ("raises the risk of stroke").
_OF_ONE = frozenset("more greater high less fewer low".split())
_BREAK = re.compile(r"[,;:]\s|[.!?](?:\s|$)|\s[–—(]")


@dataclass(frozen=True)
class _Turn:
    """A word of one side, and the words that it is said of."""

    word: str
    axis: int
    side: int
    of: tuple[str, ...]


def turned(claim: str, window: Sequence[str], passage: Sequence[str], context: str) -> list[str]:
    """Words of the claim whose opposite the window, or the passage around it, says rather.

    Args:
        context: the source's title and heading; a name such as "high blood pressure" may come from there.
    """
    turns = _turns(claim)
    if not turns:
        return []
    names = set(pairwise(tokens(context)))
    near = [turn for sentence in window for turn in _turns(sentence)]
    given = [turn for sentence in passage for turn in _turns(sentence)]
    return [
        turn.word
        for turn in turns
        if not any((turn.word, word) in names for word in turn.of)
        and (_is_turned(turn, near, turn.axis < _STRICT) or _is_turned(turn, given))
    ]


def _is_turned(turn: _Turn, given: Sequence[_Turn], strict: bool = False) -> bool:
    """Whether opposite words share more of what they are said of; strictly, whether there are only opposites."""
    axis = [(other, _shared(turn, other)) for other in given if other.axis == turn.axis]
    same = max((shared for other, shared in axis if other.side == turn.side), default=0)
    opposite = max((shared for other, shared in axis if other.side != turn.side), default=-1)
    return opposite > same or (strict and opposite == same == 0)


def _shared(turn: _Turn, other: _Turn) -> int:
    if not turn.of or not other.of:
        return 1
    bag = Bag.of([" ".join(other.of)])
    return sum(bag.says(word) for word in turn.of)


@remembered(maxsize=8192)
def _turns(text: str) -> tuple[_Turn, ...]:
    found: list[_Turn] = []
    for part in _BREAK.split(without_quantities(text)):
        words = tokens(part)
        for place, word in enumerate(words):
            if word in _SIDES:
                number = 1 if word in _OF_ONE else 2
                of = _objects(words[place + 1 :], number) or _objects(words[:place][::-1], number)
                found.append(_Turn(word, *_SIDES[word], of))
    return tuple(found)


def _objects(words: Sequence[str], number: int) -> tuple[str, ...]:
    """The next words that mean something and turn nothing."""
    weighty = [word for word in words if word not in _SIDES and content(word)]
    return tuple(weighty[:number])
