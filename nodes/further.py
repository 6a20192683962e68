"""further: reads the question and what was found, writes more searches for what is missing (i-MedRAG, Xiong 2024)."""

from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from primum.graph.context import Context
from primum.graph.state import State
from primum.nodes.evidence import read_passages
from primum.nodes.prompts import render
from primum.safety.words import claims

MOST = 6  # searches of one turn


class Further(BaseModel):
    """Searches for what is still missing."""

    searches: list[str] = Field(min_length=1, max_length=3)


async def further(state: State, runtime: Runtime[Context]) -> State:
    passages = await read_passages(state, runtime.context)
    seen = list(dict.fromkeys(f"{p.title}: {p.heading}".rstrip(": ") for p in passages.values()))
    prompt = render(
        "further", question=state.get("english") or state["standalone"], searches=state["queries"], seen=seen
    )
    written = await runtime.context.router.fill([("user", prompt)], Further, max_tokens=200)
    new = [text for text in written.searches if claims(text)]
    return State(queries=list(dict.fromkeys([*state["queries"], *new]))[:MOST])
