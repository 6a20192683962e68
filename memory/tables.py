"""The tables. A change here needs a migration in `alembic/versions/`; a test holds the two together."""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, str]]: JSONB,
        list[str]: JSONB,
    }


class Document(Base):
    """A source: one page, file or record. `uri` tells it from all others; ingesting it again replaces it."""

    __tablename__ = "documents"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    uri: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    kind: Mapped[str]
    url: Mapped[str]
    aliases: Mapped[list[str]]
    sources: Mapped[list[dict[str, str]]]
    reviewed: Mapped[date | None]
    content_hash: Mapped[str]
    text: Mapped[str]
    ingested_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Chunk(Base):
    """A stored piece of a document: `documents.text[start:stop]`, under `heading`."""

    __tablename__ = "chunks"
    __table_args__ = (
        Index("ix_chunks_lexemes", "lexemes", postgresql_using="gin"),
        CheckConstraint("start >= 0 and stop > start", name="span"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), index=True)
    ordinal: Mapped[int]
    title: Mapped[str]
    aliases: Mapped[str]
    heading: Mapped[str]
    start: Mapped[int]
    stop: Mapped[int]
    text: Mapped[str]
    # Weights: A the names of the page, B the section, D the text.
    lexemes: Mapped[Any] = mapped_column(
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('english', title || ' ' || aliases), 'A')"
            " || setweight(to_tsvector('english', heading), 'B')"
            " || to_tsvector('english', text)",
            persisted=True,
        ),
    )
    # No fixed size: it is the embedder's, kept in `corpus`; the HNSW index is made on a cast to it.
    embedding: Mapped[Any] = mapped_column(HALFVEC())


class Lexeme(Base):
    """In how many chunks a lexeme stands: the inverse document frequency that Postgres' ranking lacks."""

    __tablename__ = "lexemes"

    lexeme: Mapped[str] = mapped_column(primary_key=True)
    chunks: Mapped[int]


class Corpus(Base):
    """One row: the embedder that made every vector of the index, and a version that changes with the content."""

    __tablename__ = "corpus"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    embedder: Mapped[str]
    dimensions: Mapped[int]
    pooling: Mapped[str]
    fingerprint: Mapped[str]
    chunks: Mapped[int] = mapped_column(server_default="0")
    postings: Mapped[int] = mapped_column(BigInteger, server_default="0")  # sum of lexemes.chunks
    version: Mapped[str] = mapped_column(server_default="")


class Thread(Base):
    """A conversation of one patient."""

    __tablename__ = "threads"
    __table_args__ = (Index("ix_threads_patient_updated_at", "patient", "updated_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    patient: Mapped[str]
    title: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Turn(Base):
    """One question and, once audited, its answer. The row is written before the request is acknowledged."""

    __tablename__ = "turns"
    __table_args__ = (
        CheckConstraint("status in ('running', 'done', 'failed')", name="status"),
        Index("ix_turns_thread_id_number", "thread_id", "number"),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity())
    thread_id: Mapped[str] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"))
    question: Mapped[str]
    request: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="running")
    answer: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
