"""API keys, and answers that wait for a clinician."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role in ('patient', 'clinician', 'admin')", name=op.f("ck_api_keys_role")),
        sa.CheckConstraint("(role = 'patient') = (patient is not null)", name=op.f("ck_api_keys_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    # Who comes in shows a key, and sees that one alone; the tables' owner makes and revokes them.
    op.execute("alter table api_keys enable row level security")
    op.execute("create policy shown on api_keys for select to primum_app using (id = current_setting('app.key', true))")
    op.execute("grant select on api_keys to primum_app")
    _status("'queued', 'running', 'waiting', 'done', 'failed'")
    op.create_table(
        "reviews",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("decision in ('approved', 'edited', 'refused')", name=op.f("ck_reviews_decision")),
        sa.ForeignKeyConstraint(["run_id"], ["turns.run_id"], name=op.f("fk_reviews_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["tenant", "patient"],
            ["patients.tenant", "patients.id"],
            name=op.f("fk_reviews_tenant_patient"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_reviews")),
    )
    op.create_index(
        "ix_reviews_tenant_asked_at",
        "reviews",
        ["tenant", "asked_at"],
        postgresql_where=sa.text("decision is null"),
    )
    op.execute("alter table reviews enable row level security")
    op.execute("alter table reviews force row level security")
    # Who signs sees all that wait in a tenant, and says so by naming no patient.
    op.execute("""
        create policy own on reviews to primum_app using (
          tenant = current_setting('app.tenant', true)
          and (patient = current_setting('app.patient', true) or current_setting('app.patient', true) = '')
        )
    """)
    op.execute("grant select, insert, update, delete on reviews to primum_app")


def _status(values: str) -> None:
    op.execute("alter table turns drop constraint ck_turns_status")
    op.create_check_constraint("status", "turns", f"status in ({values})")


def downgrade() -> None:
    """What waits has no answer any more: the version before would never give one."""
    op.drop_table("reviews")
    op.execute("update turns set status = 'failed', error = 'Unsigned' where status = 'waiting'")
    _status("'queued', 'running', 'done', 'failed'")
    op.drop_table("api_keys")
