"""What Primum gives other agents to call, as LangChain tools. Those that know a patient are bound to one identity."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, ConfigDict, Field

from primum.graph.answer import Answer, Citation, Status
from primum.graph.context import Audience
from primum.graph.errors import BadInput
from primum.graph.request import MAX_NAME, MAX_QUESTION
from primum.graph.resources import Resources
from primum.memory.identity import Identity
from primum.retrieval.search import Retriever
from primum.safety.findings import Disposition, Finding, SafetyReport
from primum.safety.profile import Profile
from primum.tools.calculators import CALCULATOR_TOOLS
from primum.tools.chart import Remembrance, facts_tool
from primum.tools.evidence import Searched, evidence_tool, withheld
from primum.tools.gap import tell_gaps
from primum.tools.literature import literature_tools
from primum.tools.safety import SAFETY_TOOLS, Known, told_wrong

if TYPE_CHECKING:
    from primum.graph.agent import Agent

OnStep = Callable[[str], Awaitable[None]]  # told the name of each step of a turn as it begins


class Question(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=MAX_QUESTION, description="in the person's own words, all of them")
    thread: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_NAME,
        pattern=r"^[!-~]+$",
        description="the conversation to go on with, as an earlier answer gave it; leave out to begin one",
    )
    profile: Known = None


class Asked(BaseModel):
    """An audited answer."""

    text: str = Field(description="Markdown with markers [1], [2] …; each is one of `citations`")
    status: Status
    disposition: Disposition = Field(description="how soon help is needed")
    citations: list[Citation]
    safety: SafetyReport
    confidence: float
    problems: list[str] = Field(description="steps that could not be done, and why")
    thread: str = Field(description="for the next question of this conversation")
    run_id: str


class Triage(BaseModel):
    """What `triage` gives."""

    disposition: Disposition
    findings: list[Finding]
    advice: list[str]


class Findings(BaseModel):
    """What a check gives, put into an object where a list alone won't do."""

    findings: list[Finding] = Field(description="`none.matched`: no rule matched, which does not mean safe")


class Screened(BaseModel):
    """What `screen_request` gives."""

    declined: bool
    category: str | None
    reply: str
    findings: list[Finding]


RESULTS: Mapping[str, type[BaseModel]] = {
    "ask": Asked, "search_evidence": Searched, "recall_facts": Remembrance, "triage": Triage,
    "check_interactions": Findings, "check_allergies": Findings, "check_dose": Findings, "check_person": Findings,
    "check_text": SafetyReport, "screen_request": Screened,
}  # fmt: skip


def tools_for(agent: "Agent", identity: Identity, audience: Audience, actor: str | None = None) -> tuple[BaseTool, ...]:
    """All tools, for one patient and one who asks."""
    return (*personal_tools(agent, identity, audience, actor), *shared_tools(agent.resources))


def personal_tools(
    agent: "Agent", identity: Identity, audience: Audience, actor: str | None = None, on_step: OnStep | None = None
) -> tuple[BaseTool, ...]:
    """`ask`, `search_evidence` and `recall_facts`: what they find depends on whose they are."""
    resources = agent.resources
    return (
        _ask_tool(agent, identity, audience, actor, on_step),
        evidence_tool(resources.library.of(identity.tenant)),
        facts_tool(resources.charts, identity, actor or audience),
    )


def shared_tools(resources: Resources) -> tuple[BaseTool, ...]:
    """The checks and calculators, which are the same for all, and the literature as far as the settings allow it."""
    literature = resources.literature
    outside: tuple[BaseTool, ...] = ()
    if literature is not None:
        outside = literature_tools(literature.services, literature.cache, resources.settings.literature_timeout)
    for tool in outside:
        tell_gaps(tool)
    return (*SAFETY_TOOLS, *CALCULATOR_TOOLS, *outside)


def _ask_tool(
    agent: "Agent", identity: Identity, audience: Audience, actor: str | None, on_step: OnStep | None
) -> BaseTool:
    async def run(question: str, thread: str | None = None, profile: Profile | None = None) -> dict[str, Any]:
        conversation = thread or str(uuid4())
        events = agent.stream(
            question,
            patient=identity.patient,
            tenant=identity.tenant,
            thread=conversation,
            audience=audience,
            profile=profile,
            actor=actor,
        )
        answer: Answer | None = None
        async for event in events:
            if event.name == "step" and event.data["state"] == "started" and on_step is not None:
                await on_step(str(event.data["name"]))
            if event.name == "error":
                raise ToolException(str(event.data["message"]))
            if event.name == "done":
                answer = Answer.model_validate(event.data)
        assert answer is not None  # a turn ends with `done` or `error`
        return _told(answer, conversation).model_dump(mode="json")

    made = StructuredTool(
        name="ask",
        description="Ask Primum a medical question. It searches its library, writes, and audits each sentence against "
        "its sources and against what is known of the patient, who is remembered. Pass the answer on whole, with its "
        "markers and sources, and add no advice of your own. If `disposition` is emergency or urgent, say that first.",
        args_schema=Question,
        coroutine=run,
        handle_validation_error=told_wrong,
    )
    tell_gaps(made)
    return made


def _told(answer: Answer, thread: str) -> Asked:
    return Asked(
        text=answer.text,
        status=answer.status,
        disposition=answer.disposition,
        citations=answer.citations,
        safety=answer.safety,
        confidence=answer.confidence,
        problems=answer.trace.problems,
        thread=thread,
        run_id=answer.trace.run_id,
    )


async def document_text(library: Retriever, document_id: int) -> str:
    """A document of the library as Markdown, without what `search_evidence` withholds.

    Raises:
        BadInput: there is no such document.
        MemoryUnavailable: the database can't be reached.
    """
    passages = await library.document(document_id)
    if not passages:
        raise BadInput(f"The library has no document {document_id}.")
    reasons = [withheld(one) for one in passages]
    title = f"Document {document_id}" if reasons[0] else passages[0].title
    parts = [f"# {title}", passages[0].address]
    for one, reason in zip(passages, reasons, strict=True):
        heading = f"## {one.heading}\n\n" if one.heading else ""
        parts.append(f"*Withheld: {reason}.*" if reason else f"{heading}{one.text}")
    return "\n\n".join(part for part in parts if part)
