"""A folder is prepared: split by group, nothing of an evaluation set in it, each removal counted, never a text told."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from primum.finetune.cleaning import Rules
from primum.finetune.prepare import Plan, prepare
from primum.finetune.rows import SPLITS, Example, read_rows
from primum.graph.errors import BadInput, PrimumError
from primum.server.cli import app, main
from tests.finetune.test_datasets import jsonl

ORGANS = "heart liver kidney spleen lung stomach bladder brain skin eye ear nose throat tongue knee hip".split()
HALVES = Plan(split=(0.5, 0.25, 0.25))


def qa(organ: str, more: str = "") -> dict[str, str]:
    return {"question": f"What does the {organ} do{more}?", "answer": f"The {organ} does its own work in the body."}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return jsonl(tmp_path / "organs.jsonl", *map(qa, ORGANS))


def rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: list(read_rows(folder / f"{name}.jsonl", Example)) for name in SPLITS}


def placed(folder: Path) -> dict[str, str]:
    return {row["id"]: name for name, found in rows(folder).items() for row in found}


def test_every_row_stands_in_one_split_and_the_card_knows_its_files(source: Path, tmp_path: Path) -> None:
    card = prepare([str(source)], tmp_path / "out", HALVES)
    assert sum(card["rows"].values()) == len(placed(tmp_path / "out")) == len(ORGANS)
    assert all(card["rows"].values())
    assert json.loads((tmp_path / "out" / "card.json").read_text()) == card
    for name, told in card["hashes"].items():
        assert sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*card["hashes"], "card.json", "README.md"}


def test_the_same_seed_makes_the_same_files_with_any_number_of_workers(source: Path, tmp_path: Path) -> None:
    cards = [prepare([str(source)], tmp_path / str(n), HALVES, workers=n) for n in (1, 2)]
    assert cards[0]["hashes"] == cards[1]["hashes"]
    assert prepare([str(source)], tmp_path / "3", Plan(split=HALVES.split, seed=1))["hashes"] != cards[0]["hashes"]


def test_added_rows_move_none_of_the_others(source: Path, tmp_path: Path) -> None:
    prepare([str(source)], tmp_path / "before", HALVES)
    more = jsonl(tmp_path / "more.jsonl", *(qa(f"{organ} vessel") for organ in ORGANS))
    prepare([str(source), str(more)], tmp_path / "after", HALVES)
    before, after = placed(tmp_path / "before"), placed(tmp_path / "after")
    assert before.items() <= after.items() and len(after) == 2 * len(before)


def test_questions_that_are_nearly_the_same_stand_in_one_split(tmp_path: Path) -> None:
    story = " ".join(f"detail{number}" for number in range(120))
    asked = [
        {"question": f"{story} {end}", "answer": f"Answer of {end} alone"} for end in ("one", "two", "three", "four")
    ]
    prepare([str(jsonl(tmp_path / "near.jsonl", *asked))], tmp_path / "out", HALVES)
    assert len(set(placed(tmp_path / "out").values())) == 1
    assert len(placed(tmp_path / "out")) == 4


def test_a_row_that_was_there_already_is_left_out(tmp_path: Path) -> None:
    other = {"question": "what does the HEART do", "answer": "The heart does its own work, in the body!"}
    path = jsonl(tmp_path / "twice.jsonl", qa("heart"), qa("liver"), other)
    card = prepare([str(path)], tmp_path / "out")
    assert card["sources"][0]["removed"] == {"near-duplicate": {"rows": 1, "ids": ["twice.jsonl:3"]}}


def test_nothing_of_an_evaluation_set_is_trained_on(source: Path, tmp_path: Path) -> None:
    held = jsonl(tmp_path / "held.jsonl", qa("heart"), qa("appendix"))
    card = prepare([str(source)], tmp_path / "out", Plan(evaluations=(str(held),)))
    assert card["sources"][0]["overlap"] == {"held.jsonl": {"exact": {"rows": 1, "ids": ["organs.jsonl:1"]}}}
    assert list(card["evaluations"]) == ["held_out", "held.jsonl"] and card["evaluations"]["held.jsonl"] == 2
    assert not any(
        "heart" in row["messages"][0]["content"] for found in rows(tmp_path / "out").values() for row in found
    )


def test_what_was_left_out_is_counted_by_reason_and_never_told(tmp_path: Path) -> None:
    broken = [{"question": f"Secret story {number}?", "answer": "N/A"} for number in range(9)]
    card = prepare([str(jsonl(tmp_path / "rows.jsonl", qa("heart"), *broken))], tmp_path / "out")
    left = card["sources"][0]["removed"]["placeholder"]
    assert (left["rows"], len(left["ids"])) == (9, 5)
    told = (tmp_path / "out" / "card.json").read_text() + (tmp_path / "out" / "README.md").read_text()
    assert "Secret" not in told and str(tmp_path) not in told


def test_only_training_rows_are_varied(tmp_path: Path) -> None:
    asked = [{"question": f"How is {organ} pain treated?", "answer": f"Rest helps the {organ}."} for organ in ORGANS]
    prepare([str(jsonl(tmp_path / "pain.jsonl", *asked))], tmp_path / "out", Plan(split=HALVES.split, augment=2))
    varied = {name: sum("~" in row["id"] for row in found) for name, found in rows(tmp_path / "out").items()}
    assert varied["train"] > 0 and varied["validation"] == varied["test"] == 0


def test_a_variation_that_an_evaluation_set_asks_is_left_out(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "gout.jsonl", {"question": "How is gout treated?", "answer": "Rest helps against gout."})
    plan = Plan(split=(1.0, 0.0, 0.0), augment=5)
    asked = [row["messages"][0]["content"] for row in rows_of(path, tmp_path / "free", plan)]
    held = jsonl(tmp_path / "held.jsonl", {"question": asked[-1], "answer": "x"})
    plan = Plan(split=plan.split, augment=5, evaluations=(str(held),))
    left = [row["messages"][0]["content"] for row in rows_of(path, tmp_path / "held", plan)]
    assert len(asked) > 2
    assert asked[-1] not in left


def rows_of(path: Path, out: Path, plan: Plan) -> list[dict[str, Any]]:
    prepare([str(path)], out, plan)
    return sorted(rows(out)["train"], key=lambda row: str(row["id"]))


def test_licences_are_told_and_unknown_ones_warned_of(source: Path, tmp_path: Path) -> None:
    assert prepare([str(source)], tmp_path / "a")["licences"] == {"unknown": len(ORGANS)}
    assert "Of rows with an unknown licence" in (tmp_path / "a" / "README.md").read_text()
    assert prepare([str(source)], tmp_path / "b", Plan(licence="CC0-1.0"))["licences"] == {"CC0-1.0": len(ORGANS)}


def test_a_file_in_a_published_form_may_claim_its_licence_no_more_than_that(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "own.jsonl", {"Question": "What is gout?", "Complex_CoT": "Hm.", "Response": "Arthritis."})
    assert prepare([str(path)], tmp_path / "a")["licences"] == {"Apache-2.0, claimed by the format": 1}
    assert "or one that only their format claims" in (tmp_path / "a" / "README.md").read_text()
    assert prepare([str(path)], tmp_path / "b", Plan(licence="CC0-1.0"))["licences"] == {"CC0-1.0": 1}


def test_a_prepared_folder_can_be_prepared_again(source: Path, tmp_path: Path) -> None:
    prepare([str(source)], tmp_path / "out", HALVES)
    again = prepare([str(tmp_path / "out" / "train.jsonl")], tmp_path / "again", HALVES)
    assert again["rows"]["train"] == len(rows(tmp_path / "out")["train"])


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (Plan(split=(0.9, 0.2, 0.1)), "three shares that make 1"),
        (Plan(rules=Rules(tokenizer="nowhere")), "no tokenizer.json"),
        (Plan(evaluations=("missing.jsonl",)), "missing.jsonl: no such file"),
        (Plan(rules=Rules(languages=frozenset({"fr"}))), "No row is left .language: en: 16."),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_is_written(source: Path, tmp_path: Path, plan: Plan, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        prepare([str(source)], tmp_path / "out", plan)
    assert not list(tmp_path.glob("out/*"))


def test_a_folder_with_something_else_in_it_is_left_alone(source: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no prepared folder"):
        prepare([str(source)], tmp_path)


def test_the_command_prints_the_card(source: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["finetune", "prepare", str(source), "--out", str(tmp_path / "out"), "--seed", "7"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["made"]["command"].startswith(
        "primum finetune prepare organs.jsonl --out out --seed 7"
    )


def test_the_command_says_what_was_compared(source: Path, tmp_path: Path) -> None:
    command = ["finetune", "prepare", str(source), "--out", str(tmp_path / "out")]
    alone = CliRunner().invoke(app, command)
    assert "own held-out cases alone" in alone.stderr and "--eval" in alone.stderr
    held = jsonl(tmp_path / "held.jsonl", {"id": "t", "text": qa("heart")["question"], "emergency": False})
    named = CliRunner().invoke(app, [*command, "--eval", str(held)])
    assert "held-out cases alone" not in named.stderr
    assert json.loads(named.stdout)["sources"][0]["overlap"]["held.jsonl"]["exact"]["rows"] == 1


def test_the_command_names_the_columns_that_are_there(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "rows.jsonl", {"frage": "Was ist Gicht?"})
    done = CliRunner().invoke(app, ["finetune", "prepare", str(path), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, BadInput)
    assert "its columns are frage; no format has these" in str(done.exception)


def test_a_full_disk_is_told(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("primum.finetune.prepare.write_rows", full)
    with pytest.raises(PrimumError, match="No space left on device"):
        prepare([str(source)], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(("given", "code"), [("rows.jsonl", 2), ("organs.jsonl", 0)])
def test_the_command_ends_as_it_should(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, code: int
) -> None:
    command = ["primum", "finetune", "prepare", str(source.with_name(given)), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == code


def test_the_command_without_a_source_is_wrong_use() -> None:
    assert CliRunner().invoke(app, ["finetune", "prepare", "--out", "x"]).exit_code == 2
