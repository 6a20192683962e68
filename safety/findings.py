"""What the rules report: findings, and the report that holds them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["info", "minor", "moderate", "major", "contraindicated"]
Disposition = Literal["emergency", "urgent", "routine", "self_care", "none"]
SEVERITIES: tuple[Severity, ...] = ("info", "minor", "moderate", "major", "contraindicated")


class Finding(BaseModel):
    """What one rule says about a text and a profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str = Field(description="`<kind>.<id>`, for example `interaction.nsaid-anticoagulant`")
    severity: Severity
    subjects: list[str] = Field(description="the drugs, conditions, doses or words concerned")
    text: str = Field(description="what is wrong, why, and what to do, in plain words")
    source: str = Field(description="what the rule rests on: title, year, address")


class SafetyReport(BaseModel):
    """The findings on one text, the most severe first.

    `risk_level`: 0 nothing found, 1 minor or moderate, 2 major or urgent, 3 contraindicated or an emergency.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    risk_level: int = Field(0, ge=0, le=3)
    disposition: Disposition = "none"
    warnings: list[str] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)
