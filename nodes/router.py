"""router: reads the question, writes the route, and whether a tool may help.

What is asked of the memory, a clinician's case, and what a tool evidently answers, are known by rules. What points
back goes where its thread went. The rest goes by likeness to examples; by the model only where that is unsure.
"""

import re
from typing import Literal

from langgraph.runtime import Runtime
from pydantic import BaseModel

from primum.graph.context import Context
from primum.graph.state import Route, State
from primum.nodes.examples import meaningful
from primum.nodes.follow_up import language_of, own_words, points_back, subject_of
from primum.nodes.own_facts import asked_of_memory
from primum.nodes.prompts import render
from primum.nodes.replies import reply
from primum.retrieval.terms import expand
from primum.safety.presentation import is_case
from primum.safety.profile import Profile
from primum.safety.words import claims
from primum.tools.evident import Evident, evident, figures

# On the example set left-one-out, MiniLM's best and second route differ by more than this in 9 of 10 messages.
SURE = 0.10
# A message this unlike every example is no better known by its nearest.
KNOWN = 0.30
# What asks; thanks don't, though they point back too.
_ASKS = re.compile(
    r"[?？吗呢]|什么|怎么|为什么|继续|详细|^\W*(?:and|but|what|why|how|who|when|where|which|is|are|can|could|do|does|will|tell"
    r"|show|explain|give|say|go on|continue|more|y|qué|por qué|cómo|cuéntame|dime|explíca\w*|más)\b",
    re.IGNORECASE,
)
_OF_PRIMUM = re.compile(r"\byou(?:r|rself)?\b(?!.*\b(?:it|that|this|them|more)\b)", re.IGNORECASE)
ROUTES: tuple[Route, ...] = ("evidence", "chat", "outside")


class Routing(BaseModel):
    """Where the message goes."""

    route: Literal["evidence", "chat", "outside"]


async def router(state: State, runtime: Runtime[Context]) -> State:
    if request := asked_of_memory(state, runtime.context.audience):
        return State(route="tool" if request.alone else "evidence", acts=True)
    wanted = evident(state["question"], Profile(**state["profile"]))
    if runtime.context.audience == "clinician" and _is_case(state, wanted):
        return State(route="case", acts=False)
    if wanted.calls or wanted.which or wanted.in_words:
        return State(route="tool" if wanted.alone else "evidence", acts=True)
    if said := reply(state["question"]):  # who only greets, or tells of themselves, asks for nothing
        return State(route="chat", reply=said, acts=False)
    turn = await _routed(state, runtime.context)
    # With two numbers there may be something to work out, which the model sees better than rules do.
    if runtime.context.limits.tool_calls and turn["route"] != "chat" and len(figures(state["question"])) > 1:
        return State(route="tool" if turn["route"] == "outside" else turn["route"], acts=True)
    return turn


def _is_case(state: State, wanted: Evident) -> bool:
    """Whether it is said to be a case, or surely is one and asks for nothing that is worked out."""
    sums = wanted.which or any(call.tool != "check_interactions" for call in wanted.calls)
    form = state.get("form")
    return form == "case" or (form is None and not sums and is_case(state["question"]))


async def _routed(state: State, context: Context) -> State:
    """The route, of those that need no tool."""
    question, history = state["question"], state["history"]
    turn = State(route="evidence", acts=False)
    # The examples are English. A question in another language that names a medical term is one for the library.
    understood = expand(question, language_of(question, history))
    if understood.language != "en" and claims(understood.english):
        return turn
    first, sure = await _nearest(understood.english or question, context)
    own = own_words(understood.english)
    asks = own or (_ASKS.search(question) and not (sure and first == "chat" and _OF_PRIMUM.search(question)))
    if history and asks and points_back(question, history):
        # It goes where its thread went; only what names something else may leave it.
        if not (sure and first == "outside" and own):
            first, sure = await _nearest(expand(subject_of(history)).english, context)
        turn["route"] = "outside" if sure and first == "outside" else "evidence"
        return turn
    if sure:
        turn["route"] = first
        return turn
    asked = render("router", question=question)
    answer = await context.router.fill([("user", asked)], Routing, max_tokens=20)
    # Both must agree to leave the library aside, and small talk names nothing: no health question is turned away.
    if answer.route == first and not (first == "chat" and claims(question)):
        turn["route"] = first
    return turn


async def _nearest(text: str, context: Context) -> tuple[Route, bool]:
    """The route whose examples a text is most like, and whether that is sure."""
    likeness = await _likeness(text, context)
    first, second = sorted(ROUTES, key=lambda route: -likeness[route])[:2]
    return first, likeness[first] >= KNOWN and likeness[first] - likeness[second] >= SURE


async def _likeness(question: str, context: Context) -> dict[Route, float]:
    """For each route, the mean cosine of the question with the route's two nearest examples."""
    vector = await context.vector(meaningful(question))
    return {
        route: sum(sorted(sum(a * b for a, b in zip(vector, other, strict=True)) for other in examples)[-2:]) / 2
        for route, examples in context.examples.routes.items()
    }
