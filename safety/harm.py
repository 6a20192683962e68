"""Requests for help with harm are declined in plain words, with what can be had instead.

Frank questions are not harm: how much is too much, how to be safer, what a law says, what was done to me.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from primum.safety.finder import Expressions
from primum.safety.findings import Finding
from primum.safety.injection import clean
from primum.safety.literals import Sieve, literals
from primum.safety.remembered import remembered

_STOP = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_ABBREVIATED = re.compile(r"\b(?:[Dd]r|[Mm]rs?|[Mm]s|[Pp]rof|e\.g|i\.e|vs|[Ss]t)\.$")
# "I want to …. Can you help me find a way to do this?"
_ASKED_AFTER = re.compile(
    r"\b(?:help me|tell me how|how (?:can|could|do|should|would) i|find a way)\b.{0,30}\b(?:this|that|it|so)\b"
)
_LONGEST = 40_000
_TOGETHER = 3  # sentences in a row that may say one request
_TOGETHER_LONG = 400  # characters of them together; a long story shows every sign somewhere
_ASKS = re.compile(
    r"\. (?:please )?(?:how|what|which|can|could|tell|give|show|explain|write|describe|draft|list|create)\b"
)
_HAN = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True)
class Refusal:
    """A request that is declined: its category, the reply to the person, and the rules that spoke."""

    category: str
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Rule:
    id: str
    category: str
    asks: str
    says: tuple[re.Pattern[str], ...]


@dataclass(frozen=True)
class _Line:
    """One line of a grave rule: what must show in the words, and what must not."""

    id: str
    category: str
    shown: tuple[str, ...]
    absent: tuple[str, ...]


@cache
def _file() -> Expressions:
    return Expressions("harm.yaml")


@cache
def _rules() -> tuple[_Rule, ...]:
    return tuple(
        _Rule(row["id"], row["category"], row["asks"], tuple(map(_file().compiled, row["says"])))
        for row in _file().data["rules"]
    )


@cache
def _frames() -> dict[str, re.Pattern[str]]:
    return {name: _file().compiled(pattern) for name, pattern in _file().data["frames"].items()}


@cache
def _exceptions() -> tuple[re.Pattern[str], ...]:
    return tuple(map(_file().compiled, [*_file().data["protects"], *_file().data["victim"]]))


@cache
def _grave() -> tuple[_Line, ...]:
    lines = []
    for row in _file().data["grave"]:
        for line in row["says"]:
            names = line.split()
            shown = tuple(name for name in names if name[0] != "-")
            absent = tuple(name[1:] for name in names if name[0] == "-")
            lines.append(_Line(row["id"], row["category"], shown, absent))
    return tuple(lines)


def _phrases(name: str, han: bool) -> str:
    """A sign's phrases as one expression: those in Chinese, which has no word bounds, or the others."""
    phrases = [phrase for phrase in _file().data["signs"][name] if bool(_HAN.search(phrase)) == han]
    return "|".join(re.sub(r"<(\w+)>", lambda other: f"(?:{_phrases(other[1], han)})", phrase) for phrase in phrases)


@cache
def _signs() -> tuple[dict[str, re.Pattern[str]], Sieve[str]]:
    signs: dict[str, re.Pattern[str]] = {}
    sieve: Sieve[str] = Sieve()
    for name in _file().data["signs"]:
        words, han = _phrases(name, han=False), _phrases(name, han=True)
        latin = [rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])"] if words else []
        signs[name] = re.compile("|".join([*latin, *([han] if han else [])]))
        sieve.add(literals(signs[name].pattern), name)
    return signs, sieve


@remembered(maxsize=1024)
def judge(text: str) -> Refusal | None:
    """Whether the text asks for help with harm; None is a question to answer.

    The category `self_harm` is a person in crisis: its text offers help, and triage speaks first.
    """
    found: dict[str, tuple[_Rule | _Line, str]] = {}
    plain = re.sub(r"[‘’´`]", "'", clean(text))[:_LONGEST]
    for line, words in _shown(plain):
        found.setdefault(line.id, (line, words))
    for sentence, asked in _sentences(plain):
        if any(pattern.search(sentence) for pattern in _exceptions()):
            continue
        asks = {"any", *(name for name, frame in _frames().items() if asked or frame.search(sentence))}
        rules = [rule for rule in _rules() if rule.asks in asks and rule.id not in found]
        found |= {rule.id: (rule, words) for rule in rules if (words := _said(rule, sentence))}
    if not found:
        return None
    order = [row["id"] for row in (*_file().data["grave"], *_file().data["rules"])]
    first = min(found.values(), key=lambda one: order.index(one[0].id))[0]
    return Refusal(
        first.category,
        _file().data["categories"][first.category]["text"],
        tuple(_finding(rule, words) for rule, words in found.values()),
    )


def declined(category: str) -> Refusal:
    """The refusal of a request that no rule names, but that is like the examples of this category."""
    kind = _file().data["categories"][category]
    finding = Finding(
        rule=f"harm.like.{category}",
        severity=kind["severity"],
        subjects=[],
        text=kind["text"],
        source="Primum: likeness to examples of harmful requests; no rule names it",
    )
    return Refusal(category, kind["text"], (finding,))


def _shown(text: str) -> Iterator[tuple[_Line, str]]:
    """The lines of the grave rules that hold somewhere in the text, and the words of their first sign."""
    signs, sieve = _signs()
    folded = _folded(text)
    sentences = [f". {sentence}" for sentence, _ in _sentences(folded)]
    rows = tuple(_rows(sentences))
    may = set(sieve.through(sieve.there(folded)))
    seen: dict[str, tuple[int, str]] = {}

    def where(name: str) -> int:
        """The sentences that show the sign, one bit each."""
        if name not in seen:
            found = [match and match.group() for match in map(signs[name].search, sentences)] if name in may else []
            bits = sum(1 << number for number, words in enumerate(found) if words)
            seen[name] = bits, next(filter(None, found), "")
        return seen[name][0]

    for line in _grave():
        known = may.issuperset(line.shown) and all(map(where, line.shown))
        if known and any(_holds(line, where, row) for row in rows):
            yield line, seen[line.shown[0]][1]


def _holds(line: _Line, where: Callable[[str], int], row: int) -> bool:
    return all(where(name) & row for name in line.shown) and not any(where(name) & row for name in line.absent)


def _folded(text: str) -> str:
    """In small letters without accents."""
    letters = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _rows(sentences: list[str]) -> Iterator[int]:
    """Each sentence as a bit, and those that follow each other with one question at most."""
    for start in range(len(sentences)):
        for end in range(start + 1, min(start + _TOGETHER, len(sentences)) + 1):
            row = sentences[start:end]
            requests = sum(sentence.endswith("?") or bool(_ASKS.match(sentence)) for sentence in row)
            if len(row) == 1 or (requests <= 1 and sum(map(len, row)) <= _TOGETHER_LONG):
                yield (1 << end) - (1 << start)


def _sentences(text: str) -> Iterator[tuple[str, bool]]:
    """Each sentence, and whether a later one asks for it."""
    parts: list[str] = []
    for part in _STOP.split(text):
        if parts and _ABBREVIATED.search(parts[-1]):
            parts[-1] += " " + part
        elif part and part.strip():
            parts.append(part.strip())
    for number, part in enumerate(parts):
        after = () if part.endswith("?") else parts[number + 1 : number + 3]
        yield part, any(_ASKED_AFTER.search(later.lower()) for later in after)


def _said(rule: _Rule, sentence: str) -> str:
    """What the sentence says that the rule declines; nothing if it doesn't."""
    return next((match.group() for pattern in rule.says if (match := pattern.search(sentence))), "")


def _finding(rule: _Rule | _Line, words: str) -> Finding:
    category = _file().data["categories"][rule.category]
    return Finding(
        rule=f"harm.{rule.id}",
        severity=category["severity"],
        subjects=[re.sub(r"\s+", " ", words).strip()[:80]],
        text=category["text"],
        source=category["source"],
    )
