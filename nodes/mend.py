"""mend: reads what the audit found in a work-up, writes its sentences again. One that is no better is taken out."""

from typing import Annotated

from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from primum.graph.context import Context
from primum.graph.state import Problem, State
from primum.nodes.critique import problems
from primum.nodes.evidence import judge, read_passages
from primum.nodes.opening import opening
from primum.nodes.prompts import render
from primum.nodes.refine import remark
from primum.nodes.work_up import Workup, draft_of, rewritten
from primum.safety.sentences import split_answer

TOKENS = 1_000


class Mend(BaseModel):
    """A sentence in other words, by the number under which it was found wanting."""

    number: int = Field(ge=1)
    sentence: Annotated[str, Field(max_length=400)]


class Mended(BaseModel):
    """The sentences that could be mended."""

    sentences: list[Mend] = Field(max_length=20)


async def mend(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    passages = await read_passages(state, context)
    form = rewritten(Workup(**state["workup"]), lambda text: remark(text, passages, state))
    left = problems(judge(draft_of(form), passages, state), {})
    wanting = [*left, *(finding for finding in state["findings"] if not finding["verified"])]
    if wanting:
        task = render("mend", findings=wanting)
        asked = [*await opening(state, context), ("assistant", draft_of(form)), ("user", task)]
        answer = await context.writer.fill(asked, Mended, max_tokens=TOKENS)
        better = {
            wanting[one.number - 1]["sentence"]: remark(one.sentence, passages, state)
            for one in reversed(answer.sentences)
            if one.number <= len(wanting)
        }
        form = rewritten(form, lambda text: _without(text, wanting, better))
    proven = {v.sentence.text for v in judge(draft_of(form), passages, state) if v.stands}
    form = rewritten(form, lambda text: text if all(one.text in proven for one in split_answer(text)) else "")
    return State(workup=form.model_dump(), draft=draft_of(form), revisions=state["revisions"] + 1)


def _without(text: str, wanting: list[Problem], better: dict[str, str]) -> str:
    """The text, or what was written in its place; nothing if that is not there."""
    said = [one.text for one in split_answer(text)]
    wrong = [finding["sentence"] for finding in wanting if finding["sentence"] in said]
    return better.get(wrong[0], "") if wrong else text
