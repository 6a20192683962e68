"""A backup brings back every row, to nobody else, and nobody who was erased."""

import contextlib
import json
import shutil
import stat
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from primum.graph.agent import Agent
from primum.graph.errors import BadInput, MemoryUnavailable, Unauthenticated
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory import audit, backup, removals, schema
from primum.memory.audit import Audit
from primum.memory.backup import Opener
from primum.memory.envelope import PIECE, SealedReader, SealedWriter
from primum.memory.facts import Fact, Quote
from primum.memory.identity import Identity
from primum.memory.keys import Keys
from primum.memory.removals import Again, Removal, Removals
from primum.memory.secret import Secret
from primum.memory.session import Database
from tests.conftest import Cluster
from tests.fakes import FakeEmbedder, FakeVLLM
from tests.rows import rows

ANNA, BEN = Identity("main", "anna"), Identity("main", "ben")
CANARY = "zyxquarkle"
SAID = f"I'm allergic to {CANARY} and I take warfarin. What is gout?"
OTHER = Secret("o" * 40)


@pytest.fixture
async def told(agent: Agent, vllm: FakeVLLM) -> Agent:
    """Two patients with turns, facts, jobs and checkpoints; a consent, a rating and a key."""
    vllm.default = "No."
    resources = agent.resources
    for identity in (ANNA, BEN):
        for thread in ("1", "2"):
            answer = await agent.ask(SAID, patient=identity.patient, thread=f"{identity.patient}-{thread}")
        await resources.opinions.keep(identity, UUID(answer.trace.run_id), -1, ["wrong"], CANARY)
    await resources.consents.record(BEN, True, "ben")
    owner = Database(resources.database.url, owner=True)
    await Keys(owner, resources.secret).create("main", "Ward 3", "clinician")
    await owner.close()
    return agent


@pytest.fixture
def opener(told: Agent) -> Opener:
    return Opener(told.resources.secret)


@pytest.fixture
def made(told: Agent, opener: Opener, tmp_path: Path) -> Path:
    file = tmp_path / "made.backup"
    backup.dump(told.resources.database.url, file, opener)
    return file


def content(cluster: Cluster, url: str) -> dict[str, list[str]]:
    """Every row of every table, as the superuser sees them, and where the sequences stand."""
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(cluster.url(name).replace("primum@", "postgres@")) as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables "
            "where schemaname in ('public', 'checkpoints', 'jobs')"
        ).fetchall()
        found = {
            table: sorted(str(row[0]) for row in connection.execute(f"select t::text from {table} t".encode()))
            for (table,) in tables
        }
        query = "select schemaname || sequencename || ' ' || last_value from pg_sequences where last_value is not null"
        return found | {"sequences": sorted(row[0] for row in connection.execute(query))}


def without_trail(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """A restore notes itself there."""
    return {table: rows for table, rows in found.items() if table != "public.audit_events"}


async def test_every_row_comes_back_and_the_restored_database_answers(
    told: Agent, opener: Opener, made: Path, cluster: Cluster, empty_database_url: str, settings: Settings
) -> None:
    before = content(cluster, told.resources.database.url)
    filled = {table for table, found in before.items() if found}
    assert {"public.turns", "public.facts", "public.audit_events", "public.chunks", "checkpoints.checkpoint_blobs",
            "public.api_keys", "public.feedback", "jobs.procrastinate_jobs", "public.documents"} <= filled  # fmt: skip
    loaded, again = backup.load(empty_database_url, made, opener, [])
    assert without_trail(content(cluster, empty_database_url)) == without_trail(before) and again.patients == 0
    assert loaded.tables["public.turns"].rows == 4
    there = settings.model_copy(update={"database_url": SecretStr(empty_database_url)})
    async with open_resources(there, FakeEmbedder()) as resources:
        agent = Agent(resources)
        assert (await agent.ask("What is gout?", patient="anna", thread="anna-1")).citations
        assert (await resources.audit.verify("main")).holds
        assert {one.fact.value for one in (await resources.charts.read(ANNA)).facts} >= {"warfarin"}
        assert await rows(resources.database, "select count(*) from turns", BEN) == [(2,)]
        assert await rows(resources.database, "select count(*) from turns", None) == [(0,)]  # kept apart as before
        await agent.close()


def test_nothing_lies_in_the_clear_and_the_file_is_its_owners_alone(made: Path, told: Agent) -> None:
    found = made.read_bytes()
    assert not any(
        word in found for word in (CANARY.encode(), b"anna", b"warfarin", told.resources.secret.used.value.encode())
    )
    # The stream is packed before it is sealed, and packed words don't show either: no piece may unpack.
    stream = found.split(b"\n", 2)[2]
    for start in range(32):
        with pytest.raises(zlib.error):
            zlib.decompressobj().decompress(stream[start:])
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert not list(made.parent.glob(".*.part"))


def test_a_backup_reads_one_moment_though_turns_go_on(
    told: Agent, opener: Opener, tmp_path: Path, cluster: Cluster, empty_database_url: str
) -> None:
    url = told.resources.database.url
    before = content(cluster, url)

    def meanwhile(line: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("insert into lexemes (lexeme, chunks) values (%s, 1)", [line])

    backup.dump(url, tmp_path / "b", opener, say=meanwhile)
    backup.load(empty_database_url, tmp_path / "b", opener, [])
    restored = without_trail(content(cluster, empty_database_url))
    assert restored == without_trail(before) != without_trail(content(cluster, url))


def test_another_secret_does_not_open_it(made: Path, empty_database_url: str) -> None:
    with pytest.raises(BadInput, match="another PRIMUM_SECRET"):
        backup.load(empty_database_url, made, Opener(OTHER), [])
    # Nor one whose check was written into it.
    lines = made.read_bytes().split(b"\n", 2)
    header = json.loads(lines[1]) | {"secret_check": OTHER.check.hex()}
    made.write_bytes(b"\n".join([lines[0], json.dumps(header).encode(), lines[2]]))
    with pytest.raises(BadInput, match="does not open"):
        backup.load(empty_database_url, made, Opener(OTHER), [])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
        lambda data: data[:-1],
        lambda data: data[: data.index(b"}") + 2],
        lambda data: data + b"x",
        lambda data: data.replace(b"20", b"19", 1),
        lambda data: b"hello",
        lambda data: b"",
    ],
)
def test_a_damaged_file_changes_nothing(
    made: Path, opener: Opener, spoil: Callable[[bytes], bytes], cluster: Cluster, database_url: str
) -> None:
    made.write_bytes(spoil(made.read_bytes()))
    before = content(cluster, database_url)
    with pytest.raises(BadInput, match=r"damaged|no backup"):
        backup.load(database_url, made, opener, [])
    assert content(cluster, database_url) == before


def test_a_database_that_holds_rows_is_refused_by_name(told: Agent, made: Path, opener: Opener) -> None:
    with pytest.raises(BadInput, match=r"not empty: .*PRIMUM_DATABASE_URL"):
        backup.load(told.resources.database.url, made, opener, [])


async def test_whoever_was_erased_after_the_backup_does_not_come_back(
    told: Agent, opener: Opener, made: Path, tmp_path: Path, cluster: Cluster, empty_database_url: str
) -> None:
    await told.resources.erasure.erase(ANNA, "patient")
    file = tmp_path / "removals.jsonl"
    removals.write(backup.list_removals(told.resources.database.url, opener.secret), file, opener.secret)
    assert "anna" not in file.read_text() and CANARY not in file.read_text()
    _, again = backup.load(empty_database_url, made, opener, [removals.read(file, opener.secret)])
    assert again.patients == 1
    left = content(cluster, empty_database_url)
    assert not any("anna" in row for table in left.values() for row in table)
    was = content(cluster, told.resources.database.url)
    del left["public.audit_events"], was["public.audit_events"], left["sequences"], was["sequences"]
    assert left == was  # all of the other's, and their checkpoints and jobs


async def test_a_receipt_tells_of_an_erasure_as_well(
    told: Agent, opener: Opener, made: Path, tmp_path: Path, empty_database_url: str
) -> None:
    receipt = await told.resources.erasure.erase(BEN, "patient")
    file = tmp_path / "receipt.json"
    file.write_text(receipt.model_dump_json(indent=2))
    assert backup.load(empty_database_url, made, opener, [removals.read(file, opener.secret)])[1].patients == 1
    file.write_text(receipt.model_copy(update={"patient": "anna"}).model_dump_json())
    with pytest.raises(BadInput, match="not a receipt"):
        removals.read(file, opener.secret)


async def test_whoever_came_anew_after_an_erasure_stays(
    told: Agent, opener: Opener, tmp_path: Path, empty_database_url: str
) -> None:
    url = told.resources.database.url
    await told.resources.erasure.erase(ANNA, "patient")
    await told.ask("What is gout?", patient="anna", thread="again")
    backup.dump(url, tmp_path / "b", opener)
    _, again = backup.load(empty_database_url, tmp_path / "b", opener, [backup.list_removals(url, opener.secret)])
    assert again.patients == 0


async def test_what_was_removed_and_withdrawn_stays_so(
    told: Agent, opener: Opener, made: Path, empty_database_url: str
) -> None:
    resources = told.resources
    (gone,) = [one for one in (await resources.charts.read(ANNA)).facts if one.fact.value == "warfarin"]
    await resources.charts.forget(ANNA, gone.id)
    await resources.consents.record(BEN, False, "ben")
    await told.forget("ben-1", "ben")
    found = backup.list_removals(resources.database.url, opener.secret)
    _, again = backup.load(empty_database_url, made, opener, [found])
    assert again == Again(patients=0, facts=1, conversations=1, consents=1, keys=0)
    there = Database(empty_database_url)
    facts = await rows(there, "select fact ->> 'value' from facts", ANNA)
    assert facts and ("warfarin",) not in facts
    assert ("warfarin",) in await rows(there, "select fact ->> 'value' from facts", BEN)
    assert await rows(there, "select consent from patients", BEN) == [(False,)]
    assert await rows(there, "select id from threads", BEN) == [("ben-2",)]
    await there.close()


async def test_no_clock_decides_who_is_taken_out_again(
    told: Agent, opener: Opener, made: Path, tmp_path: Path, cluster: Cluster
) -> None:
    """The removals' times are an hour off, in both directions."""
    url = told.resources.database.url
    await told.resources.erasure.erase(ANNA, "patient")
    await told.ask(SAID, patient="anna", thread="again")
    backup.dump(url, tmp_path / "after", opener)
    listed = backup.list_removals(url, opener.secret)
    for hours in (-1, 1):
        off = [replace(one, at=one.at + timedelta(hours=hours)) for one in listed.removals]
        for number, (file, patients) in enumerate(((made, 1), (tmp_path / "after", 0))):
            name = f"off_{hours + 1}_{number}"
            cluster.create(name)
            try:
                assert backup.load(cluster.url(name), file, opener, [Removals(off)])[1].patients == patients
            finally:
                cluster.drop(name)


async def test_a_list_of_before_it_named_events_goes_by_time(
    told: Agent, opener: Opener, made: Path, tmp_path: Path, empty_database_url: str
) -> None:
    url, file = told.resources.database.url, tmp_path / "removals.jsonl"
    await told.resources.erasure.erase(ANNA, "patient")
    listed = backup.list_removals(url, opener.secret)
    removals.write(Removals([replace(one, event="") for one in listed.removals], listed.made_at), file, opener.secret)
    text = file.read_text().replace(', "runs": [], "event": ""', "")
    lines = text.splitlines(keepends=True)[:-1]
    proof = json.dumps({"proof": opener.secret.proof("".join(lines).encode()).hex()})
    file.write_text("".join(lines) + proof + "\n")
    assert "event" not in file.read_text()
    assert backup.load(empty_database_url, made, opener, [removals.read(file, opener.secret)])[1].patients == 1
    removals.write(listed, file, opener.secret)
    assert [one.event for one in removals.read(file, opener.secret).removals] == [listed.removals[0].event]


async def test_a_fact_that_was_forgotten_is_not_learnt_anew_from_a_job_that_comes_back(
    told: Agent, opener: Opener, made: Path, empty_database_url: str, settings: Settings, vllm: FakeVLLM
) -> None:
    """The backup is from before the jobs were done; then one learnt a fact, which the patient removed."""
    charts = told.resources.charts
    ((run, question),) = await rows(
        told.resources.database, "select run_id, question from turns where thread_id = 'anna-1'", ANNA
    )
    proof = Quote(role="patient", message=str(run), start=0, stop=3, text=question[:3])
    learnt = Fact(kind="condition", value="asthma", written="asthma", said=datetime.now(UTC).date(), quotes=(proof,))
    await charts.take(ANNA, [learnt], "model", run_id=run)
    (known,) = [one for one in (await charts.read(ANNA)).facts if one.fact.value == learnt.value]
    await charts.forget(ANNA, known.id)
    listed = backup.list_removals(told.resources.database.url, opener.secret)
    assert [one.runs for one in listed.removals] == [(str(run),)]
    backup.load(empty_database_url, made, opener, [listed])
    there = settings.model_copy(update={"database_url": SecretStr(empty_database_url)})
    async with open_resources(there, FakeEmbedder()) as resources:
        assert await rows(resources.database, "select count(*) from turns where run_id = :run", ANNA, run=run) == [(1,)]
        await resources.charts.take(ANNA, [learnt], "model", run_id=run)  # as the job does
        assert learnt.value not in {one.fact.value for one in (await resources.charts.read(ANNA)).facts}
        other = await rows(resources.database, "select run_id from turns where thread_id = 'anna-2'", ANNA)
        await resources.charts.take(ANNA, [learnt], "model", run_id=other[0][0])  # what another run tells is learnt
        assert learnt.value in {one.fact.value for one in (await resources.charts.read(ANNA)).facts}


async def test_a_key_that_was_revoked_after_the_backup_stays_revoked(
    told: Agent, opener: Opener, tmp_path: Path, empty_database_url: str
) -> None:
    url, secret = told.resources.database.url, told.resources.secret
    owner = Database(url, owner=True)
    keys = Keys(owner, secret)
    gone, key = await keys.create("main", "Lost", "clinician")
    kept, _ = await keys.create("main", "Ward 3", "clinician")
    file = tmp_path / "b"
    backup.dump(url, file, opener)
    await keys.revoke("main", key.id, "admin")
    listed = backup.list_removals(url, secret)
    assert [(one.action, one.removed) for one in listed.removals] == [("revoke key", (key.id,))]
    assert backup.load(empty_database_url, file, opener, [listed])[1] == Again(keys=1)
    there = Database(empty_database_url)
    assert (await Keys(there, secret).find(kept)).name == "Ward 3"
    with pytest.raises(Unauthenticated):
        await Keys(there, secret).find(gone)
    again = backup.list_removals(empty_database_url, secret)  # it knows itself now
    assert {one.event for one in again.removals} == {one.event for one in listed.removals}
    await owner.close()
    await there.close()


async def test_the_keys_of_whom_was_erased_do_not_come_back_nor_of_who_never_asked(
    told: Agent, opener: Opener, tmp_path: Path, empty_database_url: str
) -> None:
    url, secret = told.resources.database.url, told.resources.secret
    owner = Database(url, owner=True)
    for patient in ("anna", "carl", "ben"):
        await Keys(owner, secret).create("main", f"{patient}'s phone", "patient", patient=patient)
    backup.dump(url, tmp_path / "b", opener)
    for patient in ("anna", "carl"):
        await told.resources.erasure.erase(Identity("main", patient), "admin")
    backup.load(empty_database_url, tmp_path / "b", opener, [backup.list_removals(url, secret)])
    there = Database(empty_database_url, owner=True)
    assert await rows(there, "select patient from api_keys where role = 'patient'", None) == [("ben",)]
    await owner.close()
    await there.close()


async def test_who_went_by_age_stays_gone_and_their_keys_go_on_holding(
    told: Agent, opener: Opener, tmp_path: Path, empty_database_url: str
) -> None:
    resources = told.resources
    url, secret = resources.database.url, resources.secret
    owner = Database(url, owner=True)
    token, _ = await Keys(owner, secret).create("main", "Anna's phone", "patient", patient="anna")
    backup.dump(url, tmp_path / "b", opener)
    for statement in (
        "update threads set updated_at = now() - interval '40 days'",
        "update patients set created_at = now() - interval '40 days'",
        "update facts set recorded_at = now() - interval '40 days'",
    ):
        await rows(resources.database, statement, ANNA)
    await resources.erasure.retain(30)
    assert (await Keys(resources.database, secret).find(token)).patient == "anna"
    again = backup.load(empty_database_url, tmp_path / "b", opener, [backup.list_removals(url, secret)])[1]
    assert again == Again(patients=1)
    there = Database(empty_database_url)
    assert await rows(there, "select count(*) from patients", ANNA) == [(0,)]
    assert (await Keys(there, secret).find(token)).patient == "anna"
    await owner.close()
    await there.close()


async def test_a_restore_keeps_of_a_list_what_its_own_trail_lacks_and_once(
    told: Agent, opener: Opener, made: Path, empty_database_url: str
) -> None:
    url = told.resources.database.url
    await told.resources.erasure.erase(ANNA, "patient")
    listed = backup.list_removals(url, opener.secret)

    async def kept(url: str) -> list[int]:
        database = Database(url)
        found = await rows(
            database, "select jsonb_array_length(details -> 'removals') from audit_events where action = 'restore'"
        )
        await database.close()
        return [many for (many,) in found]

    backup.load(empty_database_url, made, opener, [listed, listed])
    assert await kept(empty_database_url) == [1]
    backup.take_out_again(empty_database_url, [listed], opener.secret)
    assert sorted(await kept(empty_database_url)) == [0, 1]


async def test_the_trail_tells_of_the_restore_in_the_same_transaction(
    told: Agent, opener: Opener, made: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("the server closed the connection")

    monkeypatch.setattr(audit, "add", broken)
    with pytest.raises(MemoryUnavailable):
        backup.load(empty_database_url, made, opener, [])
    monkeypatch.undo()
    owner = Database(empty_database_url, owner=True)
    assert await rows(owner, "select count(*) from documents", None) == [(0,)]
    backup.load(empty_database_url, made, opener, [], actor="who restores")
    trail = Audit(owner, opener.secret)
    assert (await trail.verify("main")).holds
    last = await rows(
        Database(empty_database_url), "select actor, action from audit_events order by number desc limit 1"
    )
    assert last == [("who restores", "restore")]
    await owner.close()


def test_a_restore_that_would_leave_a_guard_open_is_not_kept(
    made: Path, opener: Opener, empty_database_url: str, cluster: Cluster
) -> None:
    url = empty_database_url
    schema.upgrade(url)
    with psycopg.connect(url) as connection:
        connection.execute("alter table audit_events disable trigger append_only")  # enabled by what follows
    with pytest.raises(MemoryUnavailable, match="What guards audit_events would not be as it was before"):
        backup.load(url, made, opener, [])
    assert not content(cluster, url)["public.patients"]


def test_a_backup_holds_off_migrations_and_leaves_no_lock(told: Agent, opener: Opener, tmp_path: Path) -> None:
    url = told.resources.database.url
    locks = "select count(*) from pg_locks l join pg_database d on d.oid = l.database where locktype = 'advisory' and "
    held: list[int] = []
    with psycopg.connect(url, autocommit=True) as connection:
        ours = f"{locks} d.datname = current_database()".encode()

        def look(_: str) -> None:
            row = connection.execute(ours).fetchone()
            held.append(row[0] if row else 0)

        backup.dump(url, tmp_path / "b", opener, say=look)
        assert held and set(held) == {1}
        assert connection.execute(ours).fetchone() == (0,)


async def test_a_database_that_was_set_back_otherwise_loses_them_too(told: Agent, opener: Opener) -> None:
    url = told.resources.database.url
    later = datetime.now(UTC) + timedelta(seconds=1)
    gone = Removals([Removal("main", later, "erase", opener.secret.pseudonym(ANNA))], later)
    with pytest.raises(BadInput, match="another PRIMUM_SECRET"):
        backup.take_out_again(url, [gone], OTHER)
    assert backup.take_out_again(url, [gone], opener.secret).patients == 1
    assert await rows(told.resources.database, "select count(*) from patients", ANNA) == [(0,)]
    assert await rows(told.resources.database, "select count(*) from patients", BEN) == [(1,)]
    assert await rows(told.resources.database, "select count(*) from turns", None) == [(0,)]


@pytest.mark.parametrize(
    "spoil", [lambda t: t.replace("erase", "answer"), lambda t: t.split("\n", 1)[1], lambda t: "x"]
)
def test_a_changed_list_is_refused(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    now = datetime.now(UTC)
    file = tmp_path / "list"
    removals.write(Removals([Removal("main", now, "erase", "abc")], now), file, OTHER)
    assert removals.read(file, OTHER).removals[0].at == now
    with pytest.raises(BadInput, match="another installation"):
        removals.read(file, Secret("x" * 40))
    file.write_text(spoil(file.read_text()))
    with pytest.raises(BadInput, match=r"changed|neither"):
        removals.read(file, OTHER)


def test_a_passphrase_seals_it_too_and_then_it_may_hold_the_secret(
    told: Agent, opener: Opener, tmp_path: Path, empty_database_url: str
) -> None:
    url, file, words = told.resources.database.url, tmp_path / "b", "correct horse battery"
    with pytest.raises(BadInput, match="give a passphrase"):
        backup.dump(url, file, opener, with_secret=True)
    with pytest.raises(BadInput, match="at least 12"):
        Opener(opener.secret, "short")
    by_words = Opener(opener.secret, words)
    backup.dump(url, file, by_words, with_secret=True)
    with pytest.raises(BadInput, match="sealed with a passphrase"):
        backup.examine(file, opener)
    with pytest.raises(BadInput, match="passphrase is another"):
        backup.examine(file, Opener(opener.secret, "another passphrase"))
    with pytest.raises(BadInput, match="passphrase is another"):
        backup.secret_of(file, "another passphrase")
    found = backup.secret_of(file, words)
    assert found is not None and found.check == opener.secret.check
    backup.load(empty_database_url, file, by_words, [])


def test_rows_that_are_kept_from_the_role_are_never_left_out_silently(
    told: Agent, opener: Opener, tmp_path: Path
) -> None:
    url = told.resources.database.url
    with psycopg.connect(url) as connection:
        connection.execute("drop policy backup on turns")
    with pytest.raises(MemoryUnavailable, match="rows of turns are kept from"):
        backup.dump(url, tmp_path / "b", opener)
    assert not (tmp_path / "b").exists()


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The migrations of a version to come."""
    scripts = tmp_path / "alembic"
    shutil.copytree(schema.SCRIPTS, scripts)
    head = ScriptDirectory(str(scripts)).get_current_head()
    (scripts / "versions" / "9999_later.py").write_text(
        f"from alembic import op\nrevision = '9999'\ndown_revision = '{head}'\n"
        "def upgrade():\n    op.execute(\"alter table feedback add mood text not null default 'calm'\")\n"
        "def downgrade():\n    op.execute('alter table feedback drop mood')\n"
    )
    return scripts


def test_an_older_backup_is_brought_up_to_date_and_a_newer_one_is_refused(
    told: Agent,
    opener: Opener,
    made: Path,
    newer: Path,
    tmp_path: Path,
    empty_database_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schema, "SCRIPTS", newer)
    backup.load(empty_database_url, made, opener, [])
    assert schema.is_current(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("set app.backup = 'on'")
        assert connection.execute("select mood from feedback").fetchall() == [("calm",), ("calm",)]
    backup.dump(empty_database_url, tmp_path / "b", opener)
    monkeypatch.undo()
    with pytest.raises(BadInput, match="does not know"):
        backup.load(database_url, tmp_path / "b", opener, [])
    with pytest.raises(MemoryUnavailable, match="another version"):
        backup.dump(empty_database_url, tmp_path / "c", opener)


def test_a_sealed_stream_of_many_pieces_opens_as_it_was(tmp_path: Path) -> None:
    import random

    data = random.Random(1).randbytes(3 * PIECE + 7)
    key, file = b"k" * 32, tmp_path / "f"
    with file.open("wb") as out:
        writer = SealedWriter(out, key, b"head")
        for start in range(0, len(data), 100_000):
            writer.write(data[start : start + 100_000])
        writer.close()

    def opened(content: bytes, header: bytes = b"head") -> bytes:
        file.write_bytes(content)
        with file.open("rb") as given:
            reader = SealedReader(given, key, header)
            found = reader.read(len(data))
            reader.end()
            return found

    sealed = file.read_bytes()
    assert opened(sealed) == data
    size = 5 + PIECE + 16
    first, second, rest = sealed[:size], sealed[size : 2 * size], sealed[2 * size :]
    for spoilt in (second + first + rest, first + rest, first + first + second + rest, sealed[: 2 * size], b""):
        with pytest.raises(BadInput, match="damaged"):
            opened(spoilt)
    with pytest.raises(BadInput, match="damaged"):
        opened(sealed, b"another")


def test_the_numbers_of_a_backup_are_those_that_were_written(made: Path, told: Agent, opener: Opener) -> None:
    found = backup.examine(made, opener)
    assert found.rows == sum(table.rows for table in found.tables.values()) > 50
    assert found.opening.revision == schema.revisions()[-1]
    with psycopg.connect(told.resources.database.url) as connection:
        row = connection.execute("select count(*) from chunks").fetchone()
    assert row is not None and found.tables["public.chunks"].rows == row[0] > 0


def test_what_breaks_off_leaves_the_database_empty(
    made: Path, opener: Opener, empty_database_url: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise psycopg.OperationalError("the server closed the connection")

    monkeypatch.setattr(removals, "take_out", lost)  # after the last row
    with pytest.raises(MemoryUnavailable):
        backup.load(empty_database_url, made, opener, [])
    monkeypatch.undo()
    assert not content(cluster, empty_database_url)["public.patients"]
    backup.load(empty_database_url, made, opener, [])


async def test_a_question_that_was_under_way_is_the_next_processs(
    told: Agent, opener: Opener, tmp_path: Path, empty_database_url: str
) -> None:
    await told.resources.threads.admit(ANNA, uuid4(), "new", "What is gout?", {})
    backup.dump(told.resources.database.url, tmp_path / "b", opener)
    backup.load(empty_database_url, tmp_path / "b", opener, [])
    there = Database(empty_database_url)
    found = await rows(there, "select lease_until <= now() from turns where status in ('queued', 'running')", ANNA)
    assert found == [(True,)]
    await there.close()


def test_a_row_that_is_longer_than_a_block_comes_back(
    told: Agent, opener: Opener, tmp_path: Path, empty_database_url: str
) -> None:
    long = "x" * (backup._LONGEST + 10)
    with psycopg.connect(told.resources.database.url) as connection:
        connection.execute("update documents set url = %s where id = (select min(id) from documents)", [long])
    backup.dump(told.resources.database.url, tmp_path / "b", opener)
    backup.load(empty_database_url, tmp_path / "b", opener, [])
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("select max(length(url)) from documents").fetchone()
    assert row == (len(long),)


def test_a_database_with_older_tables_is_left_as_it_is(made: Path, opener: Opener, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = '0006'")
    with pytest.raises(BadInput, match="tables of another version"):
        backup.load(database_url, made, opener, [])
    assert schema.revision(database_url) == "0006"
    with pytest.raises(MemoryUnavailable, match="primum db upgrade"):
        backup.dump(database_url, made.with_name("other"), opener)
    assert not made.with_name("other").exists()


def test_a_list_forgets_nothing_that_it_told_before(opener: Opener, tmp_path: Path) -> None:
    file, now = tmp_path / "removals.jsonl", datetime.now(UTC)
    first, second = (Removal("main\u2028", now, "erase", subject) for subject in ("a", "b"))
    removals.write(Removals([first], now), file, opener.secret)
    removals.write(Removals([second], now), file, opener.secret)  # of a database that was set back
    assert removals.read(file, opener.secret).removals == [first, second]
    file.write_text(file.read_text().rstrip("\n"))  # as a copy or an editor may leave it
    assert removals.read(file, opener.secret).removals == [first, second]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("made", "told", "newer"),
    [
        ("2026-11-23T02:17:01.250000+00:00", "2026-11-23T02:17:01.300000+00:00", True),
        ("2026-11-23T02:17:01.250000+00:00", "2026-11-23T02:17:01.250000+00:00", False),
        ("2026-11-23T02:17:01.250000+00:00", "2026-11-23T03:17:01.200000+01:00", False),
        (
            "2026-11-23T02:17:01+00:00",
            "2026-11-23T02:17:01.900000+00:00",
            False,
        ),  # of a version that kept no more of it
        ("2026-11-23T02:17:01+00:00", "2026-11-23T02:17:02.100000+00:00", True),
    ],
)
def test_a_list_counts_as_newer_when_it_surely_is(made: str, told: str, newer: bool) -> None:
    lists = [
        Removals([], datetime.fromisoformat("2020-01-01T00:00:00+00:00")),
        Removals([], datetime.fromisoformat(told)),
    ]
    with contextlib.nullcontext() if newer else pytest.raises(BadInput, match="no-newer-list"):
        removals.check_newer(lists, datetime.fromisoformat(made))
