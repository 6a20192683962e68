"""sign_off: reads the answer, waits for a clinician, writes what they make of it."""

import re
from collections.abc import Mapping
from typing import Any

from langgraph.types import interrupt

from primum.graph.errors import BadInput
from primum.graph.state import Decision, State
from primum.nodes.evidence import unsafe
from primum.retrieval.excerpts import in_one_line
from primum.safety.sentences import split_answer

REFUSED = "A clinician has looked at your question and asks you to speak with them, or with your own doctor, about it."
# What no longer fits a text that a clinician changed or held back.
UNSAID = {"case": None, "reasoning": None}
# Nor what was counted of the model's sentences: a clinician answers for a text of their own.
_THEIRS: dict[str, Any] = {"status": "answered", "support": {}, "confidence": 0.0, **UNSAID}
_MARKER = re.compile(r"[\[【]\^?(\d[\d\s,;–-]*)[\]】]")


async def sign_off(state: State) -> State:
    answer = state["answer"]
    decision: Decision = interrupt({"run_id": answer["trace"]["run_id"]})
    return State(answer=signed(answer, decision, state))


def signed(answer: dict[str, Any], decision: Decision, state: State) -> dict[str, Any]:
    """The answer as a clinician let it out. Of an edited one the rules' warnings stand on top."""
    signature = {"decision": decision["decision"], "by": decision["by"], "at": decision["at"]}
    if decision["decision"] == "refused":
        refused: dict[str, Any] = {"text": REFUSED, "status": "declined", "citations": [], "confidence": 0.0, **UNSAID}
        return answer | refused | {"signed": signature}
    if decision["decision"] == "approved":
        return answer | {"signed": signature}
    text = decision["text"]
    found = unsafe(tuple(sentence.text for sentence in split_answer(text)), state)
    warnings = list(dict.fromkeys(in_one_line(one) for sentence in found for one in sentence))
    led = "\n\n".join([*(f"> **Warning.** {warning}" for warning in warnings), text])
    cited = set(_markers(text))
    kept = [citation for citation in answer["citations"] if str(citation["marker"]) in cited]
    return answer | {"text": led, "citations": kept, "signed": signature, **_THEIRS}


def check_markers(text: str, answer: Mapping[str, Any]) -> None:
    """Raises BadInput if an edited text has markers that lead to none of the answer's sources."""
    known = [str(citation["marker"]) for citation in answer["citations"]]
    if unknown := [marker for marker in _markers(text) if marker not in known]:
        shown = ", ".join(f"[{marker[:10]}]" for marker in unknown[:10])
        has = f"has {', '.join(f'[{marker}]' for marker in known)} alone" if known else "has no sources"
        raise BadInput(f"No source belongs to {shown}: the answer {has}. Take such numbers out of your text.")


def _markers(text: str) -> list[str]:
    """The numbers in brackets, as they are written; `[1, 2]` are two."""
    return list(dict.fromkeys(number for group in _MARKER.findall(text) for number in re.findall(r"\d+", group)))
