"""Advice that is wrong for anybody: to leave off an essential medicine, to refuse a vaccine, aspirin for a child."""

import re
from dataclasses import dataclass
from functools import cache

from primum.safety import contraindications
from primum.safety.contraindications import drug_set
from primum.safety.finder import Expressions
from primum.safety.findings import Finding, Severity
from primum.safety.lexicon import mentions
from primum.safety.profile import Profile
from primum.safety.recommends import recommended
from primum.safety.remembered import remembered

_POINTS = re.compile(
    r"\b(?:it|them|both|these|those|this|all (?:of )?(?:them|your)"
    r"|the (?:medicines?|drugs?|tablets?|pills?|medication))\b|它|这(?:些|个|种|两种)|药",
    re.IGNORECASE,
)
_SMALL = re.compile(r"\bbaby aspirin\b", re.IGNORECASE)  # is of low dose, for adults
_CHILD = 2.0  # years: what the tables say of a child of no known age


@dataclass(frozen=True)
class _Rule:
    id: str
    about: re.Pattern[str] | None  # none: an essential medicine
    severity: Severity
    text: str
    source: str
    says: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]


@cache
def _file() -> Expressions:
    return Expressions("advice.yaml")


@cache
def _rules() -> tuple[_Rule, ...]:
    return tuple(
        _Rule(
            id=row["id"],
            about=None if row["about"] == "essential" else _file().compiled(row["about"]),
            severity=row["severity"],
            text=row["text"],
            source="; ".join(_file().data["sources"][key] for key in row["source"].split("|")),
            says=tuple(map(_file().compiled, row["says"])),
            unless=tuple(map(_file().compiled, row["unless"])),
        )
        for row in _file().data["rules"]
    )


@cache
def _child() -> tuple[re.Pattern[str], re.Pattern[str]]:
    row = _file().data["aspirin_child"]
    return re.compile(row["child"], re.IGNORECASE), re.compile(row["unless"], re.IGNORECASE)


@cache
def _essential_words() -> re.Pattern[str]:
    return re.compile(_file().data["essential_words"], re.IGNORECASE)


@remembered(maxsize=4096)
def check(sentence: str, before: str = "", asked: str = "") -> tuple[Finding, ...]:
    """What a sentence of an answer advises that nobody should be advised.

    Args:
        before: the sentence before it, and `asked` the question: what they name may be pointed to by "it".
    """
    found = [_finding(rule, words) for rule in _rules() if (words := _said(rule, sentence, before, asked))]
    return (*found, *_for_a_child(sentence, before, asked))


def _said(rule: _Rule, sentence: str, before: str, asked: str) -> str:
    """What the sentence says that the rule forbids; nothing if it doesn't, or for a reason."""
    said = next((match.group() for pattern in rule.says if (match := pattern.search(sentence))), "")
    if not said or sentence.endswith(("?", "？")) or any(pattern.search(sentence) for pattern in rule.unless):
        return ""
    if rule.about:
        return said if rule.about.search(sentence) or rule.about.search(asked) else ""
    pointed = f"{before}\n{asked}" if _POINTS.search(sentence) else ""
    return said if _essential(sentence) or _essential(pointed) else ""


def _essential(text: str) -> bool:
    """Whether a text names a medicine that nobody leaves off by himself."""
    known = drug_set(_file().data["essential"])
    return bool(_essential_words().search(text)) or any(one.name in known for one in mentions(text))


def _for_a_child(sentence: str, before: str, asked: str) -> list[Finding]:
    """What the tables say of aspirin at a child's age, where a child is spoken of and its age may not be known."""
    child, unless = _child()
    named = [name for name in recommended(sentence) if name in drug_set("aspirin|salicylate")]
    if (
        not named
        or not child.search(_SMALL.sub("aspirin", f"{sentence}\n{before}\n{asked}"))
        or unless.search(sentence)
    ):
        return []
    return list(contraindications.check(named, Profile(age=_CHILD)))


def _finding(rule: _Rule, words: str) -> Finding:
    subject = re.sub(r"\s+", " ", words).strip(" ,;:.")[:80]
    return Finding(
        rule=f"advice.{rule.id}", severity=rule.severity, subjects=[subject], text=rule.text, source=rule.source
    )
