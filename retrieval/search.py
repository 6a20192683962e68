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

_EF_SEARCH = 100


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


# For each query the 100 nearest chunks (HNSW) and the 100 best by words, put together by reciprocal rank.
#
# Words: Postgres' own ranking has no inverse document frequency and reads every chunk with a frequent word, so
# the rarest 8 lexemes of the query alone are looked up, and none that stands in over a tenth of all chunks if
# there is a rarer one. For one lexeme ts_rank is a saturating count of its places, weighted by field (title and
# aliases 1, heading 0.7, text 0.4): summed with idf as the weight that is BM25 without the length.
_SEARCH = """
with query as (
  select ordinality as q, cast(vector as halfvec({size})) as vector, words
  from unnest(cast(:vectors as text[]), cast(:texts as text[])) with ordinality as t (vector, words)
),
dense as (
  select q, id, row_number() over (partition by q order by distance) as rank
  from query cross join lateral (
    select id, embedding::halfvec({size}) <=> query.vector as distance from chunks order by distance limit 100
  ) as nearest
),
term as (
  select q, idf, word from (
    select
      q, lexemes.chunks as frequency,
      ln(1 + (corpus.chunks - lexemes.chunks + 0.5) / (lexemes.chunks + 0.5)) as idf,
      cast('''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''' as tsquery) as word,
      row_number() over (partition by q order by lexemes.chunks) as rarity,
      corpus.chunks as total
    from query cross join lateral unnest(to_tsvector('english', words)) join lexemes using (lexeme), corpus
  ) as known
  where rarity = 1 or (rarity <= 8 and frequency <= total * 0.1)
),
lexical as (
  select q, id, rank from (
    select q, id, row_number() over (partition by q order by score desc) as rank from (
      select q, id, sum(idf * ts_rank('{{0.4, 0.4, 0.7, 1}}', lexemes, word)) as score
      from term join chunks on chunks.lexemes @@ word
      group by q, id
    ) as scored
  ) as ranked where rank <= 100
),
fused as (
  select id, sum(weight / (60 + rank)) as score from (
    select id, rank, 1.0 as weight from dense union all select id, rank, 0.3 from lexical
  ) as found
  group by id order by score desc, id limit :k
)
select
  c.id as chunk_id, d.id as document_id, c.title, c.heading, d.url, d.kind, c.text, c.start, c.stop,
  d.sources, d.reviewed, f.score,
  (select greatest(0, 1 - min(c.embedding::halfvec({size}) <=> vector)) from query) as similarity
from fused f join chunks c using (id) join documents d on d.id = c.document_id
order by f.score desc, c.id
"""

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
        vectors = await asyncio.to_thread(self._embedder.embed_queries, list(queries))
        async with self._database.begin() as connection:
            corpus = await _corpus(connection)
            if corpus is None or not queries:
                return []
            index.check(self._embedder, corpus.embedder, corpus.fingerprint)
            await connection.execute(
                text(
                    "select set_config('hnsw.ef_search', :ef, true),"
                    " set_config('hnsw.iterative_scan', 'relaxed_order', true)"
                ),
                {"ef": str(_EF_SEARCH)},
            )
            rows = await connection.execute(
                text(_SEARCH.format(size=int(corpus.dimensions))),
                {"vectors": [str(vector) for vector in vectors], "texts": list(queries), "k": k},
            )
            return [_passage(row) for row in rows]

    async def read(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """These passages in the given order; those that are gone are left out."""
        async with self._database.begin() as connection:
            rows = await connection.execute(text(_READ), {"ids": list(chunk_ids)})
            return [_passage(row) for row in rows]

    async def document(self, document_id: int) -> list[Passage]:
        """All passages of a document, in its order; none if it is gone."""
        async with self._database.begin() as connection:
            rows = await connection.execute(text(_DOCUMENT), {"document_id": document_id})
            return [_passage(row) for row in rows]

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of length 1, to compare texts with each other."""
        return await asyncio.to_thread(self._embedder.embed_passages, list(texts))

    async def version(self) -> str:
        """Changes when the content of the library does, and not otherwise; empty for an empty library."""
        async with self._database.begin() as connection:
            corpus = await _corpus(connection)
        return corpus.version if corpus else ""

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
