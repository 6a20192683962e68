"""Encoder–decoder models are trained on the same rows, and judged by what they generate."""

from pathlib import Path

from safetensors.torch import load_file

from primum.finetune import seq2seq
from tests.finetune.recipes import recipe

JUDGED = {"eval_strategy": "steps", "eval_steps": 4, "predict_with_generate": True, "generation_max_length": 6}


def test_a_t5_learns_and_is_judged_by_what_it_generates(t5: Path, sums: Path, tmp_path: Path) -> None:
    training = JUDGED | {"max_steps": 60, "eval_steps": 60, "per_device_train_batch_size": 16}
    done = seq2seq.train(recipe("seq2seq", t5, sums, training, adapter=None), tmp_path / "run")
    assert done["figures"]["eval_rougeL"] > 0
    assert 0 <= done["figures"]["eval_exact"] <= 1
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_a_t5_gets_an_adapter(t5: Path, sums: Path, tmp_path: Path) -> None:
    seq2seq.train(recipe("seq2seq", t5, sums, JUDGED, adapter={"r": 2, "target_modules": ["q", "v"]}), tmp_path / "run")
    assert {name.split(".")[-3] for name in load_file(tmp_path / "run" / "adapter_model.safetensors")} == {"q", "v"}
