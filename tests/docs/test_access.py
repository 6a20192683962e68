"""docs/access.md: its commands work, its settings are settings, its table is the code's."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from primum.graph.settings import Settings, read_settings
from primum.memory.scopes import DEFAULT, MAY
from primum.server.cli import app

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "access.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def test_its_commands_work(settings: Settings) -> None:
    assert settings.database_url is not None
    given = {"PRIMUM_DATABASE_URL": settings.database_url.get_secret_value(), "PRIMUM_HOME": str(settings.home)}
    shell = CliRunner(env=given)
    for line in (line for line in LINES if line.startswith("primum keys")):
        words = shlex.split(line)[1:]
        if words[1] == "revoke":
            words[2] = shell.invoke(app, ["keys", "list"]).stdout.split()[0]
        result = shell.invoke(app, words)
        assert result.exit_code == 0, (line, result.exception)


def test_its_settings_are_settings() -> None:
    exported = dict(
        line.removeprefix("export ").split()[0].split("=", 1) for line in LINES if line.startswith("export")
    )
    fields = {name.removeprefix("PRIMUM_").lower(): value for name, value in exported.items()}
    assert fields["auth"] == "required" and read_settings(**fields).oidc_audience == "primum"
    named = {name.removeprefix("PRIMUM_").lower() for name in re.findall(r"PRIMUM_[A-Z_]+", PAGE)}
    assert named - {"secret"} <= set(Settings.model_fields)


def test_its_table_of_roles_is_the_codes() -> None:
    for role, may in MAY.items():
        (row,) = re.findall(rf"^\| {role} \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row[0]) == list(may) or (row[0] == "all" and role == "admin")
        assert (re.findall(r"`(\w+)`", row[1]) or list(may)) == list(DEFAULT[role])
