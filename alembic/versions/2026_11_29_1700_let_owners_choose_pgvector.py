"""Let owners choose that PostgreSQL compares the vectors of a vault.

It needs no extension: the vectors themselves stand in a schema that is made when an installation wants it.
"""

import sqlalchemy as sa
from alembic import op

from app.db.security import IS_SYSTEM, VAULT, in_readable_vault, in_writable_vault, protect

revision = "c1d0"
down_revision = "c1c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
FORGET = """
CREATE FUNCTION rag_forget_vectors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM public.rag_vector_sets WHERE version_id = OLD.id;
    RETURN NEW;
END $$
"""
ON_CHANGE = """
CREATE TRIGGER rag_shards_forget_vectors BEFORE UPDATE ON rag_shards FOR EACH ROW
    WHEN (OLD.revision IS DISTINCT FROM NEW.revision OR OLD.vault_id IS DISTINCT FROM NEW.vault_id)
    EXECUTE FUNCTION rag_forget_vectors()
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "rag_vector_choices",
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("vault_id", name="pk_rag_vector_choices"),
        sa.ForeignKeyConstraint(["vault_id"], ["vaults.id"], name="fk_rag_vector_choices_vault_id", ondelete="CASCADE"),
    )
    op.create_table(
        "rag_vector_sets",
        sa.Column("revision", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_rag_vector_sets"),
        sa.UniqueConstraint("version_id", name="uq_rag_vector_sets_version_id"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["rag_shards.id"], name="fk_rag_vector_sets_version_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["rag_vector_choices.vault_id"], name="fk_rag_vector_sets_vault_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_rag_vector_sets_vault_id", "rag_vector_sets", ["vault_id"])
    statements = [
        *protect("rag_vector_choices", read=in_readable_vault(), write=f"{IS_SYSTEM} OR vault_id = {VAULT}"),
        *protect("rag_vector_sets", read=in_readable_vault(), write=in_writable_vault()),
        FORGET,
        ON_CHANGE,
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP SCHEMA IF EXISTS lifevault_vectors CASCADE")
    op.execute("DROP TRIGGER rag_shards_forget_vectors ON rag_shards")
    op.execute("DROP FUNCTION rag_forget_vectors()")
    op.drop_table("rag_vector_sets")
    op.drop_table("rag_vector_choices")
