"""Paths in, a searchable library out. What is unchanged is left alone, so that a broken run can go on."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path

import structlog

from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.chunking import chunk
from primum.retrieval.duplicates import signature
from primum.retrieval.embedder import Embedder
from primum.retrieval.loaders import STARTER, Source, Unreadable
from primum.retrieval.origins import expected, is_origin, read
from primum.retrieval.remote import is_remote

_BATCH_DOCUMENTS = 128
_BATCH_CHARACTERS = 80_000  # about 100 chunks: three seconds of embedding on one core

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
    report = IngestReport()
    async with database.begin() as connection:
        await index.claim(connection, embedder)
    total = sum(await asyncio.gather(*(asyncio.to_thread(expected, path) for path in paths)))
    batches = _batches(paths, report)
    done = 0
    while batch := await asyncio.to_thread(next, batches, None):
        await _ingest_batch(batch, database, embedder, tenant, report)
        done += len(batch)
        if on_progress:
            on_progress(Progress(done, max(total, done), batch[-1].title))
    if not tenant and any(is_starter(path) for path in paths):
        await _remove_gone_pages(database, report)
    if report.changed:
        async with database.begin() as connection:
            await index.finish(connection)
    log.info("ingested", added=report.added, replaced=report.replaced, skipped=len(report.skipped))
    return report


def is_starter(path: Path | str) -> bool:
    return not is_origin(path) and not is_remote(path) and Path(path).resolve() == STARTER


def _batches(paths: Sequence[Path | str], report: IngestReport) -> Iterator[list[Source]]:
    """Readable sources, some at a time; the others go into the report."""
    seen: dict[str, str] = {}
    batch: list[Source] = []
    size = 0
    for item in chain.from_iterable(read(path) for path in paths):
        if isinstance(item, Unreadable):
            report.skipped.append((item.name, item.reason))
            continue
        if item.uri in seen:
            if seen[item.uri] != item.content_hash:
                report.skipped.append((item.uri, "the same identity as an earlier document of this run"))
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
    """Fetched documents into everyone's library, until a time. Raises as `ingest` does."""
    report = IngestReport()
    async with database.begin() as connection:
        await index.claim(connection, embedder)
        await index.keep(connection, [source.uri for source in sources], expires_at)
        await index.remove_expired(connection)
    await _ingest_batch(sources, database, embedder, "", report, expires_at)
    return report


async def _ingest_batch(
    batch: Sequence[Source],
    database: Database,
    embedder: Embedder,
    tenant: str,
    report: IngestReport,
    expires_at: datetime | None = None,
) -> None:
    uris = [source.uri for source in batch]
    async with database.begin() as connection:
        stored = await index.hashes(connection, uris, tenant)
    changed = [source for source in batch if stored.get(source.uri) != source.content_hash]
    prepared = await asyncio.to_thread(_prepare, changed, embedder)
    if prepared:
        async with database.begin() as connection:
            await index.claim(connection, embedder)
            stored = await index.hashes(connection, uris, tenant)  # another ingest may have been faster
            prepared = [p for p in prepared if stored.get(p.source.uri) != p.source.content_hash]
            await index.write(connection, prepared, tenant, expires_at)
    replaced = sum(1 for document in prepared if document.source.uri in stored)
    report.replaced += replaced
    report.added += len(prepared) - replaced
    report.unchanged += len(batch) - len(prepared)
    report.chunks += sum(len(document.chunks) for document in prepared)


def _prepare(sources: Sequence[Source], embedder: Embedder) -> list[index.Prepared]:
    chunked = [(source, chunk(source, embedder.count_tokens)) for source in sources]
    texts = [index.embedded_text(source.title, c.heading, c.text) for source, chunks in chunked for c in chunks]
    vectors = iter(embedder.embed_passages(texts))
    return [
        index.Prepared(source, chunks, [next(vectors) for _ in chunks], signature(source.text))
        for source, chunks in chunked
    ]


async def _remove_gone_pages(database: Database, report: IngestReport) -> None:
    """Pages of the starter library that this version no longer has."""
    kept = {f"starter:{file.stem}" for file in STARTER.glob("*.md")}
    async with database.begin() as connection:
        await index.lock(connection)
        gone = [uri for uri in await index.starter_hashes(connection) if uri not in kept]
        report.removed += await index.remove(connection, gone, "")
