"""Regular expressions by their words, from YAML, that are tried only where a match can begin.

A list holds alternatives: `words` stand between the borders of words, `signs` anywhere; `before` and `after` go around
both. `at: numbers` says that a match begins with a number. A name in braces stands for an expression under `parts`.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import yaml

from primum.safety.literals import literals, matches
from primum.safety.units import NUMBER, numbers

Row = dict[str, Any]


class Finder:
    """An expression, compiled, with the literals that a text must hold or with which a match must begin."""

    def __init__(self, expression: str) -> None:
        self.pattern = re.compile(expression)
        known = literals(expression)
        self._opening = known.opening
        self._needed = max(known.needed, key=lambda choice: min(map(len, choice)), default=frozenset({""}))

    def may(self, text: str) -> bool:
        """Whether the text holds what a match needs."""
        return any(literal in text for literal in self._needed)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """What the expression's own `finditer` gives, sooner."""
        if not self.may(text):
            return iter(())
        return matches(self.pattern, self._opening, text) if self._opening else self.pattern.finditer(text)

    def search(self, text: str) -> re.Match[str] | None:
        return next(self.finditer(text), None)


class AtNumbers(Finder):
    """An expression that begins with a number: tried only where the text has one."""

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        after = 0
        for start in numbers(text) if self.may(text) else ():
            if start >= after and (match := self.pattern.match(text, start)):
                after = match.end()
                yield match


class Words:
    """The expressions of one of the YAML files in `data/`."""

    def __init__(self, name: str) -> None:
        self.data: Row = _loaded(name)
        self.parts = {"number": NUMBER}
        self.add(self.data.get("parts", {}))

    def add(self, parts: Mapping[str, str]) -> None:
        """Expressions that others may name in braces, those before among them."""
        for name, part in parts.items():
            self.parts[name] = self._filled(part)

    def _filled(self, expression: str) -> str:
        return re.sub(r"\{([a-z]\w*)\}", lambda match: self.parts[match[1]], expression)

    def _expression(self, row: Row) -> str:
        words = [rf"\b(?:{'|'.join(row['words'])})\b"] if "words" in row else []
        either = "|".join([*words, *row.get("signs", ())])
        return self._filled(f"{row.get('before', '')}(?:{either}){row.get('after', '')}")

    def made(self, row: Row) -> Finder:
        return AtNumbers(self._expression(row)) if row.get("at") == "numbers" else Finder(self._expression(row))

    def finder(self, name: str) -> Finder:
        """An expression to look for in whole texts."""
        return self.made(self.data[name])

    def finders(self, name: str) -> tuple[Finder, ...]:
        return tuple(map(self.made, self.data[name]))

    def pattern(self, name: str) -> re.Pattern[str]:
        """An expression to look for in a place."""
        return re.compile(self._expression(self.data[name]))


class Expressions:
    """The expressions of one of the YAML files in `data/`, whatever the case; {names} in them are those of its `words`,
    and braces of their own stand twice."""

    def __init__(self, name: str) -> None:
        self.data: Row = _loaded(name)
        self._words: dict[str, str] = {}
        for word, pattern in self.data["words"].items():
            self._words[word] = pattern.format(**self._words)

    def compiled(self, pattern: str) -> re.Pattern[str]:
        return re.compile(pattern.format(**self._words), re.IGNORECASE)


def _loaded(name: str) -> Row:
    text = (files("primum.safety") / "data" / name).read_text(encoding="utf-8")
    loaded: Row = yaml.load(text, Loader=yaml.CSafeLoader)
    return loaded
