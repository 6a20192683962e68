"""act: reads the question, calls the tools that it needs, writes their outcomes in sentences that code made.

What is asked of the memory is told from the chart, and what is evident is called by rules. Only where nothing is, and
the served model can call tools, the model chooses; it may give a tool no number that the question and the outcomes
before have not, and none of its own words is shown.
"""

import asyncio
import json
import re
from collections.abc import Sequence

from langgraph.runtime import Runtime

from primum.graph.context import Context, ToolCall
from primum.graph.state import State
from primum.nodes.own_facts import answered, asked_of_memory
from primum.nodes.prompts import render
from primum.safety.profile import Profile
from primum.tools.evident import CALLABLE, READ, WRITE_IT, evident, figures, outcome
from primum.tools.outcome import Outcome

TOKENS = 400  # of a choice
KNOWN = frozenset(tool.name for tool in CALLABLE)
# Of the calendar, the clock and decimal units: a sum may need them though nobody says them.
COMMON = frozenset({1.0, 7.0, 12.0, 24.0, 52.0, 60.0, 100.0, 365.0, 1000.0})
# What words that begin so mean in a sum: half of it, twice as many, every other one, a third.
MEANT = {
    "hal": 2.0, "twice": 2.0, "doubl": 2.0, "second": 2.0, "other": 2.0, "pair": 2.0, "couple": 2.0, "thrice": 3.0,
    "tripl": 3.0, "third": 3.0, "quarter": 4.0, "fourth": 4.0, "fifth": 5.0, "sixth": 6.0,
}  # fmt: skip
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?(?:%|per ?cent)")
_FIGURE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


async def act(state: State, runtime: Runtime[Context]) -> State:
    if request := asked_of_memory(state, runtime.context.audience):
        return State(outcomes=[answered(request, state)])
    wanted = evident(state["question"], Profile(**state["profile"]))
    if wanted.calls or wanted.which:
        outcomes = [await asyncio.to_thread(outcome, *call) for call in wanted.calls]
        if wanted.which and not outcomes:
            outcomes = [Outcome(tool="calculate", arguments={}, sentences=[wanted.which], state="asks")]
        gaps: list[str] = []
    else:
        outcomes, gaps = await _chosen(state, runtime.context)
        if wanted.in_words and not outcomes:
            outcomes = [Outcome(tool="work_out", arguments={}, sentences=[WRITE_IT], state="asks")]
    # Why stands in the answer alone: it may repeat a patient's value, and a trace holds none.
    gaps += [
        f"act: {one['tool']} could not be done; the answer says why" for one in outcomes if one["state"] == "failed"
    ]
    return State(outcomes=outcomes, degraded=[*state.get("degraded", []), *gaps])


async def _chosen(state: State, context: Context) -> tuple[list[Outcome], list[str]]:
    """What the calls that the model chose gave, one round after the other, and which of them could not be made."""
    done: list[Outcome] = []
    gaps: list[str] = []
    for _ in range(context.limits.tool_calls):
        prompt = render("act", question=state["question"], outcomes=[_data(one) for one in done])
        calls = await context.writer.choose([("user", prompt)], CALLABLE, max_tokens=TOKENS)
        fresh = [call for call in calls if all(dict(call.arguments) != one["arguments"] for one in done)]
        for call in fresh[: context.limits.tool_calls - len(done) - len(gaps)]:
            if call.tool not in KNOWN:
                gaps.append("act: the model called a tool that there is not")
            elif invented(call, state["question"], done):
                gaps.append(f"act: the model called {call.tool} with numbers that nobody gave")
            else:
                done.append(await asyncio.to_thread(outcome, call.tool, call.arguments))
        if not fresh or len(done) + len(gaps) >= context.limits.tool_calls:
            break
    summed = [one for one in done if one["tool"] == "work_out" and one["state"] == "done"]
    for one in summed[-1:]:
        one["sentences"].append(READ)
    return done, gaps


def invented(call: ToolCall, question: str, before: Sequence[Outcome]) -> bool:
    """Whether a call has a number that neither the question nor an earlier outcome tells."""
    plain = " ".join([question, *(sentence for one in before for sentence in one["sentences"])])
    told = {*figures(plain), *map(float, _FIGURE.findall(plain)), *COMMON}
    told |= {value for word, value in MEANT.items() if re.search(rf"\b{word}", plain, re.IGNORECASE)}
    shares = [float(share) / 100 for share in _PERCENT.findall(plain)]
    told |= {round(one, 6) for share in shares for one in (share, 1 + share, 1 - share)}
    given = map(float, _FIGURE.findall(json.dumps(dict(call.arguments), ensure_ascii=False)))
    return not told.issuperset(given)


def _data(one: Outcome) -> str:
    """An outcome for the model: data, as JSON."""
    told = {"tool": one["tool"], "arguments": one["arguments"], "told": one["sentences"]}
    return json.dumps(told, ensure_ascii=False)
