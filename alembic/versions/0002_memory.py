"""Patients with their facts, and row-level security: whoever does not say for whom they ask sees no row."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

APP, WORKER = "primum_app", "primum_worker"
# What each table's rows are seen by. Foreign keys are checked and followed regardless.
OF_PATIENT = ("threads", "turns", "facts", "contradictions", "effects", "summaries", "feedback")
MINE = "tenant = current_setting('app.tenant', true)"
POLICIES = {
    "tenants": MINE.replace("tenant =", "id =", 1),
    "patients": f"{MINE} and id = current_setting('app.patient', true)",
    "audit_events": MINE,
    **dict.fromkeys(OF_PATIENT, f"{MINE} and patient = current_setting('app.patient', true)"),
}
# Whose there are and how they stand, never what is in them.
SEEN_BY_WORKER = {
    "patients": "tenant, id, key, created_at",
    "threads": "tenant, id, patient, key, updated_at",
    "turns": "run_id, number, tenant, patient, thread_id, status, holder, lease_until, attempts, created_at",
}
LIBRARY = ("corpus", "documents", "chunks", "lexemes")


def upgrade() -> None:
    _roles()
    op.execute("grant usage on schema public to primum_app, primum_worker")
    op.execute("create schema jobs")  # procrastinate makes its own tables, in here
    op.execute("grant usage on schema jobs to primum_app, primum_worker")
    _new_tables()
    _threads_and_turns()
    _more_tables()
    for table in LIBRARY:
        op.execute(f"grant select on {table} to primum_app, primum_worker")
    for table, mine in POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy own on {table} to {APP} using ({mine})")
        op.execute(f"grant select, insert, update, delete on {table} to {APP}")
    for table, columns in SEEN_BY_WORKER.items():
        op.execute(f"create policy standing on {table} to {WORKER} using (true)")
        op.execute(f"grant select ({columns}) on {table} to {WORKER}")
    op.execute(f"grant update (status, holder, lease_until, attempts) on turns to {WORKER}")
    op.execute(f"grant select, insert on installation to {APP}")
    _append_only()


def _roles() -> None:
    """Roles belong to the whole server: another database of it, or its keeper, may have made them, and they stay."""
    may_set = "case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end"
    for role in (APP, WORKER):
        op.execute(
            f"""
            do $$ begin
              if not exists (select from pg_roles where rolname = '{role}') then
                begin
                  create role {role} nologin nosuperuser nobypassrls;
                exception when duplicate_object or unique_violation then null;
                end;
              end if;
              if not pg_has_role(current_user, '{role}', {may_set}) then
                execute format('grant {role} to %I', current_user);
              end if;
            end $$
            """
        )


def _new_tables() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "patients",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_patients_tenant"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_patients")),
        sa.UniqueConstraint("key", name=op.f("uq_patients_key")),
    )


def _threads_and_turns() -> None:
    """Those that are there belong to the tenant `main`. Their old checkpoints go: turns hold all that was said."""
    op.execute("insert into tenants (id) select 'main' from threads limit 1")
    op.execute("insert into patients (tenant, id) select distinct 'main', patient from threads")
    op.execute("alter table threads add tenant text not null default 'main'")
    op.execute("alter table threads alter tenant drop default")
    op.execute("alter table threads add key uuid not null default gen_random_uuid() constraint uq_threads_key unique")
    op.execute("alter table turns drop constraint fk_turns_thread_id")
    op.execute("alter table threads drop constraint pk_threads, add constraint pk_threads primary key (tenant, id)")
    op.drop_index("ix_threads_patient_updated_at", table_name="threads")
    op.create_index("ix_threads_tenant_patient_updated_at", "threads", ["tenant", "patient", "updated_at"])
    op.create_foreign_key(
        op.f("fk_threads_tenant_patient"),
        "threads",
        "patients",
        ["tenant", "patient"],
        ["tenant", "id"],
        ondelete="CASCADE",
    )
    op.execute("alter table turns add tenant text, add patient text, add idempotency_key text, add holder uuid")
    op.execute("alter table turns add lease_until timestamptz, add attempts integer not null default 1")
    op.execute(
        "update turns set tenant = t.tenant, patient = t.patient, lease_until = started_at "
        "from threads t where t.id = turns.thread_id"
    )
    op.execute("alter table turns alter tenant set not null, alter patient set not null, drop started_at")
    op.execute("alter table turns drop constraint ck_turns_status")
    op.create_check_constraint("status", "turns", "status in ('queued', 'running', 'done', 'failed')")
    op.drop_index("ix_turns_thread_id_number", table_name="turns")
    op.create_index("ix_turns_tenant_thread_id_number", "turns", ["tenant", "thread_id", "number"])
    op.create_index(
        "uq_turns_tenant_patient_idempotency_key",
        "turns",
        ["tenant", "patient", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key is not null"),
    )
    op.create_index(
        "ix_turns_lease_until",
        "turns",
        ["lease_until"],
        postgresql_where=sa.text("status in ('queued', 'running')"),
    )
    op.create_foreign_key(
        op.f("fk_turns_tenant_thread_id"),
        "turns",
        "threads",
        ["tenant", "thread_id"],
        ["tenant", "id"],
        ondelete="CASCADE",
    )
    op.execute("drop schema checkpoints cascade")
    op.execute("create schema checkpoints")  # LangGraph makes its tables again, in here


def _of_patient(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant", "patient"],
        ["patients.tenant", "patients.id"],
        name=op.f(f"fk_{table}_tenant_patient"),
        ondelete="CASCADE",
    )


def _more_tables() -> None:
    op.create_table(
        "facts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fact", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('current', 'ended')", name=op.f("ck_facts_state")),
        sa.CheckConstraint("source in ('rules', 'model', 'form', 'import')", name=op.f("ck_facts_source")),
        _of_patient("facts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facts")),
    )
    op.create_index(
        "ix_facts_tenant_patient", "facts", ["tenant", "patient"], postgresql_where=sa.text("replaced_at is null")
    )
    op.create_table(
        "contradictions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("known", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("new", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kept in ('known', 'new')", name=op.f("ck_contradictions_kept")),
        _of_patient("contradictions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contradictions")),
    )
    op.create_index(
        "ix_contradictions_tenant_patient",
        "contradictions",
        ["tenant", "patient"],
        postgresql_where=sa.text("settled_at is null"),
    )
    op.create_table(
        "effects",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        _of_patient("effects"),
        sa.PrimaryKeyConstraint("run_id", "step", name=op.f("pk_effects")),
    )
    op.create_index("ix_effects_tenant_patient", "effects", ["tenant", "patient"])
    op.create_table(
        "summaries",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "thread_id"],
            ["threads.tenant", "threads.id"],
            name=op.f("fk_summaries_tenant_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant", "thread_id", name=op.f("pk_summaries")),
    )
    op.create_table(
        "feedback",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("rating in (-1, 1)", name=op.f("ck_feedback_rating")),
        sa.ForeignKeyConstraint(["run_id"], ["turns.run_id"], name=op.f("fk_feedback_run_id"), ondelete="CASCADE"),
        _of_patient("feedback"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_feedback")),
    )
    op.create_index("ix_feedback_tenant_patient", "feedback", ["tenant", "patient"])
    op.create_table(
        "audit_events",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name=op.f("pk_audit_events")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret_check", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )


def _append_only() -> None:
    """An event can be added, nothing else; also by the tables' owner, who would have to drop the trigger first."""
    op.execute(f"revoke update, delete on audit_events from {APP}")
    op.execute(
        """
        create function refuse_change() returns trigger language plpgsql as
        $$ begin raise exception 'audit events are never changed or removed'; end $$
        """
    )
    op.execute(
        "create trigger append_only before update or delete or truncate on audit_events "
        "for each statement execute function refuse_change()"
    )


def downgrade() -> None:
    op.execute("drop schema jobs cascade")
    for table in POLICIES:
        op.execute(f"alter table {table} no force row level security")
        op.execute(f"alter table {table} disable row level security")
        op.execute(f"drop policy own on {table}")
    for table in SEEN_BY_WORKER:
        op.execute(f"drop policy standing on {table}")
    for table in ("installation", "audit_events", "feedback", "summaries", "effects", "contradictions", "facts"):
        op.drop_table(table)
    op.execute("drop function refuse_change()")
    op.execute("alter table turns drop constraint fk_turns_tenant_thread_id")
    # Earlier a thread's name was unique: where two tenants use the same, the second's is lengthened.
    again = "(select from threads o where o.id = t.id and o.tenant < t.tenant)"
    op.execute(
        "update turns set thread_id = t.id || '@' || t.tenant from threads t "
        f"where turns.tenant = t.tenant and turns.thread_id = t.id and exists {again}"
    )
    op.execute(f"update threads t set id = t.id || '@' || t.tenant where exists {again}")
    op.drop_index("ix_turns_lease_until", table_name="turns")
    op.drop_index("uq_turns_tenant_patient_idempotency_key", table_name="turns")
    op.drop_index("ix_turns_tenant_thread_id_number", table_name="turns")
    op.execute("update turns set status = 'running' where status = 'queued'")
    op.execute("alter table turns drop constraint ck_turns_status")
    op.create_check_constraint("status", "turns", "status in ('running', 'done', 'failed')")
    op.execute("alter table turns add started_at timestamptz not null default now()")
    op.execute(
        "alter table turns drop tenant, drop patient, drop idempotency_key, drop holder, drop lease_until, "
        "drop attempts"
    )
    op.create_index("ix_turns_thread_id_number", "turns", ["thread_id", "number"])
    op.execute("alter table threads drop constraint fk_threads_tenant_patient, drop constraint uq_threads_key")
    op.execute("alter table threads drop constraint pk_threads, add constraint pk_threads primary key (id)")
    op.drop_index("ix_threads_tenant_patient_updated_at", table_name="threads")
    op.execute("alter table threads drop tenant, drop key")
    op.create_index("ix_threads_patient_updated_at", "threads", ["patient", "updated_at"])
    op.create_foreign_key(op.f("fk_turns_thread_id"), "turns", "threads", ["thread_id"], ["id"], ondelete="CASCADE")
    op.drop_table("patients")
    op.drop_table("tenants")
    for role in (APP, WORKER):
        op.execute(f"drop owned by {role}")  # its grants in this database; the role may serve another one
