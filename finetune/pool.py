"""The rows that were kept, on disk until they are all known: a set of millions is never held in memory."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

from primum.finetune.item import Item, example
from primum.finetune.rows import Example
from primum.finetune.splits import Shares, lot, split_of
from primum.retrieval.duplicates import NEAR, likeness, signature

_TABLES = """
create table item (number integer primary key, split text, place real, grp text, subject text, answer text, row text);
create index of_group on item (grp);
create table band (band integer, number integer, primary key (band, number)) without rowid;
"""
_NEAR = """
select grp, subject, answer from item where number in (
    select distinct number from band where band in (select value from json_each(?)) limit ?
)
"""
_LOOKED_AT = 50  # rows that share a band; a question that hundreds ask is compared with the first of them


class Pool:
    """Kept rows with the sketches of their questions, in one SQLite file."""

    def __init__(self, file: Path, seed: int, shares: Shares) -> None:
        self._seed, self._shares = seed, shares
        self._moved: dict[str, str] = {}  # groups whose first row joined another
        self._connection = sqlite3.connect(file, isolation_level=None)
        # Nothing of it outlives the run, so nothing has to survive a crash.
        self._connection.executescript(f"pragma journal_mode = off; pragma synchronous = off; {_TABLES} begin;")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, item: Item) -> Item | None:
        """Keeps the item, in the group of a row that asks nearly the same; None if it says nearly the same as one, or
        asks what stands in another split than the rest of its own group."""
        item = replace(item, group=self._moved.get(item.group, item.group))
        bands = signature(item.subject) or [0]
        for group, subject, answer in self._near(bands):
            if likeness(item.subject, subject) < NEAR:
                continue
            if item.kind in ("choice", "number") or likeness(item.answer, answer) >= NEAR:
                return None
            if item.kind == "grounded" or group == item.group:
                continue
            if not self._has(item.group):
                self._moved[item.group] = group
                item = replace(item, group=group)
            elif self._split(group) != self._split(item.group):
                return None
        return self.keep(item, bands)

    def keep(self, item: Item, bands: list[int] | None = None) -> Item:
        """Keeps the item as it is: a variation is near to what it was made of."""
        split = self._split(item.group)
        row = json.dumps(example(item), ensure_ascii=False)
        values = (split, lot(item.id, self._seed), item.group, item.subject, item.answer, row)
        number = self._connection.execute(
            "insert into item (split, place, grp, subject, answer, row) values (?, ?, ?, ?, ?, ?)", values
        ).lastrowid
        self._connection.executemany(
            "insert or ignore into band values (?, ?)", [(band, number) for band in bands or []]
        )
        return item

    def _split(self, group: str) -> str:
        return split_of(group, self._seed, self._shares)

    def _has(self, group: str) -> bool:
        return self._connection.execute("select 1 from item where grp = ? limit 1", (group,)).fetchone() is not None

    def _near(self, bands: list[int]) -> list[tuple[str, str, str]]:
        """Group, subject and answer of the rows that share a band."""
        return list(self._connection.execute(_NEAR, (json.dumps(bands), _LOOKED_AT)))

    def rows(self, split: str) -> Iterator[Example]:
        """The rows of a split, in an order that the seed alone decides."""
        found = self._connection.execute("select row from item where split = ? order by place, number", (split,))
        return (json.loads(row) for (row,) in found)

    def groups(self, split: str) -> int:
        """How many groups a split has."""
        (count,) = self._connection.execute("select count(distinct grp) from item where split = ?", (split,)).fetchone()
        return int(count)
