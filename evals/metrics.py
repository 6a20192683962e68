"""How sure a figure is: bootstrap intervals of a mean and of a difference over the same cases, and calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import TypedDict

DRAWS = 10_000
FEWEST = 10  # cases of which a difference is called one
AT_ONCE = 2_000_000  # numbers of a draw's table that stand in memory
BINS = 10


class Interval(TypedDict):
    """A mean over `n` cases, and the bounds between which 95 % of the resampled means lie."""

    mean: float
    low: float
    high: float
    n: int


class Difference(Interval):
    """After less before over shared cases; `p_value`, two-sided: how often resampling gives the other sign or none."""

    better: int
    worse: int
    p_value: float


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval | None:
    """The mean with its 95 % percentile interval (Efron, 1979); None of nothing."""
    if not values:
        return None
    means = _means(np.asarray(values, dtype=float), seed)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(mean=_four(np.mean(values)), low=_four(low), high=_four(high), n=len(values))


def paired(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Difference | None:
    """How much `after` differs from `before`, case by case, with its 95 % interval; None of nothing.

    Raises:
        ValueError: the two are not of the same length.
    """
    if len(before) != len(after):
        raise ValueError(f"{len(before)} cases before and {len(after)} after: give those that both have")
    if not before:
        return None
    differences = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    means = _means(differences, seed)
    low, high = np.percentile(means, (2.5, 97.5))
    other = min((means <= 0).mean(), (means >= 0).mean())
    return Difference(
        mean=_four(differences.mean()),
        low=_four(low),
        high=_four(high),
        n=len(before),
        better=int((differences > 0).sum()),
        worse=int((differences < 0).sum()),
        p_value=_four(min(1.0, 2 * (other * DRAWS + 1) / (DRAWS + 1))),
    )


def beyond_chance(difference: Difference | None) -> bool:
    """Whether zero lies outside the interval, of cases enough for one: of fewer a bootstrap's is too narrow."""
    if difference is None or difference["n"] < FEWEST:
        return False
    return difference["low"] > 0 or difference["high"] < 0


def calibration(confidences: Sequence[float], right: Sequence[bool]) -> dict[str, Any] | None:
    """The expected calibration error over ten bins of one width (Guo et al., ICML 2017), and the bins; None of nothing.

    Raises:
        ValueError: the two are not of the same length.
    """
    if not confidences:
        return None
    given, true = np.asarray(confidences, dtype=float), np.array(right, dtype=float)
    if len(given) != len(true):
        raise ValueError(f"{len(given)} confidences for {len(true)} cases")
    places = np.minimum((given * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        here = places == place
        if here.any():
            bins.append(
                {"n": int(here.sum()), "confidence": _four(given[here].mean()), "right": _four(true[here].mean())}
            )
    error = sum(one["n"] * abs(one["confidence"] - one["right"]) for one in bins) / len(given)
    return {"ece": _four(error), "n": len(given), "bins": bins}


def _means(values: "np.ndarray[Any, Any]", seed: int) -> "np.ndarray[Any, Any]":
    """The means of so many resamples of the values, each as long as they are."""
    random, size = np.random.default_rng(seed), len(values)
    rows = max(1, AT_ONCE // size)
    parts = [
        values[random.integers(0, size, (min(rows, DRAWS - start), size))].mean(axis=1)
        for start in range(0, DRAWS, rows)
    ]
    return np.concatenate(parts)


def _four(value: Any) -> float:
    return round(float(value), 4)
