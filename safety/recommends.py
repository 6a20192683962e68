"""Which medicines a statement tells a reader to take: all that it names, but those that it warns of."""

import re
from itertools import combinations, pairwise, zip_longest

from primum.safety.lexicon import mentions
from primum.safety.remembered import remembered


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_PART = _any(
    r"(?<=[,;:])\s",
    r"\s[–—]\s",
    r"[(（，；。]",
    r"\b(?=(?:but|however|although|though|while|whereas|instead|than|and|or|then|pero|y|o)\b)",
)
_REASSURES = _any(
    r"\b(?:no|any|little|without(?: any)?)\s+(?:\w+\s+){0,2}(?:risk|danger|harm|problems?|worr\w+|concerns?)\b",
    r"\b(?:no|without(?: any)?)\s+(?:\w+\s+){0,2}interactions?\b",
    r"\bno\s+(?:need|reason) (?:to|not to) (?:avoid|worry|ask|stop|check)\b",
    r"(?:\b(?:not|never)|n['’]t)\s+(?:\w+\s+){0,2}(?:harm\w*|hurt|dangerous|risky|unsafe|interact|affect|matter|worry)\b",
    r"(?:\b(?:not|never)|n['’]t)\s+(?:\w+\s+){0,2}(?:hesitate|contraindicated|a problem|be afraid|mind|avoid)\b",
    r"(?<!not )(?<!n't )(?<!n’t )(?<!never )(?<!cannot )\b(?:safe|safely|fine|harmless|okay|ok)\b",
    r"\bfeel free\b|\bregardless\b|\bdespite\b|\beven (?:if|though|with)\b|\bignor\w+\b|\bfalse(?:ly)?\b|\bmyth\b",
    r"\bseguro\b|没有(?:危险|风险|问题)|安全",
)
_WARNS = _any(
    r"\b(?:avoid\w*|not|never|cannot|neither|nor|no|without|unsafe|contraindicat\w*|stop|stopped|unless|n['’]t)\b",
    r"n['’]t\b|\b(?:instead of|rather than|only (?:if|when|under|after|on)|too much|side effects?)\b",
    r"\b(?:interact|overdos|toxic|harm|danger|serious|careful|warn|allerg|react|poison|bleed|worsen|trigger|damage)\w*",
    r"\b(?:risks?|risky|caution|raises?|increases?|(?:can|may|could) cause|causes?|reduces the effect)\b|^than\b",
    r"\b(?:limit|replac)\w*",
    r"\b(?:ask|tell|check|talk|speak|consult|see)\b(?=.*\b(?:before|whether|if|about|first|with)\b)",
    r"\bevit\w+|避免|禁|不要|不能|不宜|勿|危险|风险",
)
_ADVISES = _any(
    r"\b(?:take|takes|taking|use|using|try|give|giving|start|starting|switch|choose|prefer\w*|recommend\w*|suggest\w*|add)\b",
    r"\b(?:continue|keep|double|swallow|apply|inject|can|may|should|could|would|best|good|works?|helps?|relie\w+|treats?)\b",
    r"\b(?:first|option|choice|dose|allowed|permitted|suitable|appropriate|acceptable|tome|tomar|puede|tabletas?)\b",
    r"^\W*(?:but|however|instead|then|pero)\b|服|吃|可以|用",
)


_OR, _OR_WITH = _any(r"\bor\b"), _any(r"\bor with\b")
_BOTH = _any(r"\b(?:both|together|all (?:two|three|of)|combin\w+|and/or)\b")
_AND = _any(
    r"\b(?:and|with|plus|together|along|besides?|while|when|after|before|then|also|both|add\w*|combin\w+)\b", r"[.;:]"
)
_VERB = _any(
    r"\b(?:can|may|could|might|should|must|is|are|do|does|has|have|raises?|increases?|causes?|interacts?|harms?)\b"
)


@remembered(maxsize=4096)
def recommended(text: str) -> tuple[str, ...]:
    """Canonical names of the substances and classes that a sentence does not warn of.

    A part of a sentence warns, advises, or goes on as the part before it; one that opens the sentence and does neither
    goes with the next verb ("ibuprofen and naproxen can harm the kidneys"). A sentence that does neither counts as
    advice, since a medicine that is named alone may be taken for one. Reassurance ("no risk", "safe") is advice
    whatever else stands there.
    """
    named = mentions(text)
    if not named:
        return ()
    parts = list(pairwise([0, *(place.start() for place in _PART.finditer(text)), len(text)]))
    verdicts = [_warned(text[start:stop]) for start, stop in parts]
    decided = next((place for place, verdict in enumerate(verdicts) if verdict is not None), None)
    opening = decided is not None and verdicts[decided] and bool(_VERB.search(text[slice(*parts[decided])]))
    found: list[str] = []
    warned = opening
    for (start, stop), verdict in zip(parts, verdicts, strict=True):
        warned = warned if verdict is None else verdict
        if not warned:
            found += [one.name for one in named if start <= one.start < stop]
    return tuple(dict.fromkeys(found))


def alternatives(text: str) -> frozenset[frozenset[str]]:
    """Pairs of substances of which a sentence offers one: "naproxen, colchicine or a steroid" are not taken together.

    A list joined by "or" alone. "Warfarin with paracetamol or ibuprofen" is warfarin with either, and where "or both"
    stands, or a name stands twice, nothing is an alternative.
    """
    if _BOTH.search(text):
        return frozenset()
    level = _OR_WITH.sub("or     ", text)
    level = level if level == text else level.replace(", with ", ", or   ")  # each letter in its place
    named, pairs, listed, offered = mentions(text), set[frozenset[str]](), list[str](), False
    if len({one.name for one in named}) < len(named):
        return frozenset()
    for one, following in zip_longest(named, named[1:]):
        listed.append(one.name)
        gap = level[one.stop : following.start] if following else "."
        if _OR.search(gap) and not _AND.search(gap):
            offered = True
        elif gap.strip() != ",":
            pairs |= {frozenset(pair) for pair in combinations(listed, 2)} if offered else set()
            listed, offered = [], False
    return frozenset(pairs)


def _warned(part: str) -> bool | None:
    """Whether a part of a sentence warns; nothing if it neither warns nor advises."""
    if _REASSURES.search(part):
        return False
    if _WARNS.search(part):
        return True
    return False if _ADVISES.search(part) else None
