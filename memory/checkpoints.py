"""LangGraph's checkpoints: where a thread stands, in a schema of their own, read back in strict msgpack."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from time import monotonic
from typing import cast
from weakref import WeakKeyDictionary

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from primum.memory.session import CONNECT_TIMEOUT, doubtful

SCHEMA = "checkpoints"
_TRY_LOCK = "select 1 where pg_try_advisory_lock(hashtext('primum.checkpoints'))"
_used: WeakKeyDictionary[AsyncConnection[DictRow], float] = WeakKeyDictionary()
_SEARCH_PATH = f"-c search_path={SCHEMA}"


def setup(url: str) -> None:
    """Makes or changes LangGraph's own tables; the schema must be there."""
    with psycopg.connect(
        url, autocommit=True, prepare_threshold=0, row_factory=dict_row, options=_SEARCH_PATH
    ) as connection:
        # Its migrations are not safe to run twice at once. Tried again and again, since a statement that waits for
        # the lock holds a snapshot, which `create index concurrently` of the lock's holder waits for in turn.
        while connection.execute(_TRY_LOCK).fetchone() is None:
            time.sleep(0.05)
        PostgresSaver(connection).setup()


@asynccontextmanager
async def open_checkpointer(url: str, pool: int) -> AsyncIterator[AsyncPostgresSaver]:
    """A saver on a pool of its own; the pool opens when the database answers, and heals after it was gone."""
    connections: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=pool,
        timeout=CONNECT_TIMEOUT,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            # A checkpoint reaches the disk with the turn's answer, whose commit comes after it and waits.
            "options": f"{_SEARCH_PATH} -c synchronous_commit=off",
            "connect_timeout": CONNECT_TIMEOUT,
        },
        check=_check,
        reset=_stamp,
        open=False,
    )
    await connections.open(wait=False)
    try:
        # Only plain values are ever saved, so nothing else may be built from what is read back.
        strict = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
        saver = AsyncPostgresSaver(connections, serde=strict)
        # Its lock is for one connection; on a pool it would make all turns of a process wait for each other.
        saver.lock = cast(asyncio.Lock, nullcontext())
        yield saver
    finally:
        await connections.close()


async def _stamp(connection: AsyncConnection[DictRow]) -> None:
    _used[connection] = monotonic()


async def _check(connection: AsyncConnection[DictRow]) -> None:
    """Asks a connection whether it lives, if there is doubt."""
    if doubtful(connection, _used.get(connection, 0.0)):
        await AsyncConnectionPool.check_connection(connection)
