"""Secrets that were in use before; and a patient's API keys go with the patient."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

MINE = "tenant = current_setting('app.tenant', true) and patient = current_setting('app.patient', true)"


def upgrade() -> None:
    op.create_table(
        "former_secrets",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("secret_check", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_former_secrets")),
        sa.UniqueConstraint("secret_check", name=op.f("uq_former_secrets_secret_check")),
    )
    # Sealed with the one in use: who has the tables alone reads none. The tables' owner changes them.
    op.execute("grant select on former_secrets to primum_app")
    for verb in ("select", "delete"):
        op.execute(f"create policy {verb}_own on api_keys for {verb} to primum_app using ({MINE})")
    op.execute("grant delete on api_keys to primum_app")


def downgrade() -> None:
    """Refused once the secret has changed: the version before knows one alone, and could not read what is there."""
    op.execute("""
        do $$ begin
          if exists (select from former_secrets) then
            raise invalid_table_definition using message =
              'its PRIMUM_SECRET has changed, and the version before knows one alone: restore a backup of before';
          end if;
        end $$
    """)
    op.execute("revoke delete on api_keys from primum_app")
    for verb in ("select", "delete"):
        op.execute(f"drop policy {verb}_own on api_keys")
    op.drop_table("former_secrets")
