"""The library kept as watched folders are: what is added or changed is read, what is gone goes."""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

import structlog

from primum.graph.errors import PrimumError
from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.embedder import Embedder
from primum.retrieval.ingest import ingest
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
    while stop is None or not stop.is_set():
        try:
            await _follow(folders, database, embedder, stop, settled)
        except PrimumError as error:
            log.warning("folders not followed", reason=str(error))
            await asyncio.sleep(AGAIN)


async def _follow(
    folders: Sequence[Path], database: Database, embedder: Embedder, stop: asyncio.Event | None, settled: float
) -> None:
    await ingest([folder for folder in folders if folder.is_dir()], database, embedder)
    await _forget([folder for folder in folders if folder.is_dir()], database, missing_only=True)
    async for told in changes(folders, stop, settled):
        if told.changed:
            report = await ingest(sorted(told.changed), database, embedder)
            for name, reason in report.skipped:
                log.warning("not read", name=name, reason=reason)
        if told.removed:
            await _forget(told.removed, database)


async def _forget(paths: Collection[Path], database: Database, missing_only: bool = False) -> None:
    """Takes out the documents of these files, and of all in these folders; or those of them whose file is gone."""
    async with database.begin() as connection:
        await index.lock(connection)
        uris = await index.beneath(connection, [str(path) for path in paths])
        gone = await asyncio.to_thread(_missing, uris) if missing_only else uris
        if await index.remove(connection, gone, ""):
            await index.finish(connection)


def _missing(uris: Sequence[str]) -> list[str]:
    return [uri for uri in uris if not Path(uri.removeprefix("file:")).exists()]
