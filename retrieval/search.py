"""Hybrid search: vectors and words, fused in one statement."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.embedder import Embedder, Vector
from primum.retrieval.plaintext import clean


@dataclass(frozen=True)
class Passage:
    """A chunk that was retrieved; `similarity` is its cosine to the nearest query, 0 to 1."""

    chunk_id: int
    document_id: int
    title: str
    heading: str
    url: str
    kind: str
    text: str
    start: int
    stop: int
    sources: list[dict[str, str]]
    reviewed: str | None
    score: float
    similarity: float

    @property
    def address(self) -> str:
        """Where it can be read: its own URL or, of a page written from other sources, the first of theirs."""
        return self.url or next((source["url"] for source in self.sources), "")


# Candidates are each query's 100 nearest chunks (HNSW) and its 100 best by words. Each is then scored against each
# query by cosine + half of the share of the query's words that it holds, and counts by the query it fits best.
#
# Words: Postgres' own ranking has no inverse document frequency and reads every chunk with a frequent word. So only
# the 8 rarest lexemes bring candidates, if they stand in at most 1,000 chunks or one in a hundred (up to a tenth:
# twice the time, not one answer changed). For one lexeme ts_rank is a count of its places that saturates, weighted
# by field (title and aliases 1, heading 0.7, text 0.4); summed with idf for weight it is BM25 in all but the length.
#
# Why not reciprocal ranks: they throw away how sure each side is. nDCG@10 with MiniLM, all vectors compared:
#                                        MedQuAD  MedicationQA  PubMedQA (these two among 9,500 other passages)
#   vectors alone                         0.698      0.798        0.964
#   words alone: BM25 / as here        .528/.574   .662/.716    .952/.879
#   reciprocal ranks, words × 0.2 / 1  .719/.697   .809/.789    .965/.951
#   cosine + 0.3 / 0.5 / 0.7 × words  .739/.745/.750  .829/.831/.826  .968/.967/.968   (flat: 0.5 was taken)
# Vectors of title, heading and text: 0.698 on MedQuAD; of the text alone: 0.585.
#
# The settings come before the vectors' index is read, since the query's row is made from theirs; so it is all one
# statement, and a transaction of its own. A library of another embedder gives no row.
_SEARCH = """
with setting as materialized (
  select set_config('hnsw.ef_search', '100', true), set_config('hnsw.iterative_scan', 'relaxed_order', true)
),
query as materialized (
  select q, cast(vector as halfvec({size})) as vector, to_tsvector('english', words) as lexemes
  from setting cross join corpus
  cross join unnest(cast(:vectors as text[]), cast(:texts as text[])) with ordinality as given (vector, words, q)
  where corpus.fingerprint = :fingerprint
),
term as materialized (
  select q, word, idf / sum(idf) over (partition by q) as weight,
    rarity <= 8 and frequency <= greatest(1000, total / 100) as rare
  from (
    select q, known.chunks as frequency, corpus.chunks as total,
      row_number() over (partition by q order by known.chunks) as rarity,
      ln(1 + (corpus.chunks - known.chunks + 0.5) / (known.chunks + 0.5)) as idf,
      cast('''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''' as tsquery) as word
    from query cross join unnest(query.lexemes) join lexemes as known using (lexeme) cross join corpus
  ) as counted
),
candidate as (
  select id from query cross join lateral (
    select id from chunks order by embedding::halfvec({size}) <=> query.vector limit 100
  ) as nearest
  union
  select id from query cross join lateral (
    select chunks.id from term join chunks on chunks.lexemes @@ word where term.q = query.q and rare
    group by chunks.id order by sum(weight * ts_rank({fields}, chunks.lexemes, word)) desc limit 100
  ) as best
),
scored as (
  select id, greatest(0, 1 - (embedding::halfvec({size}) <=> query.vector)) as similarity,
    (select coalesce(sum(weight * ts_rank({fields}, chunks.lexemes, word)), 0) from term where term.q = query.q)
      as words
  from candidate join chunks using (id) cross join query
),
found as (
  select id, max(similarity + 0.5 * words) / 1.5 as score, max(similarity) as similarity
  from scored group by id order by score desc, id limit :k
)
select
  c.id as chunk_id, d.id as document_id, c.title, c.heading, d.url, d.kind, c.text, c.start, c.stop,
  d.sources, d.reviewed, found.score, found.similarity
from found join chunks c using (id) join documents d on d.id = c.document_id
order by found.score desc, c.id
"""
_FIELD_WEIGHTS = "'{0.4, 0.4, 0.7, 1}'::real[]"  # D (text), C (unused), B (heading), A (title and aliases)

_FIELDS = """
select
  c.id as chunk_id, d.id as document_id, c.title, c.heading, d.url, d.kind, c.text, c.start, c.stop,
  d.sources, d.reviewed, 0 as score, 0 as similarity
"""

_READ = f"""
{_FIELDS}
from unnest(cast(:ids as bigint[])) with ordinality as wanted (id, place)
join chunks c using (id) join documents d on d.id = c.document_id
order by place
"""

_DOCUMENT = f"""
{_FIELDS}
from chunks c join documents d on d.id = c.document_id
where d.id = :document_id
order by c.ordinal
"""

_TITLED = text("""
select distinct name from unnest(cast(:names as text[])) as name join documents d
on lower(d.title) = name or exists (select from jsonb_array_elements_text(d.aliases) as alias where lower(alias) = name)
""")


class Retriever:
    """Searches the library. Safe to share between tasks."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder

    @property
    def embedder(self) -> Embedder:
        return self._embedder

    async def search(self, queries: Sequence[str], k: int) -> list[Passage]:
        """The best k passages for all queries together, best first, none twice.

        Raises:
            RetrievalFailed: the library was made with another embedder.
        """
        texts = list(dict.fromkeys(clean(query) for query in queries))
        vectors = await asyncio.to_thread(self._embedder.embed_queries, texts)
        statement = text(_SEARCH.format(size=int(self._embedder.dimensions), fields=_FIELD_WEIGHTS))
        given = {
            "vectors": [str(vector) for vector in vectors],
            "texts": texts,
            "k": k,
            "fingerprint": self._embedder.fingerprint,
        }
        async with self._database.single() as connection:
            found = [_passage(row) for row in await connection.execute(statement, given)]
            if not found and (corpus := await _corpus(connection)):
                index.check(self._embedder, corpus.embedder, corpus.fingerprint)
            return found

    async def read(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """These passages in the given order; those that are gone are left out."""
        async with self._database.single() as connection:
            rows = await connection.execute(text(_READ), {"ids": list(chunk_ids)})
            return [_passage(row) for row in rows]

    async def document(self, document_id: int) -> list[Passage]:
        """All passages of a document, in its order; none if it is gone."""
        async with self._database.single() as connection:
            rows = await connection.execute(text(_DOCUMENT), {"document_id": document_id})
            return [_passage(row) for row in rows]

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of length 1, to compare texts with each other."""
        return await asyncio.to_thread(self._embedder.embed_passages, list(texts))

    async def titled(self, names: Sequence[str]) -> frozenset[str]:
        """Those of the names, in small letters, that a document has for its title or an alias."""
        async with self._database.single() as connection:
            rows = await connection.execute(_TITLED, {"names": [name.casefold() for name in names]})
            return frozenset(row.name for row in rows)

    async def version(self) -> str:
        """Changes when the content of the library does, and not otherwise; empty for an empty library."""
        async with self._database.single() as connection:
            return str(await connection.scalar(text("select version from corpus")) or "")

    async def state(self) -> dict[str, Any]:
        """Counts for /health."""
        async with self._database.begin() as connection:
            corpus = await _corpus(connection)
            documents = await connection.scalar(text("select count(*) from documents"))
        return {
            "documents": documents,
            "chunks": corpus.chunks if corpus else 0,
            "embedder": corpus.embedder if corpus else None,
            "version": corpus.version if corpus else "",
        }


async def _corpus(connection: AsyncConnection) -> Row[Any] | None:
    return (await connection.execute(text("select * from corpus"))).one_or_none()


def _passage(row: Row[Any]) -> Passage:
    fields = row._asdict()
    reviewed = fields["reviewed"]
    return Passage(
        **fields
        | {
            "reviewed": reviewed.isoformat() if reviewed else None,
            "score": float(row.score),
            "similarity": float(row.similarity),
        }
    )
