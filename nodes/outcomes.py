"""What an answer tells of the tools' outcomes: sentences of code, each proven by the call that it tells."""

from typing import Any

from primum.graph.state import State
from primum.nodes.leading import noted
from primum.tools.outcome import Outcome


def worked_out(answer: dict[str, Any], state: State) -> dict[str, Any]:
    """The answer, led by what the tools told; what its warnings and notes say anyway is not said twice."""
    shown = [(one["state"], told) for one in state["outcomes"] if (told := _new(one, state))]
    if not shown:
        return answer
    proven = sum(len(told) for outcome, told in shown if outcome == "done")
    text = "\n\n".join([*("\n".join(_lines(told)) for _, told in shown), answer["text"]]).strip()
    counts = {"sentences": 0, "supported": 0, "removed": 0, **answer["support"]}
    counts |= {"sentences": counts["sentences"] + proven, "supported": counts["supported"] + proven}
    answer = answer | {"text": text, "support": counts}
    if state["route"] == "tool" and proven:
        return answer | {"status": "answered", "confidence": 1.0}
    return answer


def _new(one: Outcome, state: State) -> list[str]:
    """The sentences of an outcome that neither a warning nor a note says."""
    said = [*state.get("report", {}).get("warnings", []), *(finding.text for finding in noted(state))]
    return [told for told in one["sentences"] if not any(told.startswith(text) for text in said)]


def _lines(told: list[str]) -> list[str]:
    """The result, and below it, line by line, what it rests on."""
    return [told[0], *(f"- {line}" for line in told[1:])] if len(told) > 1 else told
