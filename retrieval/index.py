"""The tables of the library, kept right together: documents, chunks, document frequencies, version."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from pgvector import HalfVector
from sqlalchemy import Row, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import BadInput, RetrievalFailed
from primum.memory.session import Database
from primum.memory.tables import Document
from primum.retrieval.chunking import Chunk
from primum.retrieval.duplicates import NEAR, likeness
from primum.retrieval.embedder import Model, Vector
from primum.retrieval.loaders import Source

STALE = 5  # years after which a source that nobody reviewed since is shown as possibly out of date
_OF_SOURCE = (
    *("uri", "title", "text", "kind", "origin", "url", "aliases", "sources", "language", "audience", "licence"),
    *("evidence", "published", "reviewed", "retracted"),
)
# One that stands behind another is found by nobody: so it never stands behind one that proves nothing or goes earlier,
# nor behind one of another title. Of two diseases that are inherited alike both pages say the same of it.
_LIKELY_DUPLICATES = text("""
select d.id, d.text, e.id as first, e.text as first_text
from documents d join documents e on e.bands && d.bands
  and case when cast(:of as bigint[]) is null then e.id < d.id else e.id = any(cast(:of as bigint[])) end
where d.id = any(:ids) and d.replaced_at is null and d.duplicate_of is null and lower(e.title) = lower(d.title)
  and e.replaced_at is null and e.duplicate_of is null and e.chunks > 0
  and e.tenant in ('', d.tenant) and (d.retracted or not e.retracted)
  and (e.expires_at is null or e.expires_at >= d.expires_at)
order by d.id, e.id
""")
_LISTED = text("""
select id, uri, title, tenant, kind, origin, url, language, audience, licence, evidence, published, reviewed, retracted,
  chunks, duplicate_of is not null as duplicate, ingested_at, expires_at,
  coalesce(greatest(reviewed, published) < now() - make_interval(years => :stale), false) as stale
from documents
where tenant in ('', :tenant) and replaced_at is null and (strpos(lower(uri || ' ' || title), :like) > 0)
order by id desc limit :limit
""").bindparams(stale=STALE)
_COPIED = {
    **{"tenant": "text", "document_id": "int8", "title": "text", "aliases": "text", "ordinal": "int4"},
    **{"heading": "text", "start": "int4", "stop": "int4", "page": "int4", "text": "text", "embedding": "bytea"},
}
# A chunk takes 0.26 ms, and by INSERT 0.93, the vectors' index left out; of that 0.035 and 0.55 in this process, since
# a vector goes as its 16-bit numbers. With the index (5,000 chunks in it) 2.1 and 3.7.
_COPY = f"copy chunks ({', '.join(_COPIED)}) from stdin (format binary)".encode()
_LONGEST = 4_000  # numbers of a vector: pgvector's HNSW takes no more of 16 bits
_IN_ROW = 3_800  # numbers that fit into a row of a page of 8 kB, beside the rest of it
# Of a million made vectors, many alike, the ten nearest are found to 0.97, with pgvector's own 16 and 64 to 0.92; the
# index takes twice as long and a sixth more room (`bench.scale`). That of bits, which saves room, keeps pgvector's.
HNSW = "with (m = 32, ef_construction = 96)"
_LOCK = 0x5052494D  # "PRIM": one writer at a time, so that counts are right and deadlocks impossible


@dataclass(frozen=True)
class Prepared:
    """A source with its chunks, their vectors and its signature, ready to be written."""

    source: Source
    chunks: list[Chunk]
    vectors: list[Vector]
    bands: list[int]


async def lock(connection: AsyncConnection) -> None:
    """Waits to be the only writer until the transaction ends."""
    await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def claim(connection: AsyncConnection, embedder: Model) -> None:
    """Makes the library this embedder's, if it is empty.

    Raises:
        BadInput: no index takes this embedder's vectors.
        RetrievalFailed: its vectors were made by another embedder.
    """
    await lock(connection)
    kind = "halfvec"
    row = (await connection.execute(text("select * from corpus"))).one_or_none()
    if row is not None and row.chunks == 0 and row.fingerprint != embedder.fingerprint:
        await connection.execute(text("delete from corpus"))
        await connection.execute(text(f"drop index if exists ix_chunks_embedding_{int(row.dimensions)}"))
        kind, row = str(row.vector_index), None
    if row is not None:
        check(embedder, row.embedder, row.fingerprint)
        if row.embedder != embedder.name:  # the same model under another name
            await connection.execute(text("update corpus set embedder = :name"), {"name": embedder.name})
        return
    size = int(embedder.dimensions)
    await make_room(connection, "embedding", size)
    await connection.execute(
        text(
            "insert into corpus (id, embedder, dimensions, pooling, fingerprint, vector_index)"
            " values (1, :embedder, :dimensions, :pooling, :fingerprint, :kind)"
        ),
        {
            "embedder": embedder.name,
            "dimensions": size,
            "pooling": embedder.pooling,
            "fingerprint": embedder.fingerprint,
            "kind": kind,
        },
    )
    await make_vector_index(connection, f"ix_chunks_embedding_{size}", "embedding", size, kind)


async def make_room(connection: AsyncConnection, column: str, size: int, beside: int = 0) -> None:
    """Scoring reads a vector, so it stays in its row, where one of this size and that beside it fit into a row.

    Raises:
        BadInput: no index takes vectors of this size.
    """
    if size > _LONGEST:
        raise BadInput(f"The embedder makes vectors of {size} numbers, and an index takes {_LONGEST} at most.")
    storage = "plain" if size + beside <= _IN_ROW else "external"
    await connection.execute(text(f"alter table chunks alter {column} set storage {storage}"))


async def make_vector_index(connection: AsyncConnection, name: str, column: str, size: int, kind: str) -> None:
    """The index of vectors of a size: of their 16-bit numbers, of one bit for each, or none."""
    vector = f"{column}::halfvec({size})"
    indexed = {
        "halfvec": f"(({vector}) halfvec_cosine_ops) {HNSW}",
        "binary": f"((binary_quantize({vector})::bit({size})) bit_hamming_ops)",
    }
    if kind != "none":
        await connection.execute(text(f"create index if not exists {name} on chunks using hnsw {indexed[kind]}"))


async def change_vector_index(database: Database, kind: str) -> bool:
    """Makes the library's index of this kind; whether it was another before. Writers wait, searches hardly do.

    Raises:
        BadInput: nothing was ever put into the library.
        MemoryUnavailable: the database can't be reached.
    """
    beside = "ix_chunks_other_embedding"
    async with database.begin() as connection:
        await lock(connection)
        corpus = (await connection.execute(text("select dimensions, vector_index from corpus"))).one_or_none()
        if corpus is None:
            raise BadInput("The library has no vectors yet: put documents into it first, with primum ingest.")
        name = f"ix_chunks_embedding_{int(corpus.dimensions)}"
        there = await connection.scalar(text("select to_regclass(:name) is not null"), {"name": name})
        if corpus.vector_index == kind and there == (kind != "none"):
            return False
        await connection.execute(text(f"drop index if exists {beside}"))  # a broken run's
        await make_vector_index(connection, beside, "embedding", int(corpus.dimensions), kind)
    async with database.begin() as connection:
        await lock(connection)
        await connection.execute(text(f"drop index if exists {name}"))
        await connection.execute(text(f"alter index if exists {beside} rename to {name}"))
        await connection.execute(text("update corpus set vector_index = :kind"), {"kind": kind})
    return True


def embedded_text(title: str, heading: str, text: str) -> str:
    """What a chunk's vector is made of."""
    return f"{title}\n{heading}\n{text}"


def check(embedder: Model, name: str, fingerprint: str) -> None:
    """Raises RetrievalFailed if the library's vectors are another embedder's."""
    if fingerprint != embedder.fingerprint:
        raise RetrievalFailed(
            f"The library was made with the embedder {name} ({fingerprint[:8]}), not with {embedder.name}"
            f" ({embedder.fingerprint[:8]}). Set PRIMUM_EMBEDDER back to {name}, or change the library: primum reembed"
        )


async def hashes(
    connection: AsyncConnection, uris: Sequence[str], tenant: str, *, expiring: bool = False
) -> dict[str, str]:
    """The content hash of each of these documents of a tenant that is stored for good; or until it expires, as well."""
    rows = await connection.execute(
        text("""
            select uri, content_hash from documents
            where uri = any(:uris) and tenant = :tenant and replaced_at is null
              and (expires_at is null or (:expiring and expires_at > now()))
        """),
        {"uris": list(uris), "tenant": tenant, "expiring": expiring},
    )
    return {row.uri: row.content_hash for row in rows}


async def starter_hashes(connection: AsyncConnection) -> dict[str, str]:
    """The content hash of each stored page of the starter library."""
    rows = await connection.execute(
        text("""
            select uri, content_hash from documents
            where starts_with(uri, 'starter:') and tenant = '' and replaced_at is null
        """)
    )
    return {row.uri: row.content_hash for row in rows}


async def keep(connection: AsyncConnection, uris: Sequence[str], expires_at: datetime) -> None:
    """Lets these documents, which were fetched again and found the same, live on."""
    await connection.execute(
        text("""
            update documents set expires_at = :expires_at
            where uri = any(:uris) and tenant = '' and replaced_at is null and expires_at is not null
        """),
        {"uris": list(uris), "expires_at": expires_at},
    )
    await connection.execute(
        text("""
            update documents d set duplicate_of = null from documents first
            where d.uri = any(:uris) and d.tenant = '' and first.id = d.duplicate_of and first.expires_at < d.expires_at
        """),
        {"uris": list(uris)},
    )


async def write(
    connection: AsyncConnection, prepared: Sequence[Prepared], tenant: str, expires_at: datetime | None = None
) -> None:
    """Stores these documents; those of the same tenant and uri become older versions. Call `lock` first."""
    if not prepared:
        return
    sources = [document.source for document in prepared]
    older = await _ids(connection, [source.uri for source in sources], tenant)
    freed = await _empty(connection, list(older), tenant)
    await connection.execute(text("update documents set replaced_at = now() where id = any(:ids)"), {"ids": [*older]})
    rows = await connection.execute(
        insert(Document).returning(Document.id, Document.uri),
        [
            {
                "tenant": tenant,
                "expires_at": expires_at,
                "content_hash": document.source.content_hash,
                "chunks": len(document.chunks),
                "bands": document.bands,
                **{name: getattr(document.source, name) for name in _OF_SOURCE},
            }
            for document in prepared
        ],
    )
    ids = {uri: number for number, uri in rows}
    await _write_chunks(connection, prepared, ids, tenant)
    await _count_lexemes(connection, list(ids.values()), tenant, 1)
    await _mark_duplicates(connection, freed, of=list(ids.values()))  # a new version takes its older one's place
    await _mark_duplicates(connection, [*freed, *ids.values()])
    await _change_version(connection, [f"{tenant} {source.uri} {source.content_hash}" for source in sources])


async def remove(connection: AsyncConnection, uris: Sequence[str], tenant: str) -> int:
    """Takes these documents out, with all their versions; how many there were. Call `lock` first."""
    ids = await _ids(connection, uris, tenant)
    if ids:
        freed = await _empty(connection, list(ids), tenant)
        await connection.execute(
            text("delete from documents where uri = any(:uris) and tenant = :tenant"),
            {"uris": list(ids.values()), "tenant": tenant},
        )
        await _mark_duplicates(connection, freed)
        await _change_version(connection, [f"-{tenant} {uri}" for uri in ids.values()])
    return len(ids)


async def listed(connection: AsyncConnection, tenant: str, like: str, limit: int) -> list[dict[str, Any]]:
    """The newest documents of everyone's and of a tenant, those with `like` in title or uri."""
    rows = await connection.execute(_LISTED, {"tenant": tenant, "like": like.casefold(), "limit": limit})
    return [dict(row._mapping) for row in rows]


async def identity_of(connection: AsyncConnection, document: int, tenant: str) -> tuple[str, str] | None:
    """The uri and the tenant of a document, if it is everyone's or this tenant's."""
    row = (
        await connection.execute(
            text("select uri, tenant from documents where id = :id and tenant in ('', :tenant)"),
            {"id": document, "tenant": tenant},
        )
    ).one_or_none()
    return None if row is None else (row.uri, row.tenant)


async def beneath(connection: AsyncConnection, paths: Sequence[str]) -> list[str]:
    """The identities of everyone's documents that were read from these files, or from files in these folders."""
    rows = await connection.execute(
        text("""
            select distinct uri from documents cross join unnest(cast(:paths as text[])) as path
            where tenant = '' and replaced_at is null
              and (uri = 'file:' || path or starts_with(uri, 'file:' || path || '/')
                or starts_with(uri, 'file:' || path || '#'))
        """),
        {"paths": list(paths)},
    )
    return [row.uri for row in rows]


async def remove_expired(connection: AsyncConnection) -> int:
    """Takes out what was fetched and is too old now; how many documents. Call `lock` first."""
    rows = await connection.execute(text("select uri from documents where expires_at < now() and replaced_at is null"))
    return await remove(connection, [row.uri for row in rows], "")


async def _ids(connection: AsyncConnection, uris: Sequence[str], tenant: str) -> dict[int, str]:
    rows = await connection.execute(
        text("select id, uri from documents where uri = any(:uris) and tenant = :tenant and replaced_at is null"),
        {"uris": list(uris), "tenant": tenant},
    )
    return {row.id: row.uri for row in rows}


async def _empty(connection: AsyncConnection, ids: list[int], tenant: str) -> list[int]:
    """Takes the chunks of these documents out, so that nothing finds them; the ids of what nearly repeated them."""
    if not ids:
        return []
    await _count_lexemes(connection, ids, tenant, -1)
    await connection.execute(
        text("delete from chunks where document_id = any(:ids) and tenant = :tenant"), {"ids": ids, "tenant": tenant}
    )
    freed = await connection.scalars(
        text("update documents set duplicate_of = null where duplicate_of = any(:ids) returning id"), {"ids": ids}
    )
    return list(freed)


async def finish(connection: AsyncConnection) -> None:
    """After a change: the version becomes one that depends on the content alone, and plans know the new sizes."""
    await lock(connection)
    await connection.execute(
        text("""
            with part as (  -- a value holds a gigabyte at most: ten million documents
              select left(content_hash, 3) as name, sha256(
                string_agg(tenant || ' ' || uri || ' ' || content_hash, E'\\n'
                           order by tenant collate "C", uri collate "C")::bytea
              ) as hash
              from documents where replaced_at is null group by left(content_hash, 3)
            )
            update corpus set version = coalesce(
              (select encode(sha256(string_agg(hash, '' order by name collate "C")), 'hex') from part), ''
            )
        """)
    )
    await connection.execute(
        text("select gin_clean_pending_list(relid) from pg_partition_tree('ix_chunks_lexemes') where isleaf")
    )
    await connection.execute(text("analyze documents, chunks, lexemes"))


async def _write_chunks(
    connection: AsyncConnection, prepared: Sequence[Prepared], ids: dict[str, int], tenant: str
) -> None:
    raw = (await connection.get_raw_connection()).driver_connection
    assert isinstance(raw, psycopg.AsyncConnection)
    async with raw.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(list(_COPIED.values()))
        for document in prepared:
            source = document.source
            of_all = (tenant, ids[source.uri], source.title, ", ".join(source.aliases))
            for ordinal, (chunk, vector) in enumerate(zip(document.chunks, document.vectors, strict=True)):
                of_one = (ordinal, chunk.heading, chunk.start, chunk.stop, chunk.page, chunk.text)
                await copy.write_row((*of_all, *of_one, HalfVector(vector).to_binary()))


async def _count_lexemes(connection: AsyncConnection, document_ids: list[int], tenant: str, sign: int) -> None:
    """Adds (1) or takes away (-1) the chunks of these documents to and from the tenant's frequencies."""
    await connection.execute(
        text("""
            with mine as materialized (
              select tsvector_to_array(lexemes) as words from chunks
              where document_id = any(:ids) and tenant = :tenant
            ), counted as (
              insert into lexemes as l (lexeme, tenant, chunks)
              select word, :tenant, :sign * count(*) from mine, unnest(words) as word group by word
              on conflict (lexeme, tenant) do update set chunks = l.chunks + excluded.chunks
            )
            update corpus set chunks = chunks + :sign * (select count(*) from mine)
        """),
        {"ids": document_ids, "sign": sign, "tenant": tenant},
    )
    if sign < 0:
        await connection.execute(
            text("""
                delete from lexemes where chunks = 0 and tenant = :tenant and lexeme in (
                  select unnest(tsvector_to_array(lexemes)) from chunks
                  where document_id = any(:ids) and tenant = :tenant
                )
            """),
            {"ids": document_ids, "tenant": tenant},
        )


async def _mark_duplicates(connection: AsyncConnection, ids: list[int], of: list[int] | None = None) -> None:
    """Notes of each of these documents which earlier one, or which of `of`, it nearly repeats.

    Never one of another tenant's; a tenant's own may repeat everyone's.
    """
    if not ids:
        return
    likely = (await connection.execute(_LIKELY_DUPLICATES, {"ids": ids, "of": of})).all()
    if found := await asyncio.to_thread(_near, likely):
        await connection.execute(
            text("update documents set duplicate_of = :first where id = :id"),
            [{"id": one, "first": first} for one, first in found.items()],
        )


def _near(likely: Sequence[Row[Any]]) -> dict[int, int]:
    """By the id of what repeats another: the id of the first that it nearly repeats."""
    found: dict[int, int] = {}
    for row in likely:
        if row.id not in found and row.first not in found and likeness(row.text, row.first_text) >= NEAR:
            found[row.id] = row.first
    return found


async def _change_version(connection: AsyncConnection, changes: Sequence[str]) -> None:
    """A version that no reader has seen before; `finish` makes it the content's own."""
    (version,) = (await connection.execute(text("select version from corpus"))).one()
    digest = hashlib.sha256("\n".join([version, *sorted(changes)]).encode()).hexdigest()
    await connection.execute(text("update corpus set version = :version"), {"version": digest})
