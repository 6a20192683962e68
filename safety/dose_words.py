"""The words of doses, as `data/dose_words.yaml` has them: units, frequencies, routes, limits and denials."""

import re
from collections.abc import Iterable

from primum.safety.finder import Words

_WORDS = Words("dose_words.yaml")
_DATA = _WORDS.data

UNITS: dict[str, tuple[str, float]] = {
    word: (row["kind"], row["of"]) for row in _DATA["units"] for word in row["words"].split()
}
COUNTED = frozenset({"tablet", "sachet", "suppository", "patch", "puff", "spray", "drop"})
TAKEN_WHOLE = frozenset({"tablet", "sachet", "suppository"})
NO_UNITS = frozenset(_DATA["no_units"].split())
FOODS = frozenset(_DATA["foods"])
INTAKES: dict[str, float] = _DATA["intakes"] | _DATA["latin"]
PERIODS = tuple((days, re.compile(words)) for words, days in _DATA["periods"].items())
VAGUE = frozenset("a an un una uno one".split())


def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True))})"


_WORDS.add(
    {
        "unit": _any(UNITS),
        "whole": _any(word for word, (kind, _) in UNITS.items() if kind in TAKEN_WHOLE),
        "latin": "|".join(r"\.?".join(word) for word in _DATA["latin"]),
    }
)

# Kind, intakes a day, expression.
FREQUENCIES = tuple(
    (row.get("kind", "freq"), row.get("per_day", 0.0), _WORDS.made(row)) for row in _DATA["frequencies"]
)
ROUTES = tuple((route, _WORDS.made(row)) for route, row in _DATA["routes"].items())
AMOUNT, ODD_UNIT = _WORDS.finder("amount"), _WORDS.finder("odd_unit")
COUNTED_BARE, PIECE, PIECE_OF = map(_WORDS.finder, ("counted", "piece", "piece_of"))
PERCENT, OVER = map(_WORDS.finder, ("percent", "over"))
PARTS_IN, PER_ML, ML_HOLD = map(_WORDS.finder, ("parts_in", "per_ml", "ml_hold"))
ANOTHER = _WORDS.finder("another_one")
TAKING, AGAIN, COUNTED_NEXT = map(_WORDS.pattern, ("taking", "again", "counted_next"))
AS_MASS, DECADE, PRONOUN, TO_WHEN = map(_WORDS.pattern, ("as_mass", "decade", "pronoun", "to_when"))
LABEL = _WORDS.pattern("label")
PAST, LASTING, OTHERS, MINE = map(_WORDS.finder, ("past", "lasting", "others", "mine"))
PUT_RIGHT, MISREAD, CHANGED, TOLD = map(_WORDS.finder, ("put_right", "misread", "changed", "told"))
NOT_DONE, TAKER = map(_WORDS.finder, ("not_done", "taker"))
WISHED, REFUSED_AFTER = map(_WORDS.finder, ("wished", "refused_after"))
SUPPOSED, FRESH, SWALLOWED = map(_WORDS.finder, ("supposed", "fresh", "swallowed"))
SUMMED, PLAN = map(_WORDS.finder, ("summed", "plan"))
PACKED, PACKED_AFTER = map(_WORDS.pattern, ("packed", "packed_after"))
REFUSED_BEFORE, NOT_THIS = map(_WORDS.pattern, ("refused_before", "not_this"))
CLOCK = re.compile(rf"{_WORDS.parts['clock']}|\d{{1,2}}点")
WARNED, BY_THE_COURSE = map(_WORDS.pattern, ("warned", "by_the_course"))
ALTERNATING, EVERY = _WORDS.finder("alternating"), _WORDS.pattern("every")
EACH_HOLDS = _WORDS.pattern("each_holds")
PATCH_NEXT, A_DAY, OF_THEM = map(_WORDS.pattern, ("patch_next", "a_day", "of_them"))
LISTED, COUNTED_ON, OF_A_BOTTLE = map(_WORDS.pattern, ("listed", "counted_on", "of_a_bottle"))
EACH_GO_BEFORE, EACH_GO_AFTER = map(_WORDS.pattern, ("each_go_before", "each_go_after"))
READ_AS, CAPPED, COURSE = _WORDS.pattern("read_as"), _WORDS.finder("capped"), _WORDS.finder("course")
HANDED_OUT_BEFORE, HANDED_OUT_AFTER = map(_WORDS.pattern, ("handed_out_before", "handed_out_after"))
HAN_GAP = re.compile("[\u4e00-\u9fff][各就再又]?(?:吃|服用?|喝)?了?")
OF_A_DAY, I_HAD = _WORDS.finder("of_a_day"), _WORDS.pattern("i_had")
TOLD_AFTER, WEEKDAY = _WORDS.pattern("told_after"), re.compile(_WORDS.parts["weekday"])
LIMIT_BEFORE, UP_TO, MORE = _WORDS.finder("limit_before"), _WORDS.finder("up_to"), _WORDS.finder("more")
DENIED, POISONED, LAB = _WORDS.finder("denied"), _WORDS.finder("poisoned"), _WORDS.finder("lab")
PER, RATIO = _WORDS.pattern("per"), _WORDS.pattern("ratio")
BEFORE_NAME, AFTER_NAME = _WORDS.pattern("before_name"), _WORDS.pattern("after_name")
LIMIT_AFTER, SINGLE, WEEKLY = _WORDS.pattern("limit_after"), _WORDS.pattern("single"), _WORDS.pattern("weekly")
ALLOWED, TURNS, NO_DRUG = _WORDS.pattern("allowed"), _WORDS.pattern("turns"), _WORDS.pattern("no_drug")
HARM_AFTER, NO_HARM = _WORDS.pattern("harm_after"), _WORDS.pattern("no_harm")
FILL, EXTRA, JOINED, PARTED = map(_WORDS.pattern, ("fill", "extra", "joined", "parted"))
OTHERWISE, THAT_IS, DILUTED = map(_WORDS.pattern, ("otherwise", "that_is", "diluted"))
TABLETS_NEXT, EACH_NEXT = _WORDS.pattern("tablets_next"), _WORDS.pattern("each_next")
STRENGTH_NEXT, TIMES_AFTER = _WORDS.pattern("strength_next"), _WORDS.pattern("times_after")
