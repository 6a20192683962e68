"""The graph for `langgraph dev` and Studio, as `langgraph.json` names it, on what `primum up` or the settings offer.

The graph needs live things that no request can bring: `app` opens them with the server that LangGraph runs, and each
question gets its own Context of them. What LangGraph's server keeps of a thread lies in its own checkpoints, which
Primum does not seal: it is for developers, not for patients.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from starlette.applications import Starlette
from typing_extensions import TypedDict  # the one of which pydantic makes a schema for Studio on Python 3.11

from primum.graph.builder import build_graph
from primum.graph.context import Audience
from primum.graph.errors import LocalServerFailed
from primum.graph.request import check_text
from primum.graph.resources import Resources
from primum.graph.settings import read_settings
from primum.graph.state import Exchange
from primum.server.agent import opened


@dataclass(frozen=True)
class Asking:
    """Who asks: what a request gives as its context."""

    patient: str = "me"
    audience: Audience = "patient"


class Asked(TypedDict):
    question: str


class Conversation(TypedDict, total=False):
    """A thread, as LangGraph's server keeps it."""

    question: str
    answer: dict[str, Any]
    before: list[Exchange]  # the questions that were answered in it


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with opened(read_settings()) as resources:
        app.state.resources = resources
        yield


app = Starlette(lifespan=_lifespan)


@cache
def graph() -> "CompiledStateGraph[Conversation, Asking, Asked, Conversation]":
    """One node, `primum`, in which the whole graph runs; the server brings the checkpointer."""
    inner = build_graph(checkpointer=True)  # the server's, in a namespace of its own: what a thread told is kept

    async def primum(state: Conversation, config: RunnableConfig, runtime: Runtime[Asking]) -> Conversation:
        resources, asking = _resources(), runtime.context or Asking()
        run, identity = resources.new_run(), resources.identity(asking.patient)
        thread = str(config["configurable"].get("thread_id", run.id))
        question, before = check_text(state["question"]), state.get("before", [])
        await resources.adapters.look()
        context = resources.context(run, identity, thread, asking.audience)
        asked = {"question": question, "before": before[-resources.settings.history_turns :]}
        ended = await inner.ainvoke(asked, config, context=context)  # type: ignore[call-overload]
        answer = ended["answer"]
        return Conversation(answer=answer, before=[*before, Exchange(question=question, answer=answer["text"])])

    outer = StateGraph(Conversation, input_schema=Asked, context_schema=Asking)
    outer.add_node("primum", cast(Any, primum))  # its types know no node with both a config and a runtime
    outer.add_edge(START, "primum")
    outer.add_edge("primum", END)
    return outer.compile(name="primum")


def _resources() -> Resources:
    resources: Resources | None = getattr(app.state, "resources", None)
    if resources is None:
        raise LocalServerFailed("Primum's parts are not open: name this module's app as `http.app` in langgraph.json.")
    return resources
