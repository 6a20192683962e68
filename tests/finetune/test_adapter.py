"""The linter: each thing that vLLM refuses, or takes without a word, is named with what to do."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primum.finetune.adapter import checked, lint
from primum.graph.errors import BadInput
from primum.graph.fingerprint import card_of, fingerprint, model_fingerprint
from tests.adapters import SHAPES, write_adapter, write_base, write_tensors


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_base(tmp_path / "tiny")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "med")


def test_a_sound_adapter_has_no_fault_and_a_hash(adapter: Path, base: Path) -> None:
    report = checked(adapter, base)
    assert (report.faults, report.unchecked, report.rank) == ((), (), 2)
    assert report.sha256 == fingerprint(adapter)


def test_the_hash_is_what_sha256sum_says_of_its_files(adapter: Path) -> None:
    command = "sha256sum adapter_config.json adapter_model.safetensors | sha256sum"
    said = subprocess.run(command, shell=True, cwd=adapter, capture_output=True, text=True, check=True).stdout
    before = fingerprint(adapter)
    assert said.split()[0] == before
    write_adapter(adapter, seed=2)
    assert fingerprint(adapter) != before


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
        ({"use_dora": True}, "use_dora"),
        ({"lora_bias": True}, "lora_bias"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices"),
        ({"peft_type": "IA3"}, "peft_type"),
        ({"target_modules": ["q_proj", "up_proj", "v_proj"]}, "target_modules"),
        ({"lora_alpha": None}, "config"),
        ({"r": 4}, "shapes"),
        ({"base_model_name_or_path": "Qwen/Qwen3-0.6B"}, "base"),
    ],
)
def test_a_fault_is_named_with_what_to_do(tmp_path: Path, base: Path, config: dict[str, Any], rule: str) -> None:
    report = lint(write_adapter(tmp_path / "med", **config), base)
    assert rule in {fault.rule for fault in report.faults}
    assert all(fault.text and fault.remedy.endswith(".") for fault in report.faults)
    with pytest.raises(BadInput, match="can't be served"):
        checked(tmp_path / "med", base)


@pytest.mark.parametrize("start", [True, "gaussian", "orthogonal"])
def test_ways_to_start_that_leave_the_base_alone_are_none(tmp_path: Path, base: Path, start: object) -> None:
    assert lint(write_adapter(tmp_path / "med", init_lora_weights=start), base).faults == ()


def test_rslora_is_served(tmp_path: Path, base: Path) -> None:
    assert lint(write_adapter(tmp_path / "med", use_rslora=True), base).faults == ()


def test_a_rank_above_the_servers_names_the_one_to_start_it_with(tmp_path: Path) -> None:
    (fault,) = lint(write_adapter(tmp_path / "med", rank=20), max_rank=16).faults
    assert fault.rule == "rank" and "--max-rank 32" in fault.remedy
    (fault,) = lint(write_adapter(tmp_path / "big", rank=600)).faults
    assert "up to 512" in fault.text


def test_a_modules_own_rank_counts(tmp_path: Path) -> None:
    report = lint(write_adapter(tmp_path / "med", rank_pattern={"up_proj": 600}))
    assert report.rank == 600
    assert {fault.rule for fault in report.faults} == {"rank", "shapes"}


def test_weights_of_a_model_of_another_size_or_kind_are_told(tmp_path: Path, adapter: Path) -> None:
    wide = write_base(tmp_path / "wide" / "tiny", dict.fromkeys(SHAPES, (32, 32)))
    assert "another size" in lint(adapter, wide).faults[0].remedy
    other = write_base(tmp_path / "other" / "tiny", {"transformer.h.0.attn": (8, 8)})
    assert "has no model.layers.0" in lint(adapter, other).faults[0].text


def test_the_hash_of_the_base_that_its_run_wrote_down_decides_not_its_name(tmp_path: Path, adapter: Path) -> None:
    base = write_base(tmp_path / "renamed")
    (adapter / "run.json").write_text(json.dumps({"base": {"name": "tiny", "hash": model_fingerprint(base)}}))
    assert lint(adapter, base).faults == ()
    (adapter / "run.json").write_text(json.dumps({"base": {"name": "tiny", "hash": "0" * 64}}))
    (fault,) = lint(adapter, base).faults
    assert fault.rule == "base" and "000000000000" in fault.text


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("value", "rule"), [(np.nan, "nan"), (np.inf, "nan"), (0.0, "untrained"), (-0.0, "untrained")])
def test_numbers_that_mean_nothing_are_told(adapter: Path, base: Path, dtype: str, value: float, rule: str) -> None:
    tensors = {}
    for module, (rows, columns) in SHAPES.items():
        tensors[f"base_model.model.{module}.lora_A.weight"] = np.ones((2, columns), np.float32)
        tensors[f"base_model.model.{module}.lora_B.weight"] = np.full((rows, 2), value, np.float32)
    if dtype == "bfloat16":
        tensors = {name: (one.view(np.uint32) >> 16).astype(np.uint16) for name, one in tensors.items()}
    else:
        tensors = {name: one.astype(dtype) for name, one in tensors.items()}
    write_tensors(adapter / "adapter_model.safetensors", tensors)
    assert [fault.rule for fault in lint(adapter, base).faults] == [rule]


def test_a_matrix_without_its_other_half_and_one_that_is_none_are_told(adapter: Path) -> None:
    write_tensors(
        adapter / "adapter_model.safetensors",
        {
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.ones((2, 8), np.float32),
            "base_model.model.lm_head.weight": np.ones((8, 8), np.float32),
        },
    )
    told = " ".join(fault.text for fault in lint(adapter).faults)
    assert "q_proj has one of its two matrices" in told and "lm_head.weight is no LoRA matrix" in told


def test_a_pickle_is_refused_and_never_read(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    (fault,) = lint(adapter).faults
    assert fault.rule == "pickle" and "may run code" in fault.remedy


def test_a_file_that_was_cut_off_and_one_that_is_no_adapters_are_bad_input(adapter: Path, tmp_path: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(BadInput, match="cut off"):
        lint(adapter)
    file.write_bytes(b"PK\x03\x04 no safetensors")
    with pytest.raises(BadInput, match="no safetensors file"):
        lint(adapter)
    with pytest.raises(BadInput, match="no adapter_config"):
        lint(tmp_path)


def test_without_the_base_model_it_is_said_what_was_not_looked_at(adapter: Path) -> None:
    report = lint(adapter)
    assert report.faults == () and "give --base" in report.unchecked[0]


def test_the_card_tells_data_and_training_and_no_paths(adapter: Path) -> None:
    (adapter / "card.json").write_text('{"counts": {"train": 300}}')
    run = {"method": "sft", "base": {"name": "/models/tiny", "hash": "ab"}, "recipe": {"data": "/home/me"}}
    (adapter / "run.json").write_text(
        json.dumps(run | {"data": {"folder": "/home/me", "hashes": {"train.jsonl": "cd"}}})
    )
    card = card_of(adapter)
    assert card["data"] == {"counts": {"train": 300}}
    assert card["training"] == {
        "method": "sft",
        "base": {"name": "tiny", "hash": "ab"},
        "data": {"train.jsonl": "cd"},
    }
    (adapter / "card.json").write_text("{")
    assert "data" not in card_of(adapter)
