"""A library in parts: everyone's, and each tenant's own; documents with versions, dates, evidence and licence."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

APP, WORKER = "primum_app", "primum_worker"
PARTS = 8  # of all tenants' own chunks
VISIBLE = "tenant in ('', coalesce(current_setting('app.tenant', true), ''))"
LEXEMES = (
    "setweight(to_tsvector('english', title || ' ' || aliases), 'A') "
    "|| setweight(to_tsvector('english', heading), 'B') || to_tsvector('english', text)"
)
KEPT = "id, document_id, ordinal, title, aliases, heading, start, stop, text, embedding"


def upgrade() -> None:
    _documents()
    op.execute("alter table lexemes add tenant text not null default '', drop constraint pk_lexemes")
    op.execute("alter table lexemes add constraint pk_lexemes primary key (lexeme, tenant)")
    op.drop_column("corpus", "postings")  # nobody reads it
    op.add_column("corpus", sa.Column("next_fingerprint", sa.Text(), nullable=True))
    op.add_column("corpus", sa.Column("vector_index", sa.Text(), server_default="halfvec", nullable=False))
    op.create_check_constraint(
        op.f("ck_corpus_vector_index"), "corpus", "vector_index in ('halfvec', 'binary', 'none')"
    )
    _chunks()
    op.create_table(
        "fetched",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_fetched")),
    )
    op.create_index(op.f("ix_fetched_expires_at"), "fetched", ["expires_at"])
    # Not forced: the owner writes everyone's part, and what a turn looks up is written by the owner.
    for table in ("documents", "chunks", "lexemes"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy visible on {table} for select to {APP} using ({VISIBLE})")
        op.execute(f"create policy visible_to_worker on {table} for select to {WORKER} using (tenant = '')")
    # Words can't be looked up in their index under row-level security (`@@` is not leakproof): so this looks for all,
    # and keeps to the same rows by itself.
    op.execute(f"""
        create function chunks_with(words tsquery[], weights double precision[], depth integer)
        returns table (id bigint, tenant text) language sql stable rows 200 security definer
        set search_path = public, pg_temp
        as $$
          select c.id, c.tenant
          from unnest(words, weights) as term (word, weight) cross join lateral (
            select found.id, found.tenant, found.lexemes from chunks found
            where found.lexemes @@ word and found.{VISIBLE} limit 1000
          ) as c
          group by c.id, c.tenant
          order by sum(weight * ts_rank('{{0.4, 0.4, 0.7, 1}}', c.lexemes, word)) desc
          limit depth
        $$
    """)
    op.execute("revoke execute on function chunks_with from public")
    op.execute(f"grant execute on function chunks_with to {APP}, {WORKER}")


def _documents() -> None:
    op.execute("""
        alter table documents
          add tenant text not null default '', add origin text not null default '',
          add language text not null default 'en', add audience text not null default '',
          add licence text not null default '', add evidence text not null default '',
          add published date, add retracted boolean not null default false,
          add chunks integer not null default 0, add bands bigint[] not null default '{}',
          add duplicate_of bigint constraint fk_documents_duplicate_of references documents on delete set null,
          add expires_at timestamptz, add replaced_at timestamptz,
          drop constraint uq_documents_uri
    """)
    op.execute("update documents d set chunks = (select count(*) from chunks c where c.document_id = d.id)")
    current = sa.text("replaced_at is null")
    op.create_index("uq_documents_tenant_uri", "documents", ["tenant", "uri"], unique=True, postgresql_where=current)
    for column in ("kind", "origin", "language", "audience", "published", "expires_at", "duplicate_of"):
        op.create_index(op.f(f"ix_documents_{column}"), "documents", [column])
    op.create_index("ix_documents_bands", "documents", ["bands"], postgresql_using="gin")


def _chunks() -> None:
    """Everyone's chunks are one partition; the tenants' own are spread over others by hash."""
    op.execute("""
        do $$ declare found text; begin
          for found in select indexname from pg_indexes where indexname like 'ix_chunks_embedding_%' loop
            execute format('drop index %I', found);
          end loop;
        end $$
    """)
    op.execute("alter table chunks rename to chunks_before")
    for name in ("pk_chunks", "fk_chunks_document_id", "ck_chunks_span"):
        op.execute(f"alter table chunks_before drop constraint {name}")
    op.execute("drop index ix_chunks_document_id")
    op.execute("drop index ix_chunks_lexemes")
    op.execute("create sequence chunks_id")
    op.create_table(
        "chunks",
        sa.Column("id", sa.BigInteger(), server_default=sa.text("nextval('chunks_id')"), nullable=False),
        sa.Column("tenant", sa.Text(), server_default="", nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("aliases", sa.Text(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("lexemes", postgresql.TSVECTOR(), sa.Computed(LEXEMES, persisted=True), nullable=False),
        sa.Column("embedding", HALFVEC(), nullable=False),
        sa.Column("next_embedding", HALFVEC(), nullable=True),
        sa.CheckConstraint("start >= 0 and stop > start", name=op.f("ck_chunks_span")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_chunks_document_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant", name=op.f("pk_chunks")),
        postgresql_partition_by="LIST (tenant)",
    )
    # Scoring reads vector and lexemes, so they stay with their row; the text gives way.
    op.execute("alter table chunks alter embedding set storage plain, alter next_embedding set storage plain")
    op.execute("alter table chunks alter lexemes set storage main")
    op.execute("alter sequence chunks_id owned by chunks.id")
    op.execute("create table chunks_shared partition of chunks for values in ('')")
    op.execute("create table chunks_private partition of chunks default partition by hash (tenant)")
    for part in range(PARTS):
        op.execute(
            f"create table chunks_private_{part} partition of chunks_private "
            f"for values with (modulus {PARTS}, remainder {part})"
        )
    op.create_index(op.f("ix_chunks_document_id"), "chunks", ["document_id"])
    op.create_index(op.f("ix_chunks_tenant"), "chunks", ["tenant"])
    op.create_index("ix_chunks_lexemes", "chunks", ["lexemes"], postgresql_using="gin")
    op.execute(f"insert into chunks ({KEPT}) select {KEPT} from chunks_before order by id")
    op.execute("select setval('chunks_id', (select max(id) from chunks)) from chunks limit 1")
    op.execute("drop table chunks_before")
    op.execute(f"grant select on chunks to {APP}, {WORKER}")
    _index_vectors()


def _index_vectors() -> None:
    op.execute("""
        do $$ declare size integer; begin
          for size in select dimensions from corpus loop
            execute format('create index ix_chunks_embedding_%s on chunks using hnsw'
              ' ((embedding::halfvec(%s)) halfvec_cosine_ops)', size, size);
          end loop;
        end $$
    """)


def downgrade() -> None:
    """What the version before could not tell from the rest goes.

    That is what is a tenant's own, retracted or fetched, and older versions.
    """
    op.execute("drop function chunks_with")
    for table in ("documents", "chunks", "lexemes"):
        op.execute(f"drop policy visible on {table}")
        op.execute(f"drop policy visible_to_worker on {table}")
        op.execute(f"alter table {table} disable row level security")
    op.drop_table("fetched")
    op.drop_column("corpus", "next_fingerprint")
    op.drop_column("corpus", "vector_index")
    op.execute("""
        delete from documents
        where tenant <> '' or replaced_at is not null or expires_at is not null or retracted
    """)
    op.execute("delete from lexemes")
    op.add_column("corpus", sa.Column("postings", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("alter table lexemes drop constraint pk_lexemes, drop tenant")
    op.execute("alter table lexemes add constraint pk_lexemes primary key (lexeme)")
    op.execute("""
        insert into lexemes (lexeme, chunks) select word, count(*)
        from chunks cross join unnest(tsvector_to_array(lexemes)) as word group by word
    """)
    op.execute("""
        update corpus set chunks = (select count(*) from chunks),
          postings = (select coalesce(sum(chunks), 0) from lexemes)
    """)
    op.execute("alter table chunks rename to chunks_after")
    for name in ("pk_chunks", "fk_chunks_document_id", "ck_chunks_span"):
        op.execute(f"alter table chunks_after drop constraint {name}")
    op.create_table(
        "chunks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("aliases", sa.Text(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("lexemes", postgresql.TSVECTOR(), sa.Computed(LEXEMES, persisted=True), nullable=False),
        sa.Column("embedding", HALFVEC(), nullable=False),
        sa.CheckConstraint("start >= 0 and stop > start", name=op.f("ck_chunks_span")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_chunks_document_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunks")),
    )
    op.execute(f"insert into chunks ({KEPT}) select {KEPT} from chunks_after order by id")
    op.execute("select setval('chunks_id_seq', (select max(id) from chunks)) from chunks limit 1")
    op.execute("drop table chunks_after")
    op.create_index(op.f("ix_chunks_document_id"), "chunks", ["document_id"])
    op.create_index("ix_chunks_lexemes", "chunks", ["lexemes"], postgresql_using="gin")
    op.execute(f"grant select on chunks to {APP}, {WORKER}")
    _index_vectors()
    op.drop_index("uq_documents_tenant_uri", table_name="documents")
    op.drop_index(op.f("ix_documents_kind"), table_name="documents")
    op.execute("""
        alter table documents
          drop tenant, drop origin, drop language, drop audience, drop licence, drop evidence, drop published,
          drop retracted, drop chunks, drop bands, drop duplicate_of, drop expires_at, drop replaced_at,
          add constraint uq_documents_uri unique (uri)
    """)
