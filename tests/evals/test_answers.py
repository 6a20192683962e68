import json
from pathlib import Path
from typing import Any

import pytest

from primum.evals.answers import compare, measured, read_rows, run
from primum.evals.endpoint import Endpoint, Kept, Sampling
from primum.evals.failures import grouped, of
from primum.graph.errors import BadInput, PrimumError
from tests.fakes import FakeVLLM

ASKED = "How is gout treated?"


def row(wanted: str = "Gout is treated with rest.", question: str = ASKED, **given: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": wanted}]
    return {"id": "r", "kind": "open", "messages": messages, **given}


def test_the_same_words_are_likest_and_other_words_are_not() -> None:
    found = measured([row(), row()], ["Gout is treated with rest.", "Something else entirely"])
    assert [one["rougeL"] for one in found["rows"]] == [1, 0]
    assert found["rows"][0]["bleu"] == 1
    assert found["rougeL"]["mean"] == 0.5


def test_length_is_told_beside_the_references() -> None:
    found = measured([row(), row(), row()], ["Rest.", "Rest " * 20, ""])
    assert found["too_long"] == 0.5
    assert (found["empty"], found["empty_ids"]) == (1, ["r"])
    assert found["words_to_reference"]["n"] == 2


def test_chinese_is_compared_by_its_signs() -> None:
    (one,) = measured([row("痛风应休息。")], ["痛风应多休息。"])["rows"]
    assert 0.8 < one["rougeL"] < 1
    assert one["bleu"] > 0.3


def test_without_a_model_bertscore_says_so_and_a_wrong_folder_is_named(tmp_path: Path) -> None:
    assert "not measured" in measured([row()], ["Rest."])["bertscore_note"]
    with pytest.raises(BadInput, match="no model for BERTScore"):
        measured([row()], ["Rest."], tmp_path)


async def test_an_endpoint_is_asked_and_what_it_does_not_tell_is_said(vllm: FakeVLLM) -> None:
    vllm.default = "<think>Hm.</think>Gout is treated with rest."
    found = await run([row()], Endpoint(vllm.url, "primum", pause=0))
    assert found["rougeL"]["mean"] == 1
    assert found["perplexity"] is None and "--folder" in found["not_measured"]


async def test_answers_that_can_not_be_kept_end_it_with_the_file(vllm: FakeVLLM, tmp_path: Path) -> None:
    vllm.default = "Rest."
    writer = Endpoint(vllm.url, "primum", kept=Kept(tmp_path / "gone" / "kept.jsonl"), pause=0)
    with pytest.raises(PrimumError, match=r"kept\.jsonl can't be written to \(No such file"):
        await writer.write([[{"role": "user", "content": "?"}]], Sampling())


def test_two_runs_are_compared_by_each_figure() -> None:
    rows = [{**row(), "id": str(number)} for number in range(20)]
    before, after = measured(rows, ["Rest."] * 20), measured(rows, ["Gout is treated with rest."] * 20)
    found = compare(before, after)
    assert found["rougeL"]["mean"] > 0 and found["rougeL"]["better"] == 20
    assert "bertscore" not in found


def test_rows_come_from_jsonl_and_csv(tmp_path: Path) -> None:
    jsonl, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    jsonl.write_text(json.dumps({"question": "Why?", "answer": "So."}) + "\n")
    table.write_text('question,answer\nWhy?,"So, yes."\n')
    assert read_rows(jsonl)[0]["messages"][1]["content"] == "So."
    assert read_rows(table)[0]["messages"][1]["content"] == "So, yes."
    table.write_text("question,answer\nWhy?,\n")
    with pytest.raises(ValueError, match=r"row 1: field 'answer'"):
        read_rows(table)


# How they fail


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("", "format"),
        ("Gout is treated with rest. " + "It is so. " * 20, "verbosity"),
        ("Nobody knows.", "terminology"),
        ("Gout is treated with rest and warfarin.", "wrong_entity"),
    ],
)
def test_each_failure_has_its_kind(answer: str, kind: str) -> None:
    assert kind in [one.kind for one in of(row(), answer)]
    assert of(row(), "Gout is treated with rest.") == []


def test_what_must_not_be_said_to_this_person_is_unsafe() -> None:
    asked = row("Ask your doctor about ibuprofen.", "I am allergic to ibuprofen and take warfarin. What helps?")
    assert "unsafe" in [one.kind for one in of(asked, "Take ibuprofen 400 mg three times a day.")]


def test_a_choice_fails_by_its_form_or_by_its_letter() -> None:
    choice = row("A", kind="choice", answer="A", options={"A": "x", "B": "y"})
    assert [one.kind for one in of(choice, "Well.")] == ["format"]
    assert [one.kind for one in of(choice, "B")] == ["wrong_choice"]


def test_failures_are_grouped_with_what_to_do() -> None:
    found = grouped([*of(row(), ""), *of({**row(), "id": "s"}, "")], 4)
    assert found[0] | {"advice": ""} == {
        "kind": "format", "count": 2, "share": 0.5, "ids": ["r", "s"], "details": {"empty": 2}, "advice": ""
    }  # fmt: skip
    assert found[0]["advice"]
