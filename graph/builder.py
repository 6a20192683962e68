"""The whole topology on one screen."""

from functools import wraps
from typing import Any, Protocol, cast

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, RetryPolicy

from primum.graph.context import Context
from primum.graph.degrade import degrade
from primum.graph.edges import (
    after_act,
    after_critique,
    after_gather,
    after_respond,
    after_retrieve,
    after_router,
    after_triage,
)
from primum.graph.errors import ModelUnavailable
from primum.graph.state import State, TurnInput, TurnOutput
from primum.nodes.act import act
from primum.nodes.critique import critique
from primum.nodes.draft import draft
from primum.nodes.further import further
from primum.nodes.gather import gather
from primum.nodes.look_up import look_up
from primum.nodes.mend import mend
from primum.nodes.recall import recall
from primum.nodes.refine import refine
from primum.nodes.respond import respond
from primum.nodes.retrieve import retrieve
from primum.nodes.rewrite import rewrite
from primum.nodes.router import router
from primum.nodes.sign_off import sign_off
from primum.nodes.triage import triage
from primum.nodes.work_up import work_up

Graph = CompiledStateGraph[State, Context, TurnInput, TurnOutput]

RETRY = RetryPolicy(
    max_attempts=2,
    initial_interval=0.3,
    retry_on=lambda error: isinstance(error, ModelUnavailable) and error.transient,
)
# Seconds, a last resort: model calls end by the turn's own deadline, which is shorter.
SEARCH_TIMEOUT, MODEL_TIMEOUT = 60.0, 3600.0


class Node(Protocol):
    """What a file of `nodes/` holds."""

    __name__: str

    async def __call__(self, state: State, runtime: Runtime[Context]) -> State: ...


def build_graph(checkpointer: Checkpointer = None) -> Graph:
    """The agent as a compiled graph, to be used as it is or as a subgraph. Give each run a `Context`."""
    graph = StateGraph(State, input_schema=TurnInput, output_schema=TurnOutput, context_schema=Context)
    # LangGraph gives a handler its error by parameter, which its types do not say.
    graph.set_node_defaults(retry_policy=RETRY, timeout=MODEL_TIMEOUT, error_handler=cast(Any, degrade))
    nodes: tuple[Node, ...] = (
        recall,
        triage,
        router,
        act,
        rewrite,
        further,
        look_up,
        draft,
        work_up,
        critique,
        refine,
        mend,
    )
    for node in nodes:
        graph.add_node(node.__name__, timed(node))
    graph.add_node("retrieve", timed(retrieve), timeout=SEARCH_TIMEOUT)
    graph.add_node("gather", timed(gather), timeout=SEARCH_TIMEOUT)
    graph.add_node("respond", timed(respond), timeout=SEARCH_TIMEOUT)

    graph.add_node("sign_off", sign_off)

    graph.add_edge(START, "recall")
    graph.add_edge("recall", "triage")
    graph.add_conditional_edges("triage", after_triage)
    graph.add_conditional_edges("router", after_router)
    graph.add_conditional_edges("act", after_act)
    graph.add_edge("rewrite", "retrieve")
    graph.add_conditional_edges("retrieve", after_retrieve)
    graph.add_edge("further", "retrieve")
    graph.add_edge("look_up", "retrieve")
    graph.add_conditional_edges("gather", after_gather)
    graph.add_edge("draft", "critique")
    graph.add_edge("work_up", "critique")
    graph.add_conditional_edges("critique", after_critique)
    graph.add_edge("refine", "critique")
    graph.add_edge("mend", "critique")
    graph.add_conditional_edges("respond", after_respond)
    graph.add_edge("sign_off", END)
    return graph.compile(checkpointer=checkpointer, name="primum")


def timed(node: Node) -> Node:
    """The node, its time added to the run's timings."""

    @wraps(node)
    async def step(state: State, runtime: Runtime[Context]) -> State:
        with runtime.context.run.timing(node.__name__):
            return await node(state, runtime)

    return cast(Node, step)
