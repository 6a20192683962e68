"""Likeness to labelled examples: a kernel ridge classifier on their vectors that tells two kinds of message apart.

It knows how sure it is by the scores of examples that it did not see (leave-one-out, in closed form), so that no
threshold is tied to one embedder.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from primum.retrieval.embedder import Embedder

Floats = npt.NDArray[np.float32]

NONE = "none"
WIDTH, RIDGE = 0.5, 0.3  # of the kernel; leave-one-out recall is flat from half to twice of each
USEFUL = 0.5  # share of the other examples that must be found at that: an embedder that finds fewer is not asked
NEAREST = 3

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Likeness:
    """Tells messages like the labelled examples from those like `none`."""

    labels: tuple[str, ...]
    vectors: Floats
    weights: Floats
    threshold: float

    def nearest(self, vector: Sequence[float]) -> tuple[str, ...]:
        """The labels of the examples that a message with this unit vector is most like; none if it is like `none`."""
        likeness = self.vectors @ np.asarray(vector, dtype=np.float32)
        if float(_kernel(likeness) @ self.weights) < self.threshold:
            return ()
        order = (self.labels[place] for place in np.argsort(-likeness))
        return tuple(label for label in order if label != NONE)[:NEAREST]


def fit(labels: Sequence[str], vectors: Floats, allowed: float) -> Likeness | None:
    """From the examples' labels and unit vectors (n, d); None if the embedder can't tell them apart.

    Args:
        allowed: share of the examples of `none` that may score higher than what is called alike. They are chosen to be
            hard; most messages are easier.
    """
    alike = np.array([label != NONE for label in labels])
    target = np.where(alike, 1.0, -1.0)
    share = np.where(alike, 0.5 / alike.sum(), 0.5 / (~alike).sum()) * len(labels)  # both kinds weigh the same
    inverse = np.linalg.inv(_kernel((vectors @ vectors.T).astype(np.float64)) + RIDGE * np.diag(1 / share))
    weights = inverse @ target
    unseen = target - weights / np.diag(inverse)
    threshold = float(np.quantile(unseen[~alike], 1 - allowed))
    if float(np.mean(unseen[alike] > threshold)) < USEFUL:
        return None
    return Likeness(tuple(labels), vectors, weights.astype(np.float32), threshold)


def _kernel(cosines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = np.exp(-WIDTH * (2 - 2 * cosines))
    return found


def embed_once(texts: Sequence[str], embedder: Embedder, folder: Path) -> Floats:
    """The texts' unit vectors (n, d), kept in `folder`, since making thousands takes half a minute."""
    known = hashlib.sha256("\0".join((embedder.fingerprint, *texts)).encode()).hexdigest()[:16]
    path = folder / f"examples-{known}.npy"
    vectors = _read(path, len(texts))
    if vectors is None:
        vectors = np.asarray(embedder.embed_passages(texts), dtype=np.float32)
        _keep(path, vectors)
    return vectors


def _read(path: Path, size: int) -> Floats | None:
    try:
        vectors: Floats = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == size else None


def _keep(path: Path, vectors: Floats) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".part.npy")
        np.save(fresh, vectors)
        fresh.replace(path)
    except OSError as error:  # a read-only home: the next start makes them again
        log.warning("likeness.not_kept", error=type(error).__name__)
