"""MedQuAD: hybrid search beside vectors alone, BM25 and their plain fusion, in one run. Prints JSON.

    python bench/search.py --home ~/.cache/primum-bench

A database is kept in HOME, so that only the first run has to embed the 24,475 passages (15 minutes on one core).
"""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from sqlalchemy import text

from primum.evals.retrieval import Beir, Ranking, Search, by_document, hybrid, measure, names, read
from primum.graph.settings import read_settings
from primum.memory.session import Database
from primum.retrieval.embedder import Embedder, load_embedder
from primum.retrieval.ingest import Progress, ingest
from primum.retrieval.rows import opened_rows
from primum.retrieval.search import Retriever
from primum.server.local import DATABASE, embedded

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "retrieval" / "medquad"
DEPTH = 30  # chunks asked for: a passage of the data set may be cut into several
SHOWN = ("ndcg@10", "recall@10", "mrr@10", "p50_ms", "p95_ms")  # recall@100 would need more than DEPTH


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

    with opened_rows(corpus) as file:
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


def first(data: Beir, limit: int | None) -> Beir:
    """The data set with its first queries alone."""
    queries = dict(islice(data.queries.items(), limit))
    return replace(data, queries=queries, relevant={name: data.relevant[name] for name in queries})


def tell(progress: Progress) -> None:
    print(f"\r{progress.done}/{progress.total}", end="", file=sys.stderr, flush=True)


async def bench(data: Beir, home: Path) -> dict[str, Any]:
    embedder = load_embedder()
    settings = read_settings(home=home, database_url=None)  # never the library of a running Primum
    async with embedded(settings, need=DATABASE) as settings:
        assert settings.database_url
        database = Database(settings.database_url.get_secret_value(), owner=True)
        report = await ingest([data.corpus], database, embedder, tell)
        retriever = Retriever(database, embedder)
        documents = await names(database)
        await retriever.search(["warm up"], 1)
        searches = {
            "hybrid": hybrid(retriever, documents, DEPTH),
            "dense": dense(database, embedder, documents),
            "bm25": bm25(data.corpus),
        }
        searches["plain fusion"] = fused(searches["dense"], searches["bm25"])
        measured = {name: await measure(search, data) for name, search in searches.items()}
        state = await retriever.state()
        await database.close()
    results = {name: {shown: found[shown] for shown in SHOWN} for name, found in measured.items()}
    return {"queries": len(data.queries), "skipped": len(report.skipped), "library": state, **results}


def main() -> None:
    parser = argparse.ArgumentParser(description="Search quality and speed on MedQuAD, as JSON.")
    parser.add_argument("--data", type=Path, default=DATA, help="a BEIR folder (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="ask the first N queries only")
    parser.add_argument("--home", type=Path, help="folder to keep the index in for the next run")
    given = parser.parse_args()
    try:
        data = first(read(given.data), given.limit)
    except ValueError as error:
        parser.error(str(error))
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with TemporaryDirectory() as temporary:
        result = asyncio.run(bench(data, given.home or Path(temporary)))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
