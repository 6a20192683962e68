"""critique: reads the draft and its passages, writes what is wrong. Code first; the model audits what stands."""

from collections.abc import Mapping
from typing import Literal

from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from primum.graph.context import Attempt, Context
from primum.graph.state import Problem, State
from primum.nodes.evidence import judge, left_aside, read_passages
from primum.nodes.opening import opening
from primum.nodes.prompts import render
from primum.retrieval.search import Passage
from primum.safety.support import Verdict, Violation

ADVICE = {
    "missing_marker": "has no marker.",
    "wrong_marker": "cites {subjects}, which does not prove it.",
    "unsupported": "says {subjects}, which its passage does not.",
    "number": "gives {subjects}, which its passage does not.",
    "drug": "names {subjects}, which its passage does not.",
    "negation": "affirms what its passage denies, or denies what it affirms.",
    "direction": "turns round what its passage says ({subjects}).",
    "permission": "gives leave that its passage does not: of a lower dose, or of another medicine, is no leave.",
    "somebody": "tells of one person what no passage can know.",
    "beside": "cites {subjects}, which is about something else than the question.",
    "dangling": "opens with a word that points back, and no sentence before it says to what.",
    "population": "changes for whom it holds ({subjects}).",
    "danger": "must not be said to this person: {subjects}",
}


class Objection(BaseModel):
    """One sentence that can't stand, and the passage's words that show why."""

    sentence: int = Field(ge=1)
    kind: Literal["contradicted", "condition_left_out", "misleading"]
    quote: str = Field(max_length=400)


class Audit(BaseModel):
    """The reviewer's objections; none if all is well."""

    objections: list[Objection] = Field(max_length=10)


async def critique(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    found = await _findings(state, context)
    context.run.attempts.append(Attempt(state["draft"], found))
    return State(findings=found)


async def _findings(state: State, context: Context) -> list[Problem]:
    passages = await read_passages(state, context)
    verdicts = judge(state["draft"], passages, state)
    found = problems(verdicts, passages if state["route"] == "evidence" else {})
    clinical = [v for v in verdicts if v.clinical]
    if found or not clinical or state["route"] not in ("evidence", "case"):
        return found
    return await objections_to(clinical, passages, state, context)


async def objections_to(
    clinical: list[Verdict], passages: Mapping[int, Passage], state: State, context: Context
) -> list[Problem]:
    """What the model finds wrong with sentences that code let pass. Raises ModelUnavailable, InvalidModelOutput."""
    numbered = "\n".join(f"{number}. {verdict.sentence.marked()}" for number, verdict in enumerate(clinical, 1))
    prompt = await opening(state, context)
    audit = await context.critic.fill(
        [*prompt, ("assistant", numbered), ("user", render("critique"))], Audit, max_tokens=500
    )
    return objections(audit, clinical, passages)


def problems(verdicts: list[Verdict], passages: Mapping[int, Passage]) -> list[Problem]:
    """What code proved wrong, a line for each violation."""
    found = [_problem(verdict, violation) for verdict in verdicts for violation in verdict.violations]
    if nearest := left_aside(verdicts, passages):
        subjects = [f"[{number}]" for number in nearest]
        advice = f"leaves the question unanswered: {', '.join(subjects)} would answer it."
        first = next(verdict.sentence.text for verdict in verdicts if verdict.quotes)
        found.append(Problem(rule="left_aside", sentence=first, subjects=subjects, advice=advice, verified=True))
    return found


def _problem(verdict: Verdict, violation: Violation) -> Problem:
    subjects = list(violation.subjects)
    return Problem(
        rule=violation.rule,
        sentence=verdict.sentence.text,
        subjects=subjects,
        advice=ADVICE[violation.rule].format(subjects=", ".join(subjects)),
        verified=True,
    )


def objections(audit: Audit, clinical: list[Verdict], passages: Mapping[int, Passage]) -> list[Problem]:
    """The model's objections that hold: about a sentence there is, with words that a cited passage really has."""
    kept: list[Problem] = []
    for objection in audit.objections:
        if objection.sentence > len(clinical):
            continue
        sentence = clinical[objection.sentence - 1].sentence
        quote = " ".join(objection.quote.split()).lower()
        texts = [" ".join(passages[n].text.split()).lower() for n in sentence.markers if n in passages]
        if len(quote.split()) >= 3 and any(quote in text for text in texts):
            advice = f"is {objection.kind.replace('_', ' ')}; the passage says: “{objection.quote.strip()}”."
            kept.append(
                Problem(rule=objection.kind, sentence=sentence.text, subjects=[], advice=advice, verified=False)
            )
    return kept
