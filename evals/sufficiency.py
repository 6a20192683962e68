"""Sufficiency: whether the agent knows when the library holds no answer, on questions whose topic was taken out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from primum.evals.cases import Report, ids, share
from primum.evals.retrieval import Beir, names
from primum.memory.session import Database
from primum.retrieval.embedder import Embedder
from primum.retrieval.ingest import Progress, ingest
from primum.retrieval.search import Passage, Retriever
from primum.retrieval.sufficiency import ENOUGH, NOTHING, features, sufficiency

DEPTH = 60  # passages, of which those of the topic are taken out
SHOWN = 8  # passages that a turn sees


async def run(
    data: Beir,
    beside: Sequence[Path],
    database: Database,
    embedder: Embedder,
    on_progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Each question twice: with its topic in the library, and as if every document of that title were gone.

    A question whose answer is not among the passages found counts only in the second part.
    """
    await ingest([data.corpus, *beside], database, embedder, on_progress)
    retriever, documents = Retriever(database, embedder), await names(database)
    there: list[dict[str, Any]] = []
    gone: list[dict[str, Any]] = []
    for name, query in data.queries.items():
        found = await retriever.search([query], DEPTH)
        relevant = {p.title.casefold() for p in found if documents[p.document_id] in data.relevant[name]}
        without = [p for p in found if p.title.casefold() not in relevant][:SHOWN]
        if any(documents[p.document_id] in data.relevant[name] for p in found[:SHOWN]):
            there.append(_case(name, found[:SHOWN], embedder))
        if relevant and without:
            gone.append(_case(name, without, embedder))
    return {
        "task": "sufficiency",
        "there": _counts(there),
        "taken_out": _counts(gone),
        "false_enough": share(sum(one["score"] >= ENOUGH for one in gone), len(gone)),
        "false_nothing": share(sum(one["score"] < NOTHING for one in there), len(there)),
        "area_under_curve": _area([one["score"] for one in there], [one["score"] for one in gone]),
        "fit": _fit(there, gone),
        "false_nothing_ids": ids([one for one in there if one["score"] < NOTHING]),
        "false_enough_ids": ids([one for one in gone if one["score"] >= ENOUGH]),
    }


def _case(name: str, passages: Sequence[Passage], embedder: Embedder) -> dict[str, Any]:
    return {"id": name, "score": sufficiency(passages, embedder.name), "features": features(passages)}


def _counts(cases: Sequence[Mapping[str, Any]]) -> Report:
    scores = [one["score"] for one in cases]
    return {
        "n": len(scores),
        "enough": sum(score >= ENOUGH for score in scores),
        "unsure": sum(NOTHING <= score < ENOUGH for score in scores),
        "nothing": sum(score < NOTHING for score in scores),
        "mean": round(mean(scores), 4) if scores else None,
    }


def _area(there: Sequence[float], gone: Sequence[float]) -> float | None:
    """How often a question whose topic is there scores higher than one whose topic is not."""
    if not there or not gone:
        return None
    one, other = np.array(there)[:, None], np.array(gone)[None, :]
    return round(float(((one > other) + 0.5 * (one == other)).mean()), 4)


def _fit(there: Sequence[Mapping[str, Any]], gone: Sequence[Mapping[str, Any]]) -> dict[str, list[float]] | None:
    """What logistic regression on these questions gives: bias, likeness, words; and by words alone."""
    if not there or not gone:
        return None
    given = np.array([one["features"] for one in (*there, *gone)])
    wanted = np.array([1.0] * len(there) + [0.0] * len(gone))
    return {
        "likeness_and_words": [round(float(w), 2) for w in _regress(given, wanted)],
        "words": [round(float(w), 2) for w in _regress(given[:, 1:], wanted)],
    }


def _regress(given: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Weights, the bias first, by Newton's method with a slight ridge."""
    inputs = np.c_[np.ones(len(given)), given]
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (chance - wanted) + 1e-3 * weights
        bend = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-3 * np.eye(len(weights))
        weights -= np.linalg.solve(bend, slope)
    return weights
