"""An adapter folded into its base: proven against what it was before, or nothing is written."""

import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from primum.finetune.merge import merge
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import fingerprint, model_fingerprint
from tests.adapters import write_adapter, write_model

MODULES = {f"model.layers.{layer}.self_attn.{name}": (64, 64) for layer in (0, 1) for name in ("q_proj", "o_proj")}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def run(base: Path, tmp_path: Path) -> Path:
    folder = write_adapter(tmp_path / "run", shapes=MODULES, base=str(base), scale=0.5)
    (folder / "card.json").write_text('{"licences": ["CC0-1.0"]}')
    (folder / "run.json").write_text(json.dumps({"method": "sft", "base": {"hash": model_fingerprint(base)}}))
    return folder


def test_the_merged_model_is_whole_and_carries_cards_and_hashes(run: Path, base: Path, tmp_path: Path) -> None:
    told = merge(run, tmp_path / "out")
    out = tmp_path / "out"
    assert told["drift_bits"] < told["change_bits"] / 2 and told["change_bits"] > 0.01
    assert told["adapter"] == fingerprint(run) and told["base"] == model_fingerprint(base)
    assert told["sha256"] == model_fingerprint(out) != told["base"]
    assert json.loads((out / "run.json").read_text())["merged"]["adapter"] == told["adapter"]
    assert json.loads((out / "card.json").read_text()) == {"licences": ["CC0-1.0"]}
    assert AutoTokenizer.from_pretrained(out).chat_template
    assert str(AutoModelForCausalLM.from_pretrained(out).dtype) == "torch.bfloat16"
    assert not list(tmp_path.glob(".*.part"))


def test_a_merge_that_says_something_else_is_not_written(run: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="bits a token"):
        merge(run, tmp_path / "out", tolerance=0.0)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*.part"))


def test_a_moved_base_model_is_taken_if_its_hash_is_the_one_it_was_trained_on(
    run: Path, base: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    base.rename(moved)
    try:
        with pytest.raises(BadInput, match="give --base"):
            merge(run, tmp_path / "out")
        merge(run, tmp_path / "out", moved)
    finally:
        moved.rename(base)


def test_a_base_that_it_was_not_trained_on_or_that_is_quantised_is_refused(
    run: Path, base: Path, tmp_path: Path
) -> None:
    other = write_model(tmp_path / "other", hidden_act="relu")
    with pytest.raises(BadInput, match="trained on"):
        merge(run, tmp_path / "out", other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"quantization_config": {"load_in_4bit": True}}))
    with pytest.raises(BadInput, match="quantised"):
        merge(run, tmp_path / "out", other)


def test_a_broken_adapter_a_whole_model_and_a_folder_in_use_are_refused(run: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no adapter"):
        merge(base, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(BadInput, match="is there already"):
        merge(run, tmp_path / "full")
    write_adapter(run, shapes=MODULES, base=str(base), scale=0.0)
    with pytest.raises(BadInput, match="changes nothing"):
        merge(run, tmp_path / "out")
