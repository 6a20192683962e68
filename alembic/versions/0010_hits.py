"""How often somebody came, counted by all processes together."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # Worth nothing after a minute: no log is written of it, and none waited for.
    op.create_table(
        "hits",
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("who", "slot", name=op.f("pk_hits")),
        prefixes=["UNLOGGED"],
    )
    op.create_index(op.f("ix_hits_slot"), "hits", ["slot"])
    # Nothing of a patient is in it, and of nobody their name.
    op.execute("grant select, insert, update, delete on hits to primum_app")


def downgrade() -> None:
    op.drop_table("hits")
