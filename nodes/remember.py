"""remember: after the reply, reads the turn, keeps what the model finds that the rules did not, and sums up the thread.

It runs as a job: again after a crash, once in its effects, and never in the reader's way.
"""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field

from primum.graph.context import Context
from primum.graph.errors import InvalidModelOutput, ModelUnavailable
from primum.memory.proposals import Proposals, confirmed, worth_asking
from primum.memory.summaries import ADVISED, EACH, Due, folded
from primum.memory.threads import TurnRow
from primum.nodes.asking import asked_back
from primum.nodes.prompts import render
from primum.safety.clinical import is_clinical
from primum.safety.sentences import split_answer

MOST_TOKENS = 1200  # of the model's list of facts


class Choice(BaseModel):
    """The numbers of the sentences that matter."""

    numbers: list[int] = Field(max_length=20)


async def remember(turn: TurnRow, context: Context) -> None:
    """Raises ModelUnavailable where the model is needed and away: the job is tried again."""
    await _sum_up(turn, context)
    if context.audience == "patient" and worth_asking(turn.question):
        await _notice(turn, context)


async def _notice(turn: TurnRow, context: Context) -> None:
    """What the model finds in the patient's words and code confirms; what is known by then stays as it is."""
    prompt = render("remember", message=turn.question)
    try:
        found = await context.router.fill([("user", prompt)], Proposals, max_tokens=MOST_TOKENS)
    except InvalidModelOutput:
        found = Proposals(facts=[])
    names = [one.value for one in found.facts if one.kind == "condition"]
    titled = await context.library.titled(names) if names else frozenset()
    facts = confirmed(
        found,
        turn.question,
        message_id=str(turn.run_id),
        today=turn.created_at.date(),
        knows_condition=lambda name: name.casefold() in titled,
    )
    await context.charts.take(context.identity, facts, "model", run_id=turn.run_id)


async def _sum_up(turn: TurnRow, context: Context) -> None:
    limits = context.limits
    due = await context.summaries.due(context.identity, turn.thread_id, limits.history_turns, limits.summarise_after)
    if due is None:
        return
    sentences = {one["number"]: _sentences(one["answer"]) for one in due.turns}
    chosen, made_by = await _chosen(due, sentences, context)
    summary = folded(due, chosen, asked_back([one["answer"] for one in due.turns]))
    await context.summaries.keep(context.identity, turn.thread_id, due, summary, made_by)


async def _chosen(
    due: Due, sentences: Mapping[int, Sequence[str]], context: Context
) -> tuple[dict[int, list[str]], str]:
    """Of each turn the sentences that matter, by the model's choice; without a model the first."""
    first = {number: list(said[:EACH]) for number, said in sentences.items()}
    flat = [(turn["number"], sentence) for turn in due.turns for sentence in sentences[turn["number"]]]
    if sum(map(len, first.values())) == len(flat):
        return first, "rules"  # there is nothing to choose
    prompt = render("summarise", sentences=[(place, said) for place, (_, said) in enumerate(flat, 1)], most=ADVISED)
    try:
        choice = await context.router.fill([("user", prompt)], Choice, max_tokens=100)
    except (ModelUnavailable, InvalidModelOutput):
        return first, "rules"
    places = sorted({place for place in choice.numbers if 0 < place <= len(flat)})[:ADVISED]
    if not places:
        return first, "rules"
    chosen: dict[int, list[str]] = {}
    for number, sentence in (flat[place - 1] for place in places):
        chosen.setdefault(number, []).append(sentence)
    return chosen, context.model_name


def _sentences(answer: str) -> list[str]:
    """The sentences of an answer that say something, without warnings and questions back."""
    lines = [line for line in answer.splitlines() if not line.startswith((">", "**"))]
    return [one.text for one in split_answer("\n".join(lines)) if is_clinical(one.text)]
