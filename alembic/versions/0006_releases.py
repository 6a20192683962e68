"""Which model each role uses, with its history."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Text(), nullable=True),
        sa.Column("card", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.CheckConstraint("role in ('writer', 'critic', 'router')", name=op.f("ck_releases_role")),
        sa.CheckConstraint("share > 0 and share <= 1", name=op.f("ck_releases_share")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
    )
    # Nothing of a patient is in it. What answers reads it; the tables' owner decides.
    op.execute("grant select on releases to primum_app")


def downgrade() -> None:
    op.drop_table("releases")
