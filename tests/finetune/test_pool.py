"""Rows that ask nearly the same stand in one split, and so does all of what belongs to them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from primum.finetune.item import Item
from primum.finetune.pool import Pool
from primum.finetune.splits import DEFAULT, split_of

SHARES = (0.5, 0.25, 0.25)
NEAR = "What should I do about the pain in my big toe that began last night after dinner and does not go away at all"


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(tmp_path / "pool.sqlite", 1, SHARES) as pool:
        yield pool


def item(name: str, group: str, question: str, answer: str) -> Item:
    return Item(name, group, "a", "MIT", question, answer)


def groups_of(split: str) -> str:
    """A group that falls into the split."""
    return next(name for name in map(str, range(1000)) if split_of(name, 1, SHARES) == split)


def test_a_whole_group_goes_where_its_first_row_belongs(pool: Pool) -> None:
    train, test = groups_of("train"), groups_of("test")
    pool.add(item("a", train, NEAR, "Rest the foot."))
    moved = pool.add(item("b1", test, NEAR, "Ask a doctor about gout, and drink water."))
    following = pool.add(item("b2", test, "How long does it take until a fracture of the wrist heals?", "Six weeks."))
    assert moved is not None and following is not None
    assert {moved.group, following.group} == {train} and pool.groups("test") == 0


def test_a_row_whose_own_group_stands_in_another_split_is_left_out(pool: Pool) -> None:
    train, test = groups_of("train"), groups_of("test")
    pool.add(item("a", train, NEAR, "Rest the foot."))
    pool.add(item("b1", test, "How long does it take until a fracture of the wrist heals?", "Six weeks."))
    assert pool.add(item("b2", test, NEAR, "Ask a doctor about gout, and drink water.")) is None
    assert [row["id"] for row in pool.rows("test")] == ["b1"]


def test_the_usual_shares_are_a_whole() -> None:
    assert sum(DEFAULT) == pytest.approx(1)
