"""`primum backup`: what a person at a terminal does with it."""

import asyncio
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from primum.graph.errors import BadInput
from primum.graph.settings import Settings
from primum.memory.audit import Audit
from primum.memory.consent import Consents
from primum.memory.identity import Identity
from primum.memory.secret import find_secret
from primum.memory.session import Database
from primum.server.cli import app
from tests.conftest import Cluster
from tests.rows import rows

ANNA = Identity("main", "anna")


@pytest.fixture
def shell(settings: Settings) -> CliRunner:
    """At an installation that knows of Anna."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()

    async def meet() -> None:
        database = Database(url)
        audit = Audit(database, find_secret((), settings.home))
        await database.check(audit.secret)
        await Consents(database, audit).record(ANNA, True, "anna")
        await database.close()

    asyncio.run(meet())
    return CliRunner(env={"PRIMUM_DATABASE_URL": url, "PRIMUM_HOME": str(settings.home)})


def ran(shell: CliRunner, *words: str, **environment: str) -> Result:
    result = shell.invoke(app, ["backup", *words], env=environment)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def patients(url: str) -> int:
    async def count() -> int:
        database = Database(url)
        ((found,),) = await rows(database, "select count(*) from patients", ANNA)
        await database.close()
        return int(found)

    return asyncio.run(count())


def test_a_folder_gets_backups_named_after_the_time_and_the_list_of_removals(shell: CliRunner, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for stamp in ("20200101T000000Z", "20200102T000000Z"):
        (folder / f"primum-{stamp}.backup").write_bytes(b"")
    told = json.loads(ran(shell, "create", str(folder), "--keep", "2", "--json").stdout)
    assert told["tables"]["public.patients"]["rows"] == 1 and told["holds_secret"] is False
    assert "salt" not in told and "secret" not in told
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["primum-20200102T000000Z.backup", Path(told["file"]).name, "removals.jsonl"]
    shown = ran(shell, "show", told["file"], PRIMUM_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none").stdout
    assert "sealed with the secret" in shown and "rows in" in shown


def test_it_is_restored_without_whom_was_erased_and_only_with_a_word_on_them(
    shell: CliRunner, tmp_path: Path, empty_database_url: str
) -> None:
    file, gone = str(tmp_path / "b"), str(tmp_path / "removals.jsonl")
    ran(shell, "create", file)
    assert shell.invoke(app, ["erase", "anna", "--yes"]).exit_code == 0
    assert "1 removals" in ran(shell, "removals", gone).stdout
    there = {"PRIMUM_DATABASE_URL": empty_database_url}
    refused = shell.invoke(app, ["backup", "restore", file], env=there)
    assert isinstance(refused.exception, BadInput) and "--nothing-removed" in str(refused.exception)
    told = json.loads(ran(shell, "restore", file, "--removals", gone, "--json", **there).stdout)
    assert told["taken_out_again"] == {"patients": 1, "facts": 0, "conversations": 0, "consents": 0, "keys": 0}
    assert patients(empty_database_url) == 0
    events = json.loads(shell.invoke(app, ["audit", "verify", "--json"], env=there).stdout)
    assert events["holds"] and events["events"] == 2  # the consent, and that it was restored


def test_a_list_no_newer_than_the_backup_is_refused_unless_no_newer_one_can_be_had(
    shell: CliRunner, tmp_path: Path, cluster: Cluster, empty_database_url: str
) -> None:
    """The list beside a backup was made with it, and tells of nobody who was erased since."""
    folder, newer = tmp_path / "backups", str(tmp_path / "newer.jsonl")
    file = json.loads(ran(shell, "create", f"{folder}/", "--json").stdout)["file"]
    beside = str(folder / "removals.jsonl")
    receipt = tmp_path / "receipt.json"
    receipt.write_text(shell.invoke(app, ["erase", "anna", "--yes"]).stdout)
    there = {"PRIMUM_DATABASE_URL": empty_database_url}
    refused = shell.invoke(app, ["backup", "restore", file, "--removals", beside], env=there)
    assert isinstance(refused.exception, BadInput)
    said = str(refused.exception)
    assert "backup removals" in said and "--no-newer-list" in said and said.count(f"{datetime.now(UTC):%B %Y} at ") == 2
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("select to_regclass('patients')").fetchone() == (None,)  # nothing was changed
    ran(shell, "removals", newer)
    for given in ((newer,), (beside, newer), (str(receipt),)):
        words = [word for one in given for word in ("--removals", one)]
        told = json.loads(ran(shell, "restore", file, *words, "--json", **there).stdout)
        assert told["taken_out_again"]["patients"] == 1 and patients(empty_database_url) == 0
        name = empty_database_url.partition("@/")[2].partition("?")[0]
        cluster.drop(name)
        cluster.create(name)
    ran(shell, "restore", file, "--removals", beside, "--no-newer-list", **there)
    assert patients(empty_database_url) == 1
    unnamed = shell.invoke(app, ["backup", "restore", file, "--nothing-removed", "--no-newer-list"], env=there)
    assert isinstance(unnamed.exception, BadInput) and "--removals" in str(unnamed.exception)


def test_a_folder_that_is_not_there_is_made_for_its_owner_alone(shell: CliRunner, tmp_path: Path) -> None:
    ran(shell, "create", str(tmp_path / "kept/here"), "--keep", "14")
    ran(shell, "create", f"{tmp_path / 'slash'}/")
    for folder in (tmp_path / "kept/here", tmp_path / "slash"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [path.suffix for path in sorted(folder.iterdir())] == [".backup", ".jsonl"]
    ran(shell, "removals", str(tmp_path / "no/where/removals.jsonl"))
    assert stat.S_IMODE((tmp_path / "no/where").stat().st_mode) == 0o700
    (tmp_path / "file").write_text("mine")
    refused = shell.invoke(app, ["backup", "create", f"{tmp_path / 'file'}/"])
    assert isinstance(refused.exception, BadInput) and "can't be made" in str(refused.exception)
    assert (tmp_path / "file").read_text() == "mine"


def test_who_was_erased_stays_so_after_a_second_restore(
    shell: CliRunner, tmp_path: Path, empty_database_url: str, database_url: str
) -> None:
    file, gone, later = (str(tmp_path / name) for name in ("b", "removals.jsonl", "later.jsonl"))
    ran(shell, "create", file)
    assert shell.invoke(app, ["erase", "anna", "--yes"]).exit_code == 0
    ran(shell, "removals", gone)
    once = {"PRIMUM_DATABASE_URL": empty_database_url}
    ran(shell, "restore", file, "--removals", gone, **once)
    assert "1 removals" in ran(shell, "removals", later, **once).stdout  # of a trail that ends before the erasure
    twice = {"PRIMUM_DATABASE_URL": database_url}
    ran(shell, "restore", file, "--removals", later, **twice)
    assert patients(database_url) == 0


def test_other_files_of_a_folder_are_no_backups_to_be_removed(shell: CliRunner, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("primum-before-upgrade.backup", "primum-20200101T000000Z.backup", "primum-20990101T000000Z.backup"):
        (folder / name).write_bytes(b"")
    made = Path(json.loads(ran(shell, "create", str(folder), "--keep", "1", "--json").stdout)["file"])
    assert {path.name for path in folder.iterdir()} == {"primum-before-upgrade.backup", made.name, "removals.jsonl"}


def test_the_vectors_have_their_index_again(shell: CliRunner, tmp_path: Path, empty_database_url: str) -> None:
    ran(shell, "create", str(tmp_path / "b"))
    ran(shell, "restore", str(tmp_path / "b"), "--nothing-removed", PRIMUM_DATABASE_URL=empty_database_url)

    async def found() -> object:
        database = Database(empty_database_url)
        names = await rows(
            database, "select indexname from pg_indexes where indexname like 'ix_chunks_embedding_%'", None
        )
        await database.close()
        return names

    assert len(asyncio.run(found())) == 1  # type: ignore[arg-type]


def test_a_new_machine_gets_the_secret_from_the_backup_that_holds_it(
    shell: CliRunner, settings: Settings, tmp_path: Path, empty_database_url: str
) -> None:
    file, words, home = str(tmp_path / "b"), tmp_path / "words", tmp_path / "new"
    words.write_text("correct horse battery\n")
    ran(shell, "create", file, "--passphrase-file", str(words), "--with-secret")
    new = {"PRIMUM_DATABASE_URL": empty_database_url, "PRIMUM_HOME": str(home)}
    refused = shell.invoke(app, ["backup", "restore", file, "--nothing-removed"], env=new)
    assert isinstance(refused.exception, BadInput) and not (home / "secret").exists()
    ran(shell, "restore", file, "--nothing-removed", "--passphrase-file", str(words), **new)
    assert (home / "secret").read_text().split() == (settings.home / "secret").read_text().split()
    assert patients(empty_database_url) == 1


def test_a_machine_that_was_started_before_takes_the_backups_secret_beside_its_own(
    shell: CliRunner, settings: Settings, tmp_path: Path, empty_database_url: str
) -> None:
    file, words, home = str(tmp_path / "b"), tmp_path / "words", tmp_path / "new"
    words.write_text("correct horse battery\n")
    ran(shell, "create", file, "--passphrase-file", str(words), "--with-secret")
    own = find_secret((), home).newest.value
    new = {"PRIMUM_DATABASE_URL": empty_database_url, "PRIMUM_HOME": str(home)}
    assert "sealed with the passphrase" in ran(shell, "show", file, "--passphrase-file", str(words), **new).stdout
    ran(shell, "restore", file, "--nothing-removed", "--passphrase-file", str(words), **new)
    assert (home / "secret").read_text().split() == [own, (settings.home / "secret").read_text().strip()]
    assert shell.invoke(app, ["audit", "verify"], env=new).exit_code == 0
    assert patients(empty_database_url) == 1


def test_a_database_that_postgres_set_back_loses_whom_was_erased(shell: CliRunner, tmp_path: Path) -> None:
    gone = str(tmp_path / "removals.jsonl")
    ran(shell, "removals", gone)
    assert "Nothing had to be taken out" in ran(shell, "remove-again", gone).stdout
    url = str((shell.env or {})["PRIMUM_DATABASE_URL"])
    assert shell.invoke(app, ["erase", "anna", "--yes"]).exit_code == 0
    ran(shell, "removals", gone)
    with psycopg.connect(url.replace("primum@", "postgres@"), autocommit=True) as connection:  # as Postgres would
        connection.execute("insert into patients (tenant, id, created_at) values ('main', 'anna', '2020-01-01')")
        connection.execute("alter table audit_events disable trigger append_only")
        connection.execute("delete from audit_events where action in ('erase', 'restore')")
        connection.execute("alter table audit_events enable trigger append_only")
    said = ran(shell, "remove-again", gone).stdout
    assert "Taken out again: 1 patient" in said and "patients" not in said
    assert patients(url) == 0


def test_what_is_there_is_not_written_over(shell: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    result = shell.invoke(app, ["backup", "create", str(tmp_path / "b")])
    assert isinstance(result.exception, BadInput) and (tmp_path / "b").read_text() == "mine"
