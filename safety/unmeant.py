"""What was swallowed by accident, or as no dose is taken: it is no medicine of the person who swallowed it."""

import re

# Words behind which something else begins: "a bottle of wine while taking metronidazole".
_ON = r"(?!(?:with|and|but|then|for|while|when|after|before|because|taking|takes?|con|y|pero|mientras|despu[eé]s)\b)"
_UNMEANT = re.compile(
    r"(?:\b(?:drank|drunk|gulped|swigged|downed|swallowed|ate|eaten|chewed|got into|overdosed on|bebi[oó]|bebido"
    rf"|trag[oó]|tragado|comi[oó]|comido)\b(?: {_ON}[\w'-]+){{0,6}}"
    rf"|\b(?:took|taken|had|given|emptied|(?:se|me) (?:ha |he )?tom(?:[oóeé]|ado))\b(?: {_ON}[\w'-]+){{0,4}}"
    r" (?:bottle|box|packet|pack|strip|blister|tub|handful|fistful|botella|bote|frasco|caja|blister|envase|pu[nñ]ado)s?"
    rf"(?: {_ON}[\w'-]+){{0,3}}"
    r"|[误誤偷][吃服喝吞食][了下]?[^,，。]{0,4}|[吃服喝吞][了下光掉完]*[大半整一两]*[瓶盒板罐把][^,，。]{0,3})\s*$",
    re.IGNORECASE,
)


def unmeant(before: str) -> bool:
    """Whether the words before a medicine's name say that it was swallowed so."""
    return _UNMEANT.search(before) is not None
