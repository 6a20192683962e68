"""What of a question may leave the house: medical words of lists of ours, and nothing else.

A word that goes out is not the question's but the one of a list that it was found to mean: a name of a medicine or a
condition in `safety/`, a word of `data/medical_words.txt`, or a word that is made of the parts in `data/word_parts.txt`
and of nothing else. Whatever else a question holds (names, places, days, numbers, the story) is in no list.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from primum.safety import lexicon, person
from primum.safety.phrases import Phrases
from primum.safety.remembered import remembered
from primum.safety.tables import read_table
from primum.safety.units import level
from primum.safety.words import is_common, stem

_DATA = files("primum.tools") / "data"
_MOST = 10  # terms of a query: a long list of complaints may be but one person's
_LONGEST = 40  # letters of a built word; a longer one could be read in too many ways
_SHORT = 3  # terms of its shorter form
_ADDRESS = re.compile(r"@|://|www\.|\.(?:com|org|net|edu|gov|info|io|[a-z]{2})(?![a-z])", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")
_TITLE = re.compile(r"(?:mrs?|ms|miss|mx|dr|prof|sir|madam|herr|frau|sra?|name|named|called|surname)", re.IGNORECASE)
_INFLECTED = 3  # letters that a form may be longer or shorter by: "vomited", but not "short" for "shortness"
_ABBREVIATION = 3  # letters up to which a name of a condition must be in capitals: "ms", "ra", "af"
# Words of ours that are names of people and places as well: they leave only where no other name is next to them.
_ALSO_NAMES = frozenset(
    "bite bone burn cast chin cold corn cream cough death drip flu foot gum hair hand head heart heel hip "
    "iron lead lens lip lump mercury mild mole mood mould nail neck period patch pain pill plague rash "
    "rib salt scar shin shock shot side sling spur sting stiff stone sugar temple thumb tick travel trial "
    "vision walking wart weight".split()
)


@dataclass(frozen=True)
class Query:
    """What may leave: terms of our lists, in the order of the question. `drugs` and `first` are among them."""

    terms: tuple[str, ...]
    drugs: tuple[str, ...] = ()
    first: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        words = [word for term in (*self.terms, *self.drugs, *self.first) for word in term.split(" ")]
        if not words or not all(map(may_leave, words)):
            raise ValueError("A query may hold medical words of our lists alone.")

    @property
    def text(self) -> str:
        return " ".join(self.terms)

    def shorter(self) -> "Query | None":
        """The same with less of it, for a search that all terms were too many for; none where nothing can go."""
        terms = (*self.first, *(one for one in self.terms if one not in self.first))
        kept = set(terms[:_SHORT])
        fewer = tuple(one for one in self.terms if one in kept)
        if fewer == self.terms:
            return None
        return Query(fewer, tuple(one for one in self.drugs if one in kept), tuple(o for o in self.first if o in kept))


def deidentify(question: str) -> Query | None:
    """The medical words of a question; None where it has none, and then nothing may leave."""
    text = re.sub(r"\S+", lambda chunk: "·" * len(chunk[0]) if _ADDRESS.search(chunk[0]) else chunk[0], question)
    found = {**_eponyms(text), **_conditions(text), **_drugs(text)}
    taken = [(start, stop) for start, (stop, *_) in found.items()]
    found |= {start: one for start, one in _words(text) if all(one[0] <= a or start >= b for a, b in taken)}
    rows = [(term, kind) for _, (_, term, kind) in sorted(found.items())]
    rows += [(group, "word") for group in _groups(text)]
    kept = list(dict(sorted(rows, key=lambda row: row[1] == "word")))[:_MOST]
    terms = tuple(dict.fromkeys(term for term, _ in rows if term in kept))
    if not any(term for term in terms if term not in _GROUPS):
        return None
    drugs = tuple(dict.fromkeys(term for term, kind in rows if kind == "drug" and term in terms))
    first = tuple(dict.fromkeys(term for term, kind in rows if kind != "word" and term in terms))
    return Query(terms, drugs, first)


_Found = tuple[int, str, str]  # where it stops, the term that leaves, and its kind


def _drugs(text: str) -> dict[int, _Found]:
    """Medicines and their classes, by the names that the lexicon gives them."""
    found: dict[int, _Found] = {}
    for one in lexicon.mentions(text):
        term = " ".join(_spelt(one.name))
        if term and all(map(may_leave, term.split(" "))) and not _is_title(text[: one.start]):
            found[one.start] = (one.stop, term, "class" if lexicon.members(one.name) else "drug")
    return found


def _spelt(name: str) -> list[str]:
    """The words of a canonical name: of a class `ace-inhibitor` the two, of a combination those of each substance."""
    plain = name.replace("-", " ") if lexicon.members(name) else name
    return _WORD.findall(plain.replace("/", " ").lower())


def _conditions(text: str) -> dict[int, _Found]:
    """Conditions, as written if all their words are of our list, else by their label, which is English."""
    found: dict[int, _Found] = {}
    for start, stop, name in _phrases().places(level(text)):
        written = text[start:stop]
        if written.lower() in _eponym_words()[0] or (written.isascii() and not _is_meant(text, start, stop)):
            continue
        words = [_known(word) or word.lower() for word in _WORD.findall(written)]
        term = " ".join(words if all(map(may_leave, words)) else _WORD.findall(name.lower()))
        if term and not _is_title(text[:start]):
            found[start] = (stop, term, "condition")
    return found


def _is_meant(text: str, start: int, stop: int) -> bool:
    """Whether a short name of a condition is one: in capitals, and of two letters not in an address ("CO 80201")."""
    written = text[start:stop]
    if len(written) > _ABBREVIATION:
        return True
    beside = (*_WORD.findall(text[max(0, start - 30) : start])[-1:], *_WORD.findall(text[stop : stop + 30])[:1])
    strange = any(not _known(near) and not is_common(near) for near in beside)
    return written.isupper() and not (len(written) == 2 and strange)


def _eponyms(text: str) -> dict[int, _Found]:
    """Conditions named after people: "Crohn's disease"; the name alone is somebody's."""
    return {
        found.start(): (found.end(), found.group().lower().replace("’", "'"), "condition")
        for found in _named_after().finditer(text)
        if not _is_title(text[: found.start()])
    }


@cache
def _eponym_words() -> tuple[tuple[str, ...], tuple[str, ...]]:
    lines = (_DATA / "eponyms.txt").read_text(encoding="utf-8").splitlines()
    people, following = (tuple(line.split()) for line in lines if not line.startswith("#"))
    return people, following


@cache
def _named_after() -> re.Pattern[str]:
    people, following = ("|".join(map(re.escape, words)) for words in _eponym_words())
    return re.compile(rf"\b(?:{people})(?:['’]s?)? (?:{following})\b", re.IGNORECASE)


@cache
def _phrases() -> Phrases:
    rows = [row for row in read_table("conditions.csv") if not row["id"].startswith("no-")]  # "none", "never pregnant"
    return Phrases({n: row["label"] for row in rows for n in (row["label"], *row["names"].split("|")) if len(n) > 1})


def _words(text: str) -> Iterator[tuple[int, _Found]]:
    """Single words of our list, but those that stand as somebody's name."""
    places = list(_WORD.finditer(text))
    for at, place in enumerate(places):
        word = _known(place.group())
        beside = [near.group() for near in (*places[max(0, at - 1) : at], *places[at + 1 : at + 2])]
        if word and not _is_title(text[: place.start()]) and not _is_name(place.group(), word, beside, text):
            yield place.start(), (place.end(), word, "word")


def _is_name(written: str, word: str, beside: list[str], text: str) -> bool:
    """A word that is also a name, or has a capital, beside another one that seems to be a name: "Kidney Johnson"."""
    capital = written[:1].isupper() and not text.isupper()
    unknown = [near for near in beside if not _known(near)]
    strange = [near for near in unknown if not is_common(near)]
    if capital and any(near[:1].isupper() for near in (unknown if word in _ALSO_NAMES else strange)):
        return True
    return word in _ALSO_NAMES and bool(strange)


def _is_title(before: str) -> bool:
    """Whether what follows is somebody's name: "Mr", "my name is"."""
    words = _WORD.findall(before[-30:])
    return bool(words) and bool(_TITLE.fullmatch(words[-1]) or [w.lower() for w in words[-2:]] == ["name", "is"])


_GROUPS = ("newborn", "infant", "child", "adolescent", "aged")


def _groups(text: str) -> list[str]:
    """The age, if there is one, as a group of MeSH; an adult is none."""
    age = person.read(text).age
    if age is None or 18 <= age < 65:
        return []
    limits = zip((1 / 12, 2, 13, 18, 200), _GROUPS, strict=True)
    return [next(group for limit, group in limits if age < limit)]


@remembered(maxsize=8192)
def _known(written: str) -> str:
    """The word of our lists that a written word is a form of; nothing if there is none."""
    whole = written.lower().replace("’", "'")
    for one in (whole, _POSSESSIVE.sub("", whole)):
        if one in _listed():
            return one
    if any(char.isdigit() for char in whole) or not whole.isascii():
        return ""
    if "-" in whole:
        parts = [_known(part) for part in whole.split("-")]
        return "-".join(parts) if all(parts) else ""
    found = _by_stem().get(stem(whole), "")
    if found and abs(len(found) - len(whole)) <= _INFLECTED:
        return found
    return whole if _is_built(whole) else ""


@remembered(maxsize=8192)
def may_leave(word: str) -> bool:
    """Whether a word is one of those that may leave: of a list of ours, or of medical parts alone."""
    if word in _listed() or word in _names():
        return True
    if "-" in word and all(part in _listed() or _is_built(part) for part in word.split("-")):
        return True
    return _is_built(word)


@cache
def _listed() -> frozenset[str]:
    lines = (_DATA / "medical_words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split()) | set(_GROUPS)


@cache
def _by_stem() -> dict[str, str]:
    """The shortest listed word of each stem."""
    return {stem(word): word for word in sorted(_listed(), key=lambda word: (-len(word), word)) if word.isalpha()}


@cache
def _names() -> frozenset[str]:
    """The words of the names of medicines and conditions: those leave as names, never singly."""
    from_labels = (word for row in read_table("conditions.csv") for word in _WORD.findall(row["label"].lower()))
    from_drugs = (word for name in lexicon.names() for word in _spelt(name))
    people, following = _eponym_words()
    after_people = (*people, *(f"{name}'s" for name in people), *(f"{name}'" for name in people), *following)
    return frozenset((*from_labels, *from_drugs, *after_people))


@cache
def _parts() -> re.Pattern[str]:
    lines = (_DATA / "word_parts.txt").read_text(encoding="utf-8").splitlines()
    fronts, stems, ends, weak = ("|".join(line.split()) for line in lines if not line.startswith("#"))
    long = "|".join(front for front in fronts.split("|") if len(front) >= 4)
    # A front and a stem that would make a name with a short end ("maria", "sofia") are too short to count.
    return re.compile(
        rf"(?=.{{8}})(?:(?:{fronts})?(?:(?:{stems})[aeio]?)+(?:{ends})s?"
        rf"|(?:(?:{long})|(?:{stems})[aeio]?)(?:(?:{stems})[aeio]?)*(?:{stems})(?:{weak}))"
    )


def _is_built(word: str) -> bool:
    return len(word) <= _LONGEST and word.isascii() and bool(_parts().fullmatch(word))
