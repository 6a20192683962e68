"""LangGraph's checkpoints: where a thread stands, sealed, in a schema of their own, read back in strict msgpack."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any, cast

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg.rows import dict_row

from primum.graph.errors import MemoryUnavailable
from primum.memory.secret import Cipher, Secret
from primum.memory.session import APP, PATIENCE, PROCESS, WORKER, Pool, locally

SCHEMA = "checkpoints"
_TRY_LOCK = "select 1 where pg_try_advisory_lock(hashtext('primum.checkpoints'))"
# The application saves and reads; the worker removes what belongs to no thread any more.
_GRANTS = f"""
grant all on all tables in schema {SCHEMA} to {APP};
grant usage on schema {SCHEMA} to {APP}, {WORKER};
grant delete on {SCHEMA}.checkpoints, {SCHEMA}.checkpoint_blobs, {SCHEMA}.checkpoint_writes to {WORKER};
grant select (thread_id) on {SCHEMA}.checkpoints, {SCHEMA}.checkpoint_blobs, {SCHEMA}.checkpoint_writes to {WORKER};
"""
_SEARCH_PATH = f"-c search_path={SCHEMA}"


def setup(url: str) -> None:
    """Makes or changes LangGraph's own tables; the schema must be there."""
    with (
        psycopg.connect(url, autocommit=True) as held,
        psycopg.connect(
            url, autocommit=True, prepare_threshold=0, row_factory=dict_row, options=_SEARCH_PATH
        ) as connection,
    ):
        # Its migrations are not safe to run twice at once. Tried again and again, each time in a transaction of its
        # own, since `create index concurrently` of the lock's holder waits for every transaction that it met in a
        # statement. The session's end gives the lock back.
        while held.execute(_TRY_LOCK).fetchone() is None:
            time.sleep(0.05)
        PostgresSaver(connection).setup()
        connection.execute(_GRANTS, prepare=False)


class Sealed:
    """A text on its way into a checkpoint."""

    def __init__(self, text: str) -> None:
        self.text = text


class SealingSerializer(EncryptedSerializer):
    """Encrypts all that is saved, and reads nothing back that is not encrypted."""

    def __init__(self, cipher: Cipher) -> None:
        # Only plain values are ever saved, so nothing else may be built from what is read back.
        super().__init__(cipher, JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None))

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return super().dumps_typed(obj.text if isinstance(obj, Sealed) else obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        if "+" not in data[0]:
            raise MemoryUnavailable("A checkpoint is not encrypted, so it is not Primum's. Remove it, and ask again.")
        return super().loads_typed(data)


class SealingSaver(AsyncPostgresSaver):
    """The saver, which by itself writes texts into the checkpoint's row as they are; here they are sealed as well."""

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        values = {
            name: Sealed(value) if isinstance(value, str) else value
            for name, value in checkpoint["channel_values"].items()
        }
        return await super().aput(config, {**checkpoint, "channel_values": values}, metadata, new_versions)


@asynccontextmanager
async def open_checkpointer(url: str, pool: int, secret: Secret) -> AsyncIterator[AsyncPostgresSaver]:
    """A saver on a pool of its own; the pool opens when the database answers, and heals after it was gone.

    Its connections tell by their name which secrets this process has (`primum.memory.rotation`).
    """
    connections = Pool(
        url,
        # A checkpoint reaches the disk with the turn's answer, whose commit comes after it and waits.
        locally(APP, search_path=SCHEMA, synchronous_commit="off", statement_timeout=f"{PATIENCE:.0f}s"),
        min_size=1,
        max_size=pool,
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "application_name": " ".join([PROCESS, *(one.id for one in secret.given.values())]),
        },
    )
    await connections.open(wait=False)
    try:
        saver = SealingSaver(connections, serde=SealingSerializer(secret.cipher))
        # Its lock is for one connection; on a pool it would make all turns of a process wait for each other.
        saver.lock = cast(asyncio.Lock, nullcontext())
        yield saver
    finally:
        await connections.close()
