"""Groups of people that a statement is about."""

import re

from primum.safety.remembered import remembered

_POPULATIONS = {
    "pregnancy": r"(?<!not )(?<!outside )pregnan\w*|trimester|unborn|antenatal|prenatal|expecting a baby",
    "breastfeeding": r"breast-?\s?feed\w*|nursing mother\w*|lactat\w*",
    "infants": r"infants?|newborns?|babies|(?<!for a )baby",
    "children": r"child\w*|kids?|toddlers?|paediatric|pediatric|under 1[0-8]\b|schoolchild\w*",
    "teenagers": r"teen\w*|adolescen\w*",
    "older adults": r"older (?:adults?|people|patients?)|elderly|aged 6\d|over 6[05]|frail\w*",
    "kidney disease": r"(?:kidney|renal) (?:disease|failure|impairment|problems?)",
    "liver disease": r"(?:liver|hepatic) (?:disease|failure|impairment|problems?)|cirrhosis",
}
_PATTERNS = {name: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for name, pattern in _POPULATIONS.items()}

_AMONG = re.compile(
    r"(?:^|\s)\W*(?:(?:and|what about|how about)\s+)?\b(?:in|during|while|for|when|if|with|among)"
    r"\s+(?:[\w'’]+\s+){0,2}?"
    rf"(?:{'|'.join(_POPULATIONS.values())})\b",
    re.IGNORECASE,
)


@remembered(maxsize=16384)
def populations(text: str) -> frozenset[str]:
    """The groups that the text names."""
    return frozenset(name for name, pattern in _PATTERNS.items() if pattern.search(text))


def regardless(text: str) -> str:
    """The text without whom it asks about: "Is it safe in pregnancy?" is "Is it safe?"."""
    return re.sub(r"([?!.])[?!.\s]*(?=[?!.]|$)", r"\1", _AMONG.sub("", text))
