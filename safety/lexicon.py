"""Drug names of a text: brands, spellings and salts as one name for each substance."""

import re
from functools import cache, lru_cache
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
