"""The starter library: the pages that come with Primum."""

import structlog
from sqlalchemy import text

from primum.memory.session import Database
from primum.retrieval.embedder import Embedder
from primum.retrieval.index import starter_hashes
from primum.retrieval.ingest import ingest
from primum.retrieval.loaders import STARTER, Source, load

__all__ = ["STARTER", "fill", "is_ingested"]

log = structlog.get_logger()


async def is_ingested(database: Database, embedder_name: str) -> bool:
    """True if the library holds just the pages of this version, made with this embedder. Loads no model."""
    pages = {page.uri: page.content_hash for page in load(STARTER) if isinstance(page, Source)}
    async with database.begin() as connection:
        embedder = await connection.scalar(text("select embedder from corpus"))
        stored = await starter_hashes(connection)
    return embedder == embedder_name and stored == pages


async def fill(url: str, embedder: Embedder) -> None:
    """Reads the starter library into one that holds nothing else, unless it is there. Raises as `ingest` does."""
    database = Database(url, pool=2, owner=True)
    try:
        async with database.begin() as connection:
            own = await connection.scalar(
                text("select count(*) > 0 and not bool_or(starts_with(uri, 'starter:')) from documents")
            )
        if not own and not await is_ingested(database, embedder.name):
            log.warning("the starter library is read first, once: a minute or two")
            await ingest([STARTER], database, embedder)
    finally:
        await database.close()
