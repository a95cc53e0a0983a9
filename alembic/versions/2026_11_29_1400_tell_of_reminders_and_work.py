"""Tell of reminders, jobs, runs of agents and notifications in the feed of changes, and wake who waits for it."""

import sqlalchemy as sa
from alembic import op

from app.db import changes
from app.db.owned_changes import FUNCTIONS, READ, WRITE, triggers, without_triggers

revision = "c1c0"
down_revision = "b6c0"
branch_labels = None
depends_on = None

TABLE = "vault_changes"
OWN, XID = "ix_vault_changes_own", "ix_vault_changes_xid"
PRESENT = """SELECT vault_put_owned_change(vault_id, user_id, 'reminder', id, 'created', revision)
FROM reminders WHERE state <> 'ended'"""
UNKNOWN = "DELETE FROM vault_changes WHERE kind IN ('reminder', 'job', 'run', 'notification')"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS user_id uuid")
    own = {"postgresql_where": sa.text("user_id IS NOT NULL")}
    with op.get_context().autocommit_block():  # the table is in use meanwhile; what was left half made is made anew
        for name, columns, options in ((OWN, ["user_id", "xid", "number"], own), (XID, ["xid"], {})):
            op.drop_index(name, TABLE, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, TABLE, columns, postgresql_concurrently=True, **options)
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SELECT set_config('app.principal', 'system', true)")  # row-level security holds for the owner, too
    _protect(READ, WRITE)
    for statement in (*FUNCTIONS.values(), *triggers(), PRESENT):
        op.execute(statement)
    op.execute("SELECT set_config('app.principal', '', true)")


def _protect(read: str, write: str) -> None:
    op.execute(f"ALTER POLICY {TABLE}_read ON {TABLE} USING ({read})")
    op.execute(f"ALTER POLICY {TABLE}_insert ON {TABLE} WITH CHECK ({write})")
    op.execute(f"ALTER POLICY {TABLE}_update ON {TABLE} USING ({write}) WITH CHECK ({write})")
    op.execute(f"ALTER POLICY {TABLE}_delete ON {TABLE} USING ({write})")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SELECT set_config('app.principal', 'system', true)")
    for statement in without_triggers():
        op.execute(statement)
    op.execute(UNKNOWN)  # to the older application
    _protect(changes.READ, changes.WRITE)
    op.drop_index(XID, TABLE)
    op.drop_index(OWN, TABLE)
    op.drop_column(TABLE, "user_id")
    op.execute("SELECT set_config('app.principal', '', true)")
