"""The starter library: the pages that come with Primum."""

from sqlalchemy import text

from primum.memory.session import Database
from primum.retrieval.index import starter_hashes
from primum.retrieval.loaders import STARTER, Source, load

__all__ = ["STARTER", "is_ingested"]


async def is_ingested(database: Database, embedder_name: str) -> bool:
    """True if the library holds just the pages of this version, made with this embedder. Loads no model."""
    pages = {page.uri: page.content_hash for page in load(STARTER) if isinstance(page, Source)}
    async with database.begin() as connection:
        embedder = await connection.scalar(text("select embedder from corpus"))
        stored = await starter_hashes(connection)
    return embedder == embedder_name and stored == pages
