"""triage: reads the question, writes what the safety rules find in it. No model is asked."""

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import State, fresh_turn
from primum.safety import harm, red_flags
from primum.safety.profile import Profile
from primum.safety.validator import examine, told


async def triage(state: State, runtime: Runtime[Context]) -> State:
    context, question = runtime.context, state["question"]
    # What earlier questions of the thread said of the person holds, but an age: the next may be about someone else.
    # What the request says goes before it.
    said = told(question, Profile(**state.get("told", {})))
    profile = context.profile.merged(said)
    report = examine(question, profile)
    signs = red_flags.assess(question, profile)
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
