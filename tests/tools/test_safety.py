"""The tools as another agent calls them: by name, with JSON, and getting JSON."""

import json
from typing import Any

import pytest
from langchain_core.tools import BaseTool

from primum.tools.safety import SAFETY_TOOLS

CALLS: dict[str, dict[str, Any]] = {
    "triage": {"text": "Crushing chest pain into the left arm, sweating", "profile": {"age": 60}},
    "check_interactions": {"medicines": ["Viagra", "GTN spray"]},
    "check_allergies": {"medicines": ["Augmentin"], "allergies_known": ["penicillin (anaphylaxis)"]},
    "check_dose": {"text": "paracetamol 2 g every 4 hours"},
    "check_text": {"text": "I take warfarin and want to take ibuprofen 800 mg four times a day"},
}


@pytest.mark.parametrize("tool", SAFETY_TOOLS, ids=lambda tool: tool.name)
def test_a_tool_is_called_with_json_and_answers_with_json(tool: BaseTool) -> None:
    assert tool.description and tool.args
    told = json.dumps(tool.invoke(CALLS[tool.name]))
    assert '"source"' in told and ('"major"' in told or '"contraindicated"' in told)


def test_what_is_in_no_table_is_told_as_not_found() -> None:
    tool = next(tool for tool in SAFETY_TOOLS if tool.name == "check_interactions")
    (finding,) = tool.invoke({"medicines": ["abracadabrin", "ibuprofen"]})
    assert finding["severity"] == "info" and "not found" in finding["text"].lower()
    assert "safe" not in finding["text"].lower().replace("not safe", "").replace("mean safe", "")
