"""Create the table of proposals to file documents."""

import sqlalchemy as sa
from alembic import op

from app.db.security import in_readable_vault, in_writable_vault, protect

revision = "b8c1"
down_revision = "b8c0"
branch_labels = None
depends_on = None

TABLE = "agent_intakes"
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        TABLE,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid()),
        sa.Column("state", sa.String(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{TABLE}"),
        sa.UniqueConstraint("version_id", name=f"uq_{TABLE}_version_id"),
        sa.CheckConstraint("state IN ('open', 'accepted', 'dismissed')", name=f"ck_{TABLE}_state"),
        reference("vault_id", "vaults", "CASCADE"),
        reference("document_id", "vault_documents", "CASCADE"),
        reference("version_id", "vault_document_versions", "CASCADE"),
        reference("key_id", "data_keys", None),
    )
    op.create_index(f"ix_{TABLE}_key_id", TABLE, ["key_id"])
    op.create_index(f"ix_{TABLE}_item_id", TABLE, ["item_id"])
    op.create_index(f"ix_{TABLE}_page", TABLE, ["vault_id", "id"])
    only_open = sa.text("state = 'open'")
    op.create_index(f"ix_{TABLE}_open", TABLE, ["document_id"], unique=True, postgresql_where=only_open)
    for statement in protect(TABLE, read=in_readable_vault(), write=in_writable_vault()):
        op.execute(statement)


def reference(column: str, table: str, ondelete: str | None) -> sa.ForeignKeyConstraint:
    """A foreign key to the id of another table, under our naming convention."""
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=f"fk_{TABLE}_{column}", ondelete=ondelete)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table(TABLE)
