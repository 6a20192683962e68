"""triage: reads the question, writes what the safety rules find in it. No model is asked.

An earlier question about the same person is read with it: what the two show together counts too.

Beside the rules stands a second look, by likeness to examples. It adds emergencies and requests for harm that no rule
knew, and never takes one away.
"""

from collections.abc import Sequence

from langgraph.runtime import Runtime

from primum.graph.context import Context, Examples
from primum.graph.errors import RetrievalFailed
from primum.graph.state import State
from primum.nodes.examples import meaningful, telling
from primum.safety import harm, red_flags
from primum.safety.calculation import asked_in
from primum.safety.harm import Refusal
from primum.safety.profile import Profile
from primum.safety.red_flags import Triage
from primum.safety.threads import together
from primum.safety.validator import found, told


async def triage(state: State, runtime: Runtime[Context]) -> State:
    context, question = runtime.context, state["question"]
    # What this question says goes first, then the request, then the chart: a parent asks about a child.
    chart = context.profile.merged(Profile(**state["known"]))
    profile = told(question, chart)
    earlier = together(question, [exchange["question"] for exchange in state["history"]])
    signs = red_flags.follow_up(question, earlier, profile, chart.less(told(question, Profile())))
    by_rules, refusal, degraded = signs, harm.judge(question), []
    if may_be_more(question, signs):
        try:
            vector = await context.vector(meaningful(question))
            signs, refusal = look_again(question, vector, signs, refusal, context.examples)
        except RetrievalFailed as error:
            degraded = [f"triage: {error}"]
    # A clinician knows what to do: what no rule names is a hint to them, and no alarm.
    hinted = signs is not by_rules and context.audience == "clinician"
    hint = f"**May be {' or '.join(signs.names)}**, by likeness to examples; no rule names it.\n\n" if hinted else ""
    report = found(question, profile, signs)
    shown = by_rules if hinted else signs
    pressing = shown.disposition in ("emergency", "urgent")
    # Who may hurt themselves is not turned away: the card says whom to call.
    refused = refusal.text if refusal and report.disposition != "emergency" else ""
    return State(
        profile=profile.model_dump(mode="json", exclude_defaults=True),
        report=report.model_dump(mode="json"),
        # Below urgent it consoles who is in distress, and a clinician writes of somebody else.
        card=hint + (red_flags.card(shown, context.region) if pressing or context.audience == "patient" else ""),
        signs=list(signs.names) if signs.language == "en" else [],
        refusal=refused,
        degraded=degraded,
    )


def may_be_more(question: str, signs: Triage) -> bool:
    """Whether there is something to look for: the examples are English, and above an emergency there is nothing."""
    return signs.language == "en" and signs.disposition != "emergency" and bool(telling(question))


def look_again(
    question: str, vector: Sequence[float], signs: Triage, refusal: Refusal | None, examples: Examples
) -> tuple[Triage, Refusal | None]:
    """What the rules found, and what a message of this vector is taken for where they found less.

    The inputs of a score are like an emergency: where a question has nothing else, and no rule fired, it is none.
    """
    if refusal is None and examples.harm and (labels := examples.harm.nearest(vector)):
        refusal = harm.declined(labels[0])
    emergencies = None if refusal or _is_sum(question, signs) else examples.emergencies
    if emergencies and (labels := emergencies.nearest(vector)):
        signs = red_flags.suspected(signs, labels)
    return signs, refusal


def _is_sum(question: str, signs: Triage) -> bool:
    asked = None if signs.findings else asked_in(question, Profile())
    return asked is not None and asked.all_read
