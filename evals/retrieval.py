"""Retrieval: how well the library's search ranks what is known to be relevant, on a BEIR folder."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles

import numpy as np
from sqlalchemy import text

from primum.evals.cases import Report
from primum.memory.session import Database
from primum.retrieval.embedder import Embedder
from primum.retrieval.ingest import Progress, ingest
from primum.retrieval.search import Retriever

DEPTH = 200  # chunks asked for: enough for the hundred best documents
MEASURES = {"ndcg_cut_10": "ndcg@10", "recall_10": "recall@10", "recall_100": "recall@100", "recip_rank": "mrr@10"}
SHUFFLES = 10_000

Ranking = dict[str, float]
Search = Callable[[str], Awaitable[Ranking]]


@dataclass(frozen=True)
class Beir:
    """Queries, and what is relevant to each: the documents' ids with a grade."""

    corpus: Path
    queries: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, int]]


def read(folder: Path) -> Beir:
    """A folder of corpus.jsonl[.gz] {_id, title, text}, queries.jsonl {_id, text} and qrels.tsv (with a heading line).

    Raises:
        ValueError: a file is missing or a row can't be read; it names file and line.
    """
    corpus = next((folder / name for name in ("corpus.jsonl", "corpus.jsonl.gz") if (folder / name).is_file()), None)
    if corpus is None:
        raise ValueError(f"{folder}: no corpus.jsonl or corpus.jsonl.gz in it")
    queries: dict[str, str] = {}
    for number, row in enumerate(_lines(folder / "queries.jsonl"), 1):
        try:
            fields = json.loads(row)
            queries[str(fields["_id"])] = str(fields["text"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{folder / 'queries.jsonl'}, line {number}: not an object with _id and text") from None
    relevant: dict[str, dict[str, int]] = {}
    for number, row in enumerate(_lines(folder / "qrels.tsv")[1:], 2):
        try:
            query, document, grade = row.split("\t")
            if query in queries:
                relevant.setdefault(query, {})[document] = int(grade)
        except ValueError:
            raise ValueError(f"{folder / 'qrels.tsv'}, line {number}: not query, document and grade") from None
    if not relevant:
        raise ValueError(f"{folder}: no query has a relevant document")
    return Beir(corpus, {name: queries[name] for name in relevant}, relevant)


def _lines(path: Path) -> list[str]:
    try:
        return [row for row in path.read_text(encoding="utf-8").splitlines() if row.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: can't be read ({type(error).__name__})") from None


async def names(database: Database) -> dict[int, str]:
    """The data set's own name of each document."""
    async with database.begin() as connection:
        rows = await connection.execute(text("select id, uri from documents where replaced_at is null"))
        return {row.id: row.uri.partition("#")[2] for row in rows}


def by_document(found: Sequence[tuple[str, float]]) -> Ranking:
    """Each document with the score of its best chunk."""
    ranking: Ranking = {}
    for document, score in found:
        ranking.setdefault(document, score)
    return ranking


def hybrid(retriever: Retriever, documents: Mapping[int, str], depth: int = DEPTH) -> Search:
    """The search of the agent, for so many chunks."""

    async def search(query: str) -> Ranking:
        found = await retriever.search([query], depth)
        return by_document([(documents[passage.document_id], passage.score) for passage in found])

    return search


async def measure(search: Search, data: Beir) -> Report:
    """Means over the queries, milliseconds, and each query's nDCG@10, by which two runs can be compared."""
    try:
        import pytrec_eval
    except ImportError:
        raise ValueError("This evaluation needs the package pytrec_eval: pip install 'primum[eval]'") from None
    rankings: dict[str, Ranking] = {}
    times: list[float] = []
    for name, query in data.queries.items():
        started = time.perf_counter()
        rankings[name] = await search(query)
        times.append(1000 * (time.perf_counter() - started))
    first = {name: dict(list(ranking.items())[:10]) for name, ranking in rankings.items()}
    relevant = {name: dict(grades) for name, grades in data.relevant.items()}
    scores = pytrec_eval.RelevanceEvaluator(relevant, {"ndcg_cut.10", "recall.10,100"}).evaluate(rankings)
    ranks = pytrec_eval.RelevanceEvaluator(relevant, {"recip_rank"}).evaluate(first)
    every = {name: {**scores.get(name, {}), **ranks.get(name, {})} for name in data.queries}
    return {
        **{shown: round(mean(one.get(key, 0.0) for one in every.values()), 4) for key, shown in MEASURES.items()},
        "p50_ms": round(median(times), 1),
        "p95_ms": round(quantiles(times, n=20)[18], 1) if len(times) > 1 else round(times[0], 1),
        "queries": {name: round(one.get("ndcg_cut_10", 0.0), 4) for name, one in every.items()},
    }


def compare(run: Report, baseline: Report) -> Report:
    """How much better a run is than another over the queries of both, and how likely chance alone does as well.

    A paired randomisation test (two-sided, 10,000 shuffles), as is usual in information retrieval (Smucker, Allan and
    Carterette, CIKM 2007).

    Raises:
        ValueError: the two have no query in common.
    """
    shared = sorted(run["queries"].keys() & baseline["queries"].keys())
    if not shared:
        raise ValueError("the baseline has no query in common with this run")
    differences = np.array([run["queries"][name] - baseline["queries"][name] for name in shared])
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (SHUFFLES, len(shared)))
    by_chance = np.abs((signs * differences).mean(axis=1)) >= abs(differences.mean()) - 1e-12
    return {
        "queries": len(shared),
        "ndcg@10_gain": round(float(differences.mean()), 4),
        "better": int((differences > 0).sum()),
        "worse": int((differences < 0).sum()),
        "p_value": round(float((by_chance.sum() + 1) / (SHUFFLES + 1)), 4),
    }


async def run(
    data: Beir,
    beside: Sequence[Path],
    database: Database,
    embedder: Embedder,
    on_progress: Callable[[Progress], None] | None = None,
) -> Report:
    """The search over a data set's corpus, with other documents beside it; both are ingested if they are not there."""
    await ingest([data.corpus, *beside], database, embedder, on_progress)
    retriever = Retriever(database, embedder)
    documents = await names(database)
    await retriever.search(["warm up"], 1)
    found = await measure(hybrid(retriever, documents), data)
    return {"task": "retrieval", "n": len(data.queries), "library": await retriever.state(), **found}
