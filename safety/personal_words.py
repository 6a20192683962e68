"""The words that tell personal data: those of `data/personal_words.yaml`, lists of names, and places."""

import importlib
import pkgutil
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from primum.safety.remembered import remembered
from primum.safety.words import is_common

_SAFETY = files("primum.safety") / "data"
_SPOKEN = 50  # times that a word occurs in the frequency list from which on it is an ordinary one
OFTEN = 150  # the same for a word that is a name somewhere in the world
_SPACE = r"[^\S\n]+"
_SHORT = 3  # letters of the shortest name that is known without another sign
_OURS = ("en_US", "en_GB", "es_ES", "es_MX")  # whose names count although they are in the frequency list

Meaning = Literal["given", "surname", "either", "ordinary", "thing", "unknown"]


@cache
def _words() -> dict[str, str]:
    text = (_SAFETY / "personal_words.yaml").read_text(encoding="utf-8")
    return {name: str(words) for name, words in yaml.load(text, Loader=yaml.CSafeLoader).items()}


def listed(name: str) -> tuple[str, ...]:
    """The words of a list of `data/personal_words.yaml`, the longest first."""
    words = _words()[name]
    found = [word.strip() for word in words.split("|")] if "|" in words else words.split()
    return tuple(sorted(filter(None, found), key=lambda word: (-len(word), word)))


def any_of(name: str) -> str:
    """An expression for the words of a list; a space stands for any."""
    words = (_SPACE.join(map(re.escape, word.split())) for word in listed(name))
    return f"(?:{'|'.join(words)})"


def fold(word: str) -> str:
    """A word in small letters without accents."""
    bare = word.casefold()
    if not bare.isascii():
        bare = "".join(c for c in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(c))
    return bare.replace("’", "'")


@cache
def folded(name: str) -> frozenset[str]:
    """The words of a list, each as `fold` has it."""
    return frozenset(map(fold, listed(name)))


@cache
def _frequencies() -> dict[str, int]:
    from spellchecker import SpellChecker

    return {str(word): int(count) for word, count in SpellChecker().word_frequency.dictionary.items()}


def _names_of(kind: str) -> Iterator[tuple[str, str]]:
    """Locale and name of each first or last name of Faker's lists (MIT)."""
    import faker.providers.person as people

    for found in pkgutil.iter_modules(people.__path__):
        provider = importlib.import_module(f"{people.__name__}.{found.name}").Provider
        for attribute in dir(provider):
            if attribute.startswith(kind) and isinstance(getattr(provider, attribute), list | tuple | dict):
                rows: Iterable[object] = getattr(provider, attribute)
                yield from ((found.name, word) for row in rows if isinstance(row, str) for word in row.split())


@cache
def _names(kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names that are nothing else, and those that are ordinary words as well."""
    told = [(locale, fold(name)) for locale, name in _names_of(kind) if len(name) >= _SHORT]
    ours = {name for locale, name in told if locale in _OURS} | folded("surely_names")
    often = {name for _, name in told if _frequencies().get(name, 0) >= OFTEN and name not in ours}
    weak = often | folded("also_words") | folded("particles")
    return frozenset(name for _, name in told) - weak, frozenset(name for _, name in told) & weak


@remembered(maxsize=16384)
def meaning(word: str) -> Meaning:
    """What a word with a capital can be: `either` a name or an ordinary word, a `thing` that is no name."""
    key = fold(word)
    given, given_too = _names("first_name")
    last, last_too = _names("last_name")
    if key in folded("never_names") or key in folded("titles") or key in folded("eponyms") - given:
        return "thing"
    if key in given:
        return "given"
    if key in last:
        return "surname"
    if key in given_too | last_too:
        return "ordinary" if is_common(key) and key not in folded("also_words") else "either"
    if key in _medical():
        return "thing"
    return "ordinary" if frequency(key) >= _SPOKEN or is_common(key) else "unknown"


def frequency(word: str) -> int:
    """How often a word is said, or what it is the plural of; source: the frequency list of pyspellchecker."""
    key = fold(word)
    return max(_frequencies().get(key, 0), _frequencies().get(key.removesuffix("s"), 0))


def is_eponym(word: str) -> bool:
    """Whether it names a sign, a test, a device or a condition."""
    return fold(word) in folded("eponyms")


@cache
def _medical() -> frozenset[str]:
    """The words of conditions, and those of `tools/data/medical_words.txt`."""
    conditions = (_SAFETY / "conditions.csv").read_text(encoding="utf-8")
    listed = (files("primum") / "tools" / "data" / "medical_words.txt").read_text(encoding="utf-8")
    lines = [line for line in listed.splitlines() if not line.startswith("#")]
    return frozenset(map(fold, re.findall(r"[^\W\d_]+", f"{conditions} {' '.join(lines)}")))


@cache
def countries() -> frozenset[str]:
    """Countries and states of `data/places.txt`, as `fold` has them."""
    return _places()[0]


@cache
def places() -> frozenset[str]:
    """Countries, states and cities, as `fold` has them."""
    return _places()[0] | _places()[1]


@cache
def words_of_places() -> frozenset[str]:
    """Each word of places of several."""
    return frozenset(word for place in places() if " " in place for word in place.split())


@cache
def _places() -> tuple[frozenset[str], frozenset[str]]:
    text = (_SAFETY / "places.txt").read_text(encoding="utf-8")
    parts = [part.partition("\n")[2] for part in re.split(r"^# (?=countries|cities)", text, flags=re.MULTILINE)[1:]]
    first, second = (
        frozenset(fold(" ".join(name.split())) for name in part.split(";") if name.strip()) for part in parts
    )
    return first, second
