"""What a message that asks nothing is answered: a courtesy with a courtesy, facts told with what was understood."""

import re
from collections.abc import Iterator

from primum.safety.contraindications import label
from primum.safety.lexicon import mentions
from primum.safety.person import read
from primum.safety.profile import Profile
from primum.safety.units import without_quantities
from primum.safety.validator import told
from primum.safety.words import Bag, claims

GREETING = "Hello. Ask me about a symptom, a condition, a medicine or first aid: I answer from checked sources."
THANKED = "You're welcome. Ask again whenever something about your health is unclear."
PARTING = "Goodbye, and take care."
# What each courtesy says, and what may stand beside it.
_COURTESIES = tuple(
    (re.compile(rf"(?=.*(?:{core}))\W*(?:(?:{core}|{beside})(?:\W+|$|(?=[一-鿿])))+", re.IGNORECASE), said)
    for core, beside, said in (
        (
            r"hello|hi|hey|good (?:morning|afternoon|evening|day)|greetings|hola|buen[oa]s|你好|您好|早上好|晚上好",
            r"there|d[ií]as|tardes|noches",
            GREETING,
        ),
        (
            r"good ?bye|bye|see you|good night|take care|adi[oó]s|hasta (?:luego|pronto)|chao|再见|拜拜",
            r"later|soon|ok(?:ay)?",
            PARTING,
        ),
        (
            r"thanks?|thank you|thx|cheers|gracias|谢谢|多谢|感谢",
            r"(?:very|so) much|a lot|many|muchas|for (?:your|the) help|that helps|great|ok(?:ay)?|and|hello|hi|bye|hola"
            r"|por (?:la|su|tu) ayuda|您|你|非常",
            THANKED,
        ),
    )
)
_ASKS = re.compile(
    r"[?？]|\b(?:what|how|why|when|which|who|where|can|could|should|may|must|need|want|help|please|tell)\b"
    r"|(?:^|[.,]\s*)(?:is|are|am|do|does)\b",
    re.IGNORECASE,
)
# Words that a fact is told with, beside those that claim nothing.
_TELLING = frozenset(
    "allergic allergy allergies pregnant breastfeeding breast feeding weeks months years old weigh weighs tall born "
    "mother father mum mom dad wife husband son daughter child baby twice once daily tablets tablet mg kg cm".split()
)


def reply(message: str) -> str:
    """The answer to a message that asks nothing; empty for any other."""
    answers = (said for courtesy, said in _COURTESIES if courtesy.fullmatch(message.strip()))
    return next(answers, "") or _noted(message)


def _noted(message: str) -> str:
    """What a message tells of a person, if it tells nothing else; who names but a condition wants to know of it."""
    if _ASKS.search(message):
        return ""
    who = told(message, Profile())
    facts = list(_facts(who))
    known = Bag.of([*who.allergies, *map(label, who.conditions)])
    left = [word for word in claims(_bare(message)) if word not in _TELLING and not known.says(word)]
    if not facts or left:
        return ""
    facts += [label(one) for one in who.conditions if label(one) != "pregnancy"]
    return f"Noted: {'; '.join(facts)}. Ask me what you want to know, and I take it into account."


def _bare(message: str) -> str:
    """The message without the medicines and measures that were read in it."""
    places = [(one.start, one.stop) for one in mentions(message)] + list(read(message).places.values())
    for start, stop in places:
        message = message[:start] + " " * (stop - start) + message[stop:]
    return without_quantities(message)


def _facts(who: Profile) -> Iterator[str]:
    """What is known of a person but their conditions, in words."""
    if who.age is not None:
        yield f"age {who.age:.3g}"
    if who.pregnant:
        yield f"pregnant ({who.weeks_pregnant:g} weeks)" if who.weeks_pregnant else "pregnant"
    if who.breastfeeding:
        yield "breast-feeding"
    for value, unit in ((who.weight_kg, "kg"), (who.height_cm, "cm")):
        if value is not None:
            yield f"{value:.4g} {unit}"
    if who.egfr is not None:
        yield f"eGFR {who.egfr:.3g}"
    yield from (f"allergy to {one}" for one in who.allergies)
    yield from (f"takes {one}" for one in who.medicines)
