"""A clinician's case, worked up: what `Answer.case` holds. Each sentence with a marker is proven by that citation."""

from pydantic import BaseModel, ConfigDict, Field

from primum.safety.findings import Finding


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(_Part):
    """The case's own clauses, word for word, sorted by rules."""

    person: str = Field("", description="age and sex, in Primum's words")
    findings: list[str] = Field(default_factory=list, description="what there is now")
    absent: list[str] = Field(default_factory=list, description="what is denied")
    vitals: list[str] = Field(default_factory=list)
    background: list[str] = Field(default_factory=list, description="what was before, and conditions of the chart")
    medicines: list[str] = Field(default_factory=list)
    allergies: list[str] = Field(default_factory=list)


class Point(_Part):
    """Words of the case, and what a source says of them."""

    finding: str
    sentence: str = Field(description="with its markers")


class Considered(_Part):
    """A condition that the case may be."""

    condition: str
    cant_miss: bool = Field(description="dangerous to miss: by a red flag, or in the model's word")
    rule: str = Field("", description="the red flag that names it; empty if none does")
    speaks_for: list[Point] = Field(default_factory=list)
    speaks_against: list[Point] = Field(default_factory=list)
    next_test: list[str] = Field(default_factory=list, description="what would decide, with markers")


class WorkingDiagnosis(_Part):
    """The condition that case and sources support."""

    condition: str
    because: list[str] = Field(description="sentences with their markers")


class Plan(_Part):
    """Sentences with their markers, each checked against this patient; `avoid` is what must not be given to them."""

    investigations: list[str] = Field(default_factory=list)
    treatment: list[str] = Field(default_factory=list)
    avoid: list[Finding] = Field(
        default_factory=list, description="medicines that the sources name and the rules forbid for this patient"
    )


class Missing(_Part):
    """What the case leaves out."""

    item: str = Field(
        description="age, sex, duration, vital_signs, medicines, allergies, history, pregnancy, weight or "
        "kidney_function by rules; `other` in the model's words"
    )
    question: str


class Case(_Part):
    """A case worked up. Without a model that holds, it is the library's own sentences and has no working diagnosis."""

    summary: str = Field(description="the problem in one line, in the case's own words")
    presentation: Told
    red_flags: list[Finding] = Field(default_factory=list)
    differential: list[Considered] = Field(
        default_factory=list, description="what the red flags name first, then the likeliest"
    )
    working_diagnosis: WorkingDiagnosis | None = None
    plan: Plan = Plan()
    missing: list[Missing] = Field(default_factory=list)
