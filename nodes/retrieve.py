"""retrieve: reads the searches, writes the passages found, as ids and scores."""

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import Hit, State


async def retrieve(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    found = await context.library.search(state["queries"], context.limits.passages)
    context.run.passages = dict(enumerate(found, 1))
    return State(hits=[Hit(chunk_id=p.chunk_id, score=p.score, similarity=p.similarity) for p in found])
