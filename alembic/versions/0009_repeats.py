"""Documents that were hidden behind one of another title, which is about something else, are found again."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("""
        update documents d set duplicate_of = null from documents first
        where first.id = d.duplicate_of and lower(first.title) <> lower(d.title)
    """)


def downgrade() -> None:
    """Nothing: the version before finds what this one finds."""
