"""The library kept as watched folders are: what is added or changed is read, what is gone goes."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from itertools import accumulate, chain
from pathlib import Path

import structlog

from primum.graph.errors import PrimumError
from primum.memory.session import Database
from primum.retrieval import index, ingest
from primum.retrieval.embedder import Embedder
from primum.retrieval.loaders import files, leads_out, load, uri_of
from primum.retrieval.source import Source, Unreadable, escaped
from primum.retrieval.watch import SETTLED, changes

AGAIN = 60.0  # seconds after a failure until all is looked through again

log = structlog.get_logger(__name__)


async def follow(
    folders: Sequence[Path],
    database: Database,
    embedder: Embedder,
    stop: asyncio.Event | None = None,
    settled: float = SETTLED,
) -> None:
    """Until `stop` is set. Without the database, or a folder, it waits and looks through all of it again."""
    stop = stop or asyncio.Event()
    while not stop.is_set():
        try:
            await _follow([folder.resolve() for folder in folders], database, embedder, stop, settled)
        except PrimumError as error:
            log.warning("folders not followed", reason=str(error))
        except OSError as error:  # the system watches no more folders, a share is away
            log.warning("folders not followed", reason=error.strerror or type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), AGAIN)


async def _follow(
    folders: Sequence[Path], database: Database, embedder: Embedder, stop: asyncio.Event, settled: float
) -> None:
    present = [folder for folder in folders if folder.is_dir()]
    if len(present) < len(folders):
        await _take_in(present, database, embedder)
    async with aclosing(changes(folders, stop, settled)) as watched:
        await anext(watched, None)  # from here on nothing is missed, also while all is looked through
        await _take_in(folders, database, embedder)
        async for told in watched:
            if told.changed:
                await _take_in(sorted(told.changed), database, embedder)
            if told.removed:
                await _forget(told.removed, database, lambda _: False)


async def _take_in(paths: Sequence[Path], database: Database, embedder: Embedder) -> None:
    """Makes the library hold what these files and folders hold; a file at which something unforeseen fails is named."""
    try:
        await _read(paths, database, embedder)
    except PrimumError:
        raise
    except Exception as error:
        apart = await asyncio.to_thread(_apart, paths)
        if len(paths) == 1 and apart == list(paths):
            log.error("not read", name=paths[0].name, reason=type(error).__name__)
            return
        for file in apart:  # so that it stops no other
            await _take_in([file], database, embedder)
        there = {uri_of(file) for file in apart}
        await _forget(paths, database, lambda uri: uri.partition("#")[0] in there)


def _apart(paths: Sequence[Path]) -> list[Path]:
    return [file for path in paths for file in files(path) if not leads_out(file, path)]


async def _read(paths: Sequence[Path], database: Database, embedder: Embedder) -> None:
    """What these files and folders hold goes in; what of them is stored and no longer there goes out."""
    report, found = ingest.IngestReport(), set[str]()
    async with database.begin() as connection:
        await index.claim(connection, embedder)
    items = chain.from_iterable(load(path) for path in paths)
    await ingest.take_in(_noted(items, found), database, embedder, "", report)
    await ingest.finish(paths, database, "", report)
    for name, reason in report.skipped:
        log.warning("not read", name=Path(name).name, reason=reason)
    unread = {escaped(name) for name, _ in report.skipped}
    await _forget(paths, database, lambda uri: uri in found or not unread.isdisjoint(_names(uri)))


def _noted(items: Iterable[Source | Unreadable], found: set[str]) -> Iterator[Source | Unreadable]:
    for item in items:
        if isinstance(item, Source):
            found.add(item.uri)
        yield item


def _names(uri: str) -> Iterator[str]:
    """What a report calls the file, the archive's file and the row that a document was read from."""
    return accumulate(uri.removeprefix("file:").split("#"), "{}:{}".format)


async def _forget(paths: Collection[Path], database: Database, kept: Callable[[str], bool]) -> None:
    """Takes out the documents of these files, and of all in these folders, but those to be kept."""
    async with database.begin() as connection:
        await index.lock(connection)
        stored = await index.beneath(connection, [uri_of(path).removeprefix("file:") for path in paths])
        if await index.remove(connection, [uri for uri in stored if not kept(uri)], ""):
            await index.finish(connection)
