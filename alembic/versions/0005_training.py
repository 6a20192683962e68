"""What a model may be trained with: who consented, the drafts of their turns, and the exports that hold them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

OF_PATIENT = ("drafts", "exports")
MINE = "tenant = current_setting('app.tenant', true) and patient = current_setting('app.patient', true)"


def upgrade() -> None:
    op.add_column("patients", sa.Column("consent", sa.Boolean(), nullable=True))
    op.add_column("patients", sa.Column("consent_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("patients", sa.Column("consent_by", sa.Text(), nullable=True))
    op.create_table(
        "drafts",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("prompt", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("attempts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("chosen", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_hashes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rules_version", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["turns.run_id"], name=op.f("fk_drafts_run_id"), ondelete="CASCADE"),
        _of_patient("drafts"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_drafts")),
    )
    op.create_index("ix_drafts_tenant_patient", "drafts", ["tenant", "patient"])
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("hashes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        _of_patient("exports"),
        sa.PrimaryKeyConstraint("id", "tenant", "patient", name=op.f("pk_exports")),
    )
    op.create_index("ix_exports_tenant_patient", "exports", ["tenant", "patient"])
    for table in OF_PATIENT:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy own on {table} to primum_app using ({MINE})")
        op.execute(f"grant select, insert, update, delete on {table} to primum_app")


def _of_patient(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant", "patient"],
        ["patients.tenant", "patients.id"],
        name=op.f(f"fk_{table}_tenant_patient"),
        ondelete="CASCADE",
    )


def downgrade() -> None:
    for table in OF_PATIENT:
        op.drop_table(table)
    for column in ("consent", "consent_at", "consent_by"):
        op.drop_column("patients", column)
