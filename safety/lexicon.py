"""Drug names of a text: brands, spellings, salts and other languages as one name for each substance."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, zip_longest
from types import ModuleType

from primum.safety.remembered import remembered
from primum.safety.spelling import Spellings
from primum.safety.tables import read_table

# Words that the drug table knows but that mean something else in everyday advice.
_EVERYDAY = frozenset(
    "water sugar air oxygen alcohol salt food iron fat protein vitamin milk honey ice tea coffee glucose blood "
    "cold heat sun soap oil energy antibody antigen vaccine vaccines hormone hormones ointment cream gel "
    "sunscreen".split()
)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9'’-]*")
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_GAP = re.compile(r"\s+|\s?[-‐–/+,]\s?|\.\s?|, and ")
_PLAIN = re.compile(r"(?=.*[a-z]{3})\w[\w\s'’.,/-]*\w", re.IGNORECASE)  # no formula, no "(more)"
_HAN = re.compile(r"[一-鿿]")
_LONGEST = 7  # words in the longest name that is looked up: "bictegravir, emtricitabine, and tenofovir alafenamide"
_LISTED_ONLY = frozenset({"iron", "thyroid"})  # medicines in a list of medicines alone
# "High potassium", "calcium channel", "alcohol gel": a finding, a part of the body, a product; nothing taken.
_NOT_TAKEN_BEFORE = re.compile(r"\b(?:high|low|raised|serum|blood|your|lack of|rubbing) $", re.IGNORECASE)
_REACH = 12  # characters of the longest of them
_NOT_TAKEN_AFTER = re.compile(
    r"[\s-](?:levels?|deficiency|channels?|tests?|wipes?|gel|rub|swabs?|hand|stones?|scores?|deposits?|free"
    r"|(?:in|from) (?:the|your) (?:blood|bones?|body|urine|diet))\b",
    re.IGNORECASE,
)
# "The pill" that one is on, not one that was prescribed for something else.
_ON_BEFORE = re.compile(
    r"\b(?:on|take|takes|taking|started|starting|stopped|stopping|missed|forgot|using|uses?|and|plus|with|or|tomo|toma"
    r"|tomando|con|y) $",
    re.IGNORECASE,
)
_ON_AFTER = re.compile(
    r"\s*(?:$|[,.;:?!)])|\s(?:and|but|plus|or|with(?! food)|is|can|could|may|should|does|do|now|since|every|at|while"
    r"|daily|each|too|as|right|because|when|if|so|along|together|y|con|pero|desde|puedo)\b",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"(?:[\s,]+(?:\d[\d.,]*\s?(?:mg|mcg|µg|g|ml|iu|units?|%)\S*|hydrochloride|hcl|sodium|potassium|calcium|sul(?:ph|f)ate"
    r"|cilexetil|medoxomil|etexilate|axetil|proxetil|pivoxil|disoproxil|meglumine|disodium|dipotassium|tromethamine"
    r"|trometamol|decanoate|propionate|furoate|xinafoate|lactate|gluconate|dihydrate|monohydrate|anhydrous"
    r"|maleate|mesylate|besylate|tartrate|succinate|fumarate|acetate|citrate|phosphate|bromide|hydrobromide|nitrate"
    r"|tablets?|capsules?|pills?|injections?|oral|iv|spray|syrup|drops|patch(?:es)?|inhaler|cream|gel))+$",
    re.IGNORECASE,
)


@cache
def _table() -> ModuleType:
    # Importing it reads its tables from disk: two seconds, paid only by those who audit.
    import drug_named_entity_recognition

    return drug_named_entity_recognition  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Name:
    """A row of `data/names.csv`: a written form, its name, and whether it is a drug, class or everyday word."""

    written: str
    name: str
    kind: str


def _key(text: str) -> str:
    return " ".join(_TOKEN.findall(text.lower().replace("’", "'")))


@cache
def _own() -> dict[str, Name]:
    """Our own names by key, those of `data/names.csv`."""
    rows = (Name(row["written"], row["name"], row["kind"]) for row in read_table("names.csv"))
    return {_key(row.written): row for row in rows}


def _known() -> dict[str, str]:
    """Written forms of the drug table and of `data/classes.csv` by key, with the name that we use."""
    from drug_named_entity_recognition import drugs_finder

    own, ours, known = _own(), _member_names(), {}
    for written, names in drugs_finder.drug_variant_to_canonical.items():
        name = written if written in names else names[0]
        name = str(drugs_finder.drug_canonical_to_data.get(name, {}).get("name") or name).lower()
        if _PLAIN.fullmatch(written) and not {written, name} & _EVERYDAY:
            row = own.get(_key(name))
            known[_key(written)] = row.name if row and row.name else name
    # The table's name gives way to the one in our classes: methotrimeprazine is levomepromazine.
    renamed = {known[key]: name for key, name in ours.items() if key in known}
    renamed = {old: new for old, new in renamed.items() if _key(old) not in ours and _key(old) not in own}
    known = {key: renamed.get(name, name) for key, name in known.items()}
    known |= _salts(known, ours)
    return {key: name for key, name in ours.items() if key not in _LISTED_ONLY} | known


def _salts(known: dict[str, str], ours: dict[str, str]) -> dict[str, str]:
    """Salts and esters that the table holds apart, each as its substance: candesartan cilexetil is candesartan."""
    own, found = _own(), {}
    for key, name in known.items():
        first = key.split(" ", 1)[0]
        if " " in key and first in ours and key not in own and not ours.keys() & {key, name}:
            bare = _key(_FORM.sub("", name))
            if bare in ours and (bare not in own or own[bare].name == ours[bare]):
                found[key] = ours[bare]
    return found


@cache
def _member_names() -> dict[str, str]:
    return {_key(row["member"]): row["member"] for row in read_table("classes.csv")}


@cache
def _han() -> re.Pattern[str]:
    names = sorted((row.written for row in _own().values() if _HAN.search(row.written)), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)))


@remembered(maxsize=8192)
def named(text: str) -> dict[str, str]:
    """Each drug or drug class as the text writes it, in lower case, with its canonical name; no foods.

    Source: the tables of `drug-named-entity-recognition` (DrugBank open vocabulary, MeSH, NHS, MedlinePlus; 2025)
    and our own `data/names.csv`. For the proof of a sentence, so it guesses no spelling; `mentions` does.
    """
    found = _table().find_drugs(_WORD.findall(text), is_ignore_case=True)
    pairs = {str(drug["matching_string"]).lower(): str(drug["name"]).lower() for drug, *_ in found}
    pairs = {written: name for written, name in pairs.items() if not {written, name} & _EVERYDAY}
    return pairs | {one.written.lower(): one.name for one, kind in _spans(text, guess=False) if kind == "drug"}


def drugs(text: str) -> frozenset[str]:
    """Canonical names of the drugs and drug classes that the text names."""
    return frozenset(named(text).values())


@dataclass(frozen=True)
class Mention:
    """A drug, class or food at `text[start:stop]`, written so; `name` is a substance or a class of `classes.csv`."""

    start: int
    stop: int
    written: str
    name: str


@remembered(maxsize=8192)
def mentions(text: str) -> tuple[Mention, ...]:
    """Where the text names drugs, classes, and foods that interact, in its order; misspelt names included."""
    return tuple(sorted((one for one, _ in _spans(text)), key=lambda mention: mention.start))


def with_drugs_as(word: str, text: str) -> tuple[str, list[str]]:
    """The text with this word in place of each drug or class that it names, and these as written; foods stay."""
    found = sorted((one for one, kind in _spans(text) if kind != "everyday"), key=lambda one: one.start)
    parts, after = [], 0
    for one in found:
        parts += [text[after : one.start], word]
        after = one.stop
    return "".join([*parts, text[after:]]), [one.written for one in found]


def _spans(text: str, guess: bool = True) -> Iterator[tuple[Mention, str]]:
    """Mentions that do not overlap, the longest first at each place, each with its kind."""
    places = list(_TOKEN.finditer(text))
    if _HAN.search(text):
        for place in _han().finditer(text):
            row = _own()[_key(place.group())]
            yield Mention(place.start(), place.end(), place.group(), row.name), row.kind
        places = [place for place in places if not _HAN.search(place.group())]
    words = [place.group().lower().replace("’", "'") for place in places]
    after = 0
    for at, size, name, kind in _names_in(words, guess):
        if at >= after and all(_GAP.fullmatch(text, a.end(), b.start()) for a, b in pairwise(places[at : at + size])):
            after = at + size
            start, stop = places[at].start(), places[after - 1].end()
            stop -= 2 if words[after - 1].endswith("'s") else 0
            if name and not _is_other(kind, text, start, stop):
                yield Mention(start, stop, text[start:stop], name), kind


def _names_in(words: list[str], guess: bool) -> Iterator[tuple[int, int, str, str]]:
    """Place, number of words, name and kind of what stands in a row of words: at each place the longest first."""
    longest = _longest()
    for at, (word, following) in enumerate(zip_longest(words, words[1:], fillvalue="")):
        pair = f"{word} {following}"
        most = longest.get(pair) or longest.get(_bare(pair), 0)
        for size in range(min(most, len(words) - at), 1, -1):
            if found := _look_up(" ".join(words[at : at + size])):
                yield at, size, *found
        if found := _look_up(word):
            yield at, 1, *found
        elif guess and (guessed := _guessed(word)):
            yield at, 1, guessed, "guess"


def _is_other(kind: str, text: str, start: int, stop: int) -> bool:
    """Whether a word that can be a medicine is something else where it stands."""
    if kind == "if-taken":
        return not (_ON_BEFORE.search(text, max(0, start - _REACH), start) and _ON_AFTER.match(text, stop))
    before = _NOT_TAKEN_BEFORE.search(text, max(0, start - _REACH), start)
    return kind == "everyday" and bool(before or _NOT_TAKEN_AFTER.match(text, stop))


@cache
def _names() -> dict[str, str]:
    """Every written form by key, with its name; our own names go before the table's."""
    return _known() | {key: row.name for key, row in _own().items()}


@cache
def _natives() -> dict[tuple[str, str], str]:
    """The first written form of each canonical name in each language."""
    return {(row["name"], row["language"]): row["written"] for row in reversed(read_table("names.csv"))}


def native(name: str, language: str) -> str:
    """A canonical name as `data/names.csv` has it in another language; empty where it has none."""
    return _natives().get((name, language), "")


@cache
def names() -> frozenset[str]:
    """Every canonical name that there is."""
    return frozenset(name for name in _names().values() if name)


@cache
def _longest() -> dict[str, int]:
    """How many words the longest name has that opens with these two words."""
    found: dict[str, int] = {}
    for words in (key.split(" ") for key in _names() if " " in key):
        if len(words) <= _LONGEST:
            pair = " ".join(words[:2])
            found[pair] = max(len(words), found.get(pair, 0))
    return found


def _bare(key: str) -> str:
    """A written form without the ending of what is its own: "warfarin's"."""
    return key[:-2] if key[-2:] == "'s" else key


def _look_up(key: str) -> tuple[str, str] | None:
    """What a written form means, and its kind."""
    names = _names()
    form = key if key in names else _bare(key)
    if form not in names:
        return None
    return names[form], _own()[form].kind if form in _own() else "table"


@cache
def _spellings() -> Spellings:
    """The names of one word that a misspelt word is compared with."""
    foreign = {
        _key(row["written"]) for row in read_table("names.csv") if row["kind"] == "drug" and row["language"] == "es"
    }
    written = sorted((_member_names().keys() | foreign) - _LISTED_ONLY)
    return Spellings(name for name in written if len(name) >= 7 and name.isalpha() and not _HAN.search(name))


@remembered(maxsize=16384)
def _guessed(word: str) -> str:
    """The one drug that a misspelt word of six letters or more can stand for; nothing if there are several or none."""
    if len(word) < 6 or not word.isalpha() or word in _EVERYDAY:
        return ""
    meant = {canonical(name) for name in _spellings().nearest(word)}
    return meant.pop() if len(meant) == 1 else ""


@remembered(maxsize=8192)
def canonical(name: str) -> str:
    """The canonical name of a drug, class or food however it is written; what is not known, in lower case as it is.

    A combination is its substances with a slash between them: `sulfamethoxazole/trimethoprim`.
    """
    key = _key(name)
    if name in _classes_as_written():
        return name
    for written in (key, _key(_FORM.sub("", name))):
        if (found := _look_up(written)) and found[0]:
            return found[0]
    parts = [part.strip() for part in name.split("/")]
    if len(parts) > 1 and all(parts):
        return "/".join(map(canonical, parts))
    return (_guessed(key) if key not in _member_names() else "") or name.lower()


def substances(name: str) -> tuple[str, ...]:
    """The substances of a canonical name: of a combination each, else itself."""
    return tuple(dict.fromkeys(canonical(part) for part in name.split("/"))) if "/" in name else (name,)


@cache
def _classes_as_written() -> frozenset[str]:
    return frozenset(row["class"] for row in read_table("classes.csv"))


@cache
def _classes() -> dict[str, frozenset[str]]:
    """Members of each class, from `data/classes.csv` (class, member, atc, source)."""
    members: dict[str, set[str]] = {}
    for row in read_table("classes.csv"):
        members.setdefault(row["class"], set()).add(canonical(row["member"]))
    for drugs in members.values():
        drugs -= members.keys()
    return {name: frozenset(drugs) for name, drugs in members.items()}


def members(class_name: str) -> frozenset[str]:
    """The substances of a class such as `nsaid`; none for what is no class."""
    return _classes().get(class_name, frozenset())


@cache
def _by_member() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, drugs in _classes().items():
        for drug in drugs:
            found.setdefault(drug, set()).add(name)
    return {drug: frozenset(names) for drug, names in found.items()}


@remembered(maxsize=8192)
def classes(substance: str) -> frozenset[str]:
    """The classes that a canonical name belongs to; for a combination those of each of its substances."""
    return _union(_by_member().get(one, frozenset()) for one in substances(substance))


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset(one for each in sets for one in each)
