"""`primum secret`: what a person at a terminal does to change it, and what `primum doctor` says on the way."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from primum.graph.errors import BadInput
from primum.graph.settings import Settings, read_settings
from primum.memory.audit import Audit
from primum.memory.identity import Identity
from primum.memory.rotation import OVER
from primum.memory.secret import find_secret, read_secret
from primum.memory.session import Database
from primum.server.cli import app
from primum.server.doctor import Finding, examine


@pytest.fixture
def url(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


@pytest.fixture
def shell(settings: Settings, url: str) -> CliRunner:
    return CliRunner(env={"PRIMUM_DATABASE_URL": url, "PRIMUM_HOME": str(settings.home)})


def ran(shell: CliRunner, *words: str, **environment: str) -> Result:
    result = shell.invoke(app, ["secret", *words], env=environment)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def begin(url: str, home: Path, *secrets: str) -> None:
    """The installation does something, with an event on its trail."""

    async def work() -> None:
        database = Database(url)
        secret = find_secret(secrets, home)
        await database.check(secret)
        await Audit(database, secret).note(Identity("main", "anna"), "test", "read facts", {})
        await database.close()

    asyncio.run(work())


def doctor(settings: Settings) -> Finding:
    found = asyncio.run(examine(settings))
    return next(one for one in found if one.part == "secret")


def test_that_of_a_home_is_changed_by_two_commands(shell: CliRunner, settings: Settings, url: str) -> None:
    with pytest.raises(BadInput, match="no secret yet"):
        shell.invoke(app, ["secret", "new"], catch_exceptions=False)
    begin(url, settings.home)
    assert doctor(settings).says == "It is the database's."
    assert "Start Primum's processes anew" in ran(shell, "new").stdout
    there = read_secret(settings.home)
    assert there is not None and len(there.given) == 2
    begin(url, settings.home)  # started anew, it goes on with the one before
    told = doctor(settings)
    assert (told.state, told.mend) == ("warning", "When each process has it: primum secret rotate")
    first = ran(shell, "rotate").stdout
    assert "The newest secret is in use now." in first and OVER in first
    assert (doctor(settings).state, doctor(settings).says) == ("ok", OVER)
    again = json.loads(ran(shell, "rotate", "--json").stdout)
    assert again["switched"] is False and again["values"] == again["closed"] == 0 and again["left"]["any"] is False
    newest = there.newest.value
    backups = settings.home / "backups"
    backups.mkdir()
    backed_up = [shell.invoke(app, ["backup", "create", str(backups), "--keep", "1"])]
    (settings.home / "secret").write_text(newest)
    backed_up += [shell.invoke(app, ["backup", "create", str(backups), "--keep", "1"])]
    assert [one.exit_code for one in backed_up] == [0, 0], backed_up
    assert len(list(backups.glob("*.backup"))) == 1
    assert shell.invoke(app, ["audit", "verify"]).exit_code == 0
    assert doctor(settings).says == "It is the database's."


def test_that_of_the_settings_is_made_and_shown_once(
    shell: CliRunner, settings: Settings, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "o" * 40
    begin(url, settings.home, old)
    new = ran(shell, "new", PRIMUM_SECRET=old).stdout.strip()
    assert len(new) == 64 and read_secret(settings.home) is None
    monkeypatch.setenv("PRIMUM_SECRET", new)
    monkeypatch.setenv("PRIMUM_SECRET_BEFORE", old)
    both = read_settings(home=settings.home, database_url=url, model_url=settings.model_url)
    assert doctor(both).state == "warning"
    assert json.loads(ran(shell, "rotate", "--json").stdout)["switched"] is True
    monkeypatch.delenv("PRIMUM_SECRET_BEFORE")
    alone = read_settings(home=settings.home, database_url=url, model_url=settings.model_url)
    assert doctor(alone).says == "It is the database's."
    begin(url, settings.home, new)
    assert shell.invoke(app, ["audit", "verify"]).exit_code == 0


def test_a_wrong_one_is_told_and_changes_nothing(shell: CliRunner, settings: Settings, url: str) -> None:
    begin(url, settings.home, "o" * 40)
    with pytest.raises(BadInput, match=r"another PRIMUM_SECRET .* as PRIMUM_SECRET_BEFORE"):
        shell.invoke(app, ["secret", "rotate"], env={"PRIMUM_SECRET": "n" * 40}, catch_exceptions=False)
    begin(url, settings.home, "o" * 40)
