"""work_up: reads a case and its passages, writes the form that the model filled, and its sentences for the audit."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from primum.graph.context import Context
from primum.graph.state import State
from primum.nodes.evidence import judge, read_passages
from primum.nodes.opening import opening

TOKENS = 2_000  # of a filled form
HOPELESS = 8  # sentences of it, said again or not, of which no passage proves one: the rest is not waited for
LONGEST = 400
Short = Annotated[str, Field(max_length=LONGEST)]


class Point(BaseModel):
    """Words of the case, and what a passage says of them."""

    finding: str = Field(max_length=200)
    sentence: Short


class Diagnosis(BaseModel):
    """A condition that the case may be."""

    condition: str = Field(max_length=120)
    cant_miss: bool
    speaks_for: list[Point] = Field(max_length=4)
    speaks_against: list[Point] = Field(max_length=3)
    next_test: Short


class Workup(BaseModel):
    """A case, worked up by the model; nothing of it is shown before it was audited."""

    reasoning: str = Field(max_length=2_000)
    differential: list[Diagnosis] = Field(max_length=6)
    working_diagnosis: str = Field(max_length=120)
    because: Short
    investigations: list[Short] = Field(max_length=8)
    treatment: list[Short] = Field(max_length=8)
    missing: list[Annotated[str, Field(max_length=160)]] = Field(max_length=6)


async def work_up(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    passages = await read_passages(state, context)

    def hopeless(begun: Mapping[str, Any]) -> bool:
        if len(list(_sentences(begun))) < HOPELESS:
            return False
        return not any(v.clinical and (v.stands or v.better) for v in judge(_listed(begun), passages, state))

    form = await context.writer.fill(await opening(state, context), Workup, max_tokens=TOKENS, until=hopeless)
    return State(workup=form.model_dump(), draft=draft_of(form), reasoning=form.reasoning.strip())


def draft_of(form: Workup) -> str:
    """The form's sentences as a list: what the audit reads."""
    return _listed(form.model_dump())


def _listed(form: Mapping[str, Any]) -> str:
    return "\n".join(f"- {sentence}" for sentence in _sentences(form))


def _sentences(form: Mapping[str, Any]) -> Iterator[str]:
    """Those of a form, or of what is there of one."""
    written: list[str] = []
    for one in form.get("differential", []):
        written += [point.get("sentence", "") for point in (*one.get("speaks_for", []), *one.get("speaks_against", []))]
        written.append(one.get("next_test", ""))
    written += [form.get("because", ""), *form.get("investigations", []), *form.get("treatment", [])]
    return (line for sentence in written if (line := " ".join(sentence.split())))


def rewritten(form: Workup, write: Callable[[str], str]) -> Workup:
    """The form with each of its sentences as `write` writes it; one that becomes too long for it goes."""

    def within(text: str) -> str:
        written = write(text)
        return written if len(written) <= LONGEST else ""

    def point(one: Point) -> Point:
        return one.model_copy(update={"sentence": within(one.sentence)})

    differential = [
        one.model_copy(
            update={
                "speaks_for": [point(each) for each in one.speaks_for],
                "speaks_against": [point(each) for each in one.speaks_against],
                "next_test": within(one.next_test),
            }
        )
        for one in form.differential
    ]
    return form.model_copy(
        update={
            "differential": differential,
            "because": within(form.because),
            "investigations": [within(one) for one in form.investigations],
            "treatment": [within(one) for one in form.treatment],
        }
    )
