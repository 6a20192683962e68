"""Runs migrations on the connection that primum.memory.schema gives, on `-x url=…` or the settings' database."""

from typing import Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from pgvector.sqlalchemy import HALFVEC

from primum.graph.errors import BadInput
from primum.graph.settings import read_settings
from primum.memory.session import sqlalchemy_url
from primum.memory.tables import Base

LOCK = 0x5072696D756D  # "Primum": two processes may migrate at once, the second finds the work done


def url() -> str:
    given = context.get_x_argument(as_dictionary=True).get("url")
    if given:
        return given
    configured = read_settings().database_url
    if configured is None:
        raise BadInput("No database: give -x url=postgresql://… or set PRIMUM_DATABASE_URL.")
    return configured.get_secret_value()


def is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Not the HNSW indexes, which depend on the embedder and are made by ingesting; not the partitions of a table."""
    if kind == "table":
        return not (name or "").startswith("chunks_")
    return not (kind == "index" and (name or "").startswith("ix_chunks_embedding_"))


def render(kind: str, item: object, autogen: AutogenContext) -> str | Literal[False]:
    """How a new migration writes pgvector's type, and that it must import it."""
    if kind == "type" and isinstance(item, HALFVEC):
        autogen.imports.add("from pgvector.sqlalchemy import HALFVEC")
        return "HALFVEC()" if item.dim is None else f"HALFVEC({item.dim})"
    return False


def run(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, include_object=is_ours, render_item=render)
    with context.begin_transaction():
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = sa.create_engine(sqlalchemy_url(url()), poolclass=sa.NullPool)
    with engine.connect() as connection:
        run(connection)
