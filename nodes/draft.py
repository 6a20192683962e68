"""draft: reads the question, the thread and the passages, writes an answer whose sentences carry markers."""

from langgraph.runtime import Runtime

from primum.graph.context import Context, Message
from primum.graph.state import State
from primum.nodes.evidence import judge, read_passages
from primum.nodes.prompts import render
from primum.safety.sentences import split_answer

TOKENS_A_WORD = 2  # markers and numbers included, with room
FACTS = 40  # of the chart, that a prompt names
HOPELESS = 4  # sentences in a row, none of them proven by any passage, after which the rest is not waited for


async def draft(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    passages = await read_passages(state, context)

    proven = False

    def hopeless(text: str) -> bool:
        nonlocal proven
        if not proven:
            ended = text[: max(text.rfind(". "), text.rfind("\n")) + 1]
            clinical = [v for v in judge(ended, passages, state) if v.clinical]
            proven = any(v.stands or v.better for v in clinical)
            return not proven and len(clinical) >= HOPELESS
        return False

    context.run.prompt = await opening(state, context)
    reply = await context.writer.write(
        context.run.prompt,
        max_tokens=max_words(state, context) * TOKENS_A_WORD,
        temperature=state.get("temperature") or 0.0,
        until=(lambda text: tells_again(text) or hopeless(text)) if passages else tells_again,
    )
    return State(draft=reply.text, logprob=reply.logprob, reasoning=reply.reasoning, settled=hopeless(reply.text))


def tells_again(text: str) -> bool:
    """Whether two whole sentences of six words or more stand there for the second time: nothing new will come."""
    told = [sentence.text.casefold() for sentence in split_answer(text)[:-1] if len(sentence.text.split()) >= 6]
    return len(told) - len(set(told)) >= 2


async def opening(state: State, context: Context) -> list[Message]:
    """The prompt that draft, critique and refine of a turn begin with, so that a server's prefix cache serves all."""
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
