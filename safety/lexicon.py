"""Drug names of a text: brands, spellings and salts as one name for each substance."""

import csv
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from types import ModuleType

# Words that the drug table knows but that mean something else in everyday advice.
_EVERYDAY = frozenset(
    "water sugar air oxygen alcohol salt food iron fat protein vitamin milk honey ice tea coffee glucose blood "
    "cold heat sun soap oil energy antibody antigen vaccine vaccines hormone hormones ointment cream gel "
    "sunscreen".split()
)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9'’-]*")


@cache
def _table() -> ModuleType:
    # Importing it reads its tables from disk: two seconds, paid only by those who audit.
    import drug_named_entity_recognition

    return drug_named_entity_recognition  # type: ignore[no-any-return]


@lru_cache(maxsize=8192)
def named(text: str) -> dict[str, str]:
    """Each drug or drug class as the text writes it, in lower case, with its canonical name.

    Source: the tables of `drug-named-entity-recognition` (DrugBank open vocabulary, MeSH, NHS, MedlinePlus; 2025).
    """
    found = _table().find_drugs(_WORD.findall(text), is_ignore_case=True)
    pairs = {str(drug["matching_string"]).lower(): str(drug["name"]).lower() for drug, *_ in found}
    return {written: name for written, name in pairs.items() if not {written, name} & _EVERYDAY}


def drugs(text: str) -> frozenset[str]:
    """Canonical names of the drugs and drug classes that the text names."""
    return frozenset(named(text).values())


@dataclass(frozen=True)
class Mention:
    """A drug or drug class at `text[start:stop]`, written so, with its canonical name."""

    start: int
    stop: int
    written: str
    name: str


@lru_cache(maxsize=8192)
def mentions(text: str) -> tuple[Mention, ...]:
    """Where the text names drugs and classes, in its order."""
    found = [
        Mention(place.start(), place.end(), place.group(), name)
        for written, name in named(text).items()
        for place in re.finditer(rf"(?<!\w){re.escape(written)}(?!\w)", text, re.IGNORECASE)
    ]
    return tuple(sorted(found, key=lambda mention: (mention.start, -mention.stop)))


@lru_cache(maxsize=8192)
def canonical(name: str) -> str:
    """The canonical name of a drug or class however it is written; what is not known, in lower case as it is."""
    return named(name).get(name.lower(), name.lower())


@cache
def _classes() -> dict[str, frozenset[str]]:
    """Members of each class, from `data/classes.csv` (class, member)."""
    members: dict[str, set[str]] = {}
    with (files("primum.safety") / "data" / "classes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            members.setdefault(row["class"], set()).add(canonical(row["member"]))
    return {name: frozenset(drugs) for name, drugs in members.items()}


def members(class_name: str) -> frozenset[str]:
    """The substances of a class such as `nsaid`; none for what is no class."""
    return _classes().get(class_name, frozenset())


@lru_cache(maxsize=8192)
def classes(substance: str) -> frozenset[str]:
    """The classes that a canonical name belongs to."""
    return frozenset(name for name, drugs in _classes().items() if substance in drugs)
