"""Requests for help with harm are declined in plain words, with what can be had instead.

Frank questions are not harm: how much is too much, how to be safer, what a law says, what was done to me.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import yaml

from primum.safety.findings import Finding
from primum.safety.injection import clean

_STOP = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_ABBREVIATED = re.compile(r"\b(?:[Dd]r|[Mm]rs?|[Mm]s|[Pp]rof|e\.g|i\.e|vs|[Ss]t)\.$")
# "I want to …. Can you help me find a way to do this?"
_ASKED_AFTER = re.compile(
    r"\b(?:help me|tell me how|how (?:can|could|do|should|would) i|find a way)\b.{0,30}\b(?:this|that|it|so)\b"
)
_LONGEST = 40_000


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


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((files("primum.safety") / "data" / "harm.yaml").read_text(encoding="utf-8"))
    return loaded


@cache
def _words() -> dict[str, str]:
    """The words of the table, those that use other words filled in."""
    words: dict[str, str] = {"verb": _data()["verb"]}
    for name, pattern in _data()["words"].items():
        words[name] = pattern.format(**words)
    return words


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.format(**_words()), re.IGNORECASE)


@cache
def _rules() -> tuple[_Rule, ...]:
    return tuple(
        _Rule(row["id"], row["category"], row["asks"], tuple(map(_compiled, row["says"]))) for row in _data()["rules"]
    )


@cache
def _frames() -> dict[str, re.Pattern[str]]:
    return {name: _compiled(pattern) for name, pattern in _data()["frames"].items()}


@cache
def _exceptions() -> tuple[re.Pattern[str], ...]:
    return tuple(map(_compiled, [*_data()["protects"], *_data()["victim"]]))


@lru_cache(maxsize=1024)
def judge(text: str) -> Refusal | None:
    """Whether the text asks for help with harm; None is a question to answer.

    The category `self_harm` is a person in crisis: its text offers help, and triage speaks first.
    """
    found: dict[str, tuple[_Rule, str]] = {}
    plain = re.sub(r"[‘’´`]", "'", clean(text))[:_LONGEST]
    for sentence, asked in _sentences(plain):
        if any(pattern.search(sentence) for pattern in _exceptions()):
            continue
        for rule in _rules():
            if rule.id not in found and (words := _asked_for(rule, sentence, asked)):
                found[rule.id] = (rule, words)
    if not found:
        return None
    first = next(iter(sorted(found.values(), key=lambda one: _rules().index(one[0]))))[0]
    return Refusal(
        first.category,
        _data()["categories"][first.category]["text"],
        tuple(_finding(rule, words) for rule, words in found.values()),
    )


def _sentences(text: str) -> Iterator[tuple[str, bool]]:
    """Each sentence, and whether a later one asks for it."""
    parts: list[str] = []
    for part in _STOP.split(text):
        if parts and _ABBREVIATED.search(parts[-1]):
            parts[-1] += " " + part
        elif part and part.strip():
            parts.append(part.strip())
    for number, part in enumerate(parts):
        yield part, any(_ASKED_AFTER.search(later.lower()) for later in parts[number + 1 : number + 3])


def _asked_for(rule: _Rule, sentence: str, asked: bool) -> str:
    """What the sentence asks for that the rule declines; nothing if it doesn't."""
    if rule.asks != "any" and not asked and not _frames()[rule.asks].search(sentence):
        return ""
    return next((match.group() for pattern in rule.says if (match := pattern.search(sentence))), "")


def _finding(rule: _Rule, words: str) -> Finding:
    category = _data()["categories"][rule.category]
    return Finding(
        rule=f"harm.{rule.id}",
        severity=category["severity"],
        subjects=[re.sub(r"\s+", " ", words).strip()[:80]],
        text=category["text"],
        source=category["source"],
    )
