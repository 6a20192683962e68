"""A backup: every row of a database as it stood at one moment, in one sealed file, and back from it.

Rows are read with COPY in one transaction, so nothing stops and no program of Postgres is needed. Only rows are in it:
the tables are made by the migrations that this code has, so a file can't bring statements of its own.

A file is a line that names the format, a line of JSON that anybody may read (`Header`), and a sealed stream
(`primum.memory.envelope`) of records, each after its length: `Opening`, then each table with its rows and their hash,
then the sequences. It is sealed with a key of PRIMUM_SECRET's, or with a passphrase.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Literal

import psycopg
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from psycopg import sql

from primum.graph.errors import BadInput, MemoryUnavailable
from primum.memory import audit, removals, rotation, schema
from primum.memory.envelope import SealedReader, SealedWriter
from primum.memory.files import drafted
from primum.memory.identity import Identity
from primum.memory.removals import Again, Removal, Removals
from primum.memory.secret import Secret
from primum.memory.session import CONNECT_TIMEOUT, why
from primum.memory.tables import Base

MAGIC = b"primum backup 1\n"
SHORTEST = 12  # characters of a passphrase
_BLOCK = 1 << 18  # bytes of rows that are written at once
_LONGEST = 1 << 24  # bytes of a block or of a record: more is no backup of ours
_HEADER = 1 << 12
_ALEMBIC = 0x5072696D756D  # alembic/env.py's lock: no table changes while its rows are read
# What the migrations and LangGraph note of themselves.
_NOT_KEPT = ("alembic_version", "checkpoint_migrations")
_TABLES = """
select n.nspname, c.relname, c.oid::int8, c.relrowsecurity and c.relforcerowsecurity,
  array(select a.attname::text from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum),
  (select coalesce(jsonb_object_agg(a.attname, a.attstorage), '{}')
   from pg_attribute a join pg_type t on t.oid = a.atttypid
   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attstorage <> t.typstorage),
  array(select k.confrelid::int8 from pg_constraint k
        where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'checkpoints', 'jobs') and c.relkind in ('r', 'p') and not c.relispartition
order by 1, 2
"""
_SEQUENCES = """
select schemaname, sequencename, last_value from pg_sequences
where schemaname in ('public', 'checkpoints', 'jobs') and last_value is not null
"""
# Whether rows of a table would be kept from whoever asks: then an empty table would pass for a backup of a full one.
_UNSEEN = """
select relname::text from pg_class c where oid = any(%s) and row_security_active(oid::regclass) and not exists (
  select from pg_policy p where p.polrelid = c.oid and p.polname = 'backup' and exists (
    select from unnest(p.polroles) r where pg_has_role(current_user, r, 'usage')))
"""
_ANOTHER = "The backup is of an installation with another PRIMUM_SECRET"
_SET = "Set that one, as PRIMUM_SECRET or as PRIMUM_SECRET_BEFORE."
_STORAGE = {"p": "plain", "e": "external", "x": "extended", "m": "main"}

# What keeps rows apart, and events from being changed: of partitions too.
_GUARDS = """
select c.oid::regclass::text, c.relrowsecurity, c.relforcerowsecurity,
  array(select t.tgname || ' ' || t.tgenabled::text from pg_trigger t
        where t.tgrelid = c.oid and not t.tgisinternal order by 1),
  array(select p.polname || ' ' || p.polcmd::text || ' ' || p.polroles::text
          || coalesce(pg_get_expr(p.polqual, p.polrelid), '')
        from pg_policy p where p.polrelid = c.oid order by 1)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'checkpoints', 'jobs') and c.relkind in ('r', 'p') order by 1
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Header:
    """What stands before the sealed part. `secret_check` tells which secret the database needs, and nothing of it."""

    made_at: str
    primum: str
    sealed_with: Literal["secret", "passphrase"]
    salt: str
    secret_check: str


@dataclass(frozen=True)
class Opening:
    """The versions of what made the rows; the secret too, if that was asked for."""

    revision: str
    postgres: int
    checkpoints: str
    jobs: str
    secret: str | None = None


@dataclass(frozen=True)
class Kept:
    """What a backup holds of a table."""

    rows: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """A backup that was made, or read from its start to its end."""

    header: Header
    opening: Opening
    tables: Mapping[str, Kept]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str
    oid: int
    forced: bool
    columns: Sequence[str]
    storage: Mapping[str, str]
    needs: Sequence[int]

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def named(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


class Opener:
    """Makes the key of a file, of the installation's secret or of a passphrase.

    Raises:
        BadInput: the passphrase is too short.
    """

    def __init__(self, secret: Secret, passphrase: str | None = None) -> None:
        if passphrase is not None and len(passphrase) < SHORTEST:
            raise BadInput(f"The passphrase has {len(passphrase)} characters; give at least {SHORTEST}.")
        self.secret = secret
        self._passphrase = passphrase

    @property
    def sealed_with(self) -> Literal["secret", "passphrase"]:
        return "secret" if self._passphrase is None else "passphrase"

    def key(self, salt: bytes, check: bytes) -> bytes:
        """Of a file of a database that has the secret of this check. Raises BadInput if it is not here."""
        if self._passphrase is None:
            key = self.secret.backup_key(salt, check)
            if key is None:
                raise BadInput(f"{_ANOTHER} ({check.hex()[:8]}). {_SET}")
            return key
        # 64 MiB and 0.2 s a guess.
        return Scrypt(salt, length=32, n=2**16, r=8, p=1).derive(self._passphrase.encode())


def dump(url: str, path: Path, opener: Opener, *, with_secret: bool = False, say: Say = lambda _: None) -> Backup:
    """Writes a backup of all rows as they stand now; turns go on meanwhile.

    Raises:
        BadInput: the secret is to go along without a passphrase, or is not the database's.
        MemoryUnavailable: the database can't be reached, or by a pooler alone; its tables are another version's; or its
            rows can't be read.
    """
    if with_secret and opener.sealed_with == "secret":
        raise BadInput("A secret that seals the backup of itself can't be got out again: give a passphrase.")
    if not schema.is_current(url):
        raise MemoryUnavailable("The tables are another version's: run `primum db upgrade` first.")
    schema.check_direct(url)
    with _connected(url) as held, _connected(url) as connection, drafted(path) as file:
        # In a transaction of its own: one that waited for it would see the rows of before it waited.
        held.execute("select pg_advisory_xact_lock_shared(%s)", [_ALEMBIC])
        connection.execute("set transaction isolation level repeatable read, read only")
        tables = sees_all(connection)
        _adopt(connection, opener.secret)
        opening = Opening(
            revision=_revision(connection),
            postgres=connection.info.server_version // 10_000,
            checkpoints=version("langgraph-checkpoint-postgres"),
            jobs=version("procrastinate"),
            secret=opener.secret.used.value if with_secret else None,
        )
        salt = os.urandom(16)
        header = Header(
            made_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            primum=version("primum"),
            sealed_with=opener.sealed_with,
            salt=salt.hex(),
            secret_check=opener.secret.check.hex(),
        )
        line = json.dumps(asdict(header)).encode() + b"\n"
        file.write(MAGIC + line)
        sealed = SealedWriter(file, opener.key(salt, opener.secret.check), MAGIC + line)
        _put(sealed, asdict(opening))
        kept = {}
        for table in tables:
            say(f"Reading {table.label}")
            _put(sealed, {"table": table.label, "columns": table.columns, "storage": table.storage})
            kept[table.label] = _copy_out(connection, table, sealed)
            _put(sealed, asdict(kept[table.label]))
        _put(sealed, {"sequences": [list(row) for row in connection.execute(_SEQUENCES)]})
        sealed.close()
        held.execute("select")  # the lock was there to the end
    return Backup(header, opening, kept)


def examine(path: Path, opener: Opener) -> Backup:
    """Reads a backup from its start to its end, and changes nothing.

    Raises:
        BadInput: it is no backup, is damaged, or was sealed with another secret or passphrase.
    """
    return _go_through(path, opener, lambda _table, _columns, _storage, blocks: _drain(blocks), lambda _: None)


def load(
    url: str, path: Path, opener: Opener, gone: Sequence[Removals], say: Say = lambda _: None, actor: str = "system"
) -> tuple[Backup, Again]:
    """Puts a backup's rows into an empty database, in one transaction that also takes out what was removed since.

    And notes in each tenant's trail that it was set back, and what it no longer knows of. The file is read through
    before anything changes. A backup of older tables is put into such, which are then brought up to date.

    Raises:
        BadInput: as `examine` does; or the database holds rows, or the backup is a newer Primum's.
        MemoryUnavailable: the database can't be reached.
    """
    say("Looking through the backup")
    backup = examine(path, opener)
    revision = backup.opening.revision
    if revision not in schema.revisions():
        raise BadInput(
            f"The backup is of Primum {backup.header.primum}, whose tables ({revision}) this one does not know. "
            "Install that version or a newer one. Nothing was changed."
        )
    if schema.revision(url) and not schema.is_current(url):
        raise BadInput(
            "The database holds the tables of another version, so it is not a new one. Make one and name it in "
            "PRIMUM_DATABASE_URL. Nothing was changed."
        )
    schema.upgrade(url)
    _refuse_full(url)
    if revision != schema.revisions()[-1]:
        schema.downgrade(url, revision)
    try:
        with _connected(url) as connection:
            again = _load(connection, path, opener, gone, say, actor)
    finally:
        schema.upgrade(url)
    return backup, again


def _load(
    connection: psycopg.Connection[Any], path: Path, opener: Opener, gone: Sequence[Removals], say: Say, actor: str
) -> Again:
    connection.execute("select pg_advisory_xact_lock(%s)", [_ALEMBIC])
    connection.execute("set local app.backup = 'on'")
    there = {table.label: table for table in _tables(connection)}
    filled = [table.label for table in there.values() if _has_rows(connection, table)]
    if filled:  # somebody came in since
        raise BadInput(f"The database holds rows now, in {filled[0]}. Nothing was changed.")
    with _unguarded(connection, there.values()):

        def put(label: str, columns: Sequence[str], storage: Mapping[str, str], blocks: Iterator[bytes]) -> None:
            say(f"Writing {label}")
            table = there.get(label)
            unknown = [name for name in columns if table is None or name not in table.columns]
            if table is None or unknown:
                what = label if table is None else f"{label}.{unknown[0]}"
                raise BadInput(f"The backup holds {what}, which this version does not know. Nothing was changed.")
            for column, how in storage.items():
                change = sql.SQL("alter table {} alter {} set storage {}")
                connection.execute(change.format(table.named, sql.Identifier(column), sql.SQL(_STORAGE[how])))
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            with connection.cursor().copy(sql.SQL("copy {} ({}) from stdin").format(table.named, names)) as copy:
                for block in blocks:
                    copy.write(block)

        def sequences(rows: Sequence[tuple[str, str, int]]) -> None:
            for schema_, name, last in rows:
                connection.execute("select setval(%s::regclass, %s)", [f'"{schema_}"."{name}"', last])

        made = _go_through(path, opener, put, sequences)
        _adopt(connection, opener.secret)
        # Nobody works on these turns any more: the next process takes them over.
        connection.execute(
            "update turns set lease_until = now() where status in ('queued', 'running') and lease_until > now()"
        )
        return _take_out(connection, gone, opener.secret, actor, {"made_at": made.header.made_at})


def _take_out(
    connection: psycopg.Connection[Any], gone: Sequence[Removals], secret: Secret, actor: str, told: Mapping[str, Any]
) -> Again:
    """Takes out what was removed; each tenant's trail tells of its past being set back, and of what it lacks itself."""
    lacks = removals.lacking(connection, _all(gone))
    again = removals.take_out(connection, lacks, secret)
    tenants = {tenant for (tenant,) in connection.execute("select id from tenants")}
    tenants |= {tenant for (tenant,) in connection.execute(rotation.TENANTS)}
    for tenant in sorted(tenants):
        details = {**told, "taken_out_again": asdict(again), "removals": removals.noted(lacks, tenant)}
        audit.add(connection, secret, Identity(tenant, ""), actor, "restore", details)
    return again


def take_out_again(url: str, gone: Sequence[Removals], secret: Secret, actor: str = "system") -> Again:
    """Takes out what was removed, of a database that was set back by other means than a backup of ours.

    Raises:
        BadInput: the secret is not the database's.
        MemoryUnavailable: the database can't be reached.
    """
    with _connected(url) as connection:
        connection.execute("set local app.backup = 'on'")
        _adopt(connection, secret)
        with _unguarded(connection, _tables(connection)):
            return _take_out(connection, gone, secret, actor, {})


def list_removals(url: str, secret: Secret) -> Removals:
    """What was removed until now.

    Raises:
        BadInput: the secret is not the database's.
        MemoryUnavailable: the database can't be reached, or its rows can't be read.
    """
    with _connected(url) as connection:
        sees_all(connection)
        _adopt(connection, secret)
        return removals.listed(connection)


def sees_all(connection: psycopg.Connection[Any]) -> Sequence[_Table]:
    """Lets this transaction read every row; the tables, those first that others need.

    Raises:
        MemoryUnavailable: rows would be kept from it.
    """
    connection.execute("set local app.backup = 'on'")
    tables = _tables(connection)
    unseen = connection.execute(_UNSEEN, [[table.oid for table in tables]]).fetchall()
    if unseen:
        raise MemoryUnavailable(
            f"The rows of {unseen[0][0]} are kept from the role {connection.info.user}: "
            "back up as the role that ran `primum db upgrade`."
        )
    return tables


def _tables(connection: psycopg.Connection[Any]) -> list[_Table]:
    """Ours, those first that others need."""
    rows = [_Table(*row) for row in connection.execute(_TABLES)]
    waiting = [
        table
        for table in rows
        if table.name not in _NOT_KEPT and (table.schema != "public" or table.name in Base.metadata.tables)
    ]
    order: list[_Table] = []
    while waiting:
        ready = [one for one in waiting if not {other.oid for other in waiting} & set(one.needs)]
        order += ready
        waiting = [one for one in waiting if one not in ready]
        if not ready:
            raise MemoryUnavailable("The tables need each other in a circle: this is not a database of Primum's.")
    return order


def _refuse_full(url: str) -> None:
    with _connected(url) as connection:
        connection.execute("set local app.backup = 'on'")
        filled = [table.label for table in _tables(connection) if _has_rows(connection, table)]
    if filled:
        raise BadInput(
            f"The database is not empty: {', '.join(filled[:4])}{' …' if len(filled) > 4 else ''} hold rows. Make a "
            "new one and name it in PRIMUM_DATABASE_URL, or a new folder in PRIMUM_HOME. Nothing was changed."
        )


def _has_rows(connection: psycopg.Connection[Any], table: _Table) -> bool:
    found = connection.execute(sql.SQL("select exists (select from {})").format(table.named)).fetchone()
    return bool(found and found[0])


def _adopt(connection: psycopg.Connection[Any], secret: Secret) -> None:
    """The secret as this database has it in use. Raises BadInput."""
    row = connection.execute("select secret_check from installation").fetchone()
    there = connection.execute("select to_regclass('former_secrets')").fetchone()
    former = connection.execute(rotation.FORMER).fetchall() if there and there[0] else []  # older tables have none
    secret.adopt(row[0] if row else None, former)


def _revision(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else ""


@contextmanager
def _unguarded(connection: psycopg.Connection[Any], tables: Sequence[_Table] | Any) -> Iterator[None]:
    """The owner may change every row, and no trigger adds any; as it was, once the transaction ends.

    Raises:
        MemoryUnavailable: it is not as it was, so that nothing may be kept.
    """
    tables = list(tables)
    before = connection.execute(_GUARDS).fetchall()
    guarded = [table for table in tables if table.forced]
    for table in guarded:
        connection.execute(sql.SQL("alter table {} no force row level security").format(table.named))
    for table in tables:
        connection.execute(sql.SQL("alter table {} disable trigger user").format(table.named))
    yield
    for table in tables:
        connection.execute(sql.SQL("alter table {} enable trigger user").format(table.named))
    for table in guarded:
        connection.execute(sql.SQL("alter table {} force row level security").format(table.named))
    changed = [was[0] for was, now in zip(before, connection.execute(_GUARDS).fetchall(), strict=True) if was != now]
    if changed:
        raise MemoryUnavailable(f"What guards {changed[0]} would not be as it was before. Nothing was changed.")


def _copy_out(connection: psycopg.Connection[Any], table: _Table, sealed: SealedWriter) -> Kept:
    names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    rows, hashed, block = 0, hashlib.sha256(), bytearray()
    with connection.cursor().copy(sql.SQL("copy (select {} from {}) to stdout").format(names, table.named)) as copy:
        for data in copy:
            block += data
            rows += bytes(data).count(b"\n")  # a line end within a value is written as two characters
            hashed.update(data)
            while len(block) >= _BLOCK:  # one row may be many
                _put_block(sealed, bytes(block[:_BLOCK]))
                del block[:_BLOCK]
    if block:
        _put_block(sealed, bytes(block))
    _put_block(sealed, b"")
    return Kept(rows, hashed.hexdigest())


def _go_through(
    path: Path,
    opener: Opener,
    put: Callable[[str, Sequence[str], Mapping[str, str], Iterator[bytes]], None],
    sequences: Callable[[Sequence[tuple[str, str, int]]], None],
) -> Backup:
    with _opened(path) as file:
        header, raw = _header(file, path)
        sealed = _unsealed(file, header, raw, opener)
        opening = _opening(sealed, header)
        kept: dict[str, Kept] = {}
        while "table" in (record := _get(sealed)):
            counted = _Counted(sealed)
            put(record["table"], record["columns"], record["storage"], counted.blocks())
            kept[record["table"]] = Kept(**_get(sealed))
            if counted.kept != kept[record["table"]]:
                raise BadInput(f"The backup is damaged: the rows of {record['table']} are not those that were kept.")
        sequences(record["sequences"])
        sealed.end()
    return Backup(header, opening, kept)


class _Counted:
    """The blocks of a table's rows, counted and hashed as they go by."""

    def __init__(self, sealed: SealedReader) -> None:
        self._sealed = sealed
        self._rows = 0
        self._hash = hashlib.sha256()

    def blocks(self) -> Iterator[bytes]:
        while block := _get_block(self._sealed):
            self._rows += block.count(b"\n")
            self._hash.update(block)
            yield block

    @property
    def kept(self) -> Kept:
        return Kept(self._rows, self._hash.hexdigest())


def _header(file: BinaryIO, path: Path) -> tuple[Header, bytes]:
    magic = file.read(len(MAGIC))
    line = file.readline(_HEADER)
    try:
        if magic != MAGIC:
            raise ValueError
        return Header(**json.loads(line)), magic + line
    except (ValueError, TypeError):
        raise BadInput(f"{path} is no backup of Primum's, or of a version that this one does not know.") from None


def _unsealed(file: BinaryIO, header: Header, raw: bytes, opener: Opener) -> SealedReader:
    if header.sealed_with != opener.sealed_with:
        how = {"secret": "the secret; give no passphrase", "passphrase": "a passphrase; give it: --passphrase-file"}
        raise BadInput(f"The backup is sealed with {how[header.sealed_with]}.")
    check = bytes.fromhex(header.secret_check)
    if opener.secret.find(check) is None:
        raise BadInput(f"{_ANOTHER} ({check.hex()[:8]}). {_SET} Nothing was changed.")
    return SealedReader(file, opener.key(bytes.fromhex(header.salt), check), raw)


def made_at(path: Path) -> datetime:
    """When a backup says that it was made, which `load` proves. Raises BadInput if it is none."""
    with _opened(path) as file:
        return datetime.fromisoformat(_header(file, path)[0].made_at)


def secret_of(path: Path, passphrase: str) -> Secret | None:
    """The secret that a backup holds, if it holds one. Raises BadInput as `examine` does."""
    with _opened(path) as file:
        header, raw = _header(file, path)
        if header.sealed_with != "passphrase":
            return None
        key = Opener(Secret(""), passphrase).key(bytes.fromhex(header.salt), b"")
        found = _opening(SealedReader(file, key, raw), header).secret
    return Secret(found) if found else None


def _opening(sealed: SealedReader, header: Header) -> Opening:
    try:
        return Opening(**_get(sealed))
    except BadInput:
        if header.sealed_with == "passphrase":
            raise BadInput("The passphrase is another than the backup's, or the backup is damaged.") from None
        raise


def _put(sealed: SealedWriter, record: Mapping[str, Any]) -> None:
    _put_block(sealed, json.dumps(record, ensure_ascii=False).encode())


def _put_block(sealed: SealedWriter, block: bytes) -> None:
    sealed.write(len(block).to_bytes(4) + block)


def _get(sealed: SealedReader) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(_get_block(sealed))
    return record


def _get_block(sealed: SealedReader) -> bytes:
    size = int.from_bytes(sealed.read(4))
    if size > _LONGEST:
        raise BadInput("The backup is damaged: a length in it is none.")
    return sealed.read(size)


def _drain(blocks: Iterator[bytes]) -> None:
    for _ in blocks:
        pass


def _all(gone: Sequence[Removals]) -> list[Removal]:
    return sorted((one for each in gone for one in each.removals), key=lambda one: one.at)


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """One transaction, as the tables' owner. Raises MemoryUnavailable."""
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT) as connection:
            yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise MemoryUnavailable(f"{why(error)} Nothing was changed.") from error
    except psycopg.Error as error:
        # Its text may hold a row.
        raise MemoryUnavailable(f"The database refused ({type(error).__name__}). Nothing was changed.") from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from None
