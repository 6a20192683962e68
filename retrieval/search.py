"""Hybrid search: vectors and words, fused in one statement."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import inf
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.memory.identity import Identity
from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.copies import Copies
from primum.retrieval.embedder import Embedder, Vector
from primum.retrieval.plaintext import clean
from primum.retrieval.reranker import Reranker
from primum.retrieval.vocabulary import WORDS, Vocabulary

T = TypeVar("T")


@dataclass(frozen=True)
class Passage:
    """A chunk that was retrieved.

    `similarity` is its cosine to the nearest query, 0 to 1; `words` how much of a query's words it holds, by their
    rarity and where they stand, 0 to 1, those that the library does not know at all counted.
    """

    chunk_id: int
    document_id: int
    title: str
    heading: str
    url: str
    kind: str
    text: str
    start: int
    stop: int
    page: int | None
    sources: list[dict[str, str]]
    reviewed: str | None
    published: str | None
    evidence: str
    licence: str
    language: str
    origin: str
    retracted: bool
    score: float
    similarity: float
    words: float

    @property
    def address(self) -> str:
        """Where it can be read: its own URL or, of a page written from other sources, the first of theirs."""
        return self.url or next((source["url"] for source in self.sources), "")

    def stale(self, today: date) -> bool:
        """Whether neither a review nor its publication is of the last years; what has no date is not said to be."""
        latest = max((date.fromisoformat(day) for day in (self.reviewed, self.published) if day), default=None)
        return latest is not None and latest.replace(day=1) < today.replace(year=today.year - index.STALE, day=1)


# Candidates are each query's 200 nearest chunks (HNSW) and its 200 best by words; 400 in a library of many, where more
# are near (of a million made ones the ten best were found to 0.96, with 200 to 0.89). Each is then scored against each
# query by cosine + half of the share of the query's words that it holds, and counts by the query it fits best.
#
# Words: Postgres' own ranking has no inverse document frequency and reads every chunk with a frequent word. So only
# the rarest lexemes bring candidates, as many as stand in 800 chunks together; of the others, what holds the three
# rarest of them at once. For one lexeme ts_rank is a count of its places that saturates, weighted by field (title and
# aliases 1, heading 0.7, text 0.4); summed with idf for weight it is BM25 in all but the length.
#
# Why not reciprocal ranks: they throw away how sure each side is. nDCG@10 with MiniLM, all vectors compared:
#                                        MedQuAD  MedicationQA  PubMedQA (these two among 9,500 other passages)
#   vectors alone                         0.698      0.798        0.964
#   words alone: BM25 / as here        .528/.574   .662/.716    .952/.879
#   reciprocal ranks, words × 0.2 / 1  .719/.697   .809/.789    .965/.951
#   cosine + 0.3 / 0.5 / 0.7 × words  .739/.745/.750  .829/.831/.826  .968/.967/.968   (flat: 0.5 was taken)
# Vectors of title, heading and text: 0.698 on MedQuAD; of the text alone: 0.585.
#
# Everyone's chunks and a tenant's own are two partitions with an index each. Where few chunks are wanted, by a filter
# or of a tenant's own, all of them are compared instead: an index that has to step over the others finds too few.
#
# `offset 0` keeps Postgres to looking up the few candidates one by one: it takes them for many, and would read all.
# `visible` is said twice more than row-level security says it: so only the partitions that matter are planned for.
#
# The settings come before the vectors' index is read, since the query's row is made from theirs; so it is all one
# statement, and a transaction of its own. A library of another embedder gives no row.
_SEARCH = """
with setting as materialized (
  select set_config('hnsw.ef_search', least(1000, greatest({ef}, chunks / {in_view}))::text, true),
    set_config('hnsw.iterative_scan', 'relaxed_order', true), chunks > {large} as large
  from corpus
),
query as materialized (
  select q, cast(vector as halfvec({size})) as vector, to_tsvector('english', words) as lexemes
  from setting cross join corpus
  cross join unnest(cast(:vectors as text[]), cast(:texts as text[])) with ordinality as given (vector, words, q)
  where corpus.fingerprint = :fingerprint and corpus.vector_index = '{kind}'
),
term as materialized (
  select q, word, idf / sum(idf) filter (where frequency > 0) over (partition by q) as weight,
    sum(idf) filter (where frequency > 0) over (partition by q) / sum(idf) over (partition by q) as known,
    frequency > 0 and looked_at <= {words} as rare, frequency > 0 and looked_at > {words} as frequent
  from (
    select q, frequency,
      sum(frequency) over (partition by q order by frequency, lexeme) as looked_at,
      ln(1 + (greatest(corpus.chunks, frequency) - frequency + 0.5) / (frequency + 0.5)) as idf,
      cast('''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''' as tsquery) as word
    from query cross join unnest(query.lexemes) cross join corpus cross join lateral (
      select coalesce(sum(mine.chunks), 0)::integer as frequency from lexemes as mine
      where mine.lexeme = unnest.lexeme
    ) as counted
  ) as weighed
),
sought as materialized (
  select q, word, weight from term where rare
  union all
  select q, string_agg(word::text, ' & ')::tsquery, sum(weight) from (
    select *, row_number() over (partition by q order by weight desc) as place from term
    where weight > 0 and frequent
  ) as common
  where place <= 3 group by q having count(*) > 1
),
wanted as materialized (
  select id, tenant, chunks from documents d where {wanted} limit {few} + 1
),
size as materialized (
  select count(*) <= {few} and coalesce(sum(chunks), 0) <= {few} as few from wanted
),
candidate as (
  {near}
  union
  select id, tenant from query cross join lateral (
    select id, tenant from chunks_with(
      (select array_agg(word) from sought where sought.q = query.q),
      (select array_agg(weight) from sought where sought.q = query.q),
      (select case when large then {deeper} else {depth} end from setting)
    )
  ) as best
),
scored as materialized (
  select c.id, c.tenant, c.document_id, greatest(0, 1 - (c.embedding::halfvec({size}) <=> query.vector)) as similarity,
    (select coalesce(sum(weight * ts_rank({fields}, c.lexemes, word)), 0) from term where term.q = query.q) as words,
    (select max(known) from term where term.q = query.q) as known
  from candidate cross join query cross join lateral (
    select * from chunks where id = candidate.id and tenant = candidate.tenant and tenant in ({visible}) offset 0
  ) as c
),
ranked as (
  select scored.id, scored.tenant, document_id, max(similarity) as similarity,
    max(words * coalesce(known, 0)) as words, max(similarity + 0.5 * words) / 1.5 + {evidence} as score
  from scored cross join lateral (select evidence from documents d where d.id = document_id and {found} offset 0) as d
  group by scored.id, scored.tenant, document_id, d.evidence
),
found as (
  select * from (
    select *, row_number() over (partition by document_id order by score desc, id) as place from ranked
  ) as placed
  where place <= :of_one
  order by score desc, id limit :k
)
select {columns}, found.score, found.similarity, found.words
from found cross join lateral (
  select * from chunks where id = found.id and tenant = found.tenant and tenant in ({visible}) offset 0
) as c cross join lateral (select * from documents where id = c.document_id offset 0) as d
order by found.score desc, c.id
"""
# What is compared: what stands in the index, everyone's and one's own; or all, where a filter leaves few.
_NEAR = """
  select id, tenant from query cross join lateral (
    select id, tenant from {close} order by embedding::halfvec({size}) <=> query.vector limit {nearest}
  ) as nearest
"""
_FEW = """
  select id, tenant from query cross join lateral (
    select c.id, c.tenant from wanted join chunks c on c.document_id = wanted.id and c.tenant = wanted.tenant
    where (select few from size) order by (c.embedding::halfvec({size}) <=> query.vector) + 0 limit {depth}
  ) as compared
"""
_EVERYONES = "chunks c where tenant = '' and (select {of_size} from setting)"
_FITTING = "chunks c where tenant = {tenant} and not (select few from size) and (select {of_size} from setting) {fits}"
# With an index of bits: those that differ in the fewest, of which the vectors choose. On MedQuAD 800 hold 99.8 % of the
# ten nearest, 100 of them 96 %.
_BY_BITS = """(
      select id, tenant, embedding from {these}
      order by binary_quantize(embedding::halfvec({size}))::bit({size}) <~> binary_quantize(query.vector)::bit({size})
      limit {bits}
    ) as by_bits"""
_BITS = 1_000  # as many as pgvector keeps in view at most
_FITS = "and (select true from documents d where d.id = c.document_id and {wanted})"
_CURRENT = "replaced_at is null and duplicate_of is null and (expires_at > now() or expires_at is null)"
_FIELD_WEIGHTS = "'{0.4, 0.4, 0.7, 1}'::real[]"  # D (text), C (unused), B (heading), A (title and aliases)
_FEW_CHUNKS = 20_000  # compared one by one in about 20 ms
_DEPTH, _DEEPER = 200, 400  # candidates of each side; of a library of many chunks
_EF = 200  # that the vectors' index keeps in view at least
_IN_VIEW = 1_250  # chunks for one more in view
_LARGE = 200_000  # chunks, above which a library has so many
_WORDS = 800  # chunks that single words may bring, the rarest first: each costs 10 µs (6,000: no answer changed)
# Of two that fit alike, the stronger kind of evidence comes first.
_EVIDENCE = """case d.evidence when 'guideline' then 0.02 when 'review' then 0.015 when 'trial' then 0.01
  when 'label' then 0.01 when 'case' then -0.02 else 0 end"""

_COLUMNS = """
  c.id as chunk_id, d.id as document_id, c.title, c.heading, d.url, d.kind, c.text, c.start, c.stop, c.page,
  d.sources, d.reviewed, d.published, d.evidence, d.licence, d.language, d.origin, d.retracted
"""
_FIELDS = f"select {_COLUMNS}, 0 as score, 0 as similarity, 0 as words"

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

# The index keeps stems alone: the most frequent ones of everyone's documents and the tenant's own.
_STEMS = text("""
select lexeme, sum(chunks) as chunks from lexemes
where tenant in ('', :tenant) and lexeme ~ '^[a-z]{4,}$'
group by lexeme order by 2 desc, 1 limit :most
""")

_DOCUMENTS = text("select count(*) from documents where replaced_at is null")
_TITLED = text("""
select distinct name from unnest(cast(:names as text[])) as name join documents d
on lower(d.title) = name or exists (select from jsonb_array_elements_text(d.aliases) as alias where lower(alias) = name)
where d.replaced_at is null
""")


@dataclass(frozen=True)
class Filter:
    """Which documents are searched: those that have, of each given field, one of its values."""

    kinds: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    published_since: date | None = None
    published_until: date | None = None

    def conditions(self) -> tuple[str, dict[str, Any]]:
        """SQL about the document `d`, and its parameters; empty if all are wanted."""
        fields = {
            "kind": self.kinds,
            "origin": self.origins,
            "language": self.languages,
            "audience": self.audiences,
            "evidence": self.evidence,
        }
        given: dict[str, Any] = {f"only_{name}": list(values) for name, values in fields.items() if values}
        parts = [f"d.{name} = any(:only_{name})" for name, values in fields.items() if values]
        for name, bound, operator in (("since", self.published_since, ">="), ("until", self.published_until, "<=")):
            if bound is not None:
                given[name] = bound
                parts.append(f"d.published {operator} :{name}")
        return " and ".join(parts), given


EVERYTHING = Filter()
Vocabularies = dict[str, tuple[float, str, Vocabulary]]  # by tenant, with when it was looked for, and the version
TENANTS = 16  # whose vocabularies are kept
LOOKS = 2.0  # seconds, after which a vocabulary's version is looked for again
_NONE = (-inf, "", Vocabulary({}))
RERANKED = 40  # passages that a reranker reads
OF_ONE = 4


class Retriever:
    """Searches the library, and a tenant's own documents beside it. Safe to share between tasks."""

    def __init__(
        self,
        database: Database | Copies,
        embedder: Embedder,
        tenant: str = "",
        reranker: Reranker | None = None,
        vocabularies: Vocabularies | None = None,
    ) -> None:
        self._copies = database if isinstance(database, Copies) else Copies(database)
        self._embedder = embedder
        self._tenant = tenant
        self._reranker = reranker
        self._vocabularies = vocabularies if vocabularies is not None else {}

    @property
    def embedder(self) -> Embedder:
        return self._embedder

    def of(self, tenant: str) -> "Retriever":
        """The same library, seen by a tenant."""
        return type(self)(self._copies, self._embedder, tenant, self._reranker, self._vocabularies)

    async def search(self, queries: Sequence[str], k: int, only: Filter = EVERYTHING) -> list[Passage]:
        """The best k passages for all queries together, best first, none twice, not all of one document.

        Raises:
            RetrievalFailed: the library was made with another embedder.
        """
        texts = list(dict.fromkeys(clean(query) for query in queries))
        vectors = await asyncio.to_thread(self._embedder.embed_queries, texts)
        depth = max(k, RERANKED) if self._reranker else k
        conditions, given = only.conditions()
        given |= {
            "vectors": [str(vector) for vector in vectors],
            "texts": texts,
            "k": depth,
            "of_one": _of_one(depth),
            "fingerprint": self._embedder.fingerprint,
            "tenant": self._tenant,
        }
        found = await self._read(lambda connection: self._found(connection, conditions, given))
        return await self._reranked(texts, found, k) if self._reranker else found

    async def _found(
        self, connection: AsyncConnection, conditions: str, given: dict[str, Any], kind: str | None = None
    ) -> list[Passage]:
        """What the statement for the kind of index finds that the library had last, and for another if it has that."""
        kind = kind or self._copies.vector_index
        search = text(statement(int(self._embedder.dimensions), self._tenant, conditions, kind))
        found = [_passage(row) for row in await connection.execute(search, given)]
        if not found and (corpus := await _corpus(connection)):
            index.check(self._embedder, corpus.embedder, corpus.fingerprint)
            if corpus.vector_index != kind:
                self._copies.vector_index = corpus.vector_index
                return await self._found(connection, conditions, given, corpus.vector_index)
        return found

    async def _reranked(self, queries: Sequence[str], found: Sequence[Passage], k: int) -> list[Passage]:
        """The best k by what the reranker says of each for the query that it fits best."""
        assert self._reranker is not None
        texts = [index.embedded_text(passage.title, passage.heading, passage.text) for passage in found]
        scores = [await asyncio.to_thread(self._reranker.score, query, texts) for query in queries]
        best = [max(of_one) for of_one in zip(*scores, strict=True)]
        ranked = [replace(passage, score=score) for passage, score in zip(found, best, strict=True)]
        counts: Counter[int] = Counter()
        kept = []
        for passage in sorted(ranked, key=lambda passage: -passage.score):
            counts[passage.document_id] += 1
            if counts[passage.document_id] <= _of_one(k):
                kept.append(passage)
        return kept[:k]

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """In one transaction, which sees the tenant's own too."""
        return await self._copies.read(Identity(self._tenant, "") if self._tenant else None, work)

    async def _rows(self, statement: TextClause, given: Mapping[str, Any]) -> Sequence[Row[Any]]:
        return await self._read(lambda connection: _all(connection, statement, given))

    async def read(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """These passages in the given order; those that are gone are left out."""
        return [_passage(row) for row in await self._rows(text(_READ), {"ids": list(chunk_ids)})]

    async def document(self, document_id: int) -> list[Passage]:
        """All passages of a document, in its order; none if it is gone."""
        return [_passage(row) for row in await self._rows(text(_DOCUMENT), {"document_id": document_id})]

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of length 1, to compare texts with each other."""
        return await asyncio.to_thread(self._embedder.embed_passages, list(texts))

    async def titled(self, names: Sequence[str]) -> frozenset[str]:
        """Those of the names, in small letters, that a document has for its title or an alias."""
        rows = await self._rows(_TITLED, {"names": [name.casefold() for name in names]})
        return frozenset(row.name for row in rows)

    async def vocabulary(self) -> Vocabulary:
        """The words of the library, read once for each of its versions, which is looked for every few seconds."""
        looked, version, words = self._vocabularies.get(self._tenant, _NONE)
        if monotonic() - looked > LOOKS:
            now = await self.version()
            if now != version:
                rows = await self._rows(_STEMS, {"tenant": self._tenant, "most": WORDS})
                words = Vocabulary({row.lexeme: int(row.chunks) for row in rows})
            if len(self._vocabularies) >= TENANTS:
                self._vocabularies.clear()
            self._vocabularies[self._tenant] = monotonic(), now, words
        return words

    async def version(self) -> str:
        """Changes when the content of the library does, and not otherwise; empty for an empty library."""
        corpus = await self._copies.read(None, _corpus)  # one row for all tenants
        return corpus.version if corpus else ""

    async def state(self) -> dict[str, Any]:
        """Counts for /health."""
        ((documents,),) = await self._rows(_DOCUMENTS, {})
        corpus = await self._copies.read(None, _corpus)
        return {
            "documents": documents,
            "chunks": corpus.chunks if corpus else 0,
            "embedder": corpus.embedder if corpus else None,
            "version": corpus.version if corpus else "",
            "vector_index": corpus.vector_index if corpus else None,
        }


async def _all(connection: AsyncConnection, statement: TextClause, given: Mapping[str, Any]) -> Sequence[Row[Any]]:
    return (await connection.execute(statement, given)).all()


async def _corpus(connection: AsyncConnection) -> Row[Any] | None:
    return (await connection.execute(text("select * from corpus"))).one_or_none()


def _of_one(k: int) -> int:
    """Passages of one document among the best k: others are to be heard too."""
    return max(OF_ONE, k // 2)


def statement(size: int, tenant: str, conditions: str, kind: str = "halfvec") -> str:
    """The search as SQL, with the parts that this one needs; `kind` is that of the vectors' index."""
    shared, own = "''", ":tenant"
    wanted = f"{_CURRENT} and d.tenant in ({shared}, {own}) and {conditions or f'd.tenant = {own}'}"
    binary = kind == "binary"
    close = _BY_BITS if binary else "{these}"
    everyones, many = (_NEAR.replace("{close}", close.replace("{these}", these)) for these in (_EVERYONES, _FITTING))
    indexed = [] if conditions else [everyones]
    indexed += [many.replace("{tenant}", shared)] if conditions else []
    indexed += [many.replace("{tenant}", own)] if tenant else []
    # The number is written in: of one that the planner does not know it takes so many that it would sort all chunks.
    sizes = {"not large": _DEPTH, "large": _DEEPER}
    near = [_FEW] if tenant or conditions else []
    near += [
        one.replace("{of_size}", of_size).replace("{nearest}", str(nearest))
        for one in indexed
        for of_size, nearest in sizes.items()
    ]
    parts = {
        "kind": kind,
        "visible": f"{shared}, {own}" if tenant else shared,
        "near": "  union".join(near).replace("{fits}", _FITS if conditions else ""),
        "found": "{wanted}" if conditions else _CURRENT,
        "wanted": wanted,
        "few": str(_FEW_CHUNKS),
        "fields": _FIELD_WEIGHTS,
        "evidence": _EVIDENCE,
        "columns": _COLUMNS,
        "depth": str(_DEPTH),
        "deeper": str(_DEEPER),
        "large": str(_LARGE),
        "bits": str(_BITS),
        "ef": str(_BITS if binary else _EF),
        "in_view": str(_IN_VIEW),
        "words": str(_WORDS),
        "size": str(size),
    }
    statement = _SEARCH
    for name, part in parts.items():
        statement = statement.replace(f"{{{name}}}", part)
    return statement


def _passage(row: Row[Any]) -> Passage:
    fields = row._asdict()
    dates = {name: fields[name].isoformat() if fields[name] else None for name in ("reviewed", "published")}
    numbers = {name: float(fields[name]) for name in ("score", "similarity", "words")}
    return Passage(**fields | dates | numbers)
