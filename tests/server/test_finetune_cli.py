"""`primum finetune`: results on stdout, progress on stderr, exit codes as everywhere."""

import subprocess
import sys
from pathlib import Path

from primum.server.finetune_cli import _recipe


def primum(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "primum", "finetune", *argv], capture_output=True, text=True)


def test_a_wrong_recipe_is_wrong_use(tmp_path: Path) -> None:
    done = primum("sft", "smoke-dpo", "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert "smoke-dpo is a recipe for `dpo`, not for sft." in done.stderr
    assert done.stdout == ""


def test_an_earlier_runs_adapter_is_trained_on_and_a_whole_model_gets_a_new_one(tmp_path: Path) -> None:
    for name, holds in (("adapter", "adapter_config.json"), ("whole", "config.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / holds).write_text("{}")
    of = {
        name: _recipe("smoke-sft", None, None, tmp_path / name, None, ("sft",)).adapter for name in ("adapter", "whole")
    }
    assert of["adapter"] is None and of["whole"] == {"r": 16, "lora_alpha": 32}


def test_help_has_an_example() -> None:
    for command in ("sft", "dpo", "grpo", "seq2seq", "search"):
        assert f"Example: primum finetune {command}" in " ".join(primum(command, "--help").stdout.split())
