"""What the nodes of one turn share: its passages by marker, and the support check against them."""

from collections.abc import Mapping
from dataclasses import replace

from primum.graph.context import Context
from primum.graph.state import State
from primum.retrieval.search import Passage
from primum.safety.sentences import split_answer
from primum.safety.support import Evidence, Verdict, check


async def read_passages(state: State, context: Context) -> dict[int, Passage]:
    """The turn's passages by marker, from 1; one that was deleted meanwhile leaves its number empty.

    They are read once a run; `respond` reads them anew, so that nothing is cited that is gone.
    """
    hits = {hit["chunk_id"]: (number, hit) for number, hit in enumerate(state.get("hits", []), 1)}
    if hits and not context.run.passages:
        for passage in await context.library.read(list(hits)):
            number, hit = hits[passage.chunk_id]
            context.run.passages[number] = replace(passage, score=hit["score"], similarity=hit["similarity"])
    return context.run.passages


def judge(text: str, passages: Mapping[int, Passage], question: str) -> list[Verdict]:
    """The support check of an answer against the turn's passages."""
    evidence = {n: Evidence(p.text, p.title, p.heading) for n, p in passages.items()}
    return check(split_answer(text), evidence, question)
