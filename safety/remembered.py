"""What the rules remember of the texts that they read, for the same words come again; and how it is forgotten."""

import re
from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

_all: "WeakSet[_lru_cache_wrapper[Any]]" = WeakSet()


def remembered(maxsize: int) -> "Callable[[Callable[..., T]], _lru_cache_wrapper[T]]":
    """As `functools.lru_cache`, for what is asked of a text: a patient's words stay until others take their place.

    What is asked of tables alone takes `functools.cache`: it is no patient's.
    """

    def keep(function: Callable[..., T]) -> "_lru_cache_wrapper[T]":
        kept = lru_cache(maxsize=maxsize)(function)
        _all.add(kept)
        return kept

    return keep


def forget_texts() -> None:
    """Forgets every text that was read in this process. In others it goes as newer ones take its place."""
    for kept in list(_all):
        kept.cache_clear()
    re.purge()  # expressions that were made of a patient's words
