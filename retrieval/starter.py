"""The starter library: the pages that come with Primum."""

import structlog
from sqlalchemy import text

from primum.memory.session import Database
from primum.retrieval.embedder import Embedder
from primum.retrieval.index import starter_hashes
from primum.retrieval.ingest import ingest
from primum.retrieval.loaders import STARTER, Source, load

__all__ = ["STARTER", "fill", "is_wanted"]

log = structlog.get_logger()


async def is_wanted(database: Database, embedder_name: str) -> bool:
    """Whether it is to be read in: not where the library holds just its pages of this version, made with this embedder,
    nor where there are documents of somebody's own and none of it. Loads no model. `database` is the owner's.
    """
    pages = {page.uri: page.content_hash for page in load(STARTER) if isinstance(page, Source)}
    async with database.begin() as connection:
        embedder = await connection.scalar(text("select embedder from corpus"))
        documents = await connection.scalar(text("select count(*) from documents"))
        stored = await starter_hashes(connection)
    return (embedder != embedder_name or stored != pages) and bool(stored or not documents)


async def fill(url: str, embedder: Embedder) -> None:
    """Reads the starter library in where it is wanted. Raises as `ingest` does."""
    database = Database(url, pool=2, owner=True)
    try:
        if await is_wanted(database, embedder.name):
            log.warning("the starter library is read first, once: a minute or two")
            await ingest([STARTER], database, embedder)
    finally:
        await database.close()
