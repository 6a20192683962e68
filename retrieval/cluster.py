"""The ingest on many workers, by Ray Data: readers and embedders, each a process that may be killed, and one writer.

Ray does a killed process' blocks again, and hands all of them on in the order in which the paths were given. What
writes them is the process that began: the lock lets one write at a time in any case. If that is killed, a new run
knows what was written by its hash. So each document is stored once and as a whole, and of two with one identity the
first that was given, in every run.
"""

import asyncio
import pickle
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primum.graph.errors import PrimumError, RetrievalFailed
from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.ahead import ahead
from primum.retrieval.embedder import Embedder
from primum.retrieval.ingest import (
    TWICE,
    Change,
    IngestReport,
    Progress,
    batches,
    changes,
    embedded,
    finish,
    write,
)
from primum.retrieval.origins import ORIGINS, Origin, parts, read
from primum.retrieval.source import Source
from primum.retrieval.workers import need_ray, next_of, room, rows_of, started

if TYPE_CHECKING:
    from ray.data import Dataset

_BLOCK = 2**20  # bytes that are read, embedded and, after a death, done again at once: about ten batches
_READERS = 64  # parts of the work of reading, at most for each embedder
_READ_CPU, _EMBED_CPU = 0.1, 0.9  # of a core that Ray reserves: reading goes on beside an embedder on each core

Rows = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """What tells an embedder from others, without its weights."""

    name: str
    dimensions: int
    pooling: str
    fingerprint: str


@dataclass(frozen=True)
class Work:
    """What every worker is told. The database's address may hold a password: it goes to Ray's workers only."""

    url: str
    load: Callable[[], Embedder]
    model: Made
    tenant: str


@dataclass(frozen=True)
class _Step:
    """Some documents on their way, and what could not be read beside them."""

    batch: Sequence[Source]
    skipped: Sequence[tuple[str, str]]
    change: Change | None = None


@dataclass(frozen=True)
class _Given:
    """The content hash of each document that a run was given so far."""

    hashes: dict[str, str] = field(default_factory=dict)

    def first(self, change: Change, report: IngestReport) -> Change:
        """The change without what has an earlier document's identity; that is reported unless it is the same."""
        kept = []
        for source in change.batch:
            if source.uri not in self.hashes:
                self.hashes[source.uri] = source.content_hash
                kept.append(source)
            elif self.hashes[source.uri] != source.content_hash:
                report.skipped.append((source.uri, TWICE))
        uris = {source.uri for source in kept}
        return Change(kept, [prepared for prepared in change.prepared if prepared.source.uri in uris])


async def ingest_on_workers(
    paths: Sequence[Path | str],
    database: Database,
    load: Callable[[], Embedder],
    workers: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    tenant: str = "",
) -> IngestReport:
    """As `ingest` does, on the Ray cluster that RAY_ADDRESS names, or on this machine.

    Args:
        paths: as for `ingest`; files must lie where all workers see them.
        load: makes the embedder, once in each worker and once here; it is sent to them pickled.
        workers: embedders at once; one for each GPU that Ray has, or else each core, unless given.

    Raises:
        BadInput: Ray is not installed, or has no room for so many workers.
        RetrievalFailed, MemoryUnavailable: as `ingest` does, here or in a worker. A new run goes on.
    """
    need_ray("An ingest")
    report = IngestReport()
    embedder = await asyncio.to_thread(load)
    model = Made(embedder.name, embedder.dimensions, embedder.pooling, embedder.fingerprint)
    async with database.begin() as connection:
        await index.claim(connection, model)
    found = await asyncio.gather(*(asyncio.to_thread(parts, path) for path in paths))
    apart = list(dict.fromkeys(part for of_path in found for part in of_path))
    work = Work(database.url, load, model, tenant)
    with started() if apart else nullcontext():
        await _run(apart, work, workers, database, report, on_progress)
    await finish(paths, database, tenant, report)
    return report


async def _run(
    apart: list[str],
    work: Work,
    workers: int | None,
    database: Database,
    report: IngestReport,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    if not apart:
        return
    done, given = 0, _Given()
    with rows_of(_pipeline(apart, work, workers)) as rows:
        async with aclosing(ahead(_told(rows))) as steps:
            async for step in steps:
                report.skipped += step.skipped
                if not step.change:
                    continue
                await write(given.first(step.change, report), database, work.model, work.tenant, report)
                done += len(step.change.batch)
                if on_progress:
                    on_progress(Progress(done, done, ""))  # to count them all first would read them all


async def _told(rows: Iterator[Rows]) -> AsyncGenerator[_Step]:
    while row := await asyncio.to_thread(next_of, rows):
        step = pickle.loads(row["step"])  # noqa: S301 (our own, from our workers)
        if isinstance(step, PrimumError):
            raise step
        yield step


def _pipeline(apart: list[str], work: Work, workers: int | None) -> "Dataset":
    import ray.data
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.target_max_block_size = _BLOCK
    context.execution_options.preserve_order = True  # or which of two documents is the first would be chance
    workers, on_gpus = room(workers)
    blocks = max(1, min(len(apart), _READERS * workers))
    return (
        ray.data.from_items([{"path": path} for path in apart], override_num_blocks=blocks)
        .map_batches(partial(_read, dict(ORIGINS)), batch_size=None, num_cpus=_READ_CPU)
        .map_batches(
            _Embedding,
            fn_constructor_args=(work,),
            batch_size=None,
            compute=ActorPoolStrategy(size=workers),
            num_cpus=_EMBED_CPU,
            num_gpus=1 if on_gpus else 0,
        )
    )


def _read(origins: Mapping[str, Origin], rows: Rows) -> Iterator[Rows]:
    ORIGINS.update(origins)  # others may have been added in the process that began
    report = IngestReport()
    items = chain.from_iterable(read(str(path)) for path in rows["path"])
    for batch in batches(items, report):
        yield _row(_Step(batch, report.skipped))
        report.skipped = []
    if report.skipped:
        yield _row(_Step([], report.skipped))


class _Embedding:
    """An embedder of its own, and the database to know by what is changed."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._embedder = work.load()
        if self._embedder.fingerprint != work.model.fingerprint:
            raise RetrievalFailed(
                f"A worker's embedder {self._embedder.name} ({self._embedder.fingerprint[:8]}) is not the one that"
                f" the ingest began with ({work.model.fingerprint[:8]}): give all machines the same model."
            )
        self._runner = asyncio.Runner()
        self._database = Database(work.url, pool=2, owner=True)

    def __call__(self, rows: Rows) -> Iterator[Rows]:
        steps = _steps(rows)
        try:
            ready = self._runner.run(self._ready([step.batch for step in steps if step.batch]))
        except PrimumError as error:  # as it is: Ray would make its own of it, with a trace
            yield _row(error)
            return
        for change in ready:
            yield _row(_Step([], [], change))
        for step in steps:
            if step.skipped:
                yield _row(_Step([], step.skipped))

    async def _ready(self, read: list[Sequence[Source]]) -> list[Change]:
        prepared = ahead(changes(iter(read), self._database, self._embedder, self._work.tenant))
        async with aclosing(embedded(prepared, self._embedder)) as ready:
            return [change async for change in ready]


def _row(step: object) -> Rows:
    return {"step": [pickle.dumps(step)]}


def _steps(rows: Rows) -> list[_Step]:
    return [pickle.loads(step) for step in rows["step"]]  # noqa: S301 (our own, from our workers)
