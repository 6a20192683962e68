"""retrieve: reads the searches, writes the passages found, as ids and scores, and whether they are enough.

What gives orders, and what was retracted, is left out.
"""

from collections.abc import Iterable, Sequence

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import Hit, State
from primum.retrieval.search import Passage
from primum.retrieval.sufficiency import sufficiency
from primum.safety import injection


async def retrieve(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    found = await context.library.search(state["queries"], context.limits.passages)
    found, dropped = screened(found)
    context.run.passages = dict(enumerate(found, 1))
    return State(
        degraded=[*state.get("degraded", []), *dropped],
        hits=hits(found),
        sufficiency=sufficiency(found, context.library.embedder.name),
        searches=state.get("searches", 0) + 1,
    )


def screened(found: Sequence[Passage]) -> tuple[list[Passage], list[str]]:
    """The passages that may be read, and why others may not."""
    # A passage is material. One that tries to instruct its reader's model is no source either.
    orders = {p.chunk_id: injection.suspicious(f"{p.title}\n{p.heading}\n{p.text}") for p in found}
    dropped = [f"left out: passage {chunk}: {rules[0].rule}" for chunk, rules in orders.items() if rules]
    dropped += [f"left out: passage {p.chunk_id}: its source was retracted" for p in found if p.retracted]
    return [p for p in found if not orders[p.chunk_id] and not p.retracted], dropped


def hits(found: Iterable[Passage]) -> list[Hit]:
    return [Hit(chunk_id=p.chunk_id, score=p.score, similarity=p.similarity, words=p.words) for p in found]
