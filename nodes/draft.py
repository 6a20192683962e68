"""draft: reads the question, the thread and the passages, writes an answer whose sentences carry markers."""

from collections.abc import Iterable

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import State
from primum.nodes.ahead import Ahead
from primum.nodes.evidence import judge, read_passages
from primum.nodes.opening import max_words, opening
from primum.safety.sentences import split_answer
from primum.safety.support import Verdict

TOKENS_A_WORD = 2  # markers and numbers included, with room
HOPELESS = 4  # sentences in a row, none of them proven by any passage, after which the rest is not waited for


async def draft(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    passages = await read_passages(state, context)
    proven = not passages

    def over(text: str) -> bool:
        nonlocal proven
        if not proven:
            verdicts = judge(text, passages, state)[:-1]  # the last sentence may not have ended
            proven = any(v.clinical and (v.stands or v.better) for v in verdicts)
            return hopeless(verdicts)
        return False

    context.run.prompt = await opening(state, context)
    async with Ahead(state, context, runtime.stream_writer) as ahead:

        def until(text: str) -> bool:
            ahead.look(text)
            return tells_again(text) or over(text)

        reply = await context.writer.write(
            context.run.prompt,
            max_tokens=max_words(state, context) * TOKENS_A_WORD,
            temperature=state.get("temperature") or 0.0,
            until=until,
        )
    settled = bool(passages) and hopeless(judge(reply.text, passages, state))
    return State(draft=reply.text, logprob=reply.logprob, reasoning=reply.reasoning, settled=settled)


def hopeless(verdicts: Iterable[Verdict]) -> bool:
    """Whether enough is said, and nothing of it proven by any passage."""
    clinical = [v for v in verdicts if v.clinical]
    return len(clinical) >= HOPELESS and not any(v.stands or v.better for v in clinical)


def tells_again(text: str) -> bool:
    """Whether two whole sentences of six words or more stand there for the second time: nothing new will come."""
    told = [sentence.text.casefold() for sentence in split_answer(text)[:-1] if len(sentence.text.split()) >= 6]
    return len(told) - len(set(told)) >= 2
