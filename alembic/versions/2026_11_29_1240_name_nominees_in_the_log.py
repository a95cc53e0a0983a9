"""Let the log name nominees as those who acted."""

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
    """Fails where a nominee has acted: what is in the log stays as it is."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _allow(BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    values = ", ".join(f"'{kind}'" for kind in kinds)
    for name in ("ck_audit_entries_actor_kind", "ck_audit_entries_ck_audit_entries_actor_kind"):
        op.execute(f"ALTER TABLE audit_entries DROP CONSTRAINT IF EXISTS {name}")
    op.execute(f"ALTER TABLE audit_entries ADD CONSTRAINT ck_audit_entries_actor_kind CHECK (actor_kind IN ({values}))")
