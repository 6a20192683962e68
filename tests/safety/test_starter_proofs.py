"""The support check on the starter library's own sentences: copied they stand, tampered with they fall."""

import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from primum.retrieval.chunking import chunk
from primum.retrieval.loaders import STARTER, Source, load
from primum.safety.lexicon import named
from primum.safety.sentences import split_answer, split_plain
from primum.safety.support import Evidence, check
from tests.fakes import FakeEmbedder

EACH = 11  # one sentence in eleven: about 300
NUMBERED = re.compile(r"(?<![\w.,-])\d+(?:\.\d+)?(?![\w.,]\d)")
UNITS = {"mg": "g", "hours": "days", "days": "weeks", "weeks": "months", "months": "years", "minutes": "hours"}
TURNS = {"raises": "lowers", "lowers": "raises", "more": "less", "less": "more", "higher": "lower", "high": "low"}
TURNS |= {"prevents": "causes", "causes": "prevents", "before": "after", "safe": "dangerous", "stop": "start"}
DENIALS = (
    (r"\bcannot\b", "can"),
    (r"\b(is|are|do|does|should|must|can|may) not\b", r"\1"),
    (r"\b[Nn]ever ", ""),
    (r"\b[Aa]void\b", "Take"),
    (r"\bDo not ", "Always "),
)
AFFIRMATIONS = tuple((rf"\b{verb}\b(?! not)", f"{verb} not") for verb in ("can", "is", "are", "should", "must", "may"))


@cache
def sentences() -> list[tuple[str, Evidence]]:
    """Every eleventh sentence of the library, with the chunk that it stands in."""
    count = FakeEmbedder().count_tokens
    pages = (page for page in load(STARTER) if isinstance(page, Source))
    found = [
        (piece.text[a:b], Evidence(piece.text, page.title, piece.heading))
        for page in pages
        for piece in chunk(page, count)
        for a, b in split_plain(piece.text)
    ]
    return found[::EACH]


def stands(sentence: str, evidence: Evidence) -> bool:
    marked = re.sub(r"([.!?]?)$", r" [1]\1", sentence, count=1)
    return all(verdict.stands for verdict in check(split_answer(marked), {1: evidence}))


def test_a_copied_sentence_stands_with_its_marker() -> None:
    assert [sentence for sentence, evidence in sentences() if not stands(sentence, evidence)] == []
    assert len(sentences()) > 250


def swapped(words: dict[str, str], before: str = r"\b") -> Callable[[str], Iterator[str]]:
    pattern = re.compile(rf"({before})({'|'.join(words)})\b")

    def swap(sentence: str) -> Iterator[str]:
        if pattern.search(sentence):
            yield pattern.sub(lambda match: match[1] + words[match[2]], sentence, count=1)

    return swap


def replaced(pairs: tuple[tuple[str, str], ...]) -> Callable[[str], Iterator[str]]:
    def replace(sentence: str) -> Iterator[str]:
        for pattern, new in pairs:
            if re.search(pattern, sentence):
                yield re.sub(pattern, new, sentence, count=1)
                return

    return replace


def renumbered(sentence: str) -> Iterator[str]:
    for match in NUMBERED.finditer(sentence):
        yield f"{sentence[: match.start()]}{int(float(match[0])) * 3 + 7}{sentence[match.end() :]}"


def renamed(sentence: str) -> Iterator[str]:
    for written in list(named(sentence))[:1]:
        yield re.sub(rf"\b{re.escape(written)}\b", "digoxin", sentence, flags=re.IGNORECASE)


TAMPERINGS: dict[str, tuple[Callable[[str], Iterator[str]], float]] = {
    # How a sentence is changed, and the share of changed ones that may stand all the same.
    "a number": (renumbered, 0.01),
    "a unit": (swapped(UNITS, r"\d "), 0.04),
    "a drug": (renamed, 0.02),
    "a denial taken out": (replaced(DENIALS), 0.05),
    "a denial put in": (replaced(AFFIRMATIONS), 0.03),
    "a word turned round": (swapped(TURNS), 0.05),
}


@pytest.mark.parametrize("changed", TAMPERINGS)
def test_a_copied_sentence_falls_with(changed: str) -> None:
    tamper, allowed = TAMPERINGS[changed]
    tried = [(new, evidence) for sentence, evidence in sentences() for new in tamper(sentence) if new != sentence]
    standing = [new for new, evidence in tried if stands(new, evidence)]
    assert len(standing) <= allowed * len(tried), standing
    assert len(tried) >= 30
