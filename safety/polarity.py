"""Whether a clause affirms or denies."""

import re
from dataclasses import dataclass
from functools import lru_cache

from primum.safety.words import stem, tokens

_CLAUSE = re.compile(
    r"[;:]\s|,\s|\s[–—]\s|\b(?:but|however|unless|except|although|though|while|whereas|because|if|when|until"
    r"|instead of|rather than|so that)\b",
    re.IGNORECASE,
)
# A bound is no denial: "no more than 4 g", "not only", "no later than".
_NO_DENIAL = re.compile(
    r"\b(?:no|not)\s+(?:more|less|fewer|later|longer|only|just|exceed)\b(?:\s+than)?|\bwithout delay\b|\bnot? doubt\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:not|no|never|cannot|neither|nor|without|avoid\w*|contraindicat\w*|unsafe|unlikely|stop taking|refrain\w*"
    r"|free of)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Clause:
    stems: frozenset[str]
    denies: bool


@lru_cache(maxsize=16384)
def clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of a text; one with an odd number of denials denies."""
    found: list[Clause] = []
    start = 0
    bounds = [match.start() for match in _CLAUSE.finditer(text)] + [len(text)]
    for stop in bounds:
        part = text[start:stop]
        stems = frozenset(stem(word) for word in tokens(part) if len(word) > 2)
        if stems:
            opened_by = "" if start == 0 else part
            denials = len(_DENIAL.findall(_NO_DENIAL.sub(" ", part)))
            # "instead of X" and "rather than X" deny X.
            denials += bool(re.match(r"\s*(?:instead of|rather than)\b", opened_by, re.IGNORECASE))
            found.append(Clause(stems, denials % 2 == 1))
        start = stop
    return tuple(found)


def contradicts(claim: str, source: str, shared: frozenset[str]) -> bool:
    """Whether a clause of the claim affirms what its nearest clause of the source denies, or the reverse.

    `shared` are the stems that count as content. The nearest clause is the one with most of them in common;
    where several are as near, one that agrees is enough.
    """
    sources = clauses(source)
    for clause in clauses(claim):
        content = clause.stems & shared
        overlaps = [len(content & other.stems) for other in sources]
        best = max(overlaps, default=0)
        if best == 0:
            continue
        nearest = [other for other, overlap in zip(sources, overlaps, strict=True) if overlap == best]
        if all(other.denies != clause.denies for other in nearest):
            return True
    return False
