"""Paths in, a searchable library out. What is unchanged is left alone, so that a broken run can go on."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path

import structlog

from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.ahead import ahead
from primum.retrieval.chunking import chunk
from primum.retrieval.duplicates import signature
from primum.retrieval.embedder import Embedder, Model
from primum.retrieval.loaders import STARTER, Source, Unreadable
from primum.retrieval.origins import expected, is_origin, read
from primum.retrieval.remote import is_remote

_BATCH_DOCUMENTS = 128
_BATCH_CHARACTERS = 80_000  # about 100 chunks: three seconds of embedding on one core
TWICE = "the same identity as an earlier document of this run"

log = structlog.get_logger()


@dataclass(frozen=True)
class Progress:
    """How far an ingest is: documents looked at, of about how many, and the last one's title."""

    done: int
    total: int
    title: str


@dataclass
class IngestReport:
    """What an ingest did, in documents; `chunks` counts those that were written."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    removed: int = 0
    chunks: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def changed(self) -> int:
        return self.added + self.replaced + self.removed


async def ingest(
    paths: Sequence[Path | str],
    database: Database,
    embedder: Embedder,
    on_progress: Callable[[Progress], None] | None = None,
    tenant: str = "",
) -> IngestReport:
    """Files, folders and origins into the library; each document changes as a whole or not at all.

    Args:
        paths: what `primum.retrieval.origins.read` knows.
        database: the tables' owner's.
        tenant: whose own they are; everyone's unless given.

    Raises:
        RetrievalFailed: the library was made with another embedder.
        MemoryUnavailable: the database can't be reached; what was written so far stays, and a new run goes on.
    """
    total = sum(await asyncio.gather(*(asyncio.to_thread(expected, path) for path in paths)))
    report = IngestReport()
    items = chain.from_iterable(read(path) for path in paths)
    await take_in(items, database, embedder, tenant, report, on_progress, total)
    await finish(paths, database, tenant, report)
    return report


async def take_in(
    items: Iterable[Source | Unreadable],
    database: Database,
    embedder: Embedder,
    tenant: str,
    report: IngestReport,
    on_progress: Callable[[Progress], None] | None = None,
    total: int = 0,
) -> None:
    """Documents into the library, read while others are embedded; `finish` comes after it. Raises as `ingest`."""
    async with database.begin() as connection:
        await index.claim(connection, embedder)
    prepared = ahead(changes(batches(items, report), database, embedder, tenant))
    done = 0
    async with aclosing(ahead(embedded(prepared, embedder))) as ready:
        async for change in ready:
            await write(change, database, embedder, tenant, report)
            done += len(change.batch)
            if on_progress:
                on_progress(Progress(done, max(total, done), change.batch[-1].title))


async def finish(paths: Sequence[Path | str], database: Database, tenant: str, report: IngestReport) -> None:
    """After all of these paths: pages that the starter library no longer has go, and the library's version is made."""
    if not tenant and any(is_starter(path) for path in paths):
        await _remove_gone_pages(database, report)
    if report.changed:
        async with database.begin() as connection:
            await index.finish(connection)
    log.info("ingested", added=report.added, replaced=report.replaced, skipped=len(report.skipped))


def is_starter(path: Path | str) -> bool:
    return not is_origin(path) and not is_remote(path) and Path(path).resolve() == STARTER


def batches(items: Iterable[Source | Unreadable], report: IngestReport) -> Iterator[list[Source]]:
    """Readable sources, some at a time; the others go into the report, as does what has an earlier one's identity."""
    seen: dict[str, str] = {}
    batch: list[Source] = []
    size = 0
    for item in items:
        if isinstance(item, Unreadable):
            report.skipped.append((item.name, item.reason))
            continue
        if item.uri in seen:
            if seen[item.uri] != item.content_hash:
                report.skipped.append((item.uri, TWICE))
            continue
        seen[item.uri] = item.content_hash
        batch.append(item)
        size += len(item.text)
        if len(batch) == _BATCH_DOCUMENTS or size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def store(
    sources: Sequence[Source], database: Database, embedder: Embedder, expires_at: datetime
) -> IngestReport:
    """Fetched documents into everyone's library, until a time; what is there for good stays. Raises as `ingest`."""
    report = IngestReport()
    async with database.begin() as connection:
        await index.claim(connection, embedder)
        await index.keep(connection, [source.uri for source in sources], expires_at)
        await index.remove_expired(connection)
        lasting = await index.hashes(connection, [source.uri for source in sources], "")
    passing = [source for source in sources if source.uri not in lasting]
    report.unchanged += len(sources) - len(passing)
    change = await prepare(passing, database, embedder, "", expiring=True)
    await asyncio.to_thread(embed, change, embedder)
    await write(change, database, embedder, "", report, expires_at)
    return report


@dataclass(frozen=True)
class Change:
    """A batch of documents, and those of them that are to be written, with their chunks."""

    batch: Sequence[Source]
    prepared: list[index.Prepared]


async def changes(
    batches: Iterator[Sequence[Source]], database: Database, embedder: Embedder, tenant: str
) -> AsyncGenerator[Change]:
    """What is to be written of each batch, without vectors."""
    while batch := await asyncio.to_thread(next, batches, None):
        yield await prepare(batch, database, embedder, tenant)


async def embedded(changes: AsyncGenerator[Change], embedder: Embedder) -> AsyncGenerator[Change]:
    """The same changes, with vectors."""
    async with aclosing(changes):
        async for change in changes:
            await asyncio.to_thread(embed, change, embedder)
            yield change


async def prepare(
    batch: Sequence[Source], database: Database, embedder: Embedder, tenant: str, *, expiring: bool = False
) -> Change:
    """Those documents of a batch that are new or changed, in chunks. Raises MemoryUnavailable."""
    async with database.begin() as connection:
        stored = await index.hashes(connection, [source.uri for source in batch], tenant, expiring=expiring)

    def cut() -> list[index.Prepared]:
        changed = (source for source in batch if stored.get(source.uri) != source.content_hash)
        return [index.Prepared(s, chunk(s, embedder.count_tokens), [], signature(s.text)) for s in changed]

    return Change(batch, await asyncio.to_thread(cut))


def embed(change: Change, embedder: Embedder) -> None:
    """Gives each chunk that is to be written its vector."""
    titled = [(document.source.title, c) for document in change.prepared for c in document.chunks]
    vectors = iter(embedder.embed_passages([index.embedded_text(title, c.heading, c.text) for title, c in titled]))
    for document in change.prepared:
        document.vectors.extend(next(vectors) for _ in document.chunks)


async def write(
    change: Change,
    database: Database,
    model: Model,
    tenant: str,
    report: IngestReport,
    expires_at: datetime | None = None,
) -> None:
    """Stores what of it is still to be stored, all of it or nothing.

    Raises:
        RetrievalFailed, MemoryUnavailable: as `ingest` does.
    """
    prepared, stored = change.prepared, {}
    if prepared:
        uris = [document.source.uri for document in prepared]
        async with database.begin() as connection:
            await index.claim(connection, model)
            # Another ingest may have been faster.
            stored = await index.hashes(connection, uris, tenant, expiring=expires_at is not None)
            prepared = [p for p in prepared if stored.get(p.source.uri) != p.source.content_hash]
            if expires_at is not None:
                lasting = await index.hashes(connection, uris, tenant)
                prepared = [p for p in prepared if p.source.uri not in lasting]
            await index.write(connection, prepared, tenant, expires_at)
    replaced = sum(1 for document in prepared if document.source.uri in stored)
    report.replaced += replaced
    report.added += len(prepared) - replaced
    report.unchanged += len(change.batch) - len(prepared)
    report.chunks += sum(len(document.chunks) for document in prepared)


async def _remove_gone_pages(database: Database, report: IngestReport) -> None:
    """Pages of the starter library that this version no longer has."""
    kept = {f"starter:{file.stem}" for file in STARTER.glob("*.md")}
    async with database.begin() as connection:
        await index.lock(connection)
        gone = [uri for uri in await index.starter_hashes(connection) if uri not in kept]
        report.removed += await index.remove(connection, gone, "")
