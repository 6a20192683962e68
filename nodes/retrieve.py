"""retrieve: reads the searches, writes the passages found, as ids and scores. What gives orders is left out."""

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import Hit, State
from primum.safety import injection


async def retrieve(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    found = await context.library.search(state["queries"], context.limits.passages)
    # A passage is material. One that tries to instruct its reader's model is no source either.
    orders = {p.chunk_id: injection.suspicious(f"{p.title}\n{p.heading}\n{p.text}") for p in found}
    dropped = [f"retrieve: dropped passage {chunk}: {rules[0].rule}" for chunk, rules in orders.items() if rules]
    found = [passage for passage in found if not orders[passage.chunk_id]]
    context.run.passages = dict(enumerate(found, 1))
    return State(
        degraded=[*state.get("degraded", []), *dropped],
        hits=[Hit(chunk_id=p.chunk_id, score=p.score, similarity=p.similarity) for p in found],
    )
