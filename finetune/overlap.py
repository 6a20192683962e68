"""What a row shares with an evaluation set: such a row is never trained on.

A row overlaps if it asks an evaluation's very question, a near-duplicate of it (MinHash), or if thirteen words in a row
stand in both. Phrases of the genre ("which of the following is the most likely cause of …") are no overlap: words in a
row that stand in more than two cases of the set do not count. Primum's own held-out cases are always among the sets.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from primum.finetune.datasets import Unusable, read, told_by
from primum.finetune.item import Item, folded, group_of, words
from primum.finetune.records import records
from primum.finetune.rows import Message
from primum.graph.errors import BadInput
from primum.retrieval.duplicates import NEAR, likeness, signature

SIZE = 13  # words in a row, as for GPT-3
COMMON = 2  # cases of the set in which the same words in a row may stand
HELD_OUT = "held_out"  # the name of Primum's own cases among the sets
LEAST = 8  # words of a question that is one's own whatever its options are; "Which of these is true?" is not


class Evaluations:
    """The evaluation sets that a row is compared with. Their hashes are held in memory, about 100 bytes a word.

    Raises:
        BadInput: a set that can't be read, or has no question with an answer.
    """

    def __init__(self, given: Iterable[str] = ()) -> None:
        self.rows: dict[str, int] = {}
        self._exact: dict[str, str] = {}
        self._grams: dict[str, dict[int, int]] = {}  # of each set: in how many of its rows
        self._bands: dict[int, list[int]] = {}
        self._subjects: list[tuple[str, str]] = []
        with as_file(files("primum.evals") / HELD_OUT) as folder:
            self._take(HELD_OUT, (one for file in sorted(folder.glob("*.jsonl")) for one in _asked(str(file))))
        for file in given:
            name = _named(file, self.rows)
            self._take(name, _asked(file))
            if not self.rows[name]:
                raise BadInput(f"{file}: no question in it that has an answer, so nothing to compare with.")

    def _take(self, name: str, items: Iterable[Item]) -> None:
        self.rows[name] = 0
        grams = self._grams.setdefault(name, {})
        seen: set[tuple[str, int]] = set()  # a conversation is a group of rows, each with what was said before it
        for item in items:
            self.rows[name] += 1
            self._exact |= {key: name for key in _keys(item) if key not in self._exact}
            for band in signature(item.subject):
                self._bands.setdefault(band, []).append(len(self._subjects))
            self._subjects.append((item.subject, name))
            for gram in _grams([*item.told, item.answer] if item.kind == "open" else item.told):
                if (item.group, gram) not in seen:
                    seen.add((item.group, gram))
                    grams[gram] = grams.get(gram, 0) + 1

    def overlap(self, item: Item) -> tuple[str, str] | None:
        """The evaluation file that the item overlaps with, and how: `exact`, `near` or `13 words`."""
        earlier = [folded(message["content"]) for message in item.before if message["role"] == "user"]
        if name := next((self._exact[key] for key in (*_keys(item), *earlier) if key in self._exact), ""):
            return name, "exact"
        said = _grams([*item.told, item.answer, item.reasoning])
        for name, grams in self._grams.items():
            if any(0 < grams.get(gram, 0) <= COMMON for gram in said):
                return name, f"{SIZE} words"
        near = {place for band in signature(item.subject) for place in self._bands.get(band, [])}
        found = (self._subjects[place] for place in sorted(near))
        return next(((name, "near") for subject, name in found if likeness(item.subject, subject) >= NEAR), None)


def _asked(file: str) -> Iterator[Item]:
    """The questions of an evaluation set: of a training format, or of one that is judged without an answer."""
    _, first = next(records(file), ("", {}))
    if {"prompt", "rubrics"} <= first.keys():
        yield from (item for _, row in records(file) if (item := _conversation(row["prompt"])))
    elif (column := next((name for name in ("text", "question") if name in first), "")) and not told_by(first):
        yield from (_question(text) for _, row in records(file) if (text := str(row.get(column) or "").strip()))
    elif not {"drug_a", "drug_b"} <= first.keys():  # a pair of names is no question
        yield from (item for _, item in read(file)[1] if not isinstance(item, Unusable))


def _conversation(prompt: Any) -> Item | None:
    """HealthBench's prompt: what was asked last, and what was said before it."""
    turns = [turn for turn in prompt if isinstance(turn, dict) and str(turn.get("content") or "").strip()]
    asked = max((place for place, turn in enumerate(turns) if turn.get("role") == "user"), default=-1)
    if asked < 0:
        return None
    before: list[Message] = [{"role": turn["role"], "content": turn["content"]} for turn in turns[:asked]]
    return replace(_question(turns[asked]["content"]), before=tuple(before))


def _question(text: str) -> Item:
    return Item("", group_of(text), "", "", text, "")


def _keys(item: Item) -> list[str]:
    """What the very same question is told by: with its options, and alone if it is long enough."""
    alone = [folded(item.question)] if len(words(item.question)) >= LEAST else []
    return [key for key in (folded(item.subject), *alone) if key]


def _grams(texts: Iterable[str]) -> set[int]:
    return {gram for text in texts for gram in _in_a_row(words(text))}


def _in_a_row(said: list[str]) -> Iterator[int]:
    for start in range(len(said) - SIZE + 1):
        yield hash(tuple(said[start : start + SIZE]))


def _named(file: str, taken: Iterable[str]) -> str:
    """The file's name, or its whole path where another has that name."""
    name = Path(file).name if Path(file).is_file() else file
    return file if name in taken else name
