"""What happens when a step fails for good: the turn goes on without it, and says so in its trace."""

from langgraph.errors import NodeError, NodeTimeoutError
from langgraph.runtime import Runtime
from langgraph.types import Command

from primum.graph.context import Context
from primum.graph.edges import after_act
from primum.graph.errors import InvalidModelOutput, ModelUnavailable, RetrievalFailed
from primum.graph.state import State
from primum.nodes.rewrite import fallback, plain

# Failures that a turn survives. MemoryUnavailable is none of them: without the database nothing is pretended.
SURVIVED = (ModelUnavailable, InvalidModelOutput, RetrievalFailed, NodeTimeoutError)

# The step after one that failed. Respond cuts what is unproven, so it is always safe to go there.
NEXT = {"router": "rewrite", "rewrite": "retrieve", "further": "retrieve", "look_up": "retrieve"}


async def degrade(state: State, error: NodeError, runtime: Runtime[Context]) -> Command[str]:
    """Notes why a step failed, puts its plain substitute into the state and goes on."""
    if not isinstance(error.error, SURVIVED) or error.node == "respond":  # no step comes after it
        raise error.error
    reason = "it took too long" if isinstance(error.error, NodeTimeoutError) else str(error.error)
    update: State = {"degraded": [*state.get("degraded", []), f"{error.node}: {reason}"]}
    if error.node == "rewrite":
        gone = isinstance(error.error, RetrievalFailed)
        update = {**(fallback(state) if gone else await plain(state, runtime.context.library)), **update}
    if error.node == "further":  # what it thinks of next would fail too
        update["searches"] = runtime.context.limits.search_rounds
    if error.node == "look_up":
        update["looked_up"] = True
    then = await after_act(state) if error.node == "act" else NEXT.get(error.node, "respond")
    return Command(update=update, goto=then)
