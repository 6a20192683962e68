"""Search as the library grows: speed, recall, and what the index takes, by number of chunks. Prints JSON.

    python -m bench.scale --home ~/.cache/primum-scale --chunks 10000 100000 1000000

Vectors are real ones of the packaged embedder with noise, texts are put together from the sentences of the starter
library and, where it lies beside the project, of MedQuAD. Everything is kept in HOME: the next run only adds what is
missing, and what a run that was broken off left half done is done again. Recall is of the ten nearest, against all
vectors compared; and of the ten best of the hybrid search, against all chunks scored; of `exact_questions` of the
questions. `by_in_view` is the recall of the vectors' index by how many it keeps in view (hnsw.ef_search); `by_bits` is
that of the so many candidates that differ in the fewest bits, all compared, which the vectors then rank.
"""

import argparse
import asyncio
import gzip
import json
import logging
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import psycopg
import structlog
from sqlalchemy import text

from primum.graph.settings import read_settings
from primum.memory.session import Database
from primum.retrieval import index, search
from primum.retrieval.chunking import chunk
from primum.retrieval.embedder import Embedder, load_embedder
from primum.retrieval.loaders import STARTER, Source, load
from primum.retrieval.search import EVERYTHING, Filter, Retriever
from primum.server.local import DATABASE, embedded

MEDQUAD = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "retrieval" / "medquad"
REAL = 4_000  # passages that are really embedded
NOISE = 0.6  # length of the noise beside a vector of length 1: cosine about 0.86 to the real one
OF_A_DOCUMENT = 4  # chunks
QUERIES = 200
VECTORS, WORDS = "ix_chunks_embedding_{size}", "ix_chunks_lexemes"  # the indexes
CANDIDATES = (100, 200, 400, 800, 1000)  # that differ in the fewest bits
IN_VIEW = (40, 100, 200, 400, 800, 1000)  # hnsw.ef_search
RARE = {"thousandth": 1000, "hundredth": 100}  # one document of so many is of this kind


def passages() -> list[tuple[str, str]]:
    """Titles and texts of what is really there."""
    found = [(s.title, c.text) for s in load(STARTER) if isinstance(s, Source) for c in chunk(s, lambda t: len(t) // 4)]
    if (MEDQUAD / "corpus.jsonl.gz").is_file():
        with gzip.open(MEDQUAD / "corpus.jsonl.gz", "rt") as file:
            found += [(row["title"], row["text"][:1200]) for row in map(json.loads, file)]
    random.Random(1).shuffle(found)
    return found


def questions() -> list[str]:
    if (MEDQUAD / "queries.jsonl").is_file():
        rows = [json.loads(row) for row in (MEDQUAD / "queries.jsonl").read_text().splitlines()]
        return [str(row["text"]) for row in rows][:QUERIES]
    return [f"{s.title}: what helps?" for s in load(STARTER) if isinstance(s, Source)][:QUERIES]


def vectors(home: Path, embedder: Embedder, real: Sequence[tuple[str, str]]) -> np.ndarray[Any, Any]:
    """float32 (REAL, dimensions), kept in HOME."""
    path = home / "vectors.npy"
    if not path.is_file():
        made = np.array(embedder.embed_passages([f"{title}\n\n{text}" for title, text in real]), np.float32)
        np.save(home / "part.npy", made)
        (home / "part.npy").rename(path)  # what a run that is broken off leaves is no vectors.npy
    return np.asarray(np.load(path))


def made(start: int, stop: int, real: Sequence[tuple[str, str]], seen: np.ndarray[Any, Any]) -> Iterator[list[Any]]:
    """Chunks by number: a title, a text of some sentences, a noisy vector; always the same for the same number."""
    sentences = [s for _, text in real for s in re.split(r"(?<=[.!?])\s+", text) if 20 < len(s) < 300]
    for number in range(start, stop):
        chance = np.random.default_rng(number)
        of = number % len(seen)
        vector = seen[of] + chance.normal(0, NOISE / np.sqrt(seen.shape[1]), seen.shape[1]).astype(np.float32)
        vector /= np.linalg.norm(vector)
        words = real[of][1][:300] + " " + " ".join(sentences[i] for i in chance.integers(0, len(sentences), 3))
        yield [number // OF_A_DOCUMENT, number % OF_A_DOCUMENT, real[of][0], words, vector]


def grow(url: str, home: Path, embedder: Embedder, stop: int) -> dict[str, float]:
    """Adds chunks until there are so many, and builds the indexes anew; seconds of each. Nothing if all is there.

    A run that was broken off leaves chunks without indexes, or without the counts that come last: that is seen.
    """
    size = embedder.dimensions
    with psycopg.connect(url, autocommit=True) as connection:
        start = _number(connection, "select count(*) from chunks")
        if start > stop:
            raise SystemExit(f"{home} holds {start} chunks already, more than {stop}. Give another --home.")
        if start == stop and is_whole(connection, size):
            return {}
        real = passages()
        seen = vectors(home, embedder, real[:REAL])
        connection.execute(f"drop index if exists {VECTORS.format(size=size)}, {WORDS}".encode())
        began = time.perf_counter()
        _copy(connection, made(start, stop, real, seen))
        copied = time.perf_counter()
        built = index_chunks(connection, size)
        return {"copy_s": round(copied - began, 1), **built}


def is_whole(connection: psycopg.Connection, size: int) -> bool:
    """Whether both indexes are there and the chunks are counted."""
    names = [VECTORS.format(size=size), WORDS]
    indexes = "select count(*) from pg_index where indisvalid and indexrelid::regclass::text = any(%s)"
    uncounted = "select count(*) - (select chunks from corpus) from chunks"
    return _number(connection, indexes, [names]) == len(names) and _number(connection, uncounted) == 0


def _number(connection: psycopg.Connection, statement: str, given: Sequence[Any] = ()) -> int:
    row = connection.execute(statement.encode(), given).fetchone()
    return int(row[0]) if row else 0


def index_chunks(connection: psycopg.Connection, size: int) -> dict[str, float]:
    """Builds both indexes, then counts; seconds of each index."""
    began = time.perf_counter()
    connection.execute("set maintenance_work_mem = '4GB'")
    connection.execute("set max_parallel_maintenance_workers = 2")
    connection.execute(f"create index {WORDS} on chunks using gin (lexemes)".encode())
    worded = time.perf_counter()
    connection.execute(
        f"create index {VECTORS.format(size=size)} on chunks"
        f" using hnsw ((embedding::halfvec({size})) halfvec_cosine_ops) {index.HNSW}".encode()
    )
    built = time.perf_counter()
    connection.execute("truncate lexemes")
    connection.execute(
        "insert into lexemes (lexeme, chunks)"
        " select word, count(*) from chunks, unnest(tsvector_to_array(lexemes)) as word group by word"
    )
    connection.execute("update corpus set chunks = (select count(*) from chunks)")
    connection.execute("vacuum analyze documents, chunks, lexemes")
    return {"lexical_index_s": round(worded - began, 1), "vector_index_s": round(built - worded, 1)}


def _copy(connection: psycopg.Connection, rows: Iterator[list[Any]]) -> None:
    with connection.transaction():
        documents: dict[int, str] = {}
        connection.execute("create temporary table given (like chunks_shared including defaults) on commit drop")
        connection.execute("alter table given drop lexemes")
        columns = "document_id, ordinal, title, aliases, heading, start, stop, text, embedding"
        with connection.cursor().copy(f"copy given ({columns}) from stdin".encode()) as copy:
            for document, ordinal, title, words, vector in rows:
                documents.setdefault(document + 1, title)
                literal = "[" + ",".join(f"{v:.4f}" for v in vector) + "]"
                copy.write_row([document + 1, ordinal, title, "", "", 0, 1, words, literal])
        kept = "id, uri, title, kind, url, aliases, sources, content_hash, text, chunks"
        with connection.cursor().copy(f"copy documents ({kept}) from stdin".encode()) as copy:
            for number, title in documents.items():
                kind = next((name for name, every in RARE.items() if number % every == 0), "page")
                copy.write_row([number, f"made:{number}", title, kind, "", "[]", "[]", "", "", OF_A_DOCUMENT])
        connection.execute(f"insert into chunks ({columns}) select {columns} from given".encode())


async def measured(url: str, embedder: Embedder, exactly: int) -> dict[str, Any]:
    """Times and recall of searches as the agent makes them, the embedding of the question left out."""
    database = Database(url)
    asked = questions()
    found = await asyncio.to_thread(embedder.embed_queries, asked)
    retriever = Retriever(database, Prepared(embedder, dict(zip(asked, found, strict=True))))
    owner = Database(url, owner=True)
    result: dict[str, Any] = {"questions": len(asked), "exact_questions": min(exactly, len(asked))}
    for name, only in {"everything": EVERYTHING, **{kind: Filter(kinds=(kind,)) for kind in RARE}}.items():
        await asyncio.gather(*(retriever.search([query], 10, only) for query in asked[:4]))
        times, hybrid = [], []
        for query in asked:
            began = time.perf_counter()
            passages = await retriever.search([query], 10, only)
            times.append(1000 * (time.perf_counter() - began))
            hybrid.append([p.chunk_id for p in passages])
        exact_dense, exact_hybrid = await exact(owner, asked[:exactly], found, "" if only is EVERYTHING else name)
        result[name] = {
            "p50_ms": round(median(times), 1),
            "p95_ms": round(quantiles(times, n=20)[18], 1),
            "recall@10_of_hybrid": recall(hybrid, exact_hybrid),
        }
        if only is EVERYTHING:
            result[name] |= await of_vectors(database, found[:exactly], exact_dense)
    await database.close()
    await owner.close()
    return result


async def of_vectors(
    database: Database, asked: Sequence[Sequence[float]], nearest: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """Recall of the vectors' index with as many in view as a search keeps there, and with fewer and more."""
    async with database.begin() as connection:
        chunks = await connection.scalar(text("select chunks from corpus"))
    as_searched = min(1000, max(search._EF, chunks // search._IN_VIEW))
    by_view: dict[int, float | None] = {}
    for in_view in sorted({*IN_VIEW, as_searched}):
        async with database.begin() as connection:
            await connection.execute(text(f"select set_config('hnsw.ef_search', '{in_view}', true)"))
            nearby = text(NEAREST.format(size=len(asked[0])))
            rows = [await connection.execute(nearby, {"vector": str(vector)}) for vector in asked]
            by_view[in_view] = recall([[row.id for row in found] for found in rows], nearest)
    by_bits: dict[int, float | None] = {}
    for candidates in CANDIDATES:
        near = text(BY_BITS.format(size=len(asked[0]), candidates=candidates))
        async with database.begin() as connection:
            rows = [await connection.execute(near, {"vector": str(vector)}) for vector in asked]
            by_bits[candidates] = recall([[row.id for row in found] for found in rows], nearest)
    return {
        "in_view": as_searched,
        "recall@10_of_vectors": by_view[as_searched],
        "by_in_view": by_view,
        "by_bits": by_bits,
    }


NEAREST = """
select id from chunks where tenant = '' order by embedding::halfvec({size}) <=> cast(:vector as halfvec) limit 10
"""
BY_BITS = """
select id from (
  select id, embedding from chunks where tenant = ''
  order by (binary_quantize(embedding::halfvec({size}))::bit({size})
    <~> binary_quantize(cast(:vector as halfvec({size})))::bit({size})) + 0 limit {candidates}
) as near order by embedding::halfvec({size}) <=> cast(:vector as halfvec) limit 10
"""


class Prepared:
    """An embedder whose questions are embedded already."""

    def __init__(self, embedder: Embedder, known: dict[str, list[float]]) -> None:
        self.name, self.dimensions, self.pooling = embedder.name, embedder.dimensions, embedder.pooling
        self.fingerprint, self.count_tokens = embedder.fingerprint, embedder.count_tokens
        self.embed_passages = embedder.embed_passages
        self._known = known

    def embed_queries(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._known[text] for text in texts]


async def exact(
    owner: Database, asked: Sequence[str], found: Sequence[Sequence[float]], kind: str
) -> tuple[list[list[int]], list[list[int]]]:
    """Of each of these questions the ten nearest, all vectors compared; and the ten best, all chunks scored."""
    only = Filter(kinds=(kind,)) if kind else EVERYTHING
    conditions, given = only.conditions()
    size = len(found[0])
    whole = search.statement(size, "", conditions)
    everything = "candidate as (select id, tenant from chunks where tenant = ''),\nscored as"
    whole = re.sub(r"candidate as \(.*\n\),\nscored as", everything, whole, flags=re.DOTALL)
    nearest = f"""
        select c.id from chunks c join documents d on d.id = c.document_id where {conditions or "true"}
        order by (c.embedding::halfvec({size}) <=> cast(:vector as halfvec)) + 0 limit 10
    """
    dense, hybrid = [], []
    (fingerprint,) = await _row(owner, "select fingerprint from corpus")
    for query, vector in zip(asked, found, strict=False):
        async with owner.begin() as connection:
            rows = await connection.execute(text(nearest), {"vector": str(vector), **given})
            dense.append([row.id for row in rows])
            rows = await connection.execute(
                text(whole),
                {"vectors": [str(vector)], "texts": [query], "k": 10, "of_one": 5, "tenant": ""}
                | {"fingerprint": fingerprint, **given},
            )
            hybrid.append([row.chunk_id for row in rows])
    return dense, hybrid


async def _row(database: Database, statement: str) -> Sequence[Any]:
    async with database.begin() as connection:
        return (await connection.execute(text(statement))).one()


def recall(found: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> float | None:
    """Of what is wanted, the share that was found; none where nothing is. `wanted` may be of the first questions."""
    shares = [len({*a} & {*b}) / len(b) for a, b in zip(found, wanted, strict=False) if b]
    return round(sum(shares) / len(shares), 4) if shares else None


async def sizes(url: str) -> dict[str, int]:
    """Megabytes of the shared part: rows, and each index."""
    owner = Database(url, owner=True)
    row = await _row(
        owner,
        """
        select pg_table_size('chunks_shared') / 1000000, coalesce(sum(pg_relation_size(indexrelid)) filter (where
          pg_get_indexdef(indexrelid) like '%hnsw%'), 0)::bigint / 1000000, coalesce(sum(pg_relation_size(indexrelid))
          filter (where pg_get_indexdef(indexrelid) like '%gin%'), 0)::bigint / 1000000
        from pg_index where indrelid = 'chunks_shared'::regclass
        """,
    )
    await owner.close()
    return {"table_mb": row[0], "vector_index_mb": row[1], "lexical_index_mb": row[2]}


async def bench(home: Path, counts: Sequence[int], exactly: int) -> dict[str, Any]:
    embedder = load_embedder()
    settings = read_settings(home=home, database_url=None)
    result: dict[str, Any] = {}
    async with embedded(settings, need=DATABASE) as settings:
        assert settings.database_url
        url = settings.database_url.get_secret_value()
        owner = Database(url, owner=True)
        async with owner.begin() as connection:
            await index.claim(connection, embedder)
        await owner.close()
        for count in sorted(counts):
            print(f"{count} chunks", file=sys.stderr)
            times = await asyncio.to_thread(grow, url, home, embedder, count)
            result[str(count)] = {**times, **await sizes(url), **await measured(url, embedder, exactly)}
            print(json.dumps(result[str(count)]), file=sys.stderr)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="folder to keep the chunks in")
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--exact", type=int, default=10, help="questions whose recall is measured: seconds each")
    given = parser.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(json.dumps(asyncio.run(bench(given.home, given.chunks, given.exact)), indent=2))


if __name__ == "__main__":
    main()
