"""Each published format is told by its fields, and made an item that asks, thinks and answers in its own place."""

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from primum.finetune.datasets import FORMATS, Unusable, read
from primum.finetune.item import Item, example, item_of
from primum.graph.errors import BadInput


def jsonl(path: Path, *rows: Mapping[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def items(path: Path, format_name: str = "") -> tuple[str, list[Item]]:
    name, found = read(str(path), format_name)
    return name, [item for _, item in found if not isinstance(item, Unusable)]


def unusable(path: Path, format_name: str = "") -> list[str]:
    return [str(item) for _, item in read(str(path), format_name)[1] if isinstance(item, Unusable)]


O1 = {"Question": "Why does gout hurt?", "Complex_CoT": "Urate forms crystals.", "Response": "Crystals inflame it."}
MCQ = {"question": "Which gland makes insulin?", "opa": "Liver", "opb": "Pancreas", "opc": "Spleen", "opd": "Thyroid"}
CHOICES = {"A": "Liver", "B": "Pancreas", "C": "Spleen", "D": "Thyroid"}
PUBMED = {
    "QUESTION": "Does walking lower blood pressure?",
    "CONTEXTS": ["Forty adults walked.", "Pressure was measured."],
    "final_decision": "yes",
    "LONG_ANSWER": "Walking lowered it.",
}
HUB_PUBMED = {
    "pubid": 7,
    "question": PUBMED["QUESTION"],
    "context": {"contexts": PUBMED["CONTEXTS"], "labels": ["METHODS"]},
    "final_decision": "yes",
    "long_answer": PUBMED["LONG_ANSWER"],
}
SUM = {"question": "2,000 pills and 3 more?", "answer": "It is <<2000+3=2003>>2003.\n#### 2,003"}
TURNS = [("human", "I have a cold."), ("gpt", "Rest."), ("human", "How long?"), ("gpt", "A week.")]


RECORDS = [
        (O1, "medical-o1", ["Crystals inflame it."]),
        ({"Open-ended Verifiable Question": "What cures gout?", "Ground-True Answer": "Nothing"},
         "medical-o1-verifiable", ["Nothing"]),
        ({"data": ["问：感冒了怎么办？", "答: 多休息。", "问:要多久？", "答：一周。"]},
         "huatuo-sft", ["多休息。", "一周。"]),
        ({"questions": [["感冒怎么办？", "感冒了如何处理？"]], "answers": ["多休息。"]},
         "huatuo-26m", ["多休息。"] * 2),
        ({"question": "感冒怎么办？", "answer": "多休息。", "id": 4}, "question-answer", ["多休息。"]),
        ({**MCQ, "options": CHOICES, "answer": "Pancreas", "answer_idx": "B"}, "medqa", ["B"]),
        ({"question": "Q?", "options": [{"key": "A", "value": "x"}, {"key": "B", "value": "y"}], "answer_idx": "B"},
         "medqa", ["B"]),
        (PUBMED, "pubmedqa", ["A"]),
        (HUB_PUBMED, "pubmedqa-hub", ["A"]),
        ({"question": "Q?", "choices": ["x", "y"], "answer": 1, "subject": "anatomy"}, "mmlu-hub", ["B"]),
        (SUM, "gsm8k", ["#### 2003"]),
        ({"instruction": "Explain", "input": "gout", "output": "It is arthritis."}, "alpaca", ["It is arthritis."]),
        ({"instruction": "Explain gout", "output": "It is arthritis."}, "alpaca", ["It is arthritis."]),
        ({"conversations": [{"from": a, "value": b} for a, b in TURNS]}, "sharegpt", ["Rest.", "A week."]),
        ({"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi, a cold."},
                       {"role": "assistant", "content": "Rest."}]}, "messages", ["Rest."]),
        ({"prompt": "Explain gout", "completion": "Arthritis."}, "prompt-completion", ["Arthritis."]),
]  # fmt: skip


@pytest.mark.parametrize(("record", "name", "answers"), RECORDS)
def test_a_format_is_told_by_its_fields(tmp_path: Path, record: dict[str, Any], name: str, answers: list[str]) -> None:
    found, made = items(jsonl(tmp_path / "rows.jsonl", record))
    assert found == name
    assert [item.answer for item in made] == answers
    assert len({item.group for item in made}) == 1, "what belongs together stands in one group"


@pytest.mark.parametrize("record", [*(record for record, _, _ in RECORDS), MCQ | {"cop": 4}])
def test_a_row_without_the_columns_is_counted(tmp_path: Path, record: dict[str, Any]) -> None:
    path = jsonl(tmp_path / "rows.jsonl", record, {"q": "What is gout?", "a": "Arthritis."}, record)
    assert unusable(path) == ["fields missing"]
    assert len(items(path)[1]) == 2 * len(items(jsonl(tmp_path / "whole.jsonl", record))[1])


def test_reasoning_stands_before_the_answer_in_think(tmp_path: Path) -> None:
    _, (item,) = items(jsonl(tmp_path / "o1.jsonl", O1 | {"Ground-True Answer": "Crystals"}))
    row = example(item)
    assert row["messages"][-1]["content"] == "<think>\nUrate forms crystals.\n</think>\n\nCrystals inflame it."
    assert row["answer"] == "Crystals"


def test_a_number_has_no_commas_and_its_steps_no_calculator(tmp_path: Path) -> None:
    _, (item,) = items(jsonl(tmp_path / "sum.jsonl", SUM))
    assert (item.kind, item.reference, item.reasoning) == ("number", "2003", "It is 2003.")


@pytest.mark.parametrize("record", [PUBMED, HUB_PUBMED])
def test_the_conclusion_of_an_abstract_is_in_no_prompt(tmp_path: Path, record: dict[str, Any]) -> None:
    _, (item,) = items(jsonl(tmp_path / "pubmed.jsonl", record))
    *prompt, completion = example(item)["messages"]
    assert not any("Walking lowered it." in message["content"] for message in prompt)
    assert all(context in prompt[-1]["content"] for context in ("Forty adults walked.", "Pressure was measured."))
    assert "Walking lowered it." in completion["content"]
    assert item.options == {"A": "yes", "B": "no", "C": "maybe"}


@pytest.mark.parametrize(("cops", "name", "letters"), [([1, 4, 2], "raw", "ADB"), ([0, 3, -1], "hub", "AD")])
def test_medmcqa_tells_itself_where_it_counts_from(tmp_path: Path, cops: list[int], name: str, letters: str) -> None:
    path = jsonl(tmp_path / "mcq.jsonl", *(MCQ | {"cop": cop} for cop in cops))
    found, made = items(path)
    assert found == f"medmcqa-{name}"
    assert [item.reference for item in made] == list(letters)
    assert unusable(path) == ["no answer"] * (-1 in cops)


@pytest.mark.parametrize("cops", [[1, 2, 3], [0, 4]])
def test_a_medmcqa_that_does_not_tell_is_never_guessed(tmp_path: Path, cops: list[int]) -> None:
    path = jsonl(tmp_path / "mcq.jsonl", *(MCQ | {"cop": cop} for cop in cops))
    with pytest.raises(BadInput, match=r"--format medmcqa-raw .* or --format medmcqa-hub"):
        read(str(path))
    assert items(path, "medmcqa-hub")[0] == "medmcqa-hub"


def test_mmlu_has_no_head(tmp_path: Path) -> None:
    path = tmp_path / "anatomy.csv"
    path.write_text('"Which, then?",one,two,three,four,C\nAnd which?,one,two,three,four,A\n')
    name, made = items(path)
    assert (name, [item.reference for item in made]) == ("mmlu", ["C", "A"])
    assert made[0].question == "Which, then?"


def test_a_table_may_write_its_columns_large_and_part_them_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\ufeffQuestion;Answer\nWhat is gout?;Arthritis, of a kind.\n", encoding="utf-8")
    name, (item,) = items(path)
    assert (name, item.answer) == ("question-answer", "Arthritis, of a kind.")


def as_json(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text(json.dumps(list(rows)))


def as_keyed(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text(json.dumps({str(number): row for number, row in enumerate(rows)}))


def as_gzip(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))


def as_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.json", as_json), ("b.json", as_keyed), ("c.json.gz", as_gzip), ("d.jsonl.gz", as_gzip),
     ("e.parquet", as_parquet)],
)  # fmt: skip
def test_a_file_is_read_in_each_of_its_forms(tmp_path: Path, name: str, write: Any) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="parquet needs the extra `train`")
    write(tmp_path / name, [O1, O1 | {"Response": "Another."}])
    assert [item.answer for item in items(tmp_path / name)[1]] == ["Crystals inflame it.", "Another."]


def test_a_row_of_a_prepared_folder_stays_what_it_is(tmp_path: Path) -> None:
    _, (item,) = items(jsonl(tmp_path / "pubmed.jsonl", PUBMED))
    row = example(item) | {"id": "mine:1", "source": "mine", "licence": "MIT"}
    name, (again,) = items(jsonl(tmp_path / "rows.jsonl", row))
    assert name == "primum"
    assert example(again) == row
    assert item_of(row).question == PUBMED["QUESTION"]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"data": ["问：感冒了怎么办？", "多休息。"]}, "turn without 问 or 答"),
        ({"questions": "感冒？", "answers": "https://example.org/1.html"}, "answer is a link"),
        ({**MCQ, "options": CHOICES, "answer_idx": "E"}, "answer not among the options"),
        ({"conversations": [{"from": "gpt", "value": "Hi"}]}, "turns that do not alternate"),
        ({"conversations": [{"from": a, "value": b} for a, b in TURNS[:3]]}, "turns that do not alternate"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "turn of another role, or without a text"),
        (PUBMED | {"final_decision": None}, "no answer"),
    ],
)
def test_a_record_that_makes_no_row_says_why(tmp_path: Path, record: dict[str, Any], why: str) -> None:
    assert unusable(jsonl(tmp_path / "rows.jsonl", record)) == [why]


@pytest.mark.parametrize("system", [[], [("system", "Be kind.")]])
def test_a_greeting_that_opens_a_conversation_is_left_away(tmp_path: Path, system: list[tuple[str, str]]) -> None:
    turns = [*system, ("gpt", "Hello, what brings you here?"), *TURNS]
    _, made = items(jsonl(tmp_path / "chat.jsonl", {"conversations": [{"from": a, "value": b} for a, b in turns]}))
    assert [(item.question, item.answer) for item in made] == [("I have a cold.", "Rest."), ("How long?", "A week.")]
    assert [message["role"] for message in made[0].before] == ["system"] * len(system)


def test_a_wrong_column_names_those_that_are_there(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "rows.jsonl", {"frage": "Was ist Gicht?", "antwort": "Eine Krankheit."})
    advice = (
        r"its columns are frage, antwort; no format has these. Rename the columns to question, answer \(the nearest"
    )
    with pytest.raises(BadInput, match=advice):
        read(str(path))
    with pytest.raises(BadInput, match="alpaca needs instruction, output; the columns there are frage, antwort"):
        read(str(path), "alpaca")
    with pytest.raises(BadInput, match=r"No format is called 'alpacca'. Known are primum, medical-o1"):
        read(str(path), "alpacca")


@pytest.mark.parametrize(
    ("record", "advice"),
    [
        ({"question": "Q?", "antwort": "A"}, "question, answer (the nearest format, question-answer)"),
        ({"instruction": "Say", "response_text": "A"}, "instruction, output (the nearest format, alpaca)"),
        ({"question": "Q?", **dict.fromkeys(("opa", "opb", "opc", "opd"), "x")}, "question, opa, opb, opc, opd, cop"),
    ],
)
def test_the_nearest_format_is_named(tmp_path: Path, record: dict[str, Any], advice: str) -> None:
    with pytest.raises(BadInput, match=re.escape(f"Rename the columns to {advice}")):
        read(str(jsonl(tmp_path / "rows.jsonl", record)))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.jsonl", b'{"question": 1}\nno\n', "line 2: not JSON"),
        ("a.jsonl", b"[1]\n", "line 1: not a JSON object"),
        ("a.json", b'{"1": "yes"}', "neither a list of objects"),
        ("a.json", b"[{", "not JSON"),
        ("a.jsonl.gz", b"none", "can't be read"),
        ("a.csv", b"question,answer\n\xff,x\n", "not UTF-8"),
        ("a.xlsx", b"", "unknown kind of file"),
        ("a.jsonl", b"", "no records"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=why):
        list(read(str(tmp_path / name))[1])


def test_no_file_and_no_hub_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read(str(tmp_path / "missing.jsonl"))


def test_a_hub_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="a hub's data set needs the extra `train`")

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(BadInput, match=r"nobody/nothing: .* the hub gave no data set of that name"):
        read("nobody/nothing:en@train")


def test_a_hub_s_rows_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="a hub's data set needs the extra `train`")
    asked: list[object] = []

    def load(*args: object, **options: object) -> list[dict[str, str]]:
        asked.extend([*args, options])
        return [O1]

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert read("someone/medical:en@validation")[0] == "medical-o1"
    assert asked == ["someone/medical", "en", {"split": "validation", "streaming": True}]


def test_every_format_has_a_name_of_its_own() -> None:
    assert all(name == one.name for name, one in FORMATS.items())
