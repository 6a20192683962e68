"""Cases made of the library's own sentences, for teaching and testing. The same seed makes the same ones.

A vignette tells what the topic's page says of its symptoms and risks, and a sign that its page does not tell. Every
third one has a warning sign of the page, and must not be missed. Some things that a clinician would ask are left out on
purpose; every sentence used is named with its document.
"""

import random
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

from primum.retrieval.excerpts import HELP, statements
from primum.retrieval.search import Filter, Passage, Retriever
from primum.safety.populations import populations
from primum.safety.presentation import Item
from primum.safety.words import Bag, claims

WIDE = 30
SIGNS = (2, 4)  # told in a case
_SYMPTOMS = re.compile(r"symptom|sign|what it is", re.IGNORECASE)
_RISKS = re.compile(r"cause|risk", re.IGNORECASE)
_LIST = re.compile(
    r"\b(?:symptoms? (?:of [\w -]+ )?(?:are|is|include)|causes?|such as|signs? (?:of [\w -]+ )?(?:are|include)"
    r"|feel(?:ing)?|comes? with|includes?|has|have)\b(?: also)? (?P<list>[^.;:()]+)",
    re.IGNORECASE,
)
_CALLS = re.compile(r"\b(?:at once|now|\)) for (?P<list>[^.;:()]+)", re.IGNORECASE)
_RAISES = re.compile(r"^(?P<list>[^.;:()]+?) (?:can )?(?:raises?|increases?) the risk", re.IGNORECASE)
_TOO_LONG = 7  # words
_NO_SIGN = re.compile(
    r"\b(?:can|may|might|often|usually|sometimes|which|that|who|than|should|people|person|is|are|other|these|many|most"
    r"|some|not|no|without|because|when|if|it|they|you|your)\b",
    re.IGNORECASE,
)
DURATIONS = ("for 2 hours", "since yesterday", "for 3 days", "for 2 weeks")
OPTIONAL: dict[Item, str] = {
    "vital_signs": "BP 128/78, HR 84, RR 16, SpO2 97%, temp 36.8",
    "medicines": "takes no medicines",
    "allergies": "no known allergies",
    "history": "previously well",
}
DANGEROUS = 3  # every one of so many has a warning sign


class Gold(TypedDict):
    """What an answer to a vignette is judged by."""

    diagnosis: str
    document_id: int
    red_flags: list[str]  # warning signs of the page in it: such a case must not be missed
    missing: list[str]


class Vignette(TypedDict):
    id: str
    text: str
    gold: Gold
    provenance: list[dict[str, Any]]


class _Sign(TypedDict):
    words: str
    sentence: str
    passage: Passage


class Material(NamedTuple):
    """What a vignette is made of."""

    signs: list[_Sign]
    risks: list[_Sign]
    warnings: list[_Sign]
    strange: list[_Sign]


async def generate(library: Retriever, topic: str, number: int, seed: int) -> list[Vignette]:
    """Vignettes of a topic.

    Raises:
        ValueError: the library has no page of this topic, or one that tells too few symptoms.
    """
    found = await library.search([topic], WIDE, Filter())
    page = await _page(library, topic, found)
    signs, risks = _signs(page, _SYMPTOMS, _LIST), _signs(page, _RISKS, _RAISES)
    warnings = _signs(page, re.compile(HELP), _CALLS)
    if len(signs) < SIGNS[0]:
        raise ValueError(
            f"{page[0].title}: its page lists fewer than {SIGNS[0]} symptoms, so no case can be made of it."
        )
    others = await library.search([f"symptoms of {topic}", "common symptoms"], WIDE)
    strange = [sign for sign in _signs(others, _SYMPTOMS, _LIST) if _foreign(sign, page)]
    chance = random.Random(f"{seed} {page[0].title}")  # noqa: S311 (the same seed must make the same cases)
    return [_vignette(n, seed, page, Material(signs, risks, warnings, strange), chance) for n in range(1, number + 1)]


async def _page(library: Retriever, topic: str, found: Sequence[Passage]) -> list[Passage]:
    words = claims(topic)
    for passage in found:
        bag = Bag.of([passage.title])
        if passage.kind not in ("medicine", "label", "prevention") and words and all(bag.says(w) for w in words):
            return await library.document(passage.document_id)
    raise ValueError(f"The library has no page on {topic!r}. `primum search` tells what it has.")


def _signs(passages: Sequence[Passage], heading: re.Pattern[str], lists: re.Pattern[str]) -> list[_Sign]:
    """The short items of the sentences that list signs, each with its sentence."""
    found: dict[str, _Sign] = {}
    for passage in passages:
        if not heading.search(passage.heading):
            continue
        for start, stop in statements(passage.text):
            sentence = passage.text[start:stop]
            match = lists.search(sentence)
            if match is None or populations(sentence):
                continue
            for item in re.split(r", (?:and |or )?| and | or ", match["list"]):
                words = " ".join(item.split()).strip(" ,")
                if claims(words) and len(words.split()) <= _TOO_LONG and not _NO_SIGN.search(words):
                    sign = words[:1].lower() + words[1:]
                    found.setdefault(sign, _Sign(words=sign, sentence=sentence, passage=passage))
                if re.search(r" (?:of|in) ", words):
                    break  # "swelling of the ankles, legs or belly": what follows belongs to it
    return list(found.values())


def _foreign(sign: _Sign, page: Sequence[Passage]) -> bool:
    bag = Bag.of([passage.text for passage in page])
    return not any(bag.says(word) for word in claims(sign["words"]))


def _vignette(
    n: int,
    seed: int,
    page: Sequence[Passage],
    of: Material,
    chance: random.Random,
) -> Vignette:
    title = page[0].title
    signs = chance.sample(of.signs, min(len(of.signs), chance.randint(*SIGNS)))
    warning = chance.sample(of.warnings, min(1, len(of.warnings))) if n % DANGEROUS == 0 else []
    strange = chance.sample(of.strange, min(1, len(of.strange)))
    risk = chance.sample(of.risks, min(1, len(of.risks)))
    who = f"{_age(page, chance)}-year-old {chance.choice(('man', 'woman'))}"
    kept = {item: text for item, text in OPTIONAL.items() if chance.random() < 0.5}
    duration = [chance.choice(DURATIONS)] if chance.random() < 0.7 else []
    parts = [" ".join([signs[0]["words"], *duration]), *(one["words"] for one in (*signs[1:], *warning, *strange))]
    text = f"{who} with {', '.join(parts)}. " + " ".join(
        f"{line[:1].upper()}{line[1:]}." for line in (*(f"background: {one['words']}" for one in risk), *kept.values())
    )
    text = text.strip()
    left_out = [str(item) for item in OPTIONAL if item not in kept] + ([] if duration else ["duration"])
    return Vignette(
        id=f"{page[0].document_id}-{seed}-{n}",
        text=text,
        gold=Gold(
            diagnosis=title,
            document_id=page[0].document_id,
            red_flags=[one["words"] for one in warning],
            missing=left_out,
        ),
        provenance=[
            {
                "words": one["words"],
                "sentence": one["sentence"],
                "document_id": one["passage"].document_id,
                "title": one["passage"].title,
                "role": role,
            }
            for role, several in (("sign", signs), ("warning", warning), ("risk", risk), ("distractor", strange))
            for one in several
        ],
    )


def _age(page: Sequence[Passage], chance: random.Random) -> int:
    """An age at which a page's condition is met."""
    about = " ".join(f"{passage.title} {passage.text}" for passage in page).casefold()
    if page[0].kind == "child" or "in children" in page[0].title.casefold():
        return chance.randint(2, 12)
    return chance.randint(55, 84) if "older" in about else chance.randint(22, 68)
