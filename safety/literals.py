"""Which of many expressions can match a text at all: those whose literals stand in it. The rest need no search.

Thousands of expressions are tried on each message. Nearly every one holds words without which it can't match, and
whether a word stands in a text is known a hundred times sooner than whether an expression matches.
"""

import re
from collections.abc import Callable, Iterator, Set
from typing import Generic, NamedTuple, TypeVar

from primum.safety.remembered import remembered

T = TypeVar("T")
Choice = frozenset[str]
_QUANTIFIER = re.compile(r"([*+?]|\{(\d*)(?:,\d*)?\})[?+]?")
_OPENING = re.compile(r"(\?(?:P<\w+>|<[=!]|[:=!]))?")
_LETTERS = re.compile(r"[^\\\[\](){}.*+?|^$]+")
# Any letter, one of a set, or a kind of letter.
_UNKNOWN = re.compile(r"\.|\[\^?\]?(?:[^\]\\]|\\.)*\]|\\[^\W_bBAZ]", re.DOTALL)
_WORD = 32  # letters of what counts as a word; longer is a sentence of a script without spaces


class Literals(NamedTuple):
    """What every text holds that an expression matches: of each of `needed` one literal at least.

    A match begins with one of `opening`; where that is empty, with anything.
    """

    needed: tuple[Choice, ...] = ()
    opening: Choice = frozenset()


def literals(expression: str) -> Literals:
    """The literals of a regular expression; what it does not know it takes for no literal."""
    reader = _Reader(expression)
    found = reader.branches()
    if reader.position < len(expression):
        raise ValueError(f"a bracket closes that never opened: {expression}")
    return found


def _surest(choices: tuple[Choice, ...]) -> Choice:
    """The set of the longest literals, the shortest of each compared first: the one that the fewest texts meet."""
    return max(choices, key=_length, default=frozenset())


def _length(choice: Choice) -> tuple[int, float]:
    return min(map(len, choice)), sum(map(len, choice)) / len(choice)


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.position = 0

    def branches(self) -> Literals:
        """What all branches need, up to the closing bracket or the end: of several branches one set for all."""
        found = [self._sequence()]
        while self._next("|"):
            found.append(self._sequence())
        if len(found) == 1:
            return found[0]
        surest, openings = [_surest(one.needed) for one in found], [one.opening for one in found]
        needed: Choice = frozenset().union(*surest) if all(surest) else frozenset()
        return Literals((needed,) if needed else (), frozenset().union(*openings) if all(openings) else frozenset())

    def _next(self, character: str) -> bool:
        there = self.expression.startswith(character, self.position)
        self.position += there
        return there

    def _sequence(self) -> Literals:
        needed: list[Choice] = []
        openings: list[Choice] = []
        run = ""
        while self.position < len(self.expression) and self.expression[self.position] not in "|)":
            letters, inside = self._unit()
            least = self._least()
            if letters is not None:
                run += letters if least != 0 else letters[:-1]
            if letters is not None and least is None:
                continue
            if run:
                needed.append(frozenset({run}))
                openings.append(needed[-1])
            if least != 0:
                needed.extend(inside.needed)
            openings.append(inside.opening if least != 0 else frozenset())
            run = ""
        if run:
            needed.append(frozenset({run}))
            openings.append(needed[-1])
        return Literals(tuple(needed), openings[0] if openings else frozenset())

    def _unit(self) -> tuple[str | None, Literals]:
        """The letters that come next, none if what comes takes no room; or what a group holds."""
        if plain := _LETTERS.match(self.expression, self.position):
            self.position = plain.end()
            return plain.group(), Literals()
        if self._next("("):
            return self._group()
        if unknown := _UNKNOWN.match(self.expression, self.position):
            self.position = unknown.end()
            return None, Literals()
        escaped = self._next("\\")
        character = self.expression[self.position]
        self.position += 1
        return character if escaped and character not in "bBAZ" else "", Literals()

    def _group(self) -> tuple[str | None, Literals]:
        opening = _OPENING.match(self.expression, self.position)
        if not opening or self.expression.startswith("?", opening.end()):
            raise ValueError(f"a group of an unknown kind: {self.expression[self.position - 1 :]}")
        self.position = opening.end()
        inside = self.branches()
        if not self._next(")"):
            raise ValueError(f"a bracket is open: {self.expression}")
        looks = (opening[1] or "").endswith(("=", "!"))
        return ("", Literals()) if looks else (None, inside)

    def _least(self) -> int | None:
        """How often the unit before stands at least; nothing if no quantifier follows it."""
        quantifier = _QUANTIFIER.match(self.expression, self.position)
        if not quantifier:
            return None
        self.position = quantifier.end()
        return int(quantifier[2] or 0) if quantifier[1][0] == "{" else int(quantifier[1] == "+")


def may_match(known: Literals, text: str) -> bool:
    """Whether the text, or a part of it, can match the expression whose literals these are."""
    return all(any(literal in text for literal in choice) for choice in known.needed)


def matches(pattern: re.Pattern[str], opening: Set[str], text: str) -> Iterator[re.Match[str]]:
    """What `pattern.finditer` gives, tried only where one of the literals stands with which a match begins."""
    places: set[int] = set()
    for literal in opening:
        place = text.find(literal)
        while place >= 0:
            places.add(place)
            place = text.find(literal, place + 1)
    after = 0
    for place in sorted(places):
        if place >= after and (match := pattern.match(text, place)):
            after = match.end()
            yield match


_SIZES = (1, 2, 4)


def _size(piece: str) -> int:
    """Of how many letters the start of a piece is by which it is looked for."""
    return max((size for size in _SIZES if size <= len(piece)), default=0)


class Sieve(Generic[T]):
    """Things with an expression each; a text lets those through whose expression can match it."""

    def __init__(self, fold: Callable[[str], str] = str) -> None:
        self._fold = fold
        self._items: list[T] = []
        self._needed: list[tuple[Choice, ...]] = []
        self._by_literal: dict[str, list[int]] = {}
        self._always: list[int] = []
        self._by_piece: dict[str, set[str]] = {}
        self._by_start: dict[str, set[str]] = {}
        self._pieces_in_word = remembered(maxsize=16384)(self._pieces)

    def add(self, known: Literals, item: T) -> None:
        needed = tuple(frozenset(map(self._fold, choice)) for choice in known.needed)
        number = len(self._items)
        self._items.append(item)
        self._needed.append(needed)
        for literal in _surest(needed):
            self._by_literal.setdefault(literal, []).append(number)
        if not needed:
            self._always.append(number)
        for literal in frozenset(map(self._fold, known.opening)).union(*needed):
            piece = max(literal.split(), key=len, default="")
            self._by_piece.setdefault(piece, set()).add(literal)
            self._by_start.setdefault(piece[: _size(piece)], set()).add(piece)
        self._pieces_in_word.cache_clear()

    def there(self, text: str) -> set[str]:
        """The literals that stand in the text. What stands in a word is remembered, since words come again."""
        text = self._fold(text)
        pieces = {""}
        for word in set(text.split()):
            pieces |= self._pieces_in_word(word) if len(word) <= _WORD else self._pieces(word)
        return {
            literal
            for piece in pieces & self._by_piece.keys()
            for literal in self._by_piece[piece]
            if literal == piece or literal in text
        }

    def _pieces(self, word: str) -> frozenset[str]:
        """The longest pieces without a space of literals, as far as they stand in a word."""
        starts = {word[place : place + size] for size in _SIZES for place in range(len(word) - size + 1)}
        near = (self._by_start[start] for start in starts & self._by_start.keys())
        return frozenset(piece for pieces in near for piece in pieces if piece in word)

    def through(self, there: Set[str]) -> list[T]:
        """The things whose expression can match a text that holds these literals, in the order they were added."""
        numbers = {number for literal in there for number in self._by_literal.get(literal, ())}
        numbers.update(self._always)
        return [
            self._items[number] for number in sorted(numbers) if not any(map(there.isdisjoint, self._needed[number]))
        ]
