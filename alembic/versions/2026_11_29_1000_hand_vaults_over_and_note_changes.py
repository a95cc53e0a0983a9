"""Offers to hand a vault over; the feed of changes, filled by triggers."""

import sqlalchemy as sa
from alembic import op

from app.db.changes import FUNCTIONS, READ, WRITE, tracked, untracked
from app.db.security import IS_SYSTEM, USER, VAULT, protect

revision = "b3c1"
down_revision = "b1c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
TRACKED = ("vault_items", "vault_documents", "vault_types", "vault_links")
VAULT_TRIGGERS = [
    "CREATE TRIGGER vaults_noted AFTER INSERT OR DELETE ON vaults FOR EACH ROW EXECUTE FUNCTION vault_note_vault()",
    "CREATE TRIGGER vaults_change_noted AFTER UPDATE ON vaults FOR EACH ROW "
    "WHEN (OLD.revision IS DISTINCT FROM NEW.revision OR OLD.trashed_at IS DISTINCT FROM NEW.trashed_at) "
    "EXECUTE FUNCTION vault_note_vault()",
    "CREATE TRIGGER vault_members_noted AFTER INSERT OR DELETE ON vault_members FOR EACH ROW "
    "EXECUTE FUNCTION vault_note_member()",
    "CREATE TRIGGER vault_members_change_noted AFTER UPDATE ON vault_members FOR EACH ROW "
    "WHEN (OLD.role IS DISTINCT FROM NEW.role) EXECUTE FUNCTION vault_note_member()",
    "SELECT vault_put_change(id, 'vault', id, CASE WHEN trashed_at IS NULL THEN 'created' ELSE 'trashed' END, "
    "revision) FROM vaults",
    "SELECT vault_put_change(vault_id, 'member', user_id, 'created', NULL), "
    "vault_put_change(vault_id, 'access', user_id, 'granted', NULL) FROM vault_members",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SELECT set_config('app.principal', 'system', true)")  # row-level security holds for the owner, too
    create_transfers()
    create_changes()
    anybody = f"{IS_SYSTEM} OR {USER} IS NOT NULL OR {VAULT} IS NOT NULL"
    involved = f"{IS_SYSTEM} OR vault_id = {VAULT} OR to_user = {USER} OR from_user = {USER}"
    statements = [
        *protect("vault_transfers", read=involved, write=f"{IS_SYSTEM} OR vault_id = {VAULT}"),
        *protect("vault_changes", read=READ, write=WRITE),
        *protect("vault_change_state", read=anybody, write=IS_SYSTEM),
        "CREATE SEQUENCE vault_changes_number",
        *FUNCTIONS,
        "INSERT INTO vault_change_state (id, epoch, place, horizon) VALUES (1, 1, vault_changes_place(), 0)",
        *VAULT_TRIGGERS,
        *tracked("vault_items", "item", revision=True, trash=True),
        *tracked("vault_documents", "document", revision=True, trash=True),
        *tracked("vault_types", "type", revision=True),
        *tracked("vault_links", "link"),
    ]
    for statement in statements:
        op.execute(statement)
    op.execute("SELECT set_config('app.principal', '', true)")


def create_transfers() -> None:
    op.create_table(
        "vault_transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("from_user", sa.Uuid(), nullable=False),
        sa.Column("to_user", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vault_transfers"),
        of_member("from_user"),
        of_member("to_user"),
        sa.UniqueConstraint("vault_id", name="uq_vault_transfers_vault_id"),
    )
    op.create_index("ix_vault_transfers_to_user", "vault_transfers", ["to_user"])


def of_member(column: str) -> sa.ForeignKeyConstraint:
    """An offer goes when one of the two is no member any more."""
    return sa.ForeignKeyConstraint(
        ["vault_id", column],
        ["vault_members.vault_id", "vault_members.user_id"],
        name=f"fk_vault_transfers_{column}",
        ondelete="CASCADE",
    )


def create_changes() -> None:
    op.create_table(
        "vault_changes",
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer()),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "kind", "subject_id", name="pk_vault_changes"),
    )
    op.create_index("ix_vault_changes_order", "vault_changes", ["vault_id", "xid", "number"])
    op.create_index(
        "ix_vault_changes_access",
        "vault_changes",
        ["subject_id", "xid", "number"],
        postgresql_where=sa.text("kind = 'access'"),
    )
    op.create_index(
        "ix_vault_changes_gone",
        "vault_changes",
        ["at"],
        postgresql_where=sa.text("change IN ('purged', 'removed')"),
    )
    op.create_table(
        "vault_change_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vault_change_state"),
        sa.CheckConstraint("id = 1", name="ck_vault_change_state_one"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("vaults", "vault_members", *TRACKED):
        for statement in untracked(table):
            op.execute(statement)
    op.execute(
        "DROP FUNCTION vault_note_change, vault_note_vault, vault_note_member, vault_put_change, vault_changes_place"
    )
    op.execute("DROP SEQUENCE vault_changes_number")
    for table in ("vault_change_state", "vault_changes", "vault_transfers"):
        op.drop_table(table)
