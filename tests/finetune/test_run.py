"""What a machine or a prepared folder can do to a run ends in what to change."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from primum.finetune import policy, sft
from primum.finetune.prepared import open_data
from primum.finetune.recipe import Recipe
from primum.finetune.run import _Bar, failures
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import file_hash, model_fingerprint
from tests.finetune.recipes import recipe

BIG: Any = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, "gradient_checkpointing": False}


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_little_memory_is_told_with_ways_out(error: Exception) -> None:
    one = Recipe(method="sft", model="m", adapter={}, training=BIG)
    ways = r"per_device_train_batch_size=4 with training\.gradient_accumulation_steps=4.*checkpointing=true.*nf4"
    with pytest.raises(TrainingFailed, match=ways), failures(one):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("basic_ios::clear: iostream error"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"),
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
    ],
)
def test_a_full_disk_is_told_whoever_finds_it_full(error: Exception) -> None:
    """Without writing to /dev/full: safetensors renames its file into place, and would do away with the device."""
    with pytest.raises(TrainingFailed, match="disk is full"), failures(Recipe(method="sft", model="m")):
        raise error


def test_any_other_failure_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shape"), failures(Recipe(method="sft", model="m")):
        raise RuntimeError("shape mismatch")


def test_a_folder_that_was_changed_after_it_was_prepared_is_refused(llama: Path, sums: Path, tmp_path: Path) -> None:
    with (sums / "train.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(BadInput, match=r"train\.jsonl is not the file that card\.json tells of"):
        sft.train(recipe("sft", llama, sums), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_without_a_card_is_refused(sums: Path) -> None:
    (sums / "card.json").unlink()
    with pytest.raises(BadInput, match=r"no card\.json"):
        open_data(sums, "sft")


@pytest.mark.parametrize(("path", "said"), [(None, "names no data"), (Path("nowhere"), "no prepared folder")])
def test_no_data_is_told(path: Path | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        open_data(path, "sft")


def test_a_wrong_column_is_told_with_its_line(llama: Path, sums: Path, tmp_path: Path) -> None:
    (sums / "train.jsonl").write_text('{"question": "?", "answer": "!"}\n')
    card = json.loads((sums / "card.json").read_text())
    card["hashes"]["train.jsonl"] = file_hash(sums / "train.jsonl")
    (sums / "card.json").write_text(json.dumps(card))
    with pytest.raises(BadInput, match=r"train\.jsonl, line 1: field 'id': Field required"):
        sft.train(recipe("sft", llama, sums), tmp_path / "run")


def test_empty_rows_are_told(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text("")
    with pytest.raises(BadInput, match="is empty"):
        open_data(tmp_path, "dpo")


def test_the_bar_lets_go_of_the_terminal_where_training_breaks(
    llama: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[_Bar] = []
    made = _Bar.__init__

    def noted(self: _Bar) -> None:
        made(self)
        self.bar.disable = False
        bars.append(self)

    monkeypatch.setattr(_Bar, "__init__", noted)
    with pytest.raises(TrainingFailed, match="no number any more"):
        sft.train(recipe("sft", llama, sums, {"learning_rate": 1e30}), tmp_path / "run")
    assert bars[0].bar.tasks and not bars[0].bar.live.is_started


def test_what_the_trainer_wrote_beside_a_model_is_no_part_of_it(llama: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((llama / name).read_bytes())
    (tmp_path / "training_args.bin").write_bytes(b"paths and times")
    assert model_fingerprint(tmp_path) == model_fingerprint(llama)


def test_a_base_is_compared_by_its_files_and_not_with_a_hubs_commit(llama: Path, sums: Path, tmp_path: Path) -> None:
    """The run was trained on what a hub serves, and goes on from a folder with the same weights."""
    sft.train(recipe("sft", llama, sums), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())

    def begun_on(told: str) -> Recipe:
        (tmp_path / "run" / "run.json").write_text(json.dumps(record | {"base": {"hash": told}}))
        return recipe("sft", llama, sums, start_from=tmp_path / "run")

    assert policy.model_of(begun_on("c" * 40))
    with pytest.raises(BadInput, match="trained on another base model"):
        policy.model_of(begun_on("c" * 64))
