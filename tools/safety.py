"""The safety rules as LangChain tools, for other agents: `create_agent(model, tools=SAFETY_TOOLS)`."""

from typing import Any

from langchain_core.tools import BaseTool, tool

from primum.safety import allergies, doses, interactions, red_flags, validator
from primum.safety.findings import Finding
from primum.safety.lexicon import canonical
from primum.safety.profile import Profile


def _told(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [finding.model_dump() for finding in findings]


@tool
def triage(text: str, profile: Profile | None = None) -> dict[str, Any]:
    """Find warning signs in a description of symptoms or vital signs: how soon help is needed, and why.

    `disposition` is emergency, urgent, routine, self_care or none; none means that no rule matched, not that all is
    well.
    """
    found = red_flags.assess(text, profile)
    return {"disposition": found.disposition, "findings": _told(found.findings), "advice": list(found.advice)}


@tool
def check_interactions(medicines: list[str]) -> list[dict[str, Any]]:
    """Interactions between medicines, by brand or generic name; also alcohol, grapefruit and other foods.

    A pair that is in no table is reported as not found, which does not mean safe.
    """
    return _told(interactions.check([canonical(name) for name in medicines], tell_unknown=True))


@tool
def check_allergies(medicines: list[str], allergies_known: list[str]) -> list[dict[str, Any]]:
    """Whether medicines are the same as, or react with, what a person is allergic to."""
    return _told(allergies.check([canonical(name) for name in medicines], allergies_known))


@tool
def check_dose(text: str, profile: Profile | None = None) -> list[dict[str, Any]]:
    """Doses in a text ("ibuprofen 800 mg four times a day") against the limits for this person."""
    return _told(doses.check(text, profile or Profile(), tell_unknown=True))


@tool
def check_text(text: str, profile: Profile | None = None) -> dict[str, Any]:
    """Everything the safety rules find in a text, for this person: a report with findings and their sources."""
    return validator.examine(text, profile).model_dump()


SAFETY_TOOLS: tuple[BaseTool, ...] = (triage, check_interactions, check_allergies, check_dose, check_text)
