"""Variations of training rows: options in another order, the same question in other words. Never of test rows."""

import random
import re
from collections.abc import Iterator
from dataclasses import replace

from primum.finetune.item import Item, choice_prompt
from primum.finetune.questions import rephrased

# Where an option names others, or a reason names letters, another order would make it wrong.
_NAMES_OPTIONS = re.compile(
    r"\b(?:all|none|both|any|neither|either) (?:of )?(?:the )?(?:above|below|these|those|are|is|other|options?)\b"
    r"|\b(?:both|only)? ?\(?[A-E]\)?\s*(?:and|&|,|or)\s*\(?[A-E]\b|\babove\b|^\W*[a-e](?:\W*[a-e])*\W*$",
    re.IGNORECASE,
)
_NAMES_LETTERS = re.compile(
    r"\b(?:ans(?:wer)?|options?|choices?)\b\W{0,6}[A-E]\b|\([A-E]\)|\b[A-E](?:\.|\)) ", re.IGNORECASE
)


def variations(item: Item, count: int, seed: int) -> Iterator[Item]:
    """At most `count` variations, each another one, in the group of the item; none where none is safe."""
    chosen = random.Random(f"{seed} {item.id}")  # noqa: S311
    made = _reordered(item, chosen) if item.kind == "choice" else _reworded(item, chosen)
    for number, variation in zip(range(1, count + 1), made, strict=False):
        yield replace(variation, id=f"{item.id}~{number}")


def _reordered(item: Item, chosen: random.Random) -> Iterator[Item]:
    """The options in other orders; the letter of the answer goes with its text."""
    options = dict(item.options or {})
    named = any(_NAMES_OPTIONS.search(text) for text in options.values())
    fixed = sorted(text.lower() for text in options.values()) in (["maybe", "no", "yes"], ["no", "yes"])
    if named or fixed or _NAMES_LETTERS.search(item.reasoning) or not item.asked.endswith(_tail(item)):
        return
    above = item.asked.removesuffix(_tail(item))
    seen = {tuple(options.values())}
    for _ in range(50):
        order = chosen.sample(list(options), len(options))
        moved = {letter: options[old] for letter, old in zip(options, order, strict=True)}
        if tuple(moved.values()) in seen:
            continue
        seen.add(tuple(moved.values()))
        letter = next(new for new, old in zip(options, order, strict=True) if old == item.reference)
        varied = replace(item, options=moved, reference=letter, answer=letter)
        yield replace(varied, asked=above + _tail(varied))


def _tail(item: Item) -> str:
    """What follows the question in its prompt."""
    return choice_prompt("", item.options or {})


def _reworded(item: Item, chosen: random.Random) -> Iterator[Item]:
    ways = rephrased(item.question)
    chosen.shuffle(ways)
    for way in ways:
        above, mark, below = item.asked.rpartition(item.question)
        yield replace(item, question=way, asked=f"{above}{way}{below}" if mark else "")
