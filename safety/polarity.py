"""Whether a clause affirms or denies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from primum.safety.remembered import remembered
from primum.safety.words import Bag, content

_BORDER = re.compile(
    r"[;:]\s|,\s|\s[–—]\s|\b(?:but|however|unless|except|although|though|while|whereas|because|if|when|until"
    r"|instead of|rather than|so that|without|nor)\b"
    r"|\b(?:and|or)\s+(?=(?:is|are|do|does|has|have|should|can|cannot|must|will|may|not|never|no)\b)",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\W*(?:even )?(?:if|when|unless|until)\b", re.IGNORECASE)
# "does not cause weight gain and lowers blood sugar": the second verb is not denied.
_DENIED_VERB = re.compile(r"\b(?:does|do|did|can|will|must|should)(?: not|n['’]t)\b|\bcannot\b", re.IGNORECASE)
_SECOND_VERB = re.compile(
    r"\band\s+(?=(?:always |usually |often |also )?(?!always|perhaps)[a-z]+[^s\W]s\s+"
    r"(?!(?:of|in|on|at|for|to|from|with|by|and|or|if|when|are|is)\b)[a-z]+)"
)
# A bound is no denial: "no more than 4 g", "do not take it for longer than 3 days", "not only".
_NO_DENIAL = re.compile(
    r"\b(?:no|not)\s+(?:(?:more|less|fewer|later|longer)\s+than|only|just)\b|\bwithout delay\b|\bno doubt\b"
    r"|(?:\b(?:not|never)\b|n['’]t\b)(?=(?:\s+[\w'’-]+){0,5}\s+(?:more|longer|greater|later)\s+than\s+"
    r"(?:about |around |a |one |two |three )?\d|\s+exceed)",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:not|no|never|cannot|neither|nor|without|avoid\w*|contraindicat\w*|unsafe|unlikely|stop taking|refrain\w*"
    r"|free of|instead of|rather than)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Clause:
    """Its words but the small ones, those of the sentence's conditions among them; and whether it denies."""

    words: tuple[str, ...]
    bag: Bag
    denies: bool
    condition: bool


def denies(text: str) -> bool:
    """Whether a denial stands in the text."""
    return bool(_DENIAL.search(_NO_DENIAL.sub(" ", text)))


@remembered(maxsize=16384)
def clauses(sentence: str, finely: bool = False) -> tuple[Clause, ...]:
    """The clauses of a sentence; one with an odd number of denials denies.

    Args:
        finely: what looks like a second verb opens a clause also where no verb is denied.
    """
    parts = _parts(sentence, finely)
    conditions = " ".join(part for part in parts if _CONDITION.match(part))
    found = []
    for part in parts:
        condition = bool(_CONDITION.match(part)) and len(parts) > 1
        bare = _DENIAL.sub(" ", part if condition else f"{part} {conditions}")
        denials = len(_DENIAL.findall(_NO_DENIAL.sub(" ", part)))
        found.append(Clause(content(bare), Bag.of([bare]), denials % 2 == 1, condition))
    return tuple(clause for clause in found if clause.words)


def _parts(sentence: str, finely: bool) -> list[str]:
    """A sentence, cut before each word that opens a clause."""
    parts: list[str] = []
    bounds = [0, *(match.start() for match in _BORDER.finditer(sentence)), len(sentence)]
    for start, stop in pairwise(bounds):
        part = sentence[start:stop]
        second = _SECOND_VERB.search(part) if finely or _DENIED_VERB.search(part) else None
        parts += [part[: second.start()], part[second.start() :]] if second else [part]
    return parts


@remembered(maxsize=16384)
def contradicts(claim: str, source: tuple[str, ...]) -> bool:
    """Whether a clause of the claim affirms what its nearest clause of the source denies, or the reverse.

    Where a sentence can be cut into clauses in two ways, neither may show it.

    Args:
        source: its sentences.
    """
    for finely in (False, True):
        given = [clause for sentence in source for clause in clauses(sentence, finely)]
        if any(_opposed(clause, given) for clause in clauses(claim, finely)):
            return True
    return False


def _opposed(clause: Clause, sources: Sequence[Clause]) -> bool:
    """The nearest clause says most of its words; where several are as near, one that agrees is enough.

    A condition is compared with conditions, where there are any that say one of its words.
    """
    found = [(sum(other.bag.says(word) for word in clause.words), other) for other in sources]
    near = [(overlap, other) for overlap, other in found if overlap and other.condition == clause.condition]
    near = near or [(overlap, other) for overlap, other in found if overlap]
    best = max((overlap for overlap, _ in near), default=0)
    nearest = [other for overlap, other in near if overlap == best]
    return bool(nearest) and all(other.denies != clause.denies for other in nearest)
