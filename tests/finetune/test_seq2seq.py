"""Encoder–decoder models are trained on the same rows, and judged by what they generate."""

import asyncio
import json
from pathlib import Path

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from primum.evals.endpoint import Sampling
from primum.evals.folder import Folder
from primum.finetune import seq2seq
from primum.graph.errors import BadInput
from primum.server.cli import app
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


SUM = [{"role": "user", "content": "what is 1 + 1 ="}]


@pytest.mark.parametrize("adapter", [None, {"r": 2, "target_modules": ["q", "v"]}])
def test_what_was_trained_is_asked_and_judged(t5: Path, sums: Path, tmp_path: Path, adapter: object) -> None:
    training = JUDGED | {"max_steps": 60, "eval_steps": 60, "per_device_train_batch_size": 16, "learning_rate": 0.01}
    seq2seq.train(recipe("seq2seq", t5, sums, training, adapter=adapter), tmp_path / "run")
    model = Folder(tmp_path / "run")
    sampling = Sampling(max_tokens=6, logprobs=True)
    alone, *together = asyncio.run(model.write([SUM], sampling)) + asyncio.run(
        model.write([SUM, [{"role": "user", "content": "what is the dose of drug for pain 4 + 4 ="}]], sampling)
    )
    assert alone.text.startswith("####") and alone.text == together[0].text, "padding changes nothing"
    assert next(token.text for token in alone.tokens) == "####"
    said, other = (model.likelihood(SUM, text) for text in (alone.text, "safe not known"))
    assert said.likeliest == said.tokens and said.logprob / said.tokens > other.logprob / other.tokens


def test_a_t5_is_evaluated_by_the_command(t5: Path, sums: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps({"question": "what is safe", "answer": "one tablets"}) + "\n")
    done = CliRunner().invoke(app, ["eval", "answers", "--data", str(data), "--folder", str(t5), "--max-tokens", "4"])
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["n"] == 1


def test_a_t5_is_judged_beside_another_model(llama: Path, t5: Path, sums: Path, tmp_path: Path) -> None:
    folders = [str(llama), str(t5), "--data", str(sums), "--max-tokens", "4", "--out", str(tmp_path / "report.html")]
    done = CliRunner().invoke(app, ["finetune", "evaluate", *folders])
    assert done.exit_code == 0, done.exception
    assert (tmp_path / "report.html").is_file()


def test_a_folder_without_a_model_is_said_without_speaking_of_adapters(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"no model can be loaded .*Give a folder with config\.json") as raised:
        Folder(tmp_path)
    assert "--base" not in str(raised.value)


def test_the_smoke_recipe_runs_without_a_hub(sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMUM_HOME", str(tmp_path / "home"))
    command = ["finetune", "seq2seq", "smoke-t5", "--data", str(sums), "--out", str(tmp_path / "run")]
    changes = [word for one in ("max_steps=2", "eval_steps=2") for word in ("--set", f"training.{one}")]
    done = CliRunner().invoke(app, [*command, *changes])
    assert done.exit_code == 0, done.exception
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert (tmp_path / "home" / "cache" / "tiny-t5" / "config.json").is_file()
