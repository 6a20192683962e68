"""ClinicalTrials.gov: what is, and was, being tried. A registered trial is evidence only where it has results."""

from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from primum.retrieval.loaders import Source
from primum.retrieval.plaintext import clean, line
from primum.tools.deidentify import Query
from primum.tools.paper import first_day
from primum.tools.service import Service, Several, Told

_LICENCE = "Public domain; ClinicalTrials.gov, National Library of Medicine"
_LONGEST = 4_000  # characters of the criteria of who can take part


class _Identity(BaseModel):
    number: str = Field(alias="nctId", pattern=r"^NCT\d{8}$")
    title: Told = Field("", alias="briefTitle")
    official: Told = Field("", alias="officialTitle")


class _Day(BaseModel):
    date: Told = ""


class _Status(BaseModel):
    now: Told = Field("", alias="overallStatus")
    start: _Day = Field(default_factory=_Day, alias="startDateStruct")
    updated: _Day = Field(default_factory=_Day, alias="lastUpdatePostDateStruct")


class _Description(BaseModel):
    brief: Told = Field("", alias="briefSummary")
    detailed: Told = Field("", alias="detailedDescription")


class _Count(BaseModel):
    count: int | None = None


class _Design(BaseModel):
    kind: Told = Field("", alias="studyType")
    phases: Several = Field(default_factory=list)
    enrolled: _Count = Field(default_factory=_Count, alias="enrollmentInfo")


class _Conditions(BaseModel):
    conditions: Several = Field(default_factory=list)


class _Intervention(BaseModel):
    type: Told = ""
    name: Told = ""
    description: Told = ""


class _Arms(BaseModel):
    interventions: list[_Intervention] = Field(default_factory=list)


class _Outcome(BaseModel):
    measure: Told = ""
    description: Told = ""
    when: Told = Field("", alias="timeFrame")


class _Outcomes(BaseModel):
    primary: list[_Outcome] = Field(default_factory=list, alias="primaryOutcomes")


class _Eligibility(BaseModel):
    criteria: Told = Field("", alias="eligibilityCriteria")


class _Protocol(BaseModel):
    identity: _Identity = Field(alias="identificationModule")
    status: _Status = Field(default_factory=_Status, alias="statusModule")
    description: _Description = Field(default_factory=_Description, alias="descriptionModule")
    design: _Design = Field(default_factory=_Design, alias="designModule")
    conditions: _Conditions = Field(default_factory=_Conditions, alias="conditionsModule")
    arms: _Arms = Field(default_factory=_Arms, alias="armsInterventionsModule")
    outcomes: _Outcomes = Field(default_factory=_Outcomes, alias="outcomesModule")
    who: _Eligibility = Field(default_factory=_Eligibility, alias="eligibilityModule")


class _Study(BaseModel):
    protocol: _Protocol = Field(alias="protocolSection")
    has_results: bool = Field(False, alias="hasResults")


class _Answer(BaseModel):
    studies: list[Any] = Field(default_factory=list)


class Trials(Service):
    """Records of ClinicalTrials.gov (version 2 of its API)."""

    name = "ctgov"
    label = "ClinicalTrials.gov"
    address = "https://clinicaltrials.gov/api/v2"
    per_second = 0.8  # about 50 requests a minute are let through

    async def search(self, query: Query, limit: int) -> list[Source]:
        """The trials that match best. Raises LookUpFailed."""
        params = {"query.term": query.text, "pageSize": str(limit), "format": "json"}
        answer = self.shaped(_Answer, await self.json("/studies", params))
        return [_source(study) for study in self.each(_Study, answer.studies)]


def _source(study: _Study) -> Source:
    protocol, design = study.protocol, study.protocol.design
    number, status = protocol.identity.number, _words(protocol.status.now)
    title = line(protocol.identity.title or protocol.identity.official) or number
    url = f"https://clinicaltrials.gov/study/{number}"
    about = {"title": title, "publisher": "ClinicalTrials.gov", "url": url, "status": status}
    phases = [_words(str(one)) for one in design.phases if one != "NA"]
    return Source(
        uri=f"ctgov:{number}",
        title=title,
        text=_text(protocol, status, phases, study.has_results),
        kind="trial",
        url=url,
        sources=[{**about, **({"phase": ", ".join(phases)} if phases else {})}],
        origin=Trials.name,
        licence=_LICENCE,
        evidence="trial" if study.has_results and design.kind == "INTERVENTIONAL" else "",
        published=_date(protocol.status.updated.date),
    )


def _text(protocol: _Protocol, status: str, phases: list[str], has_results: bool) -> str:
    design, people = protocol.design, protocol.design.enrolled.count
    told = [
        f"{', '.join([_words(design.kind).capitalize() or 'Study', *phases])}: {status or 'unknown'}.",
        f"Started {protocol.status.start.date}." if protocol.status.start.date else "",
        f"{people} people." if people else "",
        "Results are posted." if has_results else "No results are posted: it shows nothing of what works.",
    ]
    arms = [": ".join(filter(None, (one.name, one.description))) for one in protocol.arms.interventions]
    outcomes = [
        ": ".join(filter(None, (one.measure, one.description))) + (f" ({one.when})" if one.when else "")
        for one in protocol.outcomes.primary
    ]
    sections = {
        "Standing": " ".join(filter(None, told)),
        "Summary": protocol.description.brief,
        "Conditions": ", ".join(map(str, protocol.conditions.conditions)),
        "Interventions": "\n".join(f"- {line(one)}" for one in arms if one),
        "Main outcomes": "\n".join(f"- {line(one)}" for one in outcomes if one),
        "Description": protocol.description.detailed,
        "Who can take part": protocol.who.criteria[:_LONGEST],
    }
    return clean("\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items() if text.strip()))


def _words(code: str) -> str:
    """`NOT_YET_RECRUITING` and `PHASE3` in words."""
    return code.replace("_", " ").lower().replace("phase", "phase ").replace("  ", " ").strip()


def _date(told: str) -> date | None:
    return first_day(*told.split("-")) if told.count("-") <= 2 else None
