"""A tool that fails is a sentence in the conversation of the agent that called it, and no exception in its graph."""

import json
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from structlog.testing import capture_logs

from primum.graph.errors import MemoryUnavailable
from primum.tools.gap import tell_gaps
from primum.tools.safety import SAFETY_TOOLS

FAULTS = [
    (MemoryUnavailable("The database can't be reached."), "The database can't be reached."),
    (ToolException("Give two."), "Give two."),
    (RuntimeError("Anna takes warfarin"), "lookup could not be used (RuntimeError), so nothing is known from it."),
]


def failing(error: Exception, *, waits: bool) -> BaseTool:
    def run(text: str) -> str:
        raise error

    async def arun(text: str) -> str:
        raise error

    made = StructuredTool.from_function(
        None if waits else run, arun if waits else None, name="lookup", description="Look it up."
    )
    tell_gaps(made)
    return made


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(("error", "said"), FAULTS, ids=lambda one: type(one).__name__)
async def test_whatever_fails_in_a_tool_is_its_answer(error: Exception, said: str, waits: bool) -> None:
    call = {"name": "lookup", "args": {"text": "x"}, "id": "1", "type": "tool_call"}
    with capture_logs() as logs:
        answer = await failing(error, waits=waits).ainvoke(call)
    assert isinstance(answer, ToolMessage) and answer.status == "error" and said in str(answer.content)
    assert "warfarin" not in str(answer.content) + str(logs)


def test_a_fault_of_ours_is_logged_by_its_kind() -> None:
    with capture_logs() as logs:
        failing(RuntimeError("Anna"), waits=False).invoke({"text": "x"})
    assert [(entry["tool"], entry["error"]) for entry in logs] == [("lookup", "RuntimeError")]


def test_a_check_whose_rules_break_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("primum.safety.doses.check", broken)
    check_dose = next(one for one in SAFETY_TOOLS if one.name == "check_dose")
    assert "check_dose could not be used (ZeroDivisionError)" in check_dose.invoke({"text": "paracetamol 1 g"})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("check_allergies", {"medicines": ["paracetamol"], "allergies_known": ["penicillin"]}),
        ("check_dose", {"text": "paracetamol 500 mg"}),
        ("check_person", {"medicines": ["paracetamol"], "profile": {}}),
    ],
)
def test_a_check_that_finds_nothing_says_so(name: str, arguments: dict[str, Any]) -> None:
    check = next(one for one in SAFETY_TOOLS if one.name == name)
    answer = check.invoke({"name": name, "args": arguments, "id": "1", "type": "tool_call"})
    (finding,) = json.loads(answer.content)
    assert finding["rule"] == "none.matched" and "does not mean that it is safe" in finding["text"]
