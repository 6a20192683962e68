"""triage: reads the question, writes what the safety rules find in it. No model is asked."""

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import State, fresh_turn
from primum.safety import harm, red_flags
from primum.safety.profile import Profile
from primum.safety.validator import found, told


async def triage(state: State, runtime: Runtime[Context]) -> State:
    context, question = runtime.context, state["question"]
    # What earlier questions of the thread said of the person holds, but an age: the next may be about someone else.
    # What the request says goes before it, and before that what this question says: a parent asks about a child.
    before = Profile(**state.get("told", {}))
    said, profile = told(question, before), told(question, context.profile.merged(before))
    signs = red_flags.assess(question, profile)
    report = found(question, profile, signs)
    refusal = harm.judge(question)
    # Who may hurt themselves is not turned away: the card says whom to call.
    refused = refusal.text if refusal and report.disposition != "emergency" else ""
    return State(
        **fresh_turn()
        | {
            "told": said.model_dump(mode="json", exclude_defaults=True, exclude={"age", "weight_kg", "sex"}),
            "profile": profile.model_dump(mode="json", exclude_defaults=True),
            "report": report.model_dump(mode="json"),
            "card": red_flags.card(signs, context.region),
            "signs": list(signs.names) if signs.language == "en" else [],
            "refusal": refused,
        }
    )
