"""Let the log name nominees as those who acted."""

import sqlalchemy as sa
from alembic import op

revision = "b5c1"
down_revision = "b8c1"
branch_labels = None
depends_on = None

BEFORE = ("person", "api_key", "identity", "agent", "system")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _allow((*BEFORE, "nominee"))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _allow(BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    """Rows that are there are not checked again: entries of the log outlive a step back."""
    op.drop_constraint("ck_audit_entries_actor_kind", "audit_entries", type_="check")
    values = ", ".join(f"'{kind}'" for kind in kinds)
    table, name = sa.table("audit_entries"), "ck_audit_entries_actor_kind"
    op.execute(f"ALTER TABLE {table.name} ADD CONSTRAINT {name} CHECK (actor_kind IN ({values})) NOT VALID")
