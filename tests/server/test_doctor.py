"""`primum doctor`: each part that is broken is found, with what mends it, and nothing is changed by looking."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from primum.graph.settings import Settings, read_settings
from primum.memory.session import Database
from primum.retrieval.embedder import Embedder
from primum.retrieval.index import change_vector_index
from primum.server import doctor
from primum.server.doctor import Finding, examine
from primum.server.port import free_port
from tests.apis import FakeAPI, Reply
from tests.commands import primum
from tests.conftest import Cluster
from tests.fakes import FakeEmbedder, FakeVLLM, Says

# Before all else of a process: the first import of `primum.graph.resources`, heavy as it is, takes longer than a server
# gets to answer.
SLOW = """
import importlib.abc, sys, time

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "primum.graph.resources":
            print("slow", file=sys.stderr)
            time.sleep(6)

sys.meta_path.insert(0, Slow())
"""


@pytest.fixture
def given(library_url: str, vllm: FakeVLLM, tmp_path: Path) -> dict[str, str]:
    """The settings of an installation in which all is well."""
    vllm.forms["Form"] = '{"ok": true}'
    told = {"home": str(tmp_path), "database_url": library_url, "model_url": vllm.url, "embedder": "fake"}
    told |= {"embedder_url": vllm.url, "secret": "s" * 40}
    return {f"PRIMUM_{name.upper()}": value for name, value in told.items()}


def settings_of(given: dict[str, str], **changed: str | None) -> Settings:
    named: dict[str, str | None] = {name.removeprefix("PRIMUM_").lower(): value for name, value in given.items()}
    return read_settings(**named | changed)


async def found(settings: Settings) -> dict[str, Finding]:
    return {finding.part: finding for finding in await examine(settings)}


async def test_where_all_is_well_it_says_so_of_each_part(given: dict[str, str]) -> None:
    findings = await found(settings_of(given))
    assert {finding.state for finding in findings.values()} == {"ok"}, findings
    parts = ["home", "database", "pgvector", "connections", "tables", "patients", "secret", "jobs", "embedder"]
    assert list(findings) == [*parts, "library", "model", "access"]
    assert not any(finding.mend for finding in findings.values())


async def test_looking_changes_nothing(given: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "none"
    del given["PRIMUM_SECRET"]
    findings = await found(settings_of(given, home=str(home)))
    assert findings["secret"].says == "None yet: it is made with the first start."
    assert not home.exists()
    with psycopg.connect(given["PRIMUM_DATABASE_URL"]) as connection:
        assert connection.execute("select count(*) from installation").fetchone() == (0,)


async def test_an_installation_that_does_not_run_is_no_broken_one(tmp_path: Path) -> None:
    settings = read_settings(home=tmp_path, database_url=None, model_url=None)
    findings = await found(settings)
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert "`primum up` starts it" in findings["database"].says and "`primum up` starts it" in findings["model"].says


@pytest.mark.parametrize(
    ("changed", "part", "says", "mend"),
    [
        ({"database_url": "postgresql://primum@127.0.0.1:1/primum"}, "database", "refused", "does Postgres run?"),
        ({"database_url": "postgresql://primum@no.invalid/primum"}, "database", "No connection", "know its name"),
        ({"model_url": "http://127.0.0.1:1/v1"}, "model", "does not answer", "PRIMUM_MODEL_URL"),
        ({"model_name": "med"}, "model", "serves primum, and not med", "PRIMUM_MODEL_NAME"),
        ({"critic_model": "judge"}, "model", "and not judge", "PRIMUM_MODEL_NAME"),
        ({"embedder": "/no/such/folder", "embedder_url": None}, "embedder", "/no/such/folder", ""),
        ({"api_host": "0.0.0.0"}, "access", "does not start", "PRIMUM_AUTH=required"),
    ],
)
async def test_what_is_set_wrong_is_named(
    given: dict[str, str], changed: dict[str, str | None], part: str, says: str, mend: str
) -> None:
    finding = (await found(settings_of(given, **changed)))[part]
    assert finding.state == "failed"
    assert says in finding.says and mend in finding.mend


async def test_each_reason_of_a_database_that_lets_nobody_in_has_its_own_mend(
    given: dict[str, str], cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = given["PRIMUM_DATABASE_URL"]
    name = url.rpartition("/")[2].partition("?")[0]
    monkeypatch.setattr(doctor, "CONNECT_TIMEOUT", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        wrong = {
            url.replace(f"/{name}", "/elsewhere"): "create database NAME",
            url.replace("primum@", "nobody@"): "a line of pg_hba.conf",
            f"postgresql://primum@127.0.0.1:{port}/primum": "firewall",
        }
        for address, mend in wrong.items():
            finding = (await found(settings_of(given, database_url=address)))["database"]
            assert finding.state == "failed" and mend in finding.mend, finding
    cluster.run(f"alter database {name} connection limit 0")
    finding = (await found(settings_of(given)))["database"]
    assert finding.state == "failed" and "max_connections" in finding.mend, finding


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ('FATAL: password authentication failed for user "primum"', "Set the password in PRIMUM_DATABASE_URL"),
        ('FATAL: role "primun" does not exist', "create role NAME login"),
        ('FATAL: no pg_hba.conf entry for host "10.0.0.9", user "primum"', "a line of pg_hba.conf"),
        ("FATAL: sorry, too many clients already", "PRIMUM_DATABASE_POOL"),
        ("FATAL: the database system is starting up", "Wait until it has started"),
    ],
)
async def test_what_the_servers_of_tests_never_say_has_its_own_mend_too(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, said: str, mend: str
) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        raise psycopg.OperationalError(f'connection to server at "10.0.0.1", port 5432 failed: {said}')

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", refused)
    finding = (await found(settings_of(given)))["database"]
    assert finding.state == "failed" and mend in finding.mend


async def test_a_library_that_loads_slowly_makes_no_server_late(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a cold disk, with the interpreter's lock held: no thread and no event goes on meanwhile."""
    held = 3  # seconds, more than a server gets
    hold = ctypes.PyDLL(None).sleep

    def loading(_: Settings) -> Embedder:
        assert hold(held) == 0
        return FakeEmbedder()

    monkeypatch.setattr(doctor, "CONNECT_TIMEOUT", 2)
    monkeypatch.setattr(doctor, "embedder_of", loading)
    findings = await found(settings_of(given))
    assert {finding.state for finding in findings.values()} == {"ok"}, findings
    assert answered_ms(findings["database"].says) < held * 1000


def answered_ms(says: str) -> int:
    return int(says.removesuffix(" ms.").rpartition(" ")[2])


def test_a_slow_disk_makes_no_server_late_either(given: dict[str, str], tmp_path: Path) -> None:
    """Each of Primum's own modules that the doctor is the first to import takes its time."""
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    argv = [sys.executable, "-P", "-m", "primum", "doctor", "--json"]
    environment = {**os.environ, **given, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    findings = {one["part"]: one for one in json.loads(done.stdout)}
    assert "slow" in done.stderr and {one["state"] for one in findings.values()} == {"ok"}, findings
    assert answered_ms(findings["database"]["says"]) < 6000


async def test_a_role_without_rights_is_told_apart_from_tables_of_another_version(
    given: dict[str, str], cluster: Cluster
) -> None:
    cluster.run("create role stranger")
    cluster.run("grant stranger to primum")
    try:
        url = f"{given['PRIMUM_DATABASE_URL']}&options=-c%20role%3Dstranger"
        finding = (await found(settings_of(given, database_url=url)))["tables"]
    finally:
        cluster.run("drop role stranger")
    assert finding.state == "failed" and finding.says == "permission denied for table alembic_version."
    assert finding.mend == doctor.OWNER


async def test_a_clock_that_is_off_is_told(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "time", lambda: time.time() - 60)
    finding = (await found(settings_of(given)))["clock"]
    assert finding.state == "warning" and "60 s behind" in finding.says and "NTP" in finding.mend


async def test_a_pool_that_is_larger_than_what_the_database_gives_is_told(given: dict[str, str]) -> None:
    assert (await found(settings_of(given)))["connections"].says.startswith("One process may take 32 of ")
    finding = (await found(settings_of(given, database_pool="200")))["connections"]
    assert finding.state == "warning" and "412" in finding.says and "PRIMUM_DATABASE_POOL" in finding.mend


async def test_the_first_secret_becomes_the_databases_and_then_is_it(given: dict[str, str]) -> None:
    from primum.memory.secret import Secret

    assert "the first start makes this one" in (await found(settings_of(given)))["secret"].says
    with psycopg.connect(given["PRIMUM_DATABASE_URL"], autocommit=True) as connection:
        kept = Secret(given["PRIMUM_SECRET"]).check
        connection.execute("insert into installation (id, secret_check) values (1, %s)", [kept])
    assert (await found(settings_of(given)))["secret"].says == "It is the database's."


async def test_the_endpoint_of_the_senses_is_asked_for_its_models(given: dict[str, str], vllm: FakeVLLM) -> None:
    hears = {"speech_model": "primum", "senses_url": vllm.url}
    assert (await found(settings_of(given, **hears)))["senses"].state == "ok"
    finding = (await found(settings_of(given, **hears, picture_model="eye")))["senses"]
    assert finding.state == "failed" and "and not eye" in finding.says
    finding = (await found(settings_of(given, **hears | {"senses_url": "http://127.0.0.1:1/v1"})))["senses"]
    assert finding.state == "failed" and "PRIMUM_SENSES_URL" in finding.mend
    assert (await found(settings_of(given, senses_url=vllm.url)))["senses"].state == "warning"


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [(200, "ok", "takes traces"), (401, "ok", "OTEL_EXPORTER_OTLP_HEADERS"), (404, "warning", "HTTP 404")],
)
async def test_the_collector_of_traces_is_asked(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, status: int, state: str, says: str
) -> None:
    monkeypatch.setattr(doctor, "TELEMETRY", ("json",))
    async with FakeAPI() as api:
        api.says("/v1/traces", Reply(b"", status=status))
        settings = settings_of(given, otlp_url=api.url)
        finding = (await found(settings))["traces"]
    assert finding.state == state and says in finding.says
    gone = (await found(settings))["traces"]
    assert gone.state == "warning" and "does not answer" in gone.says


async def test_traces_without_their_packages_are_told(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "TELEMETRY", ("no_such.package",))
    finding = (await found(settings_of(given, otlp_url="http://127.0.0.1:1")))["traces"]
    assert finding.state == "failed" and "primum[telemetry]" in finding.mend


async def test_a_database_without_tables_wants_an_upgrade(given: dict[str, str], empty_database_url: str) -> None:
    findings = await found(settings_of(given, database_url=empty_database_url))
    assert (findings["tables"].state, findings["tables"].mend) == ("failed", "primum db upgrade")
    assert "patients" not in findings and findings["model"].state == "ok"


async def test_a_database_without_pgvector_wants_it(
    given: dict[str, str], empty_database_url: str, cluster: Cluster
) -> None:
    cluster.run("drop extension vector", empty_database_url.rpartition("/")[2].partition("?")[0])
    findings = await found(settings_of(given, database_url=empty_database_url))
    assert findings["pgvector"].state == "failed" and "create extension vector" in findings["pgvector"].mend


async def test_another_secret_and_none_are_told_apart(given: dict[str, str], tmp_path: Path) -> None:
    from primum.memory.secret import Secret

    with psycopg.connect(given["PRIMUM_DATABASE_URL"], autocommit=True) as connection:
        kept = Secret("another" * 8).check
        connection.execute("insert into installation (id, secret_check) values (1, %s)", [kept])
    finding = (await found(settings_of(given)))["secret"]
    assert finding.state == "failed" and "another PRIMUM_SECRET" in finding.says
    del given["PRIMUM_SECRET"]
    finding = (await found(settings_of(given, home=str(tmp_path / "empty"))))["secret"]
    assert finding.state == "failed" and "not here" in finding.says


async def test_a_role_that_sees_every_patient_is_found(
    given: dict[str, str], cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.run("create role sees_all bypassrls")
    monkeypatch.setattr(doctor, "APP", "sees_all")
    try:
        assert (await found(settings_of(given)))["patients"].state == "failed"
    finally:
        cluster.run("drop role sees_all")


@pytest.mark.parametrize(
    ("change", "named", "mend"),
    [
        ("facts disable row level security", "facts", "alter table facts enable row level security"),
        ("reviews no force row level security", "reviews", "alter table reviews force row level security"),
        ("api_keys disable row level security", "api_keys", "alter table api_keys enable row level security"),
        ("documents disable row level security", "documents", "alter table documents enable row level security"),
    ],
)
async def test_a_table_without_row_level_security_is_found_whichever_it_is(
    given: dict[str, str], change: str, named: str, mend: str
) -> None:
    with psycopg.connect(given["PRIMUM_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"alter table {change}".encode())
        finding = (await found(settings_of(given)))["patients"]
        assert finding.state == "failed" and f"for {named}." in finding.says and mend in finding.mend
        for statement in finding.mend.removeprefix("As the tables' owner: ").split(";"):
            if statement.strip():
                connection.execute(statement.encode())
    assert (await found(settings_of(given)))["patients"].state == "ok"


async def test_a_disk_that_fills_and_a_pgvector_that_is_old_are_told(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PGVECTOR", (99, 0))
    monkeypatch.setattr(doctor, "ENOUGH", 10**9)
    findings = await found(settings_of(given))
    assert findings["pgvector"].state == "failed" and "is older than 99.0" in findings["pgvector"].says
    assert "tables" not in findings and "alter extension vector update" in findings["pgvector"].mend
    assert findings["home"].state == "warning" and "Free space" in findings["home"].mend
    monkeypatch.setattr(doctor, "LITTLE", 10**9)
    assert (await found(settings_of(given)))["home"].state == "failed"


async def test_a_model_that_refuses_the_key_is_told(given: dict[str, str]) -> None:
    async with FakeAPI() as api:
        api.says("/v1/models", Reply(b"{}", status=401))
        finding = (await found(settings_of(given, model_url=f"{api.url}/v1")))["model"]
    assert (finding.state, finding.mend) == ("failed", "Set PRIMUM_MODEL_KEY.")
    assert "refuses our key" in finding.says


async def test_a_model_that_was_released_and_is_not_served_is_told(given: dict[str, str], vllm: FakeVLLM) -> None:
    with psycopg.connect(given["PRIMUM_DATABASE_URL"], autocommit=True) as connection:
        add = "insert into releases (role, model, card, share, actor) values ('writer', %s, '{}', 1, 'test')"
        connection.execute(add, ["primum"])
        assert (await found(settings_of(given)))["adapters"].says == "Released: writer primum."
        connection.execute(add, ["med"])
    finding = (await found(settings_of(given)))["adapters"]
    assert finding.state == "failed" and "does not serve med" in finding.says


async def test_an_index_of_vectors_that_is_missing_is_told_and_made(given: dict[str, str]) -> None:
    url = given["PRIMUM_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop index ix_chunks_embedding_64")
    finding = (await found(settings_of(given)))["library"]
    assert (finding.state, finding.mend) == ("warning", "primum index halfvec")
    database = Database(url, owner=True)
    assert await change_vector_index(database, "halfvec")
    assert not await change_vector_index(database, "halfvec")
    await database.close()
    assert (await found(settings_of(given)))["library"].state == "ok"


async def test_folders_that_are_followed_must_be_readable(given: dict[str, str], tmp_path: Path) -> None:
    settings = settings_of(given).model_copy(update={"watch": (tmp_path,)})
    assert (await found(settings))["watch"].says == "1 folders can be read."
    settings = settings.model_copy(update={"watch": (tmp_path, tmp_path / "none")})
    finding = (await found(settings))["watch"]
    assert finding.state == "failed" and str(tmp_path / "none") in finding.says


async def test_a_reranker_that_can_not_be_loaded_is_told(given: dict[str, str], tmp_path: Path) -> None:
    finding = (await found(settings_of(given, reranker=str(tmp_path / "none"))))["reranker"]
    assert finding.state == "failed" and "none" in finding.says


async def test_an_issuer_is_asked_for_its_keys(given: dict[str, str]) -> None:
    async with FakeAPI() as api:
        settings = settings_of(given).model_copy(update={"oidc_issuer": api.url, "auth": "required"})
        assert (await found(settings))["login"].state == "failed"
        described = {"issuer": api.url, "jwks_uri": f"{api.url}/jwks"}
        api.says("/.well-known/openid-configuration", Reply(json.dumps(described).encode()))
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))
        api.says("/jwks", Reply(json.dumps({"keys": [{**key, "kid": "one", "alg": "ES256"}]}).encode()))
        assert (await found(settings))["login"].says == f"{api.url} publishes 1 keys."
        unasked = settings.model_copy(update={"auth": None})
        assert (await found(unasked))["login"].state == "warning"


async def test_a_replica_that_lags_is_told(given: dict[str, str]) -> None:
    """Of the two functions that tell of it, others stand before Postgres' own."""
    url = given["PRIMUM_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create schema told")
        connection.execute("create function told.pg_is_in_recovery() returns bool language sql return true")
        connection.execute(
            "create function told.pg_last_xact_replay_timestamp() returns timestamptz language sql "
            "return now() - interval '5 minutes'"
        )
    replica = f"{url}&options=-c%20search_path%3Dtold,pg_catalog,public"
    settings = settings_of(given, database_replica_url=replica)
    finding = (await found(settings))["replica"]
    assert finding.state == "warning" and "300 seconds old" in finding.says
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "create or replace function told.pg_last_xact_replay_timestamp() returns timestamptz language sql "
            "return now()"
        )
    assert (await found(settings))["replica"].state == "ok"


async def test_a_library_of_another_embedder_finds_nothing_and_it_is_told(given: dict[str, str]) -> None:
    with psycopg.connect(given["PRIMUM_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("update corpus set embedder = 'other'")
    finding = (await found(settings_of(given)))["library"]
    assert finding.state == "failed" and "primum reembed" in finding.mend


async def test_a_database_that_copies_no_other_is_no_replica(given: dict[str, str]) -> None:
    settings = settings_of(given, database_replica_url=given["PRIMUM_DATABASE_URL"])
    assert (await found(settings))["replica"].state == "failed"


@pytest.mark.parametrize(
    ("reply", "state", "says"),
    [
        (Says("Yes, it is."), "warning", "does not keep to a form"),
        (Says(status=400), "failed", "refuses a question with a form (HTTP 400)"),
        (Says('{"ok": true}', first=30), "failed", "No answer within"),
    ],
)
async def test_a_model_that_is_no_use_to_the_audit_is_told(
    given: dict[str, str], vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch, reply: Says, state: str, says: str
) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 3.0)
    vllm.forms["Form"] = reply
    finding = (await found(settings_of(given)))["model"]
    assert finding.state == state and says in finding.says


@pytest.mark.parametrize(
    ("status", "hours", "state", "said", "work"),
    [
        ("todo", 0, "ok", "1 job waits", "true"),
        ("todo", 0, "warning", "PRIMUM_WORK=false", "false"),
        ("todo", 2, "warning", "120 minutes", "true"),
        ("failed", 2, "warning", "1 failed", "true"),
    ],
)
async def test_jobs_that_wait_for_long_or_failed_are_told(
    given: dict[str, str], status: str, hours: int, state: str, said: str, work: str
) -> None:
    with psycopg.connect(given["PRIMUM_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("set search_path = jobs")
        for kind, age in (("succeeded", 90), (status, hours)):  # the events' own numbers are not the jobs'
            connection.execute("insert into procrastinate_events (job_id, type, at) select max(id), 'deferred', now() "
                               "from procrastinate_jobs having max(id) is not null")  # fmt: skip
            row = connection.execute(
                "insert into procrastinate_jobs (queue_name, task_name, status) values ('memory', 'remember', %s) "
                "returning id", [kind],
            ).fetchone()  # fmt: skip
            assert row is not None
            connection.execute("update procrastinate_events set at = now() - make_interval(hours => %s) "
                               "where job_id = %s", [age, row[0]])  # fmt: skip
    finding = (await found(settings_of(given, work=work)))["jobs"]
    assert finding.state == state and said in finding.says


async def test_what_a_library_takes_amiss_costs_its_own_part_alone(given: dict[str, str]) -> None:
    findings = await found(settings_of(given, model_key="schlüssel"))
    assert findings["model"].state == "failed" and "UnicodeEncodeError" in findings["model"].says
    assert findings["library"].state == "ok"


async def test_a_secret_that_others_read_is_told(given: dict[str, str], tmp_path: Path) -> None:
    del given["PRIMUM_SECRET"]
    home = tmp_path / "own"
    home.mkdir()
    (home / "secret").write_text("x" * 64)
    (home / "secret").chmod(0o644)
    states = [one for one in await examine(settings_of(given, home=str(home))) if one.part == "secret"]
    assert states[0].state == "failed" and states[0].mend.startswith("chmod 600")


async def test_keys_that_are_asked_for_must_be_there(given: dict[str, str]) -> None:
    finding = (await found(settings_of(given, auth="required")))["keys"]
    assert finding.state == "warning" and "primum keys create" in finding.mend


def test_the_command_exits_1_where_something_is_broken(given: dict[str, str]) -> None:
    well = primum("doctor", "--json", **given)
    assert well.returncode == 0, well.stdout
    assert {finding["state"] for finding in json.loads(well.stdout)} == {"ok"}
    broken = primum("doctor", **given | {"PRIMUM_MODEL_URL": f"http://127.0.0.1:{free_port(9)}/v1"})
    assert broken.returncode == 1
    assert "FAILED   model" in broken.stdout and "→ Is PRIMUM_MODEL_URL right" in broken.stdout
