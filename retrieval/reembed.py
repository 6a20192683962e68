"""The library embedded anew by another embedder, beside the vectors in use; then all searches change over at once."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.embedder import Embedder

_BATCH = 256  # chunks: what a broken run has to do again at most

log = structlog.get_logger(__name__)

_LEFT = text("""
select id, tenant, title, heading, text from chunks
where next_embedding is null and id > :after order by id limit :batch
""")
_SET = text("""
update chunks c set next_embedding = cast(given.vector as halfvec)
from unnest(cast(:ids as bigint[]), cast(:tenants as text[]), cast(:vectors as text[])) as given (id, tenant, vector)
where c.id = given.id and c.tenant = given.tenant
""")


async def reembed(database: Database, embedder: Embedder, on_progress: Callable[[int, int], None] | None = None) -> int:
    """Makes the library this embedder's; how many chunks it embedded. A broken run goes on where it was.

    Meanwhile the library is searched and written as before; from the change on, with this embedder only.

    Raises:
        BadInput: no index takes this embedder's vectors.
        MemoryUnavailable: the database can't be reached.
    """
    async with database.begin() as connection:
        await index.lock(connection)
        corpus = (await connection.execute(text("select * from corpus"))).one_or_none()
        if corpus is None or corpus.fingerprint == embedder.fingerprint:
            return 0
        if corpus.next_fingerprint != embedder.fingerprint:
            await connection.execute(text("update chunks set next_embedding = null where next_embedding is not null"))
            await index.make_room(connection, "next_embedding", embedder.dimensions, beside=corpus.dimensions)
            await connection.execute(
                text("update corpus set next_fingerprint = :fingerprint"), {"fingerprint": embedder.fingerprint}
            )
        left = int(await connection.scalar(text("select count(*) from chunks where next_embedding is null")) or 0)
    done, last = 0, -1
    while True:
        async with database.begin() as connection:
            ids = await _embed_next(connection, embedder, last)
        if not ids:
            break
        done, last = done + len(ids), ids[-1]
        if on_progress:
            on_progress(done, max(left, done))
    await _index(database, embedder)
    async with database.begin() as connection:
        await index.lock(connection)
        while ids := await _embed_next(connection, embedder, -1):  # what was written in the meantime
            done += len(ids)
        await _change_over(connection, corpus.dimensions, embedder)
    log.info("embedded anew", chunks=done, embedder=embedder.name)
    return done


async def _embed_next(connection: AsyncConnection, embedder: Embedder, after: int) -> list[int]:
    rows: Sequence[Row[Any]] = (await connection.execute(_LEFT, {"batch": _BATCH, "after": after})).all()
    if rows:
        texts = [index.embedded_text(row.title, row.heading, row.text) for row in rows]
        vectors = await asyncio.to_thread(embedder.embed_passages, texts)
        given = {
            "ids": [row.id for row in rows],
            "tenants": [row.tenant for row in rows],
            "vectors": [str(vector) for vector in vectors],
        }
        await connection.execute(_SET, given)
    return [row.id for row in rows]


async def _index(database: Database, embedder: Embedder) -> None:
    """Writers wait while it is built; searches don't."""
    async with database.begin() as connection:
        await connection.execute(text("drop index if exists ix_chunks_next_embedding"))
        kind = str(await connection.scalar(text("select vector_index from corpus")))
        size = int(embedder.dimensions)
        await index.make_vector_index(connection, "ix_chunks_next_embedding", "next_embedding", size, kind)


async def _change_over(connection: AsyncConnection, before: int, embedder: Embedder) -> None:
    for statement in (
        f"drop index if exists ix_chunks_embedding_{int(before)}",
        "alter table chunks drop embedding",
        "alter table chunks rename next_embedding to embedding",
        "alter table chunks alter embedding set not null, add next_embedding halfvec",
        f"alter index if exists ix_chunks_next_embedding rename to ix_chunks_embedding_{int(embedder.dimensions)}",
    ):
        await connection.execute(text(statement))
    await index.make_room(connection, "embedding", embedder.dimensions)
    await connection.execute(
        text("""
            update corpus set embedder = :name, dimensions = :size, pooling = :pooling, fingerprint = :fingerprint,
              next_fingerprint = null
        """),
        {
            "name": embedder.name,
            "size": int(embedder.dimensions),
            "pooling": embedder.pooling,
            "fingerprint": embedder.fingerprint,
        },
    )
