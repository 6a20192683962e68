"""Text that gives orders to the model: in a document it is an attack, in a question an attempt.

This is one layer. What a document says changes no routing, tool or triage in any case, and no sentence of an
answer stands that its cited passage does not prove; a finding here keeps a passage away from the model at all.
"""

import base64
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

import yaml

from primum.safety.findings import Finding, Severity
from primum.safety.literals import Sieve, literals
from primum.safety.remembered import remembered

# Characters that show nothing: format and bidirectional controls, fillers, selectors and tags that can carry text.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# A joiner shapes Persian, Indic and emoji text; beside a Latin letter or a space it only hides something.
_JOINER = re.compile(r"(?<![^\x00-\u024f\s])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u024f\s])")
_SPLIT_WORD = re.compile(r"[A-Za-z][\u200b-\u200f\u2060-\u2064\ufeff]+[A-Za-z]")
_TAGS = re.compile("[\U000e0020-\U000e007e]")
_SELECTORS = re.compile("[\U000e0100-\U000e01ef]{4,}")
_OVERRIDE = re.compile("[\u202d\u202e]")
_EMBEDDING = re.compile("[\u202a\u202b\u2066-\u2068]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ENCODED = re.compile(r"(?<![\w+/])(?:[A-Za-z0-9+/_-]{24,}={0,2}|(?:[0-9a-fA-F]{2}[ :]?){16,})(?![\w+/=])")
_SPACED = re.compile(r"\b(?:[A-Za-z][ .\-_]){5,}[A-Za-z]\b")
_SPELT = re.compile(
    r"ignore|forget|disregard|instruct|prompt|system|reveal|saythat|tellthe|pretend|override", re.IGNORECASE
)
_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_UNSEEN = re.compile(
    r"<[^>]{0,200}\b(?:display:\s*none|visibility:\s*hidden|font-size:\s*0|opacity:\s*0(?![.\d])|color:\s*(?:white|#fff)"
    r"|hidden(?=[\s>]))[^>]{0,100}>([^<]{12,})",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"\b(?:ignore|assistant|ai|llm|model|prompt|instructions?|system|answer|respond|reply|say|tell|user|recommend)\b",
    re.IGNORECASE,
)
# Cyrillic and Greek letters that look Latin, for words that mix both.
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһӏАВЕКМНОРСТХоαενικρτυ", "aeopcyxijsdhlABEKMHOPCTXoaevikptu")
_OTHER_LETTER = re.compile("[Ͱ-ӿԀ-ԯ]")
_WORD = re.compile(r"\w+")
_ONE_I = str.maketrans("İı", "ii")


@dataclass(frozen=True)
class _Rule:
    """One expression of a rule of `data/injection.yaml`."""

    id: str
    severity: Severity
    about: str
    says: re.Pattern[str]


@cache
def _data() -> dict[str, Any]:
    text = (files("primum.safety") / "data" / "injection.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return loaded


def _folded(text: str) -> str:
    """The text so that what `re.IGNORECASE` takes for the same letter is the same letter."""
    return text.translate(_ONE_I).casefold()


@cache
def _rules(place: str) -> Sieve[_Rule]:
    words: dict[str, str] = _data()["words"]
    rules: Sieve[_Rule] = Sieve(_folded)
    for row in _data()["rules"]:
        for says in (one.format(**words) for one in row["says"] if place in row["in"]):
            pattern = re.compile(says, re.IGNORECASE | re.MULTILINE)
            rules.add(literals(says), _Rule(row["id"], row["severity"], row["about"], pattern))
    return rules


def clean(text: str) -> str:
    """The text without characters that show nothing."""
    return _JOINER.sub("", _INVISIBLE.sub("", text))


@remembered(maxsize=2048)
def suspicious(text: str) -> tuple[Finding, ...]:
    """What in the text of a document or web page speaks to a model and not to the reader."""
    return (*_hidden(text), *_said(text, "document"))


def in_question(text: str) -> tuple[Finding, ...]:
    """Attempts in the user's own words to turn or drain the model. They stop no medical question."""
    found = (*_hidden(text), *_said(text, "question"))
    return tuple(one.model_copy(update={"severity": "moderate"}) if one.severity == "major" else one for one in found)


def _finding(rule: str, severity: Severity, about: str, words: str) -> Finding:
    quoted = re.sub(r"\s+", " ", words).strip()[:80]
    return Finding(
        rule=f"injection.{rule}",
        severity=severity,
        subjects=[quoted] if quoted else [],
        text=f"This text {about}. It is shown to nobody as advice and followed by nothing.",
        source=_data()["source"],
    )


def _said(text: str, place: str) -> tuple[Finding, ...]:
    found: dict[str, Finding] = {}
    rules = _rules(place)
    for view in _views(text):
        for rule in rules.through(rules.there(view)):
            if rule.id not in found and (match := rule.says.search(view)):
                found[rule.id] = _finding(rule.id, rule.severity, rule.about, match.group())
    return tuple(found.values())


def _views(text: str) -> Iterator[str]:
    """The text as a model may read it: cleaned, look-alikes as Latin letters, what is encoded in it decoded."""
    plain = clean(unicodedata.normalize("NFKC", text))
    if _OTHER_LETTER.search(plain):
        plain = _WORD.sub(_in_latin, plain)
    yield plain
    if "&" in plain and (unescaped := html.unescape(plain)) != plain:
        yield unescaped
    if plain.count("%") > 2 and (unquoted := unquote(plain)) != plain:
        yield unquoted
    if spaced := _SPACED.findall(plain):
        yield " ".join(re.sub(r"[ .\-_]", "", run) for run in spaced)
    if tagged := "".join(chr(ord(one) - 0xE0000) for one in _TAGS.findall(text)):
        yield tagged
    yield from _decoded(plain)


def _in_latin(word: re.Match[str]) -> str:
    mixed = _OTHER_LETTER.search(word.group()) and re.search("[A-Za-z]", word.group())
    return word.group().translate(_LOOKALIKES) if mixed else word.group()


def _decoded(text: str) -> Iterator[str]:
    for match in _ENCODED.finditer(text):
        run = match.group()
        padded = run.replace("-", "+").replace("_", "/") + "=" * (-len(run) % 4)
        for decode, written in ((base64.b64decode, padded), (bytes.fromhex, re.sub(r"[ :]", "", run))):
            try:
                plain = decode(written).decode("utf-8")
            except ValueError:
                continue
            if plain.replace("\n", "").isprintable():
                yield plain


@remembered(maxsize=256)
def _hidden(text: str) -> tuple[Finding, ...]:
    """What a reader can't see and a model can."""
    found = []
    if _TAGS.search(text) or _SELECTORS.search(text):
        found.append(_finding("tags", "major", "carries words in invisible tag characters", ""))
    if _SPLIT_WORD.search(text) and len(_SPLIT_WORD.findall(text)) > 2:
        found.append(_finding("zero-width", "moderate", "splits its words with invisible characters", ""))
    if _OVERRIDE.search(text) or (_EMBEDDING.search(text) and not _RIGHT_TO_LEFT.search(text)):
        found.append(_finding("direction", "moderate", "turns its reading direction with control characters", ""))
    unseen = [part for pattern in (_COMMENT, _UNSEEN) for part in pattern.findall(text)]
    if any(len(_COMMAND.findall(part)) > 1 for part in unseen):
        found.append(_finding("unseen", "moderate", "holds words that a page does not show", ""))
    if any(_SPELT.search(re.sub(r"[ .\-_]", "", run)) for run in _SPACED.findall(text)):
        found.append(_finding("spelt-out", "moderate", "spells an order out letter by letter", ""))
    return tuple(found)
