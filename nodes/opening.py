"""The prompt that all model calls of a turn begin with, and the length of what they write."""

from primum.graph.context import Context, Message
from primum.graph.state import State
from primum.nodes.evidence import read_passages
from primum.nodes.prompts import render

FACTS = 40  # of the chart, that a prompt names


async def opening(state: State, context: Context) -> list[Message]:
    """The same for draft, critique and refine of a turn, so that a server's prefix cache serves all."""
    passages = await read_passages(state, context)
    task = render(
        "work_up" if state["route"] == "case" else "draft",
        passages=list(passages.items()),
        facts=state["facts"][:FACTS],
        summary=state["summary"],
        history=state["history"],
        question=state["question"],
        warnings=state.get("report", {}).get("warnings", []),
        max_words=max_words(state, context),
    )
    return [("system", render("system", audience=context.audience)), ("user", task)]


def max_words(state: State, context: Context) -> int:
    return state.get("max_words") or context.limits.max_words
