"""How strong a kind of publication is as evidence, and what withdraws it."""

import re
from collections.abc import Iterable

# From the strongest to the weakest: a paper of several types is of the first.
_TYPES: dict[str, frozenset[str]] = {
    "guideline": frozenset({"practice guideline", "guideline", "consensus development conference", "nih consensus"}),
    "review": frozenset({"systematic review", "meta analysis", "network meta analysis", "review", "review article"}),
    "trial": frozenset(
        {
            *("randomized controlled trial", "controlled clinical trial", "pragmatic clinical trial"),
            *("clinical trial", "adaptive clinical trial", "equivalence trial"),
        }
    ),
    "case": frozenset({"case reports", "case report"}),
}
_PHASE = re.compile(r"clinical trial phase (?:i{1,3}v?|iv)")
# What a rank counts: a hint only, so that a guideline on place 20 stands before an opinion on place 1, not more.
WEIGHTS = {"guideline": 1.3, "review": 1.2, "label": 1.15, "trial": 1.1, "textbook": 1.05, "": 1.0, "case": 0.8}

RETRACTED = "retracted"
CONCERN = "expression of concern"
_WITHDRAWN_TITLE = re.compile(r"\W*(?:retracted|withdrawn)(?: article)?\s*[:\]]", re.IGNORECASE)
_NOTICES = frozenset({"retraction of publication", "retraction notice", "expression of concern", "published erratum"})


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[a-z]+", name.lower()))


def level(types: Iterable[str]) -> str:
    """guideline, review, trial or case, by PubMed's or Europe PMC's publication types; nothing for all others."""
    plain = {_plain(one) for one in types}
    for name, known in _TYPES.items():
        if plain & known or (name == "trial" and any(map(_PHASE.fullmatch, plain))):
            return name
    return ""


def withdrawn(title: str, types: Iterable[str], corrections: Iterable[str]) -> str:
    """`retracted`, `expression of concern` or nothing, by the title, the types and the kinds of notices about it."""
    kinds = {_plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", one)) for one in corrections}
    retracted = {"retraction in", "partial retraction in", "withdrawn in"} & kinds
    if retracted or "retracted publication" in map(_plain, types) or _WITHDRAWN_TITLE.match(title):
        return RETRACTED
    return CONCERN if "expression of concern in" in kinds else ""


def is_notice(types: Iterable[str]) -> bool:
    """Whether a publication only says something of another one: that is no evidence."""
    return not _NOTICES.isdisjoint(map(_plain, types))
