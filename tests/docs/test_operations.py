"""docs/operations.md: its commands work, what it names is there, and its log is the code's."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from primum.graph.settings import Settings
from primum.server.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
LINES = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE) for line in block.splitlines()
]
SYMPTOMS = (
    *("API down", "Model down", "Database down", "Slow answers", "Unverified answers", "Jobs waiting"),
    *("Disk filling", "Jobs failed", "Worker down", "Model server down", "Embedder down", "Library empty"),
    *("Replica down", "Partly cut off"),
)
LEVELS = ("debug", "info", "warning", "error", "critical")
ROOMS = ("graph", "nodes", "tools", "memory", "retrieval", "safety", "server")
# What an event may carry: ids, names of parts, counts, and sentences of Primum's own.
FIELDS = {
    *("run_id", "status", "ms", "error", "at", "reason", "service", "tool", "embedder", "kind", "name"),
    *("added", "all", "broken", "chunks", "days", "failed", "job", "patients", "replaced", "skipped", "threads"),
}


def test_each_symptom_has_what_is_seen_where_to_look_and_what_to_do() -> None:
    """Alerts lead to these headings."""
    for symptom in SYMPTOMS:
        (told,) = re.findall(rf"^### {symptom}\n(.*?)^##", PAGE, re.DOTALL | re.MULTILINE)
        assert [word in told for word in ("*Users see*", "*Look*", "*Do*")] == [True] * 3, symptom


def test_its_commands_work(settings: Settings, empty_database_url: str, tmp_path: Path) -> None:
    assert settings.database_url is not None
    given = {"PRIMUM_DATABASE_URL": settings.database_url.get_secret_value(), "PRIMUM_HOME": str(settings.home)}
    shell = CliRunner(env=given)
    for folder in ("srv/backups", "mnt/elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    assert len(LINES) == 10
    for line in LINES:
        words = [str(tmp_path) + word if word.startswith("/") else word for word in shlex.split(line)[1:]]
        if words[1] == "restore":
            (words[2],) = (str(path) for path in (tmp_path / "srv/backups").glob("*.backup"))
            shell = CliRunner(env={**given, "PRIMUM_DATABASE_URL": empty_database_url})
        if words[1] == "revoke":
            words[2] = shell.invoke(app, ["keys", "list"]).stdout.split()[0]
        result = shell.invoke(app, words)
        assert result.exit_code == 0, (line, result.output, result.exception)


def test_each_command_that_it_names_is_there() -> None:
    prose = " ".join(re.sub(r"^```.*?^```", "", PAGE, flags=re.DOTALL | re.MULTILINE).split())
    named = re.findall(r"`primum ([^`]+)`", prose)
    assert len(named) > 10
    for line in named:
        command: Any = typer.main.get_command(app)
        words = shlex.split(line)
        while words and hasattr(command, "commands"):
            name = words.pop(0)
            assert name in command.commands, line
            command = command.commands[name]
        assert not hasattr(command, "commands") or line in ("backup", "keys"), line
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def logged() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Each event of the code: its name, its level, its fields."""
    for file in (file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in (
                    *LEVELS,
                    "exception",
                ):
                    (event,) = node.args
                    assert isinstance(event, ast.Constant), f"{file}: an event's name is a constant"
                    yield str(event.value), level, frozenset(str(field.arg) for field in node.keywords)


def test_the_log_is_what_the_page_says() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (\w+(?:, \w+)*) \| (.*?) \| [^|]+ \|$", PAGE, re.MULTILINE)
    told = {event: (set(level.split(", ")), set(re.findall(r"`(\w+)`", fields))) for event, level, fields in rows}
    found: dict[str, tuple[set[str], set[str]]] = {}
    for event, level, fields in logged():
        levels, all_fields = found.setdefault(event, (set(), set()))
        levels.add(level)
        all_fields |= fields
    assert {event: told.get(event) for event in found} == found
    assert {event for event, (level, _) in told.items() if level <= set(LEVELS)} == found.keys()


@pytest.mark.parametrize("event", sorted({event for event, _, _ in logged()}))
def test_no_event_has_a_place_for_words(event: str) -> None:
    for name, level, fields in logged():
        if name == event:
            assert level != "exception", "a traceback may show what a function was given"
            assert fields <= FIELDS, f"{fields - FIELDS}: ids, names of parts and counts alone"
