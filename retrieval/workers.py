"""Ray's workers: whether it is here, started where it does not run, how many there is room for, and what they raise."""

import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from primum.graph.errors import BadInput, PrimumError

if TYPE_CHECKING:
    from ray.data import Dataset

T = TypeVar("T")


def need_ray(what: str) -> None:
    """Raises BadInput where Ray is not installed; `what` needs it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers that it runs
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    try:
        import ray.data  # noqa: F401
    except ImportError:
        raise BadInput(f"{what} on many workers needs Ray: pip install 'primum[ray]'") from None


@contextmanager
def started() -> Iterator[None]:
    """Ray, started unless it runs; stopped again if it was started here.

    Raises:
        BadInput: it does not start, or the cluster of RAY_ADDRESS does not answer.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise BadInput(f"Ray does not start, or its cluster does not answer: {error}") from None
    try:
        yield
    finally:
        ray.shutdown()


def room(wanted: int | None, *, gpus: bool = True) -> tuple[int, bool]:
    """How many workers: one for each GPU that Ray has, or else each core, unless given; and whether they are on GPUs.

    Args:
        gpus: whether a worker has use for one.

    Raises:
        BadInput: there is no room for so many.
    """
    import ray

    has: dict[str, float] = ray.cluster_resources()
    found = int(has.get("GPU", 0)) if gpus else 0
    most = found or int(has.get("CPU", 1))
    if (wanted or 0) > most:
        raise BadInput(f"Ray has {most} {'GPUs' if found else 'cores'}: not enough for {wanted} workers.")
    return wanted or most, bool(found)


@contextmanager
def rows_of(dataset: "Dataset") -> Iterator[Iterator[dict[str, Any]]]:
    """The rows as they come; what is left of them is not made any more once it is closed."""
    rows: Generator[dict[str, Any]] = (row for row in dataset.iter_rows())
    try:
        yield rows
    finally:
        with suppress(ValueError):  # a thread that was given up waits for the next
            rows.close()


def next_of(rows: Iterator[T]) -> T | None:
    """The next, if there is one. Raises what a worker of ours raised, and not what Ray made of it."""
    try:
        return next(rows, None)
    except Exception as error:
        found: BaseException | None = error
        while found is not None:
            if isinstance(found, PrimumError):
                raise found from None
            found = getattr(found, "cause", None) or found.__cause__
        raise
