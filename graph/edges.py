"""Where a turn goes next. Nodes write the state, edges choose by it; they do nothing else.

They wait for nothing, and are coroutines all the same: LangGraph would run each in a thread of its own.
"""

from typing import Literal

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import State
from primum.retrieval.sufficiency import ENOUGH, NOTHING


async def after_triage(state: State, runtime: Runtime[Context]) -> Literal["router", "respond"]:
    """An emergency is answered at once, without a model; for a clinician it is a banner, and the turn goes on."""
    emergency = state["report"]["disposition"] == "emergency" and runtime.context.audience == "patient"
    return "respond" if emergency or state["refusal"] else "router"


async def after_router(state: State) -> Literal["act", "rewrite", "gather", "draft", "respond"]:
    """A tool may help; else: needs evidence, is a clinician's case, needs none, or is none of our business.

    What asks nothing has its reply already.
    """
    if state["acts"]:
        return "act"
    if state["reply"]:
        return "respond"
    match state["route"]:
        case "evidence":
            return "rewrite"
        case "case":
            return "gather"
        case "chat":
            return "draft"
        case "outside" | "tool":
            return "respond"


async def after_act(state: State) -> Literal["rewrite", "respond"]:
    """What was worked out is the whole answer, or leads one from evidence."""
    return "rewrite" if state["route"] == "evidence" else "respond"


async def after_retrieve(state: State, runtime: Runtime[Context]) -> Literal["draft", "further", "look_up", "respond"]:
    """Enough to answer from; or other searches, then the literature, as far as they are allowed; or what there is.

    What is hardly of the question's topic is nothing to draft from.
    """
    if not state["hits"] or state["sufficiency"] < ENOUGH:
        if state["searches"] < runtime.context.limits.search_rounds:
            return "further"
        if runtime.context.literature is not None and not state["looked_up"]:
            return "look_up"
    return "draft" if state["hits"] and state["sufficiency"] >= NOTHING else "respond"


async def after_gather(state: State) -> Literal["work_up", "respond"]:
    """Nothing is worked up from nothing."""
    return "work_up" if state["hits"] else "respond"


async def after_respond(state: State, runtime: Runtime[Context]) -> Literal["sign_off", "__end__"]:
    """Where answers are signed off; who is in danger waits for nobody, and what says nothing needs no signature."""
    says = state["answer"]["status"] in ("answered", "evidence_only")
    return "sign_off" if says and runtime.context.signs else "__end__"


async def after_critique(state: State, runtime: Runtime[Context]) -> Literal["refine", "mend", "respond"]:
    """What was found is refined, while that helps and is allowed; in a chat there is nothing to prove."""
    may = state["revisions"] < runtime.context.limits.max_revisions and not state["settled"]
    if not state["findings"] or not may:
        return "respond"
    return {"evidence": "refine", "case": "mend"}.get(state["route"], "respond")  # type: ignore[return-value]
