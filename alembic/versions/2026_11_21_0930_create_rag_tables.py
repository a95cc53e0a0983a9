"""Create the tables of reading and searching."""

import sqlalchemy as sa
from alembic import op

from app.db.security import in_readable_vault, in_writable_vault, protect

revision = "a4c0"
down_revision = "a3c0"
branch_labels = None
depends_on = None

KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"
VERSION = "vault_document_versions.id"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    now = sa.text("now()")
    op.create_table(
        "rag_artifacts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("pipeline", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rag_artifacts"),
        sa.UniqueConstraint("version_id", "stage", "ordinal", "pipeline", name="uq_rag_artifacts_step"),
        sa.CheckConstraint("stage IN ('page', 'vectors')", name="ck_rag_artifacts_stage"),
        sa.ForeignKeyConstraint(["version_id"], [VERSION], name="fk_rag_artifacts_version_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["key_id"], ["data_keys.id"], name="fk_rag_artifacts_key_id"),
    )
    op.create_index("ix_rag_artifacts_key_id", "rag_artifacts", ["key_id"])
    op.create_index("ix_rag_artifacts_vault_id", "rag_artifacts", ["vault_id"])
    op.create_table(
        "rag_shards",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Uuid(), nullable=False),
        sa.Column("pipeline", sa.String(), nullable=False),
        sa.Column("model_id", sa.String()),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rag_shards"),
        sa.UniqueConstraint("document_id", name="uq_rag_shards_document_id"),
        sa.ForeignKeyConstraint(["id"], [VERSION], name="fk_rag_shards_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["vault_documents.id"], name="fk_rag_shards_document_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["key_id"], ["data_keys.id"], name="fk_rag_shards_key_id"),
    )
    op.create_index("ix_rag_shards_key_id", "rag_shards", ["key_id"])
    op.create_index("ix_rag_shards_vault_id", "rag_shards", ["vault_id"])
    for table in ("rag_artifacts", "rag_shards"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN body SET STORAGE EXTERNAL")  # ciphertext can't be compressed
        for statement in protect(table, read=in_readable_vault(), write=in_writable_vault()):
            op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("rag_shards")
    op.drop_table("rag_artifacts")
