"""recall: reads the patient's chart and the thread so far, adds what this question tells of them, by rules alone.

What a patient says of themselves goes into their chart at once: "I'm allergic to penicillin, what can I take?" is
answered with it. What is said of somebody else holds for the thread only and touches no chart.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langgraph.runtime import Runtime
from pydantic import ValidationError

from primum.graph.context import Context
from primum.graph.errors import MemoryUnavailable
from primum.graph.state import Exchange, State, fresh_turn
from primum.memory.chart import Known, Open, Recalled
from primum.memory.clauses import subject_of
from primum.memory.extract import extract
from primum.memory.facts import profile_of
from primum.memory.requests import ended, meant, request_in, without
from primum.nodes.asking import asked_in, cleared_up, last_answer
from primum.safety.profile import Profile
from primum.safety.validator import told

# Of somebody else: the next question may be about yet another person.
PASSING = frozenset({"age", "weight_kg", "height_cm", "sex"})
# Of somebody whose age is another, these are not known; medicines and allergies would only warn too often.
ONES_OWN = frozenset({"age", "weight_kg", "height_cm", "sex", "pregnant", "weeks_pregnant", "breastfeeding", "egfr",
                      "creatinine_umol_l"})  # fmt: skip
YEARS = 3  # that an age told may be off the one known, and still be of the same person


async def recall(state: State, runtime: Runtime[Context]) -> State:
    context, question = runtime.context, state["question"]
    others = _others(state)
    found = await context.charts.recall(context.identity, context.thread, context.limits.history_turns)
    before = found.facts
    if context.audience == "clinician":  # whose words are of the patient, and are no patient's words
        theirs, others = True, told(question, others)
        known = others.merged(_profile(found, context))
    else:
        subject = subject_of(question)
        found = found if subject == "other" else await _with_what_is_told(found, question, context)
        known = _profile(found, context)
        theirs = subject != "other" and not _is_another(question, known)
        if not theirs:
            known = others = told(question, others)
        elif subject == "both":
            known = Profile(**known.model_dump(exclude=set(ONES_OWN)))
    return State(
        **fresh_turn()
        | {
            "told": others.model_dump(mode="json", exclude_defaults=True, exclude=set(PASSING)),
            "known": known.model_dump(mode="json", exclude_defaults=True),
            "facts": [shown(one) for one in found.facts] if theirs else [],
            "forgotten": _forgotten(question, before, found) if context.audience == "patient" else [],
            "unclear": [_unclear(one) for one in found.unclear] if theirs else [],
            "summary": dict(found.summary.get("summary", {})),
            "history": [
                *state.get("before", []),
                *(Exchange(question=one["question"], answer=one["answer"]) for one in found.history),
            ],
        }
    )


def _others(state: State) -> Profile:
    """Those of whom the thread speaks beside the patient. Raises MemoryUnavailable if they can't be read any more."""
    try:
        return Profile.model_validate(state.get("told", {}))
    except ValidationError:
        raise MemoryUnavailable("Another version of Primum kept this conversation. Start a new one.") from None


def _profile(found: Recalled, context: Context) -> Profile:
    return profile_of([one.fact for one in found.facts], today=context.today) if found.facts else Profile()


async def _with_what_is_told(found: Recalled, question: str, context: Context) -> Recalled:
    """The chart with what the question tells; what the last answer asked back is how a bare yes is understood.

    What it asks to forget has ended, by the words that ask so, and is not told by them.
    """
    run, answer = last_answer(found.history)
    asked_id, request = f"{run}.answer", request_in(question)
    told_in = without(question, request) if request else question
    facts = extract(told_in, asked=asked_in(answer), today=context.today, message_id=context.run.id, asked_id=asked_id)
    if request:
        gone = meant(question, request, [one.fact for one in found.facts])
        facts += [ended(fact, question, request, context.run.id, context.today) for fact in gone]
    if not facts:
        return found
    about = cleared_up(answer, [one.contradiction for one in found.unclear])
    taken = await context.charts.take(context.identity, facts, "rules", run_id=UUID(context.run.id), asked_about=about)
    return Recalled(taken.facts, taken.unclear, found.summary, found.history)


def _forgotten(question: str, before: Sequence[Known], found: Recalled) -> list[str]:
    """What the question asked to forget and holds no more."""
    request = request_in(question)
    asked = meant(question, request, [one.fact for one in before]) if request else []
    held = {one.fact.key for one in found.facts}
    return [fact.words for fact in asked if fact.key not in held]


def _is_another(question: str, known: Profile) -> bool:
    """Whether a question names an age that the patient does not have: `how much paracetamol for a child of 5?`"""
    age = told(question, Profile()).age
    return age is not None and known.age is not None and abs(age - known.age) > YEARS


def shown(one: Known) -> dict[str, Any]:
    """A fact as an answer names it: what it says, and the words that prove it."""
    fact = one.fact
    return {
        "id": one.id,
        "kind": fact.kind,
        "text": fact.words,
        "proof": _proof(fact.quotes),
        "said": fact.said.isoformat(),
        "source": one.source,
    }


def _proof(quotes: Sequence[Any]) -> str:
    return " … ".join(quote.text for quote in quotes[-2:] if quote.role != "doctor") or quotes[-1].text


def _unclear(one: Open) -> dict[str, Any]:
    return one.contradiction.model_dump(mode="json", exclude_defaults=True)
