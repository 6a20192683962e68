"""The connection pool and its transactions."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import psycopg
import psycopg_pool
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


def sqlalchemy_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy's psycopg 3 wants it."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


_IDENTIFY = text("select set_config('app.tenant', :tenant, true), set_config('app.patient', :patient, true)")
_IN_USE = "(select secret_check from installation)"
_IDENTIFY_WITH_SECRET = text(f"{_IDENTIFY.text}, {_IN_USE}")
_KEEP_CHECK = text("insert into installation (id, secret_check) values (1, :secret) on conflict do nothing")
_FORMER = text("select secret_check, sealed from former_secrets order by number")


class Database:
    """A pool of connections to one Postgres; each transaction takes one and gives it back.

    It works as a role that row-level security binds: a transaction sees the rows of the identity that it names, and
    none if it names none. `owner` works as the tables' owner instead, who writes the library and changes tables.
    """

    def __init__(self, url: str, pool: int = 10, *, owner: bool = False) -> None:
        self.url = url
        role = {} if owner else {"options": f"-c role={APP}"}
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
            hide_parameters=True,  # an error's text ends up in logs, and parameters are patients' words
            # Plans of prepared statements outlive a change of planner settings (hnsw.ef_search), so none are.
            connect_args={"connect_timeout": CONNECT_TIMEOUT, "prepare_threshold": None, **role},
        )

        event.listen(self.engine.sync_engine, "checkin", _stamp)
        event.listen(self.engine.sync_engine, "checkout", self._check)
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._secret: Secret | None = None

    def _check(self, connection: Any, record: Any, _: Any) -> None:
        """`pool_pre_ping`, but only where there is doubt; each ping costs a turn a round trip."""
        if doubtful(connection.driver_connection, record.info.get("used", monotonic())):
            dialect = self.engine.dialect
            try:
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
            if identity is not None:
                who = {"tenant": identity.tenant, "patient": identity.patient}
                if self._secret is None:
                    await connection.execute(_IDENTIFY, who)
                else:  # in the same round trip
                    row = (await connection.execute(_IDENTIFY_WITH_SECRET, who)).one()
                    self._secret.use(row.secret_check)
            yield connection

    @asynccontextmanager
    async def begin_as_worker(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that sees whose turns there are and how they stand, of all tenants. Raises as `begin`."""
        async with self.begin() as connection:
            await connection.execute(text(f"set local role {WORKER}"))
            yield connection

    @asynccontextmanager
    async def single(self) -> AsyncIterator[AsyncConnection]:
        """For single statements on the library, each a transaction of its own. Raises as `begin` does."""
        async with _reached(), self._single.connect() as connection:
            yield connection

    async def ping(self) -> None:
        """Raises MemoryUnavailable unless the database answers."""
        async with self.single() as connection:
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
            kept = await connection.scalar(text(f"select {_IN_USE}"))
            former = [(bytes(row.secret_check), bytes(row.sealed)) for row in await connection.execute(_FORMER)]
        secret.adopt(bytes(kept), former)
        self._secret = secret

    async def close(self) -> None:
        await self.engine.dispose()


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


_LOST = (
    *(exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError),
    *(psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError),  # COPY goes past SQLAlchemy
)


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
