"""`primum finetune`: results on stdout, progress on stderr, exit codes as everywhere."""

import subprocess
import sys
from pathlib import Path


def primum(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "primum", "finetune", *argv], capture_output=True, text=True)


def test_a_wrong_recipe_is_wrong_use(tmp_path: Path) -> None:
    done = primum("sft", "smoke-dpo", "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert "smoke-dpo is a recipe for `dpo`, not for sft." in done.stderr
    assert done.stdout == ""


def test_help_has_an_example() -> None:
    for command in ("sft", "dpo", "grpo", "seq2seq", "search"):
        assert f"Example: primum finetune {command}" in " ".join(primum(command, "--help").stdout.split())
