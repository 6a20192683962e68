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
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
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
        list[dict[str, Any]]: JSONB,
        list[str]: JSONB,
    }


class Document(Base):
    """A source: one page, file or record. `uri` tells it from all others of its tenant; '' as tenant is everyone's.

    Ingested again with other content, a new row takes its place; the old one is kept, without chunks, for the answers
    that cite it. One that nearly repeats another is not found while that other is there.
    """

    __tablename__ = "documents"
    __table_args__ = (
        Index("uq_documents_tenant_uri", "tenant", "uri", unique=True, postgresql_where="replaced_at is null"),
        Index("ix_documents_bands", "bands", postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tenant: Mapped[str] = mapped_column(server_default="")
    uri: Mapped[str]
    title: Mapped[str]
    kind: Mapped[str] = mapped_column(index=True)
    origin: Mapped[str] = mapped_column(index=True, server_default="")
    url: Mapped[str]
    aliases: Mapped[list[str]]
    sources: Mapped[list[dict[str, str]]]
    language: Mapped[str] = mapped_column(index=True, server_default="en")
    audience: Mapped[str] = mapped_column(index=True, server_default="")
    licence: Mapped[str] = mapped_column(server_default="")
    evidence: Mapped[str] = mapped_column(server_default="")
    published: Mapped[date | None] = mapped_column(index=True)
    reviewed: Mapped[date | None]
    retracted: Mapped[bool] = mapped_column(server_default="false")
    content_hash: Mapped[str]
    text: Mapped[str]
    chunks: Mapped[int] = mapped_column(server_default="0")
    bands: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")  # primum.retrieval.duplicates
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("documents.id", ondelete="SET NULL"), index=True)
    ingested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    replaced_at: Mapped[datetime | None]


class Chunk(Base):
    """A stored piece of a document: `documents.text[start:stop]`, under `heading`.

    Everyone's are one partition, so that its vectors' index holds nobody's own; the tenants' are spread by hash.
    """

    __tablename__ = "chunks"
    __table_args__ = (
        Index("ix_chunks_lexemes", "lexemes", postgresql_using="gin"),
        CheckConstraint("start >= 0 and stop > start", name="span"),
        {"postgresql_partition_by": "LIST (tenant)"},
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, server_default=text("nextval('chunks_id')"))
    tenant: Mapped[str] = mapped_column(primary_key=True, index=True, server_default="")
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), index=True)
    ordinal: Mapped[int]
    title: Mapped[str]
    aliases: Mapped[str]
    heading: Mapped[str]
    start: Mapped[int]
    stop: Mapped[int]
    page: Mapped[int | None]
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
    next_embedding: Mapped[Any | None] = mapped_column(HALFVEC())  # while the library is embedded anew


class Lexeme(Base):
    """In how many of a tenant's chunks a lexeme stands: the inverse document frequency that Postgres' ranking lacks."""

    __tablename__ = "lexemes"

    lexeme: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(primary_key=True, server_default="")
    chunks: Mapped[int]


class Corpus(Base):
    """One row: the embedder that made every vector of the index, and a version that changes with the content."""

    __tablename__ = "corpus"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("vector_index in ('halfvec', 'binary', 'none')", name="vector_index"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    embedder: Mapped[str]
    dimensions: Mapped[int]
    pooling: Mapped[str]
    fingerprint: Mapped[str]
    next_fingerprint: Mapped[str | None]  # of the embedder whose vectors are being made beside
    chunks: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[str] = mapped_column(server_default="")
    vector_index: Mapped[str] = mapped_column(server_default="halfvec")  # primum.retrieval.index.vector_index


class Fetched(Base):
    """What a service answered, until it is too old. `key` is a hash of the service and of the words that were sent."""

    __tablename__ = "fetched"

    key: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    body: Mapped[list[dict[str, Any]]]
    fetched_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Tenant(Base):
    """A clinic, a health service, one household: nobody sees another's rows."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Patient(Base):
    """A person that is talked to. `key` names them where their own name must not stand: in jobs and in locks.

    `consent`: whether models may be trained with their turns, who recorded it and when; None where nobody was asked.
    """

    __tablename__ = "patients"
    __table_args__ = (ForeignKeyConstraint(["tenant"], ["tenants.id"], ondelete="CASCADE"),)

    tenant: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[UUID] = mapped_column(unique=True, server_default=func.gen_random_uuid())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    consent: Mapped[bool | None]
    consent_at: Mapped[datetime | None]
    consent_by: Mapped[str | None]


def _of_patient() -> ForeignKeyConstraint:
    """Whatever belongs to a patient goes with them."""
    return ForeignKeyConstraint(["tenant", "patient"], ["patients.tenant", "patients.id"], ondelete="CASCADE")


class Thread(Base):
    """A conversation of one patient. `key` is its name in the checkpoints, which nobody can guess."""

    __tablename__ = "threads"
    __table_args__ = (_of_patient(), Index("ix_threads_tenant_patient_updated_at", "tenant", "patient", "updated_at"))

    tenant: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    patient: Mapped[str]
    key: Mapped[UUID] = mapped_column(unique=True, server_default=func.gen_random_uuid())
    title: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Turn(Base):
    """One question and, once audited, its answer. The row is written before the request is acknowledged.

    While it is queued or running, the process that does so (`holder`) keeps its lease from running out; a turn whose
    lease ran out is another process's to take over.
    """

    __tablename__ = "turns"
    __table_args__ = (
        CheckConstraint("status in ('queued', 'running', 'waiting', 'done', 'failed')", name="status"),
        ForeignKeyConstraint(["tenant", "thread_id"], ["threads.tenant", "threads.id"], ondelete="CASCADE"),
        Index("ix_turns_tenant_thread_id_number", "tenant", "thread_id", "number"),
        Index(
            "uq_turns_tenant_patient_idempotency_key",
            "tenant",
            "patient",
            "idempotency_key",
            unique=True,
            postgresql_where="idempotency_key is not null",
        ),
        Index("ix_turns_lease_until", "lease_until", postgresql_where="status in ('queued', 'running')"),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity())
    tenant: Mapped[str]
    patient: Mapped[str]
    thread_id: Mapped[str]
    question: Mapped[str]
    request: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="running")
    holder: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default="1")
    answer: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class FactRow(Base):
    """One version of one fact: what was believed from `recorded_at` until `replaced_at`.

    `fact` is a `primum.memory.facts.Fact`; when it held in the patient's life stands in its `valid_from` and
    `valid_until`. A version is never changed but for the time at which a newer one took its place.
    """

    __tablename__ = "facts"
    __table_args__ = (
        _of_patient(),
        CheckConstraint("state in ('current', 'ended')", name="state"),
        CheckConstraint("source in ('rules', 'model', 'form', 'import')", name="source"),
        Index("ix_facts_tenant_patient", "tenant", "patient", postgresql_where="replaced_at is null"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tenant: Mapped[str]
    patient: Mapped[str]
    kind: Mapped[str]
    fact: Mapped[dict[str, Any]]
    state: Mapped[str]
    source: Mapped[str]
    run_id: Mapped[UUID | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    replaced_at: Mapped[datetime | None]


class ContradictionRow(Base):
    """Two facts that can't both be true, until somebody says which one is."""

    __tablename__ = "contradictions"
    __table_args__ = (
        _of_patient(),
        CheckConstraint("kept in ('known', 'new')", name="kept"),
        Index("ix_contradictions_tenant_patient", "tenant", "patient", postgresql_where="settled_at is null"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tenant: Mapped[str]
    patient: Mapped[str]
    known: Mapped[dict[str, Any]]
    new: Mapped[dict[str, Any]]
    kept: Mapped[str]
    run_id: Mapped[UUID | None]
    told_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]


class Effect(Base):
    """A step that was done for a run, written with what it did: done again, it does nothing."""

    __tablename__ = "effects"
    __table_args__ = (_of_patient(), Index("ix_effects_tenant_patient", "tenant", "patient"))

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    patient: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class SummaryRow(Base):
    """What a thread's older turns were about, up to the turn `last`: a `primum.memory.summaries.Summary`."""

    __tablename__ = "summaries"
    __table_args__ = (
        ForeignKeyConstraint(["tenant", "thread_id"], ["threads.tenant", "threads.id"], ondelete="CASCADE"),
    )

    tenant: Mapped[str] = mapped_column(primary_key=True)
    thread_id: Mapped[str] = mapped_column(primary_key=True)
    patient: Mapped[str]
    last: Mapped[int] = mapped_column(BigInteger)
    summary: Mapped[dict[str, Any]]
    made_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Feedback(Base):
    """What a reader thought of an answer; a second thought takes the place of the first."""

    __tablename__ = "feedback"
    __table_args__ = (
        _of_patient(),
        CheckConstraint("rating in (-1, 1)", name="rating"),
        Index("ix_feedback_tenant_patient", "tenant", "patient"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("turns.run_id", ondelete="CASCADE"), primary_key=True)
    tenant: Mapped[str]
    patient: Mapped[str]
    rating: Mapped[int]
    reasons: Mapped[list[str]]
    comment: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class Review(Base):
    """An answer that waits for a clinician, and what they made of it. `answer` is as the audit left it."""

    __tablename__ = "reviews"
    __table_args__ = (
        _of_patient(),
        CheckConstraint("decision in ('approved', 'edited', 'refused')", name="decision"),
        Index("ix_reviews_tenant_asked_at", "tenant", "asked_at", postgresql_where="decision is null"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("turns.run_id", ondelete="CASCADE"), primary_key=True)
    tenant: Mapped[str]
    patient: Mapped[str]
    question: Mapped[str]
    answer: Mapped[dict[str, Any]]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    decision: Mapped[str | None]
    text: Mapped[str | None]
    actor: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class Drafts(Base):
    """What a turn's model wrote and what the audit found in it, of a patient who consented: `primum.memory.drafts`.

    `prompt`, `attempts` and `chosen` are as the model saw and wrote them, markers included.
    """

    __tablename__ = "drafts"
    __table_args__ = (_of_patient(), Index("ix_drafts_tenant_patient", "tenant", "patient"))

    run_id: Mapped[UUID] = mapped_column(ForeignKey("turns.run_id", ondelete="CASCADE"), primary_key=True)
    tenant: Mapped[str]
    patient: Mapped[str]
    prompt: Mapped[list[dict[str, str]]]
    attempts: Mapped[list[dict[str, Any]]]
    chosen: Mapped[str]
    model: Mapped[str]
    prompt_hashes: Mapped[dict[str, Any]]
    rules_version: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class Export(Base):
    """That a folder of training rows holds some of a patient; `hashes` are its files' as they were written."""

    __tablename__ = "exports"
    __table_args__ = (_of_patient(), Index("ix_exports_tenant_patient", "tenant", "patient"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(primary_key=True)
    patient: Mapped[str] = mapped_column(primary_key=True)
    folder: Mapped[str]
    hashes: Mapped[dict[str, Any]]
    rows: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class AuditEvent(Base):
    """Who did what, in a chain: each event's hash is over its own fields and the hash before it. No patient text."""

    __tablename__ = "audit_events"

    tenant: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]  # a patient's pseudonym, which only the holder of PRIMUM_SECRET can make
    run_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]]
    hash: Mapped[bytes]


class ApiKey(Base):
    """Who may come in. `hash` is of the whole key, which is kept nowhere; `primum.memory.keys`."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("role in ('patient', 'clinician', 'admin')", name="role"),
        CheckConstraint("(role = 'patient') = (patient is not null)", name="patient"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    patient: Mapped[str | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    hash: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Hits(Base):
    """How often somebody came in a few seconds, to all processes; `primum.memory.limiter`. `who` is a mark of them."""

    __tablename__ = "hits"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    who: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(BigInteger, primary_key=True, index=True)
    times: Mapped[int] = mapped_column(BigInteger)


class ReleaseRow(Base):
    """A role's model from a moment on, for a share of the threads; `primum.memory.releases`."""

    __tablename__ = "releases"
    __table_args__ = (
        CheckConstraint("role in ('writer', 'critic', 'router')", name="role"),
        CheckConstraint("share > 0 and share <= 1", name="share"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    role: Mapped[str]
    model: Mapped[str]
    adapter: Mapped[str | None]
    card: Mapped[dict[str, Any]]
    share: Mapped[float] = mapped_column(Double)
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class Installation(Base):
    """One row: how the secret is known again that is in use, and with which checkpoints and audit are made."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    secret_check: Mapped[bytes]


class FormerSecret(Base):
    """A secret that was in use before, sealed with the one that is: what it made is read with it; the oldest first."""

    __tablename__ = "former_secrets"

    number: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    secret_check: Mapped[bytes] = mapped_column(unique=True)
    sealed: Mapped[bytes]
    until: Mapped[datetime] = mapped_column(server_default=func.now())
