"""What goes wrong in answers, by kind, with how often, where, and what to do about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from primum.evals import answers, audit
from primum.evals.cases import Case
from primum.evals.mcq import letter_of
from primum.evals.numbers import number_of
from primum.safety.lexicon import drugs
from primum.safety.profile import Profile
from primum.safety.sentences import count_words, split_answer, strip_thinking
from primum.safety.validator import dangers, told
from primum.safety.words import content

Kind = Literal["verbosity", "terminology", "unsupported", "unsafe", "format", "wrong_entity", "useless", "wrong_choice"]

SHORT = 12  # words, below which an answer is never too long
PLAIN = 0.35  # of a reference's words, of which an answer must say so many
ADVICE: dict[Kind, str] = {
    "verbosity": "Weight concise answers in SFT (`concise: 120`), reward length in GRPO, or lower PRIMUM_MAX_WORDS.",
    "terminology": "Add rows with the reference's terms, paraphrases on; import a vocabulary (`primum terms import`).",
    "unsupported": "DPO on audit pairs (`primum finetune pairs`): these drafts are the rejected ones; check retrieval.",
    "unsafe": "Look at each before any release. Keep such rows out of training; DPO with the mended answer as chosen.",
    "format": "SFT on rows in the very form that is asked for; in GRPO the reward `format`; raise the limit of tokens.",
    "wrong_entity": "DPO pairs in which the drug or the number alone differs; no paraphrase of names and numbers.",
    "useless": "Add pairs with the useless answer as rejected (`primum finetune pairs --sample`).",
    "wrong_choice": "SFT on the subjects that fail most; reasoning rows (`<think>`); compare with evidence.",
}
_RULES: dict[str, Kind] = {
    "missing_marker": "format",
    "wrong_marker": "format",
    "unsupported": "unsupported",
    "negation": "unsupported",
    "direction": "unsupported",
    "population": "unsupported",
    "drug": "wrong_entity",
    "number": "wrong_entity",
    "danger": "unsafe",
}


@dataclass(frozen=True)
class Failure:
    """One way in which one answer fails; `detail` says by what."""

    id: str
    kind: Kind
    detail: str


def of(row: Case, answer: str) -> list[Failure]:
    """How an answer to a prepared row fails, each kind once."""
    text, _ = strip_thinking(answer)
    found: dict[Kind, str] = {}
    if not text:
        found["format"] = "empty"
    elif row["kind"] == "choice":
        found |= _choice(row, text)
    elif row["kind"] == "number":
        found |= _number(row, text)
    else:
        found |= _prose(row, text)
    return [Failure(str(row["id"]), kind, detail) for kind, detail in found.items()]


def _choice(row: Case, text: str) -> dict[Kind, str]:
    said = letter_of(text, row["options"])
    if said is None:
        return {"format": "no single letter"}
    return {} if said == row["answer"] else {"wrong_choice": f"{said} for {row['answer']}"}


def _number(row: Case, text: str) -> dict[Kind, str]:
    said = number_of(text)
    if said is None:
        return {"format": "no number"}
    return {} if said == number_of(str(row["answer"])) else {"wrong_entity": "another number"}


def _prose(row: Case, text: str) -> dict[Kind, str]:
    wanted = answers.reference(row)
    found: dict[Kind, str] = {}
    words, most = count_words(text), answers.VERBOSE * count_words(wanted)
    if words > max(most, SHORT):
        found["verbosity"] = f"{words} words for {count_words(wanted)}"
    if row["kind"] == "grounded":
        one = audit.judge_row(row, text)
        for broken in one.findings:
            found.setdefault(_RULES.get(broken.rule, "unsupported"), broken.rule)
        if one.standing == "useless":
            found["useless"] = "no clinical sentence"
        return found
    asked = " ".join(message["content"] for message in row["messages"][:-1] if message["role"] == "user")
    return found | _beside(text, wanted, asked)


def _beside(text: str, wanted: str, asked: str) -> dict[Kind, str]:
    """What an answer says beside its reference: other drugs, few of its words, or what must not be said."""
    found: dict[Kind, str] = {}
    if other := drugs(text) - drugs(wanted) - drugs(asked):
        found["wrong_entity"] = ", ".join(sorted(other))
    named = set(content(wanted))
    if named and len(named & set(content(text))) < PLAIN * len(named):
        found["terminology"] = f"{len(named & set(content(text)))} of {len(named)} words of the reference"
    sentences = [sentence.text for sentence in split_answer(text)]
    if any(dangers(sentences, told(asked, Profile()))):
        found["unsafe"] = "a rule forbids it to this person"
    return found


def grouped(failures: Sequence[Failure], answers: int) -> list[dict[str, Any]]:
    """The failures by kind, the commonest first, each with what to do."""
    kinds = sorted({one.kind for one in failures}, key=lambda kind: -_count(failures, kind))
    return [
        {
            "kind": kind,
            "count": _count(failures, kind),
            "share": round(_count(failures, kind) / answers, 4),
            "ids": [one.id for one in failures if one.kind == kind],
            "details": _commonest(failures, kind),
            "advice": ADVICE[kind],
        }
        for kind in kinds
    ]


def _count(failures: Sequence[Failure], kind: Kind) -> int:
    return sum(one.kind == kind for one in failures)


def _commonest(failures: Sequence[Failure], kind: Kind) -> Mapping[str, int]:
    return dict(Counter(one.detail for one in failures if one.kind == kind).most_common(5))
