"""A patient's chart as a tool, for one patient alone: whose it is was settled before a model could choose."""

from datetime import UTC, datetime
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, ConfigDict, Field

from primum.memory.chart import Charts, Known, Recalled
from primum.memory.facts import Fact, Kind, profile_of
from primum.memory.identity import Identity
from primum.safety import injection
from primum.safety.profile import Profile
from primum.tools.gap import tell_gaps
from primum.tools.safety import told_wrong


class Wanted(BaseModel):
    """Which facts."""

    model_config = ConfigDict(extra="forbid")

    kinds: list[Kind] = Field(default_factory=list, max_length=20, description="only these; leave out for all")


class Remembered(BaseModel):
    """One fact, and the words that prove it."""

    kind: Kind
    text: str
    proof: str = Field(description="the patient's own words, a record's or a form's")
    said: str = Field(description="the day on which it was told")
    source: str = Field(description="rules or model (read from what the patient wrote), form, import")


class Unclear(BaseModel):
    """Two facts that can't both be true. Until somebody clears it up, `kept` is gone by."""

    known: str
    new: str
    kept: str


class Remembrance(BaseModel):
    """What is known of a patient."""

    facts: list[Remembered]
    unclear: list[Unclear]
    profile: Profile = Field(description="the same for the `profile` argument of the checks")
    withheld: int = Field(description="facts that are not given, since their words speak to a model")


def facts_tool(charts: Charts, identity: Identity, actor: str) -> BaseTool:
    """`recall_facts`, of this patient; each reading is noted in the audit under `actor`."""

    async def run(kinds: list[Kind] | None = None) -> dict[str, Any]:
        return _told(await charts.read(identity, actor), frozenset(kinds or ())).model_dump(mode="json")

    made = StructuredTool(
        name="recall_facts",
        description="What is known of the patient: allergies, medicines, conditions, age, pregnancy, kidney function … "
        "Each fact with the words that prove it, and what is unclear. Call it before advising on a medicine, and give "
        "its `profile` to the checks. What is not in it is not known; it does not mean no.",
        args_schema=Wanted,
        coroutine=run,
        handle_validation_error=told_wrong,
    )
    tell_gaps(made)
    return made


def _told(found: Recalled, kinds: frozenset[Kind]) -> Remembrance:
    kept = [one for one in found.facts if not _speaks(one.fact)]
    unclear = [one.contradiction for one in found.unclear]
    unclear = [one for one in unclear if not _speaks(one.known) and not _speaks(one.new)]
    return Remembrance(
        facts=[_shown(one) for one in kept if not kinds or one.fact.kind in kinds],
        unclear=[
            Unclear(known=one.known.words, new=one.new.words, kept=one.kept)
            for one in unclear
            if not kinds or one.known.kind in kinds
        ],
        profile=profile_of([one.fact for one in kept], today=datetime.now(UTC).date()) if kept else Profile(),
        withheld=len(found.facts) - len(kept),
    )


def _shown(one: Known) -> Remembered:
    fact = one.fact
    return Remembered(
        kind=fact.kind, text=fact.words, proof=_proof(fact), said=fact.said.isoformat(), source=one.source
    )


def _proof(fact: Fact) -> str:
    return " … ".join(quote.text for quote in fact.quotes if quote.role != "doctor")


def _speaks(fact: Fact) -> bool:
    return bool(injection.suspicious(f"{fact.words}\n{_proof(fact)}"))
