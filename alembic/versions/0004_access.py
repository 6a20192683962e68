"""API keys."""

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


def downgrade() -> None:
    op.drop_table("api_keys")
