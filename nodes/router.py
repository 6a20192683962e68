"""router: reads the question, writes the route. By likeness to examples; by the model only where that is unsure."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Literal

import yaml
from langgraph.runtime import Runtime
from pydantic import BaseModel

from primum.graph.context import Context
from primum.graph.state import Route, State
from primum.nodes.prompts import render
from primum.retrieval.search import Retriever
from primum.safety.words import claims

# On the example set left-one-out, MiniLM's best and second route differ by more than this in 9 of 10 messages.
SURE = 0.10
# A message this unlike every example is no better known by its nearest.
KNOWN = 0.30
ROUTES: tuple[Route, ...] = ("evidence", "chat", "outside")


class Routing(BaseModel):
    """Where the message goes."""

    route: Literal["evidence", "chat", "outside"]


async def router(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    turn = State(route="evidence")
    likeness = await _likeness(state["question"], context)
    first, second = sorted(ROUTES, key=lambda route: -likeness[route])[:2]
    if likeness[first] >= KNOWN and likeness[first] - likeness[second] >= SURE:
        turn["route"] = first
        return turn
    question = render("router", question=state["question"])
    answer = await context.router.fill([("user", question)], Routing, max_tokens=20)
    # Both must agree to leave the library aside, and small talk names nothing: no health question is turned away.
    if answer.route == first and not (first == "chat" and claims(state["question"])):
        turn["route"] = first
    return turn


async def _likeness(question: str, context: Context) -> dict[Route, float]:
    """For each route, the mean cosine of the question with the route's two nearest examples."""
    (vector,) = await context.library.embed([question[:2000]])
    return {
        route: sum(sorted(sum(a * b for a, b in zip(vector, other, strict=True)) for other in examples)[-2:]) / 2
        for route, examples in context.examples.items()
    }


async def embed_examples(library: Retriever) -> dict[Route, Sequence[Sequence[float]]]:
    """Unit vectors of the labelled messages of `routes.yaml`, by route; made once for all turns."""
    routes: dict[Route, list[str]] = yaml.safe_load((files("primum.nodes") / "routes.yaml").read_text("utf-8"))
    return {route: await library.embed(texts) for route, texts in routes.items()}
