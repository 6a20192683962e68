"""What is remembered of texts: for speed alone, and forgotten at once when it is asked for."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

from primum import memory, nodes, retrieval, safety, tools
from primum.memory.extract import extract
from primum.safety import remembered
from primum.safety.remembered import forget_texts
from primum.safety.validator import examine
from primum.tools.deidentify import deidentify, may_leave
from tests.memory.test_facts import TODAY

# Read from a folder of ours, and keyed by it.
OF_NO_TEXT = {"_loaded"}


def bounded() -> Iterator[Any]:
    """Every function of these rooms that keeps some of its latest results."""
    for room in (safety, memory, nodes, retrieval, tools):
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            for value in vars(importlib.import_module(found.name)).values():
                if isinstance(value, functools._lru_cache_wrapper) and is_bounded_and_ours(value):
                    yield value


def is_bounded_and_ours(kept: Any) -> bool:
    return kept.cache_parameters()["maxsize"] is not None and kept.__module__.startswith("primum.")


def test_whatever_remembers_texts_can_be_made_to_forget_them() -> None:
    missed = {one.__name__ for one in bounded() if one not in remembered._all}
    assert missed == OF_NO_TEXT


@pytest.mark.parametrize("said", ["I'm allergic to zyxquarkle and take zyxquark 5 mg. Can I have ibuprofen?"])
def test_nothing_that_was_read_is_left(said: str) -> None:
    extract(said, today=TODAY)
    examine(said)
    query = deidentify(said)
    assert query is not None and may_leave.cache_info().currsize
    assert sum(one.cache_info().currsize for one in bounded()) > 20
    forget_texts()
    kept = {one.__name__: one.cache_info().currsize for one in remembered._all}
    assert set(kept.values()) == {0}
    assert {one.label for one in extract(said, today=TODAY) if one.kind == "allergy"} == {"zyxquarkle"}
