"""What is read before an answer: warning signs, and what the rules found about this person and what they ask."""

import re
from typing import Any

from primum.graph.state import State
from primum.nodes.follow_up import language_of
from primum.retrieval.excerpts import in_one_line
from primum.safety import doses, lexicon
from primum.safety.findings import SEVERITIES, Finding
from primum.safety.language import Language
from primum.safety.profile import Profile
from primum.safety.validator import BLOCKED, in_play, named_in

MOST = 5  # warnings, and notes
_OF_MEDICINES = frozenset({"interaction", "duplicate"})
_TOLD = _OF_MEDICINES | {"allergy", "contraindication", "dose"}
_HOW_MUCH = re.compile(r"\bhow (?:much|many)\b|\bdos(?:e|es|age|ing)\b|\bcu[aá]nto\b|多少|剂量", re.IGNORECASE)
# What a warning comes to, by the rule's kind, in the languages of those who may not read the English that follows.
_LABELS: dict[Language, dict[str, str]] = {
    "zh": {"Warning": "警告", "Note": "提示"},
    "es": {"Warning": "Advertencia", "Note": "Nota"},
}
_BRIEFLY: dict[Language, dict[str, str]] = {
    "zh": {
        "together, never": "不可同时使用。请先咨询医生或药剂师；不要自行停用处方药。",
        "together": "同时使用可能有严重危险。请先咨询医生或药剂师；不要自行停用处方药。",
        "person": "对您可能有严重危险。请先咨询医生或药剂师；不要自行停用处方药。",
        "dose": "这个剂量可能有危险。用药前请先咨询医生或药剂师。",
        "other": "这可能有严重危险。请先咨询医生或药剂师。",
    },
    "es": {
        "together, never": "No deben tomarse juntos. Consulte antes a un médico o farmacéutico; no deje por su cuenta "
        "un medicamento recetado.",
        "together": "Juntos pueden ser peligrosos. Consulte antes a un médico o farmacéutico; no deje por su cuenta un "
        "medicamento recetado.",
        "person": "Puede ser peligroso para usted. Consulte antes a un médico o farmacéutico; no deje por su cuenta un "
        "medicamento recetado.",
        "dose": "Esta dosis puede ser peligrosa. Consulte antes a un médico o farmacéutico.",
        "other": "Esto puede ser peligroso. Consulte antes a un médico o farmacéutico.",
    },
}
_IN_ENGLISH: dict[Language, str] = {"zh": "依据（英文）：", "es": "En inglés: "}


def led(answer: dict[str, Any], state: State) -> dict[str, Any]:
    """The answer below the card, the grave findings, and those below "major" on what is asked about."""
    grave = [one for one in _found(state) if _grave(one)]
    told = [*(("Warning", one) for one in grave[:MOST]), *(("Note", one) for one in noted(state))]
    findings = [_quoted(label, one, state) for label, one in told]
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


def _quoted(label: str, one: Finding, state: State) -> str:
    """A finding as a quote; above its English, for who asks in another language, what a warning comes to."""
    text = in_one_line(one.text)
    text = f"{text[:1].upper()}{text[1:]} *({one.source.split('; ')[0]})*"
    language = language_of(state["question"], state.get("history", []))
    if language not in _LABELS:
        return f"> **{label}.** {text}"
    label = _LABELS[language][label]
    if not _grave(one):
        return f"> **{label}** · {_IN_ENGLISH[language]}{text}"
    return f"> **{label}** · {_briefly(one, state, language)}\n>\n> {_IN_ENGLISH[language]}{text}"


def _briefly(one: Finding, state: State, language: Language) -> str:
    kind = one.rule.partition(".")[0]
    if kind in _OF_MEDICINES:
        said = "together, never" if one.severity == "contraindicated" else "together"
    else:
        said = {"allergy": "person", "contraindication": "person", "dose": "dose"}.get(kind, "other")
    # Of what speaks against a medicine in this person, the rules' own words for the person are English.
    subjects = one.subjects if kind in _OF_MEDICINES else one.subjects[:1] if kind in _TOLD else []
    written = {mention.name: mention.written for mention in in_play(state["question"])}
    names = (written.get(name) or lexicon.native(name, language) or name for name in subjects)
    called = " + ".join(dict.fromkeys(names))
    return f"**{called}** {_BRIEFLY[language][said]}" if called else _BRIEFLY[language][said]
