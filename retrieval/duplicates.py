"""Near-duplicates: documents that say the same in nearly the same words, found by bands of a MinHash."""

import re
import zlib
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

NEAR = 0.85  # likeness from which on two texts are near-duplicates
_SHINGLE = 5  # words
_BANDS, _ROWS = 12, 5  # at a likeness of 0.85 a band is shared with a chance of 99.9 %, at 0.3 with one of 3 %
_SCHEME: Literal["affine64"] = "affine64"  # signatures are stored: another scheme or seed would match none of them
_WORD = re.compile(r"[\u3400-\u9fff\u3040-\u30ff\uac00-\ud7af]|[^\W_]+(?:[.,]\d+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_MIX = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio, as in splitmix64

Hashes = npt.NDArray[np.uint64]


def signature(text: str) -> list[int]:
    """The text's bands as signed 64-bit integers: near-duplicates share at least one. None for a text without words."""
    shingles = _shingles(text)
    if not len(shingles):
        return []
    from datasketch import MinHash

    sketch = MinHash(_BANDS * _ROWS, permutations=_permutations(), hashfunc=int, scheme=_SCHEME)
    sketch.update_batch(shingles.tolist())
    bands = np.arange(1, _BANDS + 1, dtype=np.uint64)
    for values in sketch.hashvalues.reshape(_BANDS, _ROWS).T:
        bands = _mixed(bands ^ values)
    return [int(band) for band in bands.astype(np.int64)]


def likeness(one: str, other: str) -> float:
    """The share of five-word sequences that two texts have in common, from 0 to 1.

    It stays below NEAR where their numbers differ: two leaflets that differ in one dose are no duplicates.
    """
    first, second = set(_shingles(one).tolist()), set(_shingles(other).tolist())
    if not first or not second:
        return 0.0
    shared = len(first & second) / len(first | second)
    same_numbers = sorted(numbers(one)) == sorted(numbers(other))
    return shared if same_numbers else min(shared, NEAR - 0.01)


def numbers(text: str) -> list[str]:
    """The numbers that a text gives, as it writes them."""
    return _NUMBER.findall(text)


def _shingles(text: str) -> Hashes:
    """A hash of each sequence of five words, or of the whole of a shorter text."""
    words = [zlib.crc32(word.encode()) for word in _WORD.findall(text.lower())]
    hashes = np.array(words, dtype=np.uint64)
    size = min(_SHINGLE, len(words))
    mixed = np.zeros(len(words) - size + 1 if words else 0, dtype=np.uint64)
    for place in range(size):
        mixed = _mixed(mixed ^ hashes[place : place + len(mixed)])
    return np.unique(mixed)


def _mixed(values: Hashes) -> Hashes:
    values = values * _MIX
    return values ^ (values >> np.uint64(32))


@cache
def _permutations() -> Any:
    from datasketch import MinHash

    return MinHash(_BANDS * _ROWS, seed=1, scheme=_SCHEME).permutations
