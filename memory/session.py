"""The connection pool and its transactions."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import psycopg
from sqlalchemy import event, exc, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from primum.graph.errors import MemoryUnavailable

CONNECT_TIMEOUT = 5  # seconds until a database that does not answer counts as gone
FRESH = 1.0  # seconds after its last use in which a silent connection is taken to live


def sqlalchemy_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy's psycopg 3 wants it."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


class Database:
    """A pool of connections to one Postgres; each transaction takes one and gives it back."""

    def __init__(self, url: str, pool: int = 10) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT,
            hide_parameters=True,  # an error's text ends up in logs, and parameters are patients' words
            # Plans of prepared statements outlive a change of planner settings (hnsw.ef_search), so none are.
            connect_args={"connect_timeout": CONNECT_TIMEOUT, "prepare_threshold": None},
        )

        event.listen(self.engine.sync_engine, "checkin", _stamp)
        event.listen(self.engine.sync_engine, "checkout", self._check)
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def _check(self, connection: Any, record: Any, _: Any) -> None:
        """`pool_pre_ping`, but only where there is doubt; each ping costs a turn a round trip."""
        if doubtful(connection.driver_connection, record.info.get("used", monotonic())):
            dialect = self.engine.dialect
            try:
                dialect.do_ping(connection)
            except dialect.loaded_dbapi.Error as error:
                raise exc.InvalidatePoolError from error

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction.

        Raises:
            MemoryUnavailable: the database can't be reached or broke off.
        """
        async with _reached(), self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def single(self) -> AsyncIterator[AsyncConnection]:
        """For single statements, each a transaction of its own: two round trips less. Raises as `begin` does."""
        async with _reached(), self._single.connect() as connection:
            yield connection

    async def ping(self) -> None:
        """Raises MemoryUnavailable unless the database answers."""
        async with self.single() as connection:
            await connection.execute(text("select 1"))

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


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        raise MemoryUnavailable("The database can't be reached. Nothing was changed.") from error
