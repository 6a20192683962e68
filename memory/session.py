"""The connection pool and its transactions.

No session holds anything of ours: as whom a transaction works, on which tables and for how long is said in it. So a
pooler that gives a server's session to each transaction (PgBouncer, `pool_mode = transaction`) may stand between.
"""

import select
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from math import inf
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import psycopg_pool
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, Row
from sqlalchemy import event, exc, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from primum.graph.errors import BadInput, MemoryUnavailable
from primum.memory.identity import Identity
from primum.memory.secret import Secret

APP = "primum_app"  # the role that reads and writes patients' rows, each transaction for one identity
WORKER = "primum_worker"  # the role that sees which turns and jobs there are, and not a word of what is in them
PROCESS = "primum"  # begins the name of the connections that tell which secrets a process has
CONNECT_TIMEOUT = 5  # seconds until a database that does not answer counts as gone
POOL_TIMEOUT = 30  # seconds that a transaction waits for a connection while all are in use
FRESH = 1.0  # seconds after its last use in which a silent connection is taken to live
PATIENCE = 30.0  # seconds that a statement of a turn may take, with its waits for locks
CHORE = 3600.0  # seconds that one of the night's may
ABSENT = 10  # seconds after which the server ends a transaction whose process says nothing more, with its locks


_CONNECTS = {
    "connect_timeout": CONNECT_TIMEOUT,
    # Plans of prepared statements outlive a change of planner settings (hnsw.ef_search), and a pooler's sessions are
    # not those that prepared them: none are.
    "prepare_threshold": None,
    # A peer that is gone without a word: the kernel asks after 10 seconds of silence, and gives up after 15 more.
    **{"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000},
}


def sqlalchemy_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy's psycopg 3 wants it."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def locally(role: str, **more: str) -> str:
    """The statement that a transaction begins with: as which role it works, and other settings until its end."""
    settings = {"role": role, "idle_in_transaction_session_timeout": f"{ABSENT}s", **more}
    return "select " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())


# For a transaction that waits for something else than its statements.
RESTS = text(f"select set_config('idle_in_transaction_session_timeout', '{CHORE:.0f}s', true)")


_IDENTITY = "set_config('app.tenant', %(tenant)s, true), set_config('app.patient', %(patient)s, true)"

_KEEP_CHECK = text("insert into installation (id, secret_check) values (1, :secret) on conflict do nothing")
_FORMER = text("select secret_check, sealed from former_secrets order by number")


class Connection(psycopg.AsyncConnection[Row]):
    """One that gives up a server which says nothing more; psycopg waits for it without end.

    `patience`: seconds. The server's own limit comes first where it is there to keep it.
    """

    patience = PATIENCE + CONNECT_TIMEOUT

    async def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:  # noqa: ASYNC109
        try:
            return await super().wait(gen, interval, min(self.patience, inf if timeout is None else timeout))
        except psycopg.OperationalError as error:
            # No error of the server's, and its answer is still to come: nobody can use this connection any more.
            if error.sqlstate is None and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Has another patience for a while."""
        before, self.patience = self.patience, seconds
        try:
            yield
        finally:
            self.patience = before


class Pool(psycopg_pool.AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]):
    """For libraries that say nothing of roles and schemas: what is done with a connection is one transaction, which
    begins with a statement of ours. All of it is sent at once, so that this takes no trip to the server of its own.
    """

    def __init__(self, url: str, begins: str, **given: Any) -> None:
        self._begins = begins.encode()
        self._used: WeakKeyDictionary[psycopg.AsyncConnection[DictRow], float] = WeakKeyDictionary()
        self._emptied = -inf
        given["kwargs"] = {**_CONNECTS, **given.get("kwargs", {})}
        given |= {"check": self._ask, "reset": self._stamp, "open": False}
        # Whoever wants one tries anew: the pool's own pauses double, and would outlast a long outage by as much again.
        given |= {"timeout": 2 * CONNECT_TIMEOUT, "reconnect_timeout": CONNECT_TIMEOUT}
        super().__init__(url, connection_class=Connection, **given)

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[Any]:  # noqa: ASYNC109
        async with super().connection(timeout) as connection, connection.pipeline(), connection.transaction():
            await connection.execute(self._begins)
            yield connection

    async def _stamp(self, connection: psycopg.AsyncConnection[DictRow]) -> None:
        self._used[connection] = monotonic()

    async def _ask(self, connection: psycopg.AsyncConnection[DictRow]) -> None:
        """Asks a connection whether it lives, if there is doubt; of a dead one the others are taken for dead, too."""
        assert isinstance(connection, Connection)
        if not doubtful(connection, self._used.get(connection, 0.0)):
            return
        try:
            with connection.waiting(CONNECT_TIMEOUT):
                await self.check_connection(connection)
        except psycopg.Error:
            if monotonic() - self._emptied > 2 * CONNECT_TIMEOUT:
                self._emptied = monotonic()
                await self.drain()
            raise


class Database:
    """A pool of connections to one Postgres; each transaction takes one and gives it back.

    It works as a role that row-level security binds: a transaction sees the rows of the identity that it names, and
    none if it names none. `owner` works as the tables' owner instead, who writes the library and changes tables.
    """

    def __init__(self, url: str, pool: int = 10, *, owner: bool = False) -> None:
        self.url = url
        self._owner = owner
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
            hide_parameters=True,  # an error's text ends up in logs, and parameters are patients' words
            connect_args={"async_creator_fn": self._connect, **_CONNECTS},
        )

        event.listen(self.engine.sync_engine, "checkin", _stamp)
        event.listen(self.engine.sync_engine, "checkout", self._check)
        self._secret: Secret | None = None

    async def _connect(self, *args: Any, **kwargs: Any) -> Connection[Any]:
        # What begins a transaction is sent by `_begin`, not by the driver in a trip of its own.
        connection = await Connection.connect(*args, **kwargs, autocommit=True)
        if self._owner:  # who makes indexes and reads libraries in
            connection.patience = inf
        return connection

    def _check(self, connection: Any, record: Any, _: Any) -> None:
        """`pool_pre_ping`, but only where there is doubt; each ping costs a turn a round trip."""
        if doubtful(connection.driver_connection, record.info.get("used", monotonic())):
            dialect = self.engine.dialect
            try:
                with connection.driver_connection.waiting(CONNECT_TIMEOUT):
                    dialect.do_ping(connection)
            except dialect.loaded_dbapi.Error as error:
                raise exc.InvalidatePoolError from error

    @asynccontextmanager
    async def begin(self, identity: Identity | None = None) -> AsyncIterator[AsyncConnection]:
        """One transaction, in which an identity's rows are seen.

        Raises:
            BadInput: a value holds what can't be stored, such as a NUL.
            MemoryUnavailable: the database can't be reached or broke off, or has a PRIMUM_SECRET in use by now that is
                not here.
        """
        async with _reached(), self.engine.begin() as connection:
            begins = "select null" if self._owner else locally(APP, statement_timeout=f"{PATIENCE:.0f}s")
            given = {}
            if identity is not None:
                begins, given = f"{begins}, {_IDENTITY}", {"tenant": identity.tenant, "patient": identity.patient}
            if identity is None or self._secret is None:
                await _begin(connection, begins, given)
            else:
                row = await _begin(connection, f"{begins}, (select secret_check from installation)", given)
                self._secret.use(row[-1])
            yield connection

    @asynccontextmanager
    async def begin_as_worker(self, patience: float = PATIENCE) -> AsyncIterator[AsyncConnection]:
        """One transaction that sees whose turns there are and how they stand, of all tenants. Raises as `begin`.

        `patience`: seconds that a statement may take.
        """
        async with _reached(), self.engine.begin() as connection:
            with (await _driven(connection)).waiting(patience + CONNECT_TIMEOUT):
                await _begin(connection, locally(WORKER, statement_timeout=f"{patience:.0f}s"), {})
                yield connection

    async def ping(self) -> None:
        """Raises MemoryUnavailable unless the database answers."""
        async with self.begin() as connection:
            await connection.execute(text("select 1"))

    async def check(self, secret: Secret) -> None:
        """That rows are kept apart here, and that this installation's secret is the database's, or becomes it.

        From then on a transaction of an identity begins with the secret that is in use by then.

        Raises:
            BadInput: neither, or another's.
            MemoryUnavailable: the database can't be reached.
        """
        async with self.begin() as connection:
            if not await connection.scalar(text("select row_security_active('turns')")):
                raise BadInput("This database does not keep patients apart: its role may bypass row-level security.")
            await connection.execute(_KEEP_CHECK, {"secret": secret.newest.check})
            kept = await connection.scalar(text("select secret_check from installation"))
            former = [(bytes(row.secret_check), bytes(row.sealed)) for row in await connection.execute(_FORMER)]
        secret.adopt(bytes(kept), former)
        self._secret = secret

    async def close(self) -> None:
        await self.engine.dispose()


async def _driven(connection: AsyncConnection) -> Connection[Any]:
    driven = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driven, Connection)
    return driven


async def _begin(connection: AsyncConnection, statement: str, given: Mapping[str, str]) -> tuple[Any, ...]:
    """Begins a transaction with a statement, both in one trip to the server; the statement's row."""
    # Of two statements the server takes no parameters: this cursor writes them in.
    async with psycopg.AsyncClientCursor(await _driven(connection)) as cursor:
        await cursor.execute(f"begin; {statement}", given)
        cursor.nextset()
        row: tuple[Any, ...] | None = await cursor.fetchone()
        assert row is not None
        return row


def doubtful(connection: psycopg.AsyncConnection[Any], used: float) -> bool:
    """Whether a connection may be dead: it has rested, or its server said something unasked, as at its end."""
    if monotonic() - used > FRESH or connection.closed:
        return True
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return bool(socket.poll(0))


def _stamp(_: Any, record: Any) -> None:
    record.info["used"] = monotonic()


def why(error: Exception) -> str:
    """What keeps the database from its work."""
    match getattr(error, "orig", error):
        case exc.TimeoutError() | psycopg_pool.PoolTimeout():
            return "All connections to the database are in use."
        case psycopg.errors.DiskFull():
            return "The database's disk is full."
        case psycopg.errors.QueryCanceled():
            return "The database took too long."
        case psycopg.errors.ReadOnlySqlTransaction():
            return "The database takes no changes at the moment."
        case psycopg.errors.ForeignKeyViolation():
            return "What this belongs to was erased in the meantime."
    return "The database can't be reached."


def _cant_be_stored(error: object) -> bool:
    """Whether it is what was given that the database can't take, and not a fault of ours."""
    never = (
        psycopg.errors.UntranslatableCharacter,
        psycopg.errors.CharacterNotInRepertoire,
        psycopg.errors.NumericValueOutOfRange,
    )
    return isinstance(error, never) or type(error) is psycopg.DataError  # its own, of a NUL


# SQLSTATEs of the server's own word: connections, a transaction it ended or takes no more, its resources, its shutdown.
_OUTAGES = ("08", "25", "53", "57P")
_LOST = (
    *(exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError),
    *(psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError),  # COPY goes past SQLAlchemy
)


def passes(error: BaseException | None) -> bool:
    """Whether an error is an outage, after which the same would go well.

    A statement that takes too long, or rows that can't be read, would do so again.
    """
    if not isinstance(error, (*_LOST, exc.DatabaseError, psycopg.DatabaseError)):
        return False
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state is None or state.startswith(_OUTAGES)


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    try:
        yield
    except _LOST as error:
        raise MemoryUnavailable(f"{why(error)} Nothing was changed.") from error
    except (exc.DataError, psycopg.DataError) as error:
        if not _cant_be_stored(getattr(error, "orig", error)):
            raise
        raise BadInput(
            "What was given holds a character (NUL) or a number that can't be stored. Leave it out."
        ) from None
    except exc.IntegrityError as error:
        if not isinstance(error.orig, psycopg.errors.ForeignKeyViolation):
            raise
        raise MemoryUnavailable(f"{why(error)} Nothing was changed.") from None  # its text names the patient
    except (exc.DatabaseError, psycopg.DatabaseError) as error:
        if type(getattr(error, "orig", error)) is not psycopg.DatabaseError:
            raise
        # libpq's own, of what is no answer of Postgres: the wire is broken.
        raise MemoryUnavailable(f"{why(error)} Nothing was changed.") from error
