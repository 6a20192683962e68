"""look_up: reads the question, has it looked up outside. What is found is in the library then, and searched again."""

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import State


async def look_up(state: State, runtime: Runtime[Context]) -> State:
    literature = runtime.context.literature
    assert literature is not None  # `after_retrieve` asks for that
    found = await literature.bring(state.get("english") or state["standalone"], runtime.context.run.seconds_left())
    told = [f"look_up: {report.service}: {report.reason}" for report in found.reports if report.reason]
    told += [f"look_up: {found.reason}"] if found.reason else []
    return State(looked_up=True, degraded=[*state.get("degraded", []), *told])
