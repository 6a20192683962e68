"""A search finds values, breaks off what is bad, and goes on where it was stopped."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from primum.finetune import search as searching
from primum.finetune import training
from primum.finetune.recipe import Recipe, Space, read
from primum.finetune.run import Stopped, Unfit
from primum.finetune.search import search, varied
from primum.graph.errors import BadInput, TrainingFailed
from tests.finetune.recipes import recipe

SPACE: dict[str, Any] = {"learning_rate": (1e-6, 1e-1), "rank": [2, 4], "epochs": [1, 2]}
LONG = {"max_steps": -1, "per_device_train_batch_size": 8}


def test_it_finds_the_lowest_loss_and_writes_a_recipe_and_a_plot(llama: Path, sums: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    one = recipe("sft", llama, sums, LONG, search=Space(trials=2, **SPACE))
    found = search(one, out)
    best = read(found["recipe"])
    assert best.training["learning_rate"] == found["best"]["learning_rate"]
    assert best.adapter == {"r": found["best"]["rank"], "lora_alpha": 2 * found["best"]["rank"]}
    assert Path(found["plot"]).read_bytes().startswith(b"\x89PNG")
    assert (Path(found["folder"]) / "adapter_model.safetensors").is_file()

    more = search(one.model_copy(update={"search": Space(trials=3, **SPACE)}), out, resume=True)
    assert more["trials"]["complete"] + more["trials"].get("pruned", 0) == 3
    with pytest.raises(BadInput, match="--resume"):
        search(one, out)


def test_what_is_stopped_goes_on_with_the_trials_that_are_left(
    llama: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([3.0, None, 2.0, 1.0])

    def train(_recipe: Any, _out: Path, callbacks: Any) -> None:
        loss = next(losses)
        if loss is None:
            raise Stopped("Stopped at step 1: go on with --resume.")
        callbacks[0].on_evaluate(None, None, None, {"eval_loss": loss})

    monkeypatch.setattr(searching, "train", train)
    one = recipe("sft", llama, sums, search=Space(trials=3, **SPACE))
    with pytest.raises(TrainingFailed, match="Stopped in trial 1"):
        search(one, tmp_path / "search")
    found = search(one, tmp_path / "search", resume=True)
    assert found["trials"] == {"complete": 3, "fail": 1}
    assert found["best"]["eval_loss"] == 1.0


def test_a_rate_that_breaks_the_loss_ends_its_trial_and_not_the_search(
    llama: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def train(one: Recipe, out: Path, callbacks: Any) -> None:
        rate = {"learning_rate": 1e30} if out.name == "trial-0" else {}
        training.train(one.model_copy(update={"training": one.training | rate}), out, callbacks=callbacks)

    monkeypatch.setattr(searching, "train", train)
    found = search(recipe("sft", llama, sums, LONG, search=Space(trials=2, **SPACE)), tmp_path / "search")
    assert found["trials"] == {"pruned": 1, "complete": 1} and found["best"]["trial"] == 1
    assert Path(found["plot"]).is_file() and Path(found["recipe"]).is_file()
    assert "Traceback" not in capfd.readouterr().err


def test_a_search_without_any_trial_that_ended_says_why(
    llama: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(_recipe: Any, _out: Path, callbacks: Any) -> None:
        if next(ways):
            raise Unfit("The memory is not enough.")
        callbacks[0].on_evaluate(None, None, None, {"eval_loss": float("nan")})

    ways = iter([False, True])
    monkeypatch.setattr(searching, "train", train)
    one = recipe("sft", llama, sums, search=Space(trials=2, **SPACE))
    with pytest.raises(TrainingFailed, match=r"No trial came to its end\. Of the last: The memory is not enough"):
        search(one, tmp_path / "search")


def test_rows_that_do_not_fit_end_the_search_at_once(llama: Path, sums: Path, tmp_path: Path) -> None:
    one = recipe("sft", llama, sums, {"max_length": 2}, too_long="drop", search=Space(trials=2, **SPACE))
    with pytest.raises(BadInput, match="No row fits into 2 tokens"):
        search(one, tmp_path / "search")


def test_a_trial_that_is_worse_than_the_median_is_broken_off() -> None:
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=1))
    study.add_trial(optuna.trial.create_trial(value=1.0, intermediate_values={1: 1.0}))
    watch = searching._Watch(study.ask())
    with pytest.raises(optuna.TrialPruned):
        watch.on_evaluate(None, None, None, {"eval_loss": 2.0})


def test_alpha_keeps_its_proportion_to_the_rank(llama: Path, sums: Path) -> None:
    one = recipe("sft", llama, sums, adapter={"r": 16, "lora_alpha": 16})
    assert varied(one, 1e-4, 64, 2).adapter == {"r": 64, "lora_alpha": 64}


def test_a_recipe_without_a_space_can_not_be_searched(llama: Path, sums: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="`search:`"):
        search(recipe("sft", llama, sums), tmp_path)
