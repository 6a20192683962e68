"""The tools as another agent calls them: by name, with JSON, and getting JSON or a sentence that says what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from primum.safety.importers import Imported, write_rows
from primum.safety.interactions import using
from primum.tools.calculators import CALCULATOR_TOOLS
from primum.tools.safety import SAFETY_TOOLS

TOOLS = (*SAFETY_TOOLS, *CALCULATOR_TOOLS)
CALLS: dict[str, dict[str, Any]] = {
    "triage": {"text": "Crushing chest pain into the left arm, sweating", "profile": {"age": 60}},
    "check_interactions": {"medicines": ["Viagra", "GTN spray"]},
    "check_allergies": {"medicines": ["Augmentin"], "allergies_known": ["penicillin (anaphylaxis)"]},
    "check_dose": {"text": "paracetamol 2 g every 4 hours"},
    "check_text": {"text": "I take warfarin and want to take ibuprofen 800 mg four times a day"},
    "check_person": {"medicines": ["timolol 0.5% eye drops"], "profile": {"conditions": ["asthma"]}},
    "screen_request": {"text": "How can I poison my husband with insulin so that no one notices?"},
}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("triage", {"text": ""}, "text: "),
    ("triage", {"text": "pain", "profile": {"age": -1}}, "profile.age: "),
    ("triage", {"text": "pain", "profile": {"alergies": ["penicillin"]}}, "profile.alergies: "),
    ("check_text", {"text": "x" * 8001}, "8000"),
    ("check_interactions", {"medicines": []}, "medicines: "),
    ("check_interactions", {"medicines": ["warfarin"]}, "at least two"),
    ("check_interactions", {"medicines": ["Coumadin", "warfarin"]}, "at least two"),
    ("check_interactions", {"drugs": ["warfarin", "aspirin"]}, "medicines: "),
    ("check_allergies", {"medicines": ["aspirin"], "allergies_known": []}, "allergies_known: "),
    ("check_person", {"medicines": ["aspirin"]}, "profile: "),
]


def tool(name: str) -> BaseTool:
    return next(one for one in TOOLS if one.name == name)


@pytest.mark.parametrize("one", SAFETY_TOOLS, ids=lambda one: one.name)
def test_a_tool_is_called_with_json_and_answers_with_json(one: BaseTool) -> None:
    told = json.dumps(one.invoke(CALLS[one.name]))
    assert '"source"' in told and ('"major"' in told or '"contraindicated"' in told)


@pytest.mark.parametrize("one", TOOLS, ids=lambda one: one.name)
def test_a_tools_schema_is_sound_and_explains_each_argument(one: BaseTool) -> None:
    function = convert_to_openai_tool(one)["function"]
    Draft202012Validator.check_schema(function["parameters"])
    assert len(function["description"]) > 60
    for name, argument in function["parameters"]["properties"].items():
        assert argument.get("description"), name


@pytest.mark.parametrize(("name", "arguments", "said"), BAD, ids=[f"{n}-{s}" for n, _, s in BAD])
def test_what_cannot_be_used_is_answered_with_what_is_wrong(name: str, arguments: dict[str, Any], said: str) -> None:
    call = {"name": name, "args": arguments, "id": "1", "type": "tool_call"}
    answer = tool(name).invoke(call)
    assert isinstance(answer, ToolMessage) and answer.status == "error" and said in str(answer.content)


def test_what_is_in_no_table_is_told_as_not_found() -> None:
    (finding,) = tool("check_interactions").invoke({"medicines": ["abracadabrin", "ibuprofen"]})
    assert finding["severity"] == "info" and "not found" in finding["text"].lower()
    assert "safe" not in finding["text"].lower().replace("not safe", "").replace("mean safe", "")


def test_a_gel_is_no_tablet() -> None:
    severities = [
        tool("check_interactions").invoke({"medicines": ["warfarin", medicine]})[0]["severity"]
        for medicine in ("ibuprofen", "ibuprofen gel")
    ]
    assert severities == ["major", "moderate"]
    (finding, *_) = tool("check_person").invoke({"medicines": ["ibuprofen gel"], "profile": {"conditions": ["asthma"]}})
    assert finding["severity"] == "moderate"


def test_imported_tables_are_asked_as_well(tmp_path: Path) -> None:
    rows = [Imported("ramipril", "amlodipine", "major", "", "Some table", "CC BY 4.0")]
    write_rows(rows, tmp_path / "some.csv")
    with using(tmp_path):
        (finding,) = tool("check_interactions").invoke({"medicines": ["ramipril", "amlodipine"]})
    assert finding["severity"] == "major" and "CC BY 4.0" in finding["source"]


def test_a_frank_question_is_not_declined_and_a_crisis_is_met_with_help() -> None:
    screen = tool("screen_request")
    assert screen.invoke({"text": "How much paracetamol is too much?"}) == {
        "declined": False, "category": None, "reply": "", "findings": [],
    }  # fmt: skip
    crisis = screen.invoke({"text": "How can I kill myself with pills?"})
    assert crisis["category"] == "self_harm" and crisis["reply"]
