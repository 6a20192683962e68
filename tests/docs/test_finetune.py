"""docs/finetune.md: its commands are commands, with options that exist; its recipes are there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from primum.finetune.recipe import find
from primum.server.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "finetune.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
COMMANDS = [shlex.split(line, comments=True) for line in LINES]
OURS = [words[words.index("primum") + 1 :] for words in COMMANDS if "primum" in words]


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_its_commands_are_understood(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for word in words:  # what must be there is there
        if "/" in word and "=" not in word and not word.startswith("Qwen"):
            (tmp_path / word).mkdir(parents=True, exist_ok=True)
        elif word.endswith(".json"):
            (tmp_path / word).touch()
    (tmp_path / "rows").mkdir(exist_ok=True)
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
    command.make_context(command.name, words)


def test_its_recipes_are_there() -> None:
    named = {words[2] for words in OURS if words[1] in ("sft", "dpo", "grpo", "search", "seq2seq")}
    assert len(named) == 6
    for name in named:
        assert find(name).is_file()
