"""What a turn returns (DESIGN.md, section 4). This is also its JSON schema: `Answer.model_json_schema()`."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from primum.graph.case import Case
from primum.safety.findings import Disposition, SafetyReport

Status = Literal["answered", "evidence_only", "emergency", "declined", "unverified", "waiting"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Citation(_Part):
    """One passage that the text rests on; `quote` stands in the document word for word."""

    marker: int = Field(ge=1)
    chunk_id: int
    document_id: int
    title: str
    heading: str
    url: str
    quote: str
    sources: list[dict[str, str]] = Field(
        default_factory=list, description="title, publisher, url of what the document rests on"
    )
    reviewed: str | None = None
    published: str | None = None
    stale: bool = Field(False, description="neither reviewed nor published within the last five years")
    page: int | None = Field(None, description="of a paged document, on which the passage begins")
    evidence: str = Field("", description="guideline, review, trial, case, label or textbook, if it is known")
    licence: str = ""
    language: str = "en"


class UsedFact(_Part):
    """A fact of the patient's chart that the answer took into account, and the words that prove it."""

    id: int
    kind: str
    text: str
    proof: str
    said: date
    source: str


class Support(_Part):
    """Counts over the clinical sentences, the model's, quoted ones and tools': those shown with proof, those taken out
    for lack of it, and both together. All are 0 where a clinician edited the text."""

    sentences: int = 0
    supported: int = 0
    removed: int = 0


class Signature(_Part):
    """What a clinician made of the answer before it left; `by` names their key or token, not them."""

    decision: Literal["approved", "edited", "refused"]
    by: str
    at: datetime


class Trace(_Part):
    """What the answer was made of. No patient text."""

    run_id: str
    model: str
    adapter: str | None = Field(
        None, description="that wrote, with the hash of what the server has loaded: `med@1a2b3c4d5e6f`"
    )
    adapters: dict[str, str] = Field(default_factory=dict, description="of each role that uses one")
    prompt_hashes: dict[str, str] = Field(default_factory=dict)
    corpus_version: str = ""
    rules_version: str = ""
    route: str = ""
    revisions: int = 0
    problems: list[str] = Field(
        default_factory=list, description="degraded steps and why, for example `draft: the model did not answer`"
    )
    timings_ms: dict[str, float] = Field(default_factory=dict)
    tokens: dict[str, int] = Field(default_factory=dict)


class Answer(_Part):
    """The audited answer to one question."""

    text: str = Field(description="Markdown with markers [1], [2] …; each marker is one of `citations`")
    status: Status
    disposition: Disposition = "none"
    citations: list[Citation] = Field(default_factory=list)
    safety: SafetyReport = SafetyReport()
    facts: list[UsedFact] = Field(default_factory=list, description="of the patient, that were taken into account")
    support: Support = Support()
    confidence: float = Field(0, ge=0, le=1, description="0 too where a clinician edited the text")
    case: Case | None = Field(None, description="of a clinician's case; the text tells the same")
    reasoning: str | None = Field(
        None, description="the model's, for clinicians who ask for it; not audited, and no part of the answer"
    )
    signed: Signature | None = Field(None, description="where answers are signed off: by whom, and how it was decided")
    trace: Trace
