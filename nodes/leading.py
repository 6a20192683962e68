"""What is read before an answer: warning signs, and what the rules found about this person and what they ask."""

import re
from typing import Any

from primum.graph.state import State
from primum.retrieval.excerpts import in_one_line
from primum.safety import doses
from primum.safety.findings import SEVERITIES, Finding
from primum.safety.profile import Profile
from primum.safety.validator import BLOCKED, in_play, named_in

MOST = 5  # warnings, and notes
_OF_MEDICINES = frozenset({"interaction", "duplicate"})
_TOLD = _OF_MEDICINES | {"allergy", "contraindication", "dose"}
_HOW_MUCH = re.compile(r"\bhow (?:much|many)\b|\bdos(?:e|es|age|ing)\b|\bcu[aá]nto\b|多少|剂量", re.IGNORECASE)


def led(answer: dict[str, Any], state: State) -> dict[str, Any]:
    """The answer below the card, the grave findings, and those below "major" on what is asked about."""
    grave = [one for one in _found(state) if _grave(one)]
    findings = [*(_quoted("Warning", one) for one in grave[:MOST]), *(_quoted("Note", one) for one in noted(state))]
    # A case names its red flags for a clinician; the card speaks to a patient.
    card = "" if answer["case"] else state.get("card", "")
    signs = "\n".join(f"> {line}".rstrip() for line in card.strip().splitlines())
    return answer | {"text": "\n\n".join(part for part in (signs, *findings, answer["text"]) if part)}


def asked_about(state: State) -> list[Finding]:
    """The findings on what the question asks about, whatever their severity: they answer it, or a part of it.

    Of two medicines the question names both, or one that is not yet taken; of anything else it names the medicine. Who
    asks how much a child may have is told the most.
    """
    written = {one.name: one.written for one in in_play(state["question"])}
    named, profile = set(written), Profile(**state.get("profile", {}))
    new = named - {name for one in profile.medicines for name in named_in(one)}

    def concerns(finding: Finding) -> bool:
        kind, subjects = finding.rule.partition(".")[0], set(finding.subjects)
        return kind in _TOLD and bool(new & subjects or (kind in _OF_MEDICINES and subjects <= named))

    found = [one for one in _found(state) if concerns(one)]
    if len(written) == 1 and _HOW_MUCH.search(state["question"]) and not any(map(_grave, found)):
        most = doses.bound(next(iter(written.values())), profile)
        found += [most] if most else []
    return found


def noted(state: State) -> list[Finding]:
    """Those of them that are no warnings, as many as are shown."""
    return [one for one in asked_about(state) if not _grave(one)][:MOST]


def _grave(finding: Finding) -> bool:
    return SEVERITIES.index(finding.severity) >= BLOCKED


def _found(state: State) -> list[Finding]:
    """The findings but those of triage, which the card tells."""
    found = (Finding(**one) for one in state.get("report", {}).get("findings", []))
    return [one for one in found if not one.rule.startswith("triage.")]


def _quoted(label: str, one: Finding) -> str:
    text = in_one_line(one.text)
    return f"> **{label}.** {text[:1].upper()}{text[1:]} *({one.source.split('; ')[0]})*"
