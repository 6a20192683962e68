"""The connection pool and its transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import exc, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from primum.graph.errors import MemoryUnavailable

CONNECT_TIMEOUT = 5  # seconds until a database that does not answer counts as gone


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
            pool_pre_ping=True,
            hide_parameters=True,  # an error's text ends up in logs, and parameters are patients' words
            # Plans of prepared statements outlive a change of planner settings (hnsw.ef_search), so none are.
            connect_args={"connect_timeout": CONNECT_TIMEOUT, "prepare_threshold": None},
        )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction.

        Raises:
            MemoryUnavailable: the database can't be reached or broke off.
        """
        try:
            async with self.engine.begin() as connection:
                yield connection
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            raise MemoryUnavailable("The database can't be reached. Nothing was changed.") from error

    async def ping(self) -> None:
        """Raises MemoryUnavailable unless the database answers."""
        async with self.begin() as connection:
            await connection.execute(text("select 1"))

    async def close(self) -> None:
        await self.engine.dispose()
