"""What an answer asks back: what is not known and could change the advice, and which of two things told is right."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from primum.graph.state import State
from primum.memory.facts import Contradiction
from primum.nodes.follow_up import language_of
from primum.safety.profile import Profile
from primum.safety.unknowns import question_back

_CLEAR = "**Which is right?** "
_SURER, _SURER_ZH = "**To be surer:** ", "**为了更稳妥：** "


def asking_back(answer: dict[str, Any], state: State) -> dict[str, Any]:
    """The answer, and below it what is asked; the same is asked once in a thread."""
    if answer["status"] not in ("answered", "evidence_only"):
        return answer
    lines = [_CLEAR + unclear(Contradiction(**one)) for one in state["unclear"]][:1]
    language = language_of(state["question"], state["history"])
    if back := question_back(state["question"], Profile(**state["profile"]), language):
        lines.append((_SURER_ZH if language == "zh" else _SURER) + back)
    said = [exchange["answer"] for exchange in state["history"]]
    new = [line for line in lines if not any(line in answer for answer in said)]
    return answer | {"text": "\n\n".join([answer["text"], *new])}


def unclear(one: Contradiction) -> str:
    """The two things told, in the patient's own words, as a question."""
    before, now = (fact.quotes[-1].text.strip(" .") for fact in (one.known, one.new))
    kept = one.believed.words
    return f"You told me “{before}” and then “{now}”. Until you tell me, I go by: {kept}."


def asked_in(answer: str) -> str:
    """The one question that an answer asked back, to which a bare yes or no is a reply; of several it is to none."""
    back = next(iter(asked_back([answer])), "")
    return back if len(re.findall(r"[?？]", back)) == 1 else ""


def asked_back(answers: Sequence[str]) -> list[str]:
    """What the last of these answers asked."""
    lines = answers[-1].splitlines() if answers else []
    return [line.removeprefix(one) for line in lines for one in (_SURER, _SURER_ZH) if line.startswith(one)]


def cleared_up(answer: str, open_ones: Sequence[Contradiction]) -> list[tuple[str, ...]]:
    """The keys of the facts that an answer asked to clear up."""
    return [key for one in open_ones if unclear(one) in answer for key in (one.known.key, one.new.key)]


def last_answer(history: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The run and the text of the thread's last answer; empty in a new one."""
    last = history[-1] if history else {}
    return str(last.get("run_id", "")), last.get("answer") or ""
