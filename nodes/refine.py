"""refine: reads the findings, writes a better draft. A revision counts only if the verified violations fall."""

from collections.abc import Mapping
from dataclasses import replace

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import State
from primum.nodes.critique import problems
from primum.nodes.draft import TOKENS_A_WORD, tells_again
from primum.nodes.evidence import judge, read_passages
from primum.nodes.opening import max_words, opening
from primum.nodes.prompts import render
from primum.retrieval.search import Passage
from primum.safety.sentences import join_answer


async def refine(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    passages = await read_passages(state, context)
    mended = remark(state["draft"], passages, state)
    left = problems(judge(mended, passages, state), passages)
    unverified = [finding for finding in state["findings"] if not finding["verified"]]
    revisions = state.get("revisions", 0) + 1
    if not left and not unverified:
        return State(draft=mended, revisions=revisions)
    task = render("refine", findings=left + unverified)
    prompt = await opening(state, context)
    reply = await context.writer.write(
        [*prompt, ("assistant", state["draft"]), ("user", task)],
        max_tokens=max_words(state, context) * TOKENS_A_WORD,
        temperature=state.get("temperature") or 0.0,
        until=tells_again,
    )
    revised = remark(reply.text, passages, state)
    if _worth(revised, passages, state) > _worth(mended, passages, state):
        return State(draft=revised, logprob=reply.logprob, revisions=revisions)
    return State(draft=mended, revisions=revisions, settled=True)


def remark(text: str, passages: Mapping[int, Passage], state: State) -> str:
    """The draft with markers put right by code: where another passage proves a sentence, that one is cited."""
    verdicts = judge(text, passages, state)
    return join_answer(replace(v.sentence, markers=v.better) if v.better else v.sentence for v in verdicts)


def _worth(text: str, passages: Mapping[int, Passage], state: State) -> tuple[int, int]:
    """Few violations first, then many proven sentences; a draft that proves nothing is worth least."""
    verdicts = judge(text, passages, state)
    proven = sum(v.clinical and v.stands for v in verdicts)
    return (-len(problems(verdicts, passages)), proven) if proven else (-(10**6), 0)
