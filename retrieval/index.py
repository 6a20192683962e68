"""The tables of the library, kept right together: documents, chunks, document frequencies, version."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import RetrievalFailed
from primum.memory.tables import Chunk as ChunkRow
from primum.memory.tables import Document
from primum.retrieval.chunking import Chunk
from primum.retrieval.embedder import Embedder, Vector
from primum.retrieval.loaders import Source

_LOCK = 0x5052494D  # "PRIM": one writer at a time, so that counts are right and deadlocks impossible


@dataclass(frozen=True)
class Prepared:
    """A source with its chunks and their vectors, ready to be written."""

    source: Source
    chunks: list[Chunk]
    vectors: list[Vector]


async def lock(connection: AsyncConnection) -> None:
    """Waits to be the only writer until the transaction ends."""
    await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def claim(connection: AsyncConnection, embedder: Embedder) -> None:
    """Makes the library this embedder's, if it is empty.

    Raises:
        RetrievalFailed: its vectors were made by another embedder.
    """
    await lock(connection)
    row = (await connection.execute(text("select * from corpus"))).one_or_none()
    if row is not None and row.chunks == 0 and row.fingerprint != embedder.fingerprint:
        await connection.execute(text("delete from corpus"))
        await connection.execute(text(f"drop index if exists ix_chunks_embedding_{int(row.dimensions)}"))
        row = None
    if row is not None:
        check(embedder, row.embedder, row.fingerprint)
        if row.embedder != embedder.name:  # the same model under another name
            await connection.execute(text("update corpus set embedder = :name"), {"name": embedder.name})
        return
    size = int(embedder.dimensions)
    await connection.execute(
        text(
            "insert into corpus (id, embedder, dimensions, pooling, fingerprint)"
            " values (1, :embedder, :dimensions, :pooling, :fingerprint)"
        ),
        {
            "embedder": embedder.name,
            "dimensions": size,
            "pooling": embedder.pooling,
            "fingerprint": embedder.fingerprint,
        },
    )
    await connection.execute(
        text(
            f"create index if not exists ix_chunks_embedding_{size}"
            f" on chunks using hnsw ((embedding::halfvec({size})) halfvec_cosine_ops)"
        )
    )


def check(embedder: Embedder, name: str, fingerprint: str) -> None:
    """Raises RetrievalFailed if the library's vectors are another embedder's."""
    if fingerprint != embedder.fingerprint:
        raise RetrievalFailed(
            f"The library was made with the embedder {name} ({fingerprint[:8]}), not with {embedder.name}"
            f" ({embedder.fingerprint[:8]}). Set PRIMUM_EMBEDDER back to {name}, or use a fresh database."
        )


async def hashes(connection: AsyncConnection, uris: Sequence[str]) -> dict[str, str]:
    """The content hash of each of these documents that is stored."""
    rows = await connection.execute(
        text("select uri, content_hash from documents where uri = any(:uris)"), {"uris": list(uris)}
    )
    return {row.uri: row.content_hash for row in rows}


async def starter_hashes(connection: AsyncConnection) -> dict[str, str]:
    """The content hash of each stored page of the starter library."""
    rows = await connection.execute(text("select uri, content_hash from documents where starts_with(uri, 'starter:')"))
    return {row.uri: row.content_hash for row in rows}


async def write(connection: AsyncConnection, prepared: Sequence[Prepared]) -> None:
    """Stores these documents in place of those with the same uri. Call `lock` first."""
    await remove(connection, [document.source.uri for document in prepared])
    if not prepared:
        return
    sources = [document.source for document in prepared]
    rows = await connection.execute(
        insert(Document).returning(Document.id, Document.uri),
        [
            {
                "uri": source.uri,
                "title": source.title,
                "kind": source.kind,
                "url": source.url,
                "aliases": source.aliases,
                "sources": source.sources,
                "reviewed": source.reviewed,
                "content_hash": source.content_hash,
                "text": source.text,
            }
            for source in sources
        ],
    )
    ids = {uri: number for number, uri in rows}
    await _write_chunks(connection, prepared, ids)
    await _count_lexemes(connection, list(ids.values()), 1)
    await _change_version(connection, [f"{source.uri} {source.content_hash}" for source in sources])


async def remove(connection: AsyncConnection, uris: Sequence[str]) -> int:
    """Takes these documents out; how many there were. Call `lock` first."""
    rows = await connection.execute(text("select id, uri from documents where uri = any(:uris)"), {"uris": list(uris)})
    ids = {row.id: row.uri for row in rows}
    if ids:
        await _count_lexemes(connection, list(ids), -1)
        await connection.execute(text("delete from documents where id = any(:ids)"), {"ids": list(ids)})
        await _change_version(connection, [f"-{uri}" for uri in ids.values()])
    return len(ids)


async def finish(connection: AsyncConnection) -> None:
    """After a change: the version becomes one that depends on the content alone, and plans know the new sizes."""
    await lock(connection)
    await connection.execute(
        text("""
            update corpus set version = coalesce(
              (select encode(sha256(string_agg(uri || ' ' || content_hash, E'\\n' order by uri collate "C")::bytea),
                             'hex') from documents), '')
        """)
    )
    await connection.execute(text("select gin_clean_pending_list('ix_chunks_lexemes')"))
    await connection.execute(text("analyze documents, chunks, lexemes"))


async def _write_chunks(connection: AsyncConnection, prepared: Sequence[Prepared], ids: dict[str, int]) -> None:
    rows = [
        {
            "document_id": ids[document.source.uri],
            "ordinal": ordinal,
            "title": document.source.title,
            "aliases": ", ".join(document.source.aliases),
            "heading": chunk.heading,
            "start": chunk.start,
            "stop": chunk.stop,
            "text": chunk.text,
            "embedding": vector,
        }
        for document in prepared
        for ordinal, (chunk, vector) in enumerate(zip(document.chunks, document.vectors, strict=True))
    ]
    if rows:
        await connection.execute(insert(ChunkRow), rows)


async def _count_lexemes(connection: AsyncConnection, document_ids: list[int], sign: int) -> None:
    """Adds (1) or takes away (-1) the chunks of these documents to and from the frequencies."""
    await connection.execute(
        text("""
            with mine as materialized (
              select tsvector_to_array(lexemes) as words from chunks where document_id = any(:ids)
            ), counted as (
              insert into lexemes as l (lexeme, chunks)
              select word, :sign * count(*) from mine, unnest(words) as word group by word
              on conflict (lexeme) do update set chunks = l.chunks + excluded.chunks
            )
            update corpus set
              chunks = chunks + :sign * (select count(*) from mine),
              postings = postings + :sign * (select coalesce(sum(cardinality(words)), 0) from mine)
        """),
        {"ids": document_ids, "sign": sign},
    )
    if sign < 0:
        await connection.execute(text("delete from lexemes where chunks = 0"))


async def _change_version(connection: AsyncConnection, changes: Sequence[str]) -> None:
    """A version that no reader has seen before; `finish` makes it the content's own."""
    (version,) = (await connection.execute(text("select version from corpus"))).one()
    digest = hashlib.sha256("\n".join([version, *sorted(changes)]).encode()).hexdigest()
    await connection.execute(text("update corpus set version = :version"), {"version": digest})
