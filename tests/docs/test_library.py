"""docs/library.md and docs/offline.md: their commands work, their fields and settings are the code's."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from primum.graph.settings import Settings
from primum.retrieval.markup import markdown_page
from primum.retrieval.source import EVIDENCE, source_of
from primum.server.cli import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
LIBRARY, OFFLINE = ((DOCS / name).read_text(encoding="utf-8") for name in ("library.md", "offline.md"))


def lines(page: str, language: str) -> list[str]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```markdown\n(.*?)^```", LIBRARY, re.DOTALL | re.MULTILINE)
    (tmp_path / "guidelines").mkdir()
    for path in ("leaflet.md", "guidelines/gout.md"):
        (tmp_path / path).write_text(example.replace("Gout in our", f"Gout in {path} our"))
    return CliRunner(env={name: value for name, value in environment.items() if name.startswith("PRIMUM_")})


def test_documents_go_in_are_found_and_go_out(shell: CliRunner, tmp_path: Path) -> None:
    def primum(line: str) -> str:
        result = shell.invoke(app, shlex.split(line)[1:])
        assert result.exit_code == 0, (line, result.output, result.exception)
        return result.output

    told = {line: primum(line) for line in lines(LIBRARY, "sh")[:4]}
    identity = f"file:{tmp_path}/guidelines/gout.md"
    assert identity in told["primum documents list --like gout"]
    assert "colchicine" in told['primum search "first treatment of a gout attack" -k 3']
    (remove,) = (line for line in lines(LIBRARY, "sh") if line.startswith("primum documents remove"))
    primum(remove.replace("file:/srv/leaflets/old.md", identity))
    assert identity not in primum("primum documents list --like gout")


def test_what_a_document_says_of_itself_is_kept() -> None:
    (example,) = re.findall(r"^```markdown\n(.*?)^```", LIBRARY, re.DOTALL | re.MULTILINE)
    found = source_of(markdown_page(example.encode(), "gout.md"), "file:gout.md")
    assert (found.kind, found.evidence, found.audience, found.licence) == (
        "condition",
        "guideline",
        "clinician",
        "internal",
    )
    assert str(found.published) == "2026-03-01" and found.aliases == ["podagra"] and found.url.startswith("https://")
    (row,) = re.findall(r"^\| `evidence` \| (.*?); told", LIBRARY, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == EVIDENCE


@pytest.mark.parametrize("page", [LIBRARY, OFFLINE, (DOCS / "page.md").read_text(encoding="utf-8")])
def test_commands_and_settings_are_there(page: str) -> None:
    for line in (line for line in lines(page, "sh") if line.startswith("primum")):
        command: Any = typer.main.get_command(app)
        words = shlex.split(line)[1:]
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, line
    named = {name.removeprefix("PRIMUM_").lower() for name in re.findall(r"PRIMUM_[A-Z_]+", page)}
    assert named <= set(Settings.model_fields)
