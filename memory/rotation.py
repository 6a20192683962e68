"""From one PRIMUM_SECRET to the next, while processes run.

The database says which secret is in use, and a process looks at that with each transaction. So all change over with one
commit (`switch`), which also keeps the former secret, sealed with the newest, and hashes the API keys' hashes on. After
it each tenant's trail gets an event of the newest (`tell`), so that nobody with the former one can write a trail anew,
and checkpoints are sealed again (`reseal`). Broken off anywhere, the same again goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from primum.graph.errors import BadInput, MemoryUnavailable
from primum.memory import audit
from primum.memory.audit import Event, content
from primum.memory.identity import Identity
from primum.memory.secret import CIPHER, Secret
from primum.memory.session import APP, CONNECT_TIMEOUT, PROCESS, why

SCHEMA = "checkpoints"
BATCH = 200  # checkpoints' values that are sealed again in one transaction
_KEYS = {
    "checkpoint_blobs": ("thread_id", "checkpoint_ns", "channel", "version"),
    "checkpoint_writes": ("thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx"),
}
FORMER = "select secret_check, sealed from former_secrets order by number"
_KEPT_FORMER = "insert into former_secrets (secret_check, sealed) values (%s, %s)"
_IN_USE = "select secret_check from installation where id = 1 for update"
_PROCESSES = f"""
select application_name from pg_stat_activity
where datname = current_database() and split_part(application_name, ' ', 1) = '{PROCESS}'
"""
# One look for each tenant, not for each event.
TENANTS = """
with recursive found as (
  select min(tenant) as tenant from audit_events
  union all
  select (select min(e.tenant) from audit_events e where e.tenant > found.tenant)
  from found where found.tenant is not null
) select tenant from found where tenant is not null
"""
_LAST = """
select number, at, actor, action, subject, run_id, details, hash from audit_events
where tenant = %s order by number desc limit 2
"""

NOT_YET = "Something is still of the secret before it: do the same again."
OVER = (
    "Nothing in the database is of a secret before it. Make a backup and a list of removals: they take over what those "
    "of before tell. Then PRIMUM_SECRET_BEFORE may be taken out, or the lines after the first in PRIMUM_HOME/secret."
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Left:
    """What the secrets before the newest are still needed for. Their backups and receipts are not the database's."""

    in_use: bool
    tenants: tuple[str, ...] = ()
    checkpoints: bool = False

    @property
    def any(self) -> bool:
        return self.in_use or self.checkpoints or bool(self.tenants)


@dataclass(frozen=True)
class Resealed:
    """How many values of checkpoints were sealed again, and how many do not open with any secret that is known."""

    values: int
    closed: int


def look(connection: psycopg.Connection[Any], secret: Secret) -> Left:
    """How far a change of secrets is, of a connection that reads as the tables' owner; `secret` learns what is in use.

    Raises:
        BadInput: none of the secrets that are given is in use.
    """
    connection.execute("set local app.backup = 'on'")
    row = connection.execute("select secret_check from installation").fetchone()
    secret.adopt(row[0] if row else None, connection.execute(FORMER).fetchall())
    if secret.used is not secret.newest:
        return Left(in_use=True)
    behind = tuple(
        tenant for (tenant,) in connection.execute(TENANTS).fetchall() if not _ends_new(connection, tenant, secret)
    )
    return Left(in_use=False, tenants=behind, checkpoints=any(_opens(connection, table, secret) for table in _KEYS))


def left(url: str, secret: Secret) -> Left:
    """`look` on a connection of its own. Raises as it does, and MemoryUnavailable."""
    with _connected(url) as connection:
        return look(connection, secret)


def switch(url: str, secret: Secret) -> bool:
    """Puts the newest secret in use, for all processes at once; False if it was already.

    Raises:
        BadInput: none of the secrets that are given is in use, or a process that runs does not have the newest.
        MemoryUnavailable: the database can't be reached.
    """
    with _connected(url) as connection:
        row = connection.execute(_IN_USE).fetchone()
        secret.adopt(row[0] if row else None, connection.execute(FORMER).fetchall())
        if row is None or secret.used is secret.newest:
            return False
        names = [str(name).split()[1:] for (name,) in connection.execute(_PROCESSES)]
        if without := [ids for ids in names if secret.newest.id not in ids]:
            raise BadInput(
                f"{len(without)} connections to the database are of processes without the newest PRIMUM_SECRET "
                f"({secret.newest.id}). Restart each process of Primum's with it, then try again. Nothing was changed."
            )
        connection.execute("delete from former_secrets")
        with connection.cursor() as cursor:
            cursor.executemany(_KEPT_FORMER, secret.sealed_former())
            hashes = connection.execute("select id, hash from api_keys for update").fetchall()
            cursor.executemany(
                "update api_keys set hash = %s where id = %s",
                [(secret.token_hashed_on(kept), number) for number, kept in hashes],
            )
        connection.execute("update installation set secret_check = %s where id = 1", [secret.newest.check])
    secret.use(secret.newest.check)
    return True


def tell(url: str, secret: Secret, tenants: Sequence[str], actor: str) -> None:
    """Adds an event to the trails of tenants, made with the newest secret, which is in use.

    It holds the public key of the one before, by which receipts of before are known to be of this installation.

    Raises:
        MemoryUnavailable: the database can't be reached.
    """
    told = {
        "secret": secret.used.id,
        "before": [{"secret": one.id, "receipts": one.public_key} for one in secret.line[:-1]],
    }
    for tenant in tenants:
        with _connected(url) as connection:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(APP)))
            connection.execute("select set_config('app.tenant', %s, true)", [tenant])
            audit.add(connection, secret, Identity(tenant, ""), actor, "rotate secret", told)


def reseal(url: str, secret: Secret, say: Say = lambda _: None) -> Resealed:
    """Seals with the newest secret, which is in use, what others sealed, a batch after the other.

    Raises:
        MemoryUnavailable: the database can't be reached.
    """
    values = closed = 0
    for table, keys in _KEYS.items():
        last: list[Any] | None = None
        while True:
            with _connected(url) as connection:
                rows = _batch(connection, table, last, secret, locked=True)
                done = [_resealed(row, keys, secret) for row in rows]
                change = sql.SQL("update {} set type = %s, blob = %s where {}").format(
                    sql.Identifier(SCHEMA, table),
                    sql.SQL(" and ").join(sql.SQL("{} = %s").format(sql.Identifier(key)) for key in keys),
                )
                with connection.cursor() as cursor:
                    cursor.executemany(change, [one for one in done if one])
            if not rows:
                break
            last = [rows[-1][key] for key in keys]
            values += sum(one is not None for one in done)
            closed += sum(one is None for one in done)
            say(f"Sealed again: {values:,}")
    return Resealed(values, closed)


def _opens(connection: psycopg.Connection[Any], table: str, secret: Secret) -> bool:
    """Whether a value that was sealed before can be sealed again; one that opens with no secret stays as it is."""
    keys, last = _KEYS[table], None
    while rows := _batch(connection, table, last, secret):
        if any(_resealed(row, keys, secret) for row in rows):
            return True
        last = [rows[-1][key] for key in keys]
    return False


def _batch(
    connection: psycopg.Connection[Any],
    table: str,
    last: list[Any] | None,
    secret: Secret,
    locked: bool = False,
) -> list[dict[str, Any]]:
    keys = _KEYS[table]
    names = sql.SQL(", ").join(map(sql.Identifier, keys))
    after = (
        sql.SQL("true")
        if last is None
        else sql.SQL("({}) > ({})").format(names, sql.SQL(", ").join(map(sql.Literal, last)))
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            sql.SQL("select {}, type, blob from {} where {} and {} order by {} limit {} {}").format(
                names,
                sql.Identifier(SCHEMA, table),
                after,
                _of_before(secret),
                names,
                sql.Literal(BATCH),
                sql.SQL("for update" if locked else ""),
            )
        ).fetchall()


def _resealed(row: dict[str, Any], keys: tuple[str, ...], secret: Secret) -> list[Any] | None:
    """What a row becomes, with its key; None if it does not open: it stays, and reading it goes on to say why."""
    kind, _, cipher = str(row["type"]).partition("+")
    try:
        name, sealed = secret.cipher.encrypt(secret.cipher.decrypt(cipher, row["blob"]))
    except MemoryUnavailable:
        return None
    return [f"{kind}+{name}", sealed, *(row[key] for key in keys)]


def _of_before(secret: Secret) -> sql.Composed:
    """Of a row's type: that it was sealed, and not with the newest."""
    now = secret.cipher.name
    # A database whose secret never changed has one name for all of them.
    given = sql.SQL("type like {} and type not like {}")
    return given.format(sql.Literal(f"%+{CIPHER}%"), sql.Literal(f"%+{now}"))


def _ends_new(connection: psycopg.Connection[Any], tenant: str, secret: Secret) -> bool:
    """Whether a tenant's last event was made with the newest secret."""
    with connection.cursor(row_factory=dict_row) as cursor:
        last, *before = [Event(**row) for row in cursor.execute(_LAST, [tenant])]
    previous = before[0].hash if before else b""
    return secret.chained(previous, content(tenant, last)) == last.hash


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """One transaction, as the tables' owner. Raises MemoryUnavailable."""
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT, application_name="") as connection:
            yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise MemoryUnavailable(f"{why(error)} What was done before stays: the same again goes on.") from error
    except psycopg.Error as error:
        raise MemoryUnavailable(f"The database refused ({type(error).__name__}).") from None
