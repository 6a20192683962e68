"""The safety rules as LangChain tools, for other agents: `create_agent(model, tools=SAFETY_TOOLS)`.

What can't be used is answered with a sentence that says why, so that a model can mend its call. Imported interaction
tables are asked as long as `primum.safety.interactions.using(folder)` is open; an open agent of Primum opens its own.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from langchain_core.tools import BaseTool, ToolException, tool
from pydantic import Field

from primum.safety import allergies, contraindications, doses, harm, red_flags, routes, validator
from primum.safety.findings import Finding
from primum.safety.profile import Profile
from primum.tools.gap import tell_gaps

_LONGEST = 8_000

Text = Annotated[str, Field(min_length=1, max_length=_LONGEST, description="what was said or written, word for word")]
Medicines = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    Field(
        min_length=1,
        max_length=40,
        description="each with its form if it is no tablet, and as the person calls it: ['Coumadin', 'diclofenac gel']",
    ),
]
Known = Annotated[
    Profile | None, Field(description="what is known of the person; leave out what is not. Kidney: eGFR or creatinine")
]


def told_wrong(error: Any) -> str:
    """What is wrong with the arguments of a call (a `ValidationError`), field by field, for the model that made it."""
    faults = [f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}" for fault in error.errors()]
    return "The call can't be used. " + "; ".join(faults[:5])


_NOTHING = Finding(
    rule="none.matched",
    severity="info",
    subjects=[],
    text="No rule matched. That does not mean that it is safe: the rules do not know everything.",
    source="Primum's rules, none of which speaks of this",
)


def _told(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [finding.model_dump() for finding in findings]


def _checked(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Never empty: LangChain makes a message without content of an empty list, and a model would be told nothing."""
    return _told(findings) or _told([_NOTHING])


def _names(medicines: Sequence[str]) -> list[str]:
    return [name for medicine in medicines for name in validator.named_in(medicine)]


@tool
def triage(text: Text, profile: Known = None) -> dict[str, Any]:
    """Find warning signs in a description of symptoms or vital signs: how soon help is needed, and why.

    `disposition` is emergency, urgent, routine, self_care or none; none means that no rule matched, not that all is
    well.
    """
    found = red_flags.assess(text, profile)
    return {"disposition": found.disposition, "findings": _told(found.findings), "advice": list(found.advice)}


@tool
def check_interactions(medicines: Medicines) -> list[dict[str, Any]]:
    """Interactions between two or more medicines, by brand or generic name; also alcohol, grapefruit and other foods.

    A pair that is in no table is reported as not found, which does not mean safe. For a gel, drops or a spray a finding
    counts less where little of it reaches the blood, and says so.
    """
    if len(set(_names(medicines))) < 2:
        raise ToolException("Give at least two different medicines or foods; one alone has no interaction.")
    return _checked(validator.between(medicines, tell_unknown=True))


@tool
def check_allergies(
    medicines: Medicines,
    allergies_known: Annotated[
        list[str], Field(min_length=1, description="as said, with what happened: ['penicillin (anaphylaxis)']")
    ],
) -> list[dict[str, Any]]:
    """Whether medicines are the same as, or react with, what a person is allergic to."""
    return _checked(allergies.check(_names(medicines), allergies_known))


@tool
def check_dose(text: Text, profile: Known = None) -> list[dict[str, Any]]:
    """Doses in a text ("ibuprofen 800 mg four times a day") against the limits for this person."""
    return _checked(doses.check(text, profile or Profile(), tell_unknown=True))


@tool
def check_text(text: Text, profile: Known = None) -> dict[str, Any]:
    """Everything the safety rules find in a text, for this person: a report with findings and their sources."""
    return validator.examine(text, profile).model_dump()


@tool
def check_person(medicines: Medicines, profile: Profile) -> list[dict[str, Any]]:
    """What speaks against each medicine in this person: conditions, age, pregnancy, breast-feeding, kidney function.

    Also two medicines that do the same. `none.matched`: no rule matched, which does not mean safe.
    """
    names, local = _names(medicines), routes.local_in(medicines)
    found = [*contraindications.check(names, profile), *contraindications.duplicates(names)]
    return _checked(routes.lowered(one, local) for one in found)


@tool
def screen_request(text: Text) -> dict[str, Any]:
    """Whether a request asks for help with harm. If `declined`, give `reply` in place of an answer.

    Frank questions (how much is too much, how to be safer) are not declined. Category self_harm is a person in crisis:
    call `triage` too.
    """
    found = harm.judge(text)
    if found is None:
        return {"declined": False, "category": None, "reply": "", "findings": []}
    return {"declined": True, "category": found.category, "reply": found.text, "findings": _told(found.findings)}


SAFETY_TOOLS: tuple[BaseTool, ...] = (
    triage, check_interactions, check_allergies, check_dose, check_text, check_person, screen_request,
)  # fmt: skip
for _one in SAFETY_TOOLS:
    tell_gaps(_one)
    _one.handle_validation_error = told_wrong
