"""Which split a group falls into: by its name and the seed alone, so that added rows move none of the others."""

import hashlib
from collections.abc import Sequence
from itertools import accumulate

from primum.finetune.rows import SPLITS
from primum.graph.errors import BadInput

Shares = tuple[float, float, float]
DEFAULT: Shares = (0.9, 0.05, 0.05)


def split_of(group: str, seed: int, shares: Sequence[float] = DEFAULT) -> str:
    """`train`, `validation` or `test`."""
    place = lot(group, seed)
    borders = zip(SPLITS, accumulate(shares), strict=True)
    return next((name for name, border in borders if place < border), SPLITS[0])


def lot(name: str, seed: int) -> float:
    """A number from 0 to 1 that this name draws under this seed, on every machine."""
    drawn = hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") / 2**64


def check_shares(shares: Sequence[float]) -> None:
    """Raises BadInput for shares that do not make a whole."""
    if len(shares) != len(SPLITS) or min(shares) < 0 or shares[0] <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise BadInput("The split is three shares that make 1, of train, validation and test, such as 0.9 0.05 0.05.")
