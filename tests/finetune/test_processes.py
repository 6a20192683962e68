"""A run of two processes, as accelerate launches it: it learns what one does, and one speaks and writes for both."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file

from primum.finetune import sft
from primum.finetune.recipe import CONFIGS, Recipe
from primum.server.port import free_port
from tests.finetune.recipes import recipe

PATIENCE = 240  # seconds; two processes that load torch on a busy machine
TOLERANCE = 1e-6  # of the adapter's weights, which are up to 0.2: the sums are taken in another order


def launched(one: Recipe, out: Path, *more: str) -> subprocess.Popen[str]:
    """Two processes on the CPU, each of which has half of the batch."""
    file = out.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(one.model_dump(mode="json", exclude_none=True)))
    argv = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIGS / "accelerate/cpu.yaml")]
    argv += ["--main_process_port", str(free_port(0))]
    argv += ["-m", "primum", "finetune", "sft", str(file), "--out", str(out), *more]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy())


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=PATIENCE)
    finally:
        process.kill()


def history(out: Path, name: str) -> list[float]:
    found: list[dict[str, Any]] = json.loads((out / "log_history.json").read_text())
    return [line[name] for line in found if name in line]


def assert_same(out: Path, other: Path) -> None:
    ours, theirs = (load_file(folder / "adapter_model.safetensors") for folder in (out, other))
    assert ours.keys() == theirs.keys()
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < TOLERANCE
    for name in ("loss", "eval_loss"):
        pairs = list(zip(history(out, name), history(other, name), strict=True))
        assert pairs and all(abs(one - two) < 1e-4 for one, two in pairs)


def test_two_processes_learn_what_one_learns_of_twice_the_batch(llama: Path, sums: Path, tmp_path: Path) -> None:
    steps: dict[str, Any] = {"max_steps": 8, "eval_strategy": "steps", "eval_steps": 4}
    process = launched(recipe("sft", llama, sums, steps | {"per_device_train_batch_size": 2}), tmp_path / "two")
    sft.train(recipe("sft", llama, sums, steps), tmp_path / "one")
    out, err = ended(process)
    assert process.returncode == 0, err[-3000:]
    assert_same(tmp_path / "two", tmp_path / "one")
    record = json.loads(out)  # one of them told it, once
    assert record == json.loads((tmp_path / "two/run.json").read_text())
    assert (record["outcome"], record["steps"], record["processes"]) == ("finished", 8, 2)
    assert err.count("Loading the libraries") == 1


def test_two_processes_that_are_told_to_stop_save_the_same_step_and_go_on(
    llama: Path, sums: Path, tmp_path: Path
) -> None:
    # So slowly that what the last digit says at the start says no more at the end.
    steps: dict[str, Any] = {"max_steps": 60, "learning_rate": 0.0005, "eval_strategy": "steps", "eval_steps": 30}
    half = recipe("sft", llama, sums, steps | {"per_device_train_batch_size": 2})
    process = launched(half, tmp_path / "two")
    assert process.stderr
    for line in process.stderr:
        if line.startswith("Training 5/"):
            break
    process.send_signal(signal.SIGINT)  # as Ctrl-C, to the launcher, which hands it on to each
    _, err = ended(process)
    record = json.loads((tmp_path / "two/run.json").read_text())
    assert process.returncode != 0 and record["outcome"] == "stopped" and 5 <= record["steps"] < 60, err[-3000:]
    saved = tmp_path / f"two/checkpoint-{record['steps']}/trainer_state.json"
    assert json.loads(saved.read_text())["global_step"] == record["steps"]
    process = launched(half, tmp_path / "two", "--resume")
    sft.train(recipe("sft", llama, sums, steps), tmp_path / "one")
    _, err = ended(process)
    assert process.returncode == 0, err[-3000:]
    assert_same(tmp_path / "two", tmp_path / "one")


def test_a_search_of_several_processes_is_refused(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "primum", "finetune", "search", "smoke-search", "--out", str(tmp_path / "search")]
    told = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "WORLD_SIZE": "2"}, check=False)
    assert told.returncode == 2 and "start it without a launcher" in told.stderr
