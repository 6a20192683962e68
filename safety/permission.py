"""Who may take what: what a sentence permits, and whether its source permits it too.

`You can take it` is made of small words, which the search for a sentence's words does not see: a passage on another
dose or another medicine would prove it.
"""

import re
from collections.abc import Sequence

from primum.safety.polarity import denies
from primum.safety.remembered import remembered
from primum.safety.words import Bag, claims

_VERB = r"(?:be (?:taken|given|used|combined|continued)|take|give|use|drink|eat|combine|mix|continue)\b"
_PERMITS = re.compile(
    rf"\b(?:can|may|could|should|must|to)(?: (?:also|still|often|\w+ly))* {_VERB}"
    r"|\b(?:safe|safely|fine|ok|okay|all right|allowed|harmless|no problem)\b"
    r"|^\W*(?:please |then )?(?:give|take)\b",
    re.IGNORECASE,
)
# A source permits what it tells to take, and what it tells is taken, helps or is chosen.
_GRANTS = re.compile(
    r"\b(?:take[ns]?|taking|gives?|given|giving|use[ds]?|using|usual|drinks?|drinking|eat(?:s|en|ing)?|keep"
    r"|continued?|combined?|mix|recommended|offered|prescribed|needs?|first|choice|option|treat(?:s|ed|ment)?|medicine"
    r"|preferred|best|suitable|help[s]?|eas(?:y|es?)|relieves?|lowers?|prevents?|works?|together)\b",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    r"\b(?:(?:lower|smaller|reduced|adjusted|half) (?:starting |daily )?(?:doses?|amounts?)|different|another"
    r"|other than|instead|alternatives?|less)\b|^(?:unless|except)\b"
    r"|\b(?:ask|check|find out)\b.*\b(?:whether|if|before)\b",
    re.IGNORECASE,
)
_WITHOUT = re.compile(r"\bwithout\b", re.IGNORECASE)  # how it is taken, and no denial of it
_CLAUSE = re.compile(
    r"[;:,]\s|\s[–—]\s|\b(?=(?:but|however|unless|except|although|though|while|whereas|only)\b)",
    re.IGNORECASE,
)
_YES = re.compile(r"(?:^|:\s*)\W*(?:yes|sure|of course|certainly)\b", re.IGNORECASE)
_ASKS_LEAVE = re.compile(
    r"\b(?:can|may|could|should|is it (?:safe|ok|okay|fine|all right))\b[^.?!]*"
    r"\b(?:take|taking|give|giving|use|using|have|drink|eat|mix|combine)\b",
    re.IGNORECASE,
)


@remembered(maxsize=16384)
def permits(text: str, asked: str = "") -> bool:
    """Whether a sentence gives leave to take something, if only by its "yes" to who asked for leave."""
    if _YES.search(text) and _ASKS_LEAVE.search(asked) and not denies(text):
        return True
    return any(_PERMITS.search(clause) for clause in _free(text))


def granted(text: str, near: Sequence[str], context: str) -> bool:
    """Whether a source gives the leave that a sentence gives.

    One of its clauses does, and none that denies, or speaks of a lower dose or another medicine, is alone in saying a
    word of it.

    Args:
        near: the sentences of the source that this one rests on.
        context: the source's title and heading.
    """
    free = [clause for part in near for clause in _free(part)]
    withheld = [clause for part in near for clause in _clauses(part) if clause not in free]
    if not any(_PERMITS.search(clause) or _GRANTS.search(clause) for clause in free):
        return False
    said, unsaid = Bag.of([*free, context]), Bag.of(withheld)
    return all(said.says(word) or not unsaid.says(word) for word in claims(" ".join(_free(text))))


def _clauses(text: str) -> list[str]:
    return [clause for clause in _CLAUSE.split(_WITHOUT.sub(" ", text)) if clause]


def _free(text: str) -> list[str]:
    """The clauses of a sentence that neither deny nor speak of something else in its place."""
    return [clause for clause in _clauses(text) if not denies(clause) and not _OTHERWISE.search(clause)]
