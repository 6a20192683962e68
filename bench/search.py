"""MedQuAD: hybrid search beside vectors alone, BM25 and their plain fusion, in one run. Prints JSON.

    python bench/search.py --home ~/.cache/primum-bench

A database is kept in HOME, so that only the first run has to embed the 24,475 passages (15 minutes on one core).
"""

import argparse
import asyncio
import gzip
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from sqlalchemy import text

from primum.graph.settings import read_settings
from primum.memory.session import Database
from primum.retrieval.embedder import Embedder, load_embedder
from primum.retrieval.ingest import Progress, ingest
from primum.retrieval.search import Passage, Retriever
from primum.server.local import DATABASE, embedded

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "retrieval" / "medquad"
DEPTH = 30  # chunks asked for: a passage of the data set may be cut into several
Ranking = dict[str, float]
Search = Callable[[str], Awaitable[Ranking]]


def read(data: Path, limit: int | None) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Queries and relevance judgements of a BEIR folder."""
    rows = [json.loads(row) for row in (data / "queries.jsonl").read_text().splitlines()][:limit]
    queries = {row["_id"]: row["text"] for row in rows}
    relevant: dict[str, dict[str, int]] = {}
    for row in (data / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, score = row.split("\t")
        if query in queries:
            relevant.setdefault(query, {})[document] = int(score)
    return queries, relevant


def by_document(found: list[tuple[str, float]]) -> Ranking:
    """Each document with the score of its best chunk."""
    ranking: Ranking = {}
    for document, score in found:
        ranking.setdefault(document, score)
    return ranking


async def names(database: Database) -> dict[int, str]:
    """The data set's own name of each document."""
    async with database.begin() as connection:
        rows = await connection.execute(text("select id, uri from documents"))
        return {row.id: row.uri.partition("#")[2] for row in rows}


def hybrid(retriever: Retriever, documents: dict[int, str]) -> Search:
    async def search(query: str) -> Ranking:
        found: list[Passage] = await retriever.search([query], DEPTH)
        return by_document([(documents[passage.document_id], passage.score) for passage in found])

    return search


def dense(database: Database, embedder: Embedder, documents: dict[int, str]) -> Search:
    statement = text(f"""
        select document_id, 1 - (embedding::halfvec({embedder.dimensions}) <=> cast(:vector as halfvec)) as score
        from chunks order by embedding::halfvec({embedder.dimensions}) <=> cast(:vector as halfvec) limit {DEPTH}
    """)

    async def search(query: str) -> Ranking:
        (vector,) = await asyncio.to_thread(embedder.embed_queries, [query])
        async with database.begin() as connection:
            await connection.execute(text("set local hnsw.ef_search = 100"))
            rows = await connection.execute(statement, {"vector": str(vector)})
            return by_document([(documents[row.document_id], row.score) for row in rows])

    return search


def bm25(corpus: Path) -> Search:
    import bm25s
    import snowballstemmer

    with gzip.open(corpus, "rt") as file:
        rows = [json.loads(row) for row in file]
    stem = snowballstemmer.stemmer("english").stemWords
    options: dict[str, Any] = {"stopwords": "en", "stemmer": stem, "show_progress": False}
    index = bm25s.BM25()
    index.index(bm25s.tokenize([f"{row['title']} {row['text']}" for row in rows], **options), show_progress=False)

    async def search(query: str) -> Ranking:
        found, scores = index.retrieve(bm25s.tokenize([query], **options), k=DEPTH, show_progress=False)
        return by_document([(rows[i]["_id"], float(score)) for i, score in zip(found[0], scores[0], strict=True)])

    return search


def fused(one: Search, other: Search) -> Search:
    """Plain reciprocal rank fusion of two searches (Cormack, Clarke and Büttcher, SIGIR 2009; k = 60)."""

    async def search(query: str) -> Ranking:
        total: Ranking = {}
        for ranking in (await one(query), await other(query)):
            for place, document in enumerate(ranking, 1):
                total[document] = total.get(document, 0.0) + 1 / (60 + place)
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    return search


async def measure(search: Search, queries: dict[str, str], relevant: dict[str, dict[str, int]]) -> dict[str, float]:
    import pytrec_eval

    run: dict[str, Ranking] = {}
    times: list[float] = []
    for name, query in queries.items():
        start = time.perf_counter()
        ranking = await search(query)
        times.append(1000 * (time.perf_counter() - start))
        run[name] = dict(list(ranking.items())[:10])
    scores = pytrec_eval.RelevanceEvaluator(relevant, {"ndcg_cut.10", "recall.10", "recip_rank"}).evaluate(run)
    times.sort()
    return {
        "ndcg@10": mean(scores, "ndcg_cut_10"),
        "recall@10": mean(scores, "recall_10"),
        "mrr@10": mean(scores, "recip_rank"),
        "p50_ms": round(times[len(times) // 2], 1),
        "p95_ms": round(times[len(times) * 95 // 100], 1),
    }


def mean(scores: dict[str, dict[str, float]], measure: str) -> float:
    return round(sum(score[measure] for score in scores.values()) / len(scores), 4)


def tell(progress: Progress) -> None:
    print(f"\r{progress.done}/{progress.total}", end="", file=sys.stderr, flush=True)


async def bench(data: Path, limit: int | None, home: Path) -> dict[str, Any]:
    queries, relevant = read(data, limit)
    embedder = load_embedder()
    settings = read_settings(home=home, database_url=None)  # never the library of a running Primum
    async with embedded(settings, need=DATABASE) as settings:
        assert settings.database_url
        database = Database(settings.database_url.get_secret_value(), owner=True)
        report = await ingest([data / "corpus.jsonl.gz"], database, embedder, tell)
        retriever = Retriever(database, embedder)
        documents = await names(database)
        await retriever.search(["warm up"], 1)
        searches = {
            "hybrid": hybrid(retriever, documents),
            "dense": dense(database, embedder, documents),
            "bm25": bm25(data / "corpus.jsonl.gz"),
        }
        searches["plain fusion"] = fused(searches["dense"], searches["bm25"])
        results = {name: await measure(search, queries, relevant) for name, search in searches.items()}
        state = await retriever.state()
        await database.close()
    return {"queries": len(queries), "skipped": len(report.skipped), "library": state, **results}


def main() -> None:
    parser = argparse.ArgumentParser(description="Search quality and speed on MedQuAD, as JSON.")
    parser.add_argument("--data", type=Path, default=DATA, help="a BEIR folder (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="ask the first N queries only")
    parser.add_argument("--home", type=Path, help="folder to keep the index in for the next run")
    given = parser.parse_args()
    if not (given.data / "queries.jsonl").is_file():
        parser.error(f"{given.data} holds no queries.jsonl")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with TemporaryDirectory() as temporary:
        result = asyncio.run(bench(given.data, given.limit, given.home or Path(temporary)))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
