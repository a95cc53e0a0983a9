"""Create the tables of vaults, members, items and documents; let members see their vaults' keys and jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.security import IS_SYSTEM, USER, VAULT, in_readable_vault, in_writable_vault, protect

revision = "a3c0"
down_revision = "a2c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
IN_TRASH = sa.text("trashed_at IS NOT NULL")
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"

AS_THE_VAULT = f"{IS_SYSTEM} OR vault_id = {VAULT}"
OWN_DATA_KEY = f"{IS_SYSTEM} OR owner_id = {USER} OR owner_id = {VAULT}"
OWN_JOB = f"{IS_SYSTEM} OR user_id = {USER} OR vault_id = {VAULT}"


def replace_read_policy(table: str, condition: str) -> None:
    op.execute(f"DROP POLICY {table}_read ON {table}")
    op.execute(f"CREATE POLICY {table}_read ON {table} FOR SELECT USING ({condition})")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    create_vaults()
    create_members()
    create_items()
    create_documents()
    statements = [
        *protect("vaults", read=in_readable_vault("id"), write=f"{IS_SYSTEM} OR id = {VAULT}"),
        *protect("vault_members", read=f"user_id = {USER} OR {AS_THE_VAULT}", write=AS_THE_VAULT),
        *protect("vault_invitations", read=AS_THE_VAULT),
    ]
    for table in ("vault_items", "vault_item_versions", "vault_documents", "vault_document_versions"):
        statements += protect(table, read=in_readable_vault(), write=in_writable_vault())
    for statement in statements:
        op.execute(statement)
    replace_read_policy("data_keys", f"owner_id = {USER} OR {in_readable_vault('owner_id')}")
    replace_read_policy("jobs", f"(vault_id IS NULL AND user_id = {USER}) OR {in_readable_vault()}")


def create_vaults() -> None:
    op.create_table(
        "vaults",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        *sealed_body("vaults"),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("trashed_at", sa.DateTime(timezone=True)),
        sa.Column("purging_at", sa.DateTime(timezone=True)),
        *times("created_at", "updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_vaults"),
        sa.CheckConstraint("kind IN ('personal', 'family')", name="ck_vaults_kind"),
        sa.CheckConstraint("tier = 'assisted'", name="ck_vaults_tier"),
    )
    op.create_index("ix_vaults_trash", "vaults", ["trashed_at"], postgresql_where=IN_TRASH)
    op.create_index("ix_vaults_key_id", "vaults", ["key_id"])


def create_members() -> None:
    op.create_table(
        "vault_members",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        *sealed_body("vault_members"),
        *times("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_vault_members"),
        in_vault("vault_members"),
        sa.ForeignKeyConstraint(["user_id"], ["auth_users.id"], name="fk_vault_members_user_id"),
        sa.UniqueConstraint("vault_id", "user_id", name="uq_vault_members_vault_id_user_id"),
        sa.CheckConstraint("role IN ('owner', 'admin', 'editor', 'viewer')", name="ck_vault_members_role"),
    )
    op.create_index("ix_vault_members_key_id", "vault_members", ["key_id"])
    op.create_index(
        "uq_vault_members_owner", "vault_members", ["vault_id"], unique=True, postgresql_where=sa.text("role = 'owner'")
    )
    op.create_index("ix_vault_members_user_id", "vault_members", ["user_id"], postgresql_include=["vault_id", "role"])
    op.create_table(
        "vault_invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("email_digest", sa.LargeBinary(), nullable=False),
        *sealed_body("vault_invitations"),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        *times("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_vault_invitations"),
        in_vault("vault_invitations"),
        sa.UniqueConstraint("token_digest", name="uq_vault_invitations_token_digest"),
        sa.UniqueConstraint("vault_id", "email_digest", name="uq_vault_invitations_vault_id_email_digest"),
        sa.CheckConstraint("role IN ('admin', 'editor', 'viewer')", name="ck_vault_invitations_role"),
    )
    op.create_index("ix_vault_invitations_key_id", "vault_invitations", ["key_id"])
    op.create_index("ix_vault_invitations_expires_at", "vault_invitations", ["expires_at"])


def create_items() -> None:
    op.create_table(
        "vault_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        *sealed_body("vault_items"),
        *tagged_and_trashable(),
        sa.PrimaryKeyConstraint("id", name="pk_vault_items"),
        in_vault("vault_items"),
    )
    op.create_index("ix_vault_items_key_id", "vault_items", ["key_id"])
    op.create_index("ix_vault_items_page", "vault_items", ["vault_id", "id"])
    op.create_index("ix_vault_items_trash", "vault_items", ["trashed_at"], postgresql_where=IN_TRASH)
    op.create_table(
        "vault_item_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        *sealed_body("vault_item_versions"),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vault_item_versions"),
        sa.ForeignKeyConstraint(
            ["item_id"], ["vault_items.id"], name="fk_vault_item_versions_item_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("item_id", "revision", name="uq_vault_item_versions_item_id_revision"),
    )
    op.create_index("ix_vault_item_versions_key_id", "vault_item_versions", ["key_id"])
    op.create_index("ix_vault_item_versions_vault_id", "vault_item_versions", ["vault_id"])


def create_documents() -> None:
    op.create_table(
        "vault_documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("current_version_id", sa.Uuid(), nullable=False),
        *sealed_body("vault_documents"),
        *tagged_and_trashable(),
        sa.PrimaryKeyConstraint("id", name="pk_vault_documents"),
        in_vault("vault_documents"),
    )
    op.create_index("ix_vault_documents_key_id", "vault_documents", ["key_id"])
    op.create_index("ix_vault_documents_page", "vault_documents", ["vault_id", "id"])
    op.create_index("ix_vault_documents_trash", "vault_documents", ["trashed_at"], postgresql_where=IN_TRASH)
    op.create_table(
        "vault_document_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("chunk_bytes", sa.Integer(), nullable=False),
        sa.Column("blob_name", sa.String(), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(), nullable=False),
        *sealed_body("vault_document_versions"),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        *times("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_vault_document_versions"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["vault_documents.id"], name="fk_vault_document_versions_document_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("document_id", "number", name="uq_vault_document_versions_document_id_number"),
        sa.UniqueConstraint("blob_name", name="uq_vault_document_versions_blob_name"),
        sa.CheckConstraint("size > 0", name="ck_vault_document_versions_size"),
    )
    op.create_index("ix_vault_document_versions_key_id", "vault_document_versions", ["key_id"])
    op.create_index("ix_vault_document_versions_digest", "vault_document_versions", ["vault_id", "content_digest"])


def sealed_body(table: str) -> list[sa.schema.SchemaItem]:
    """A cell, the key that it names, and the promise that the key exists as long as the cell does."""
    return [
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["data_keys.id"], name=f"fk_{table}_key_id"),
    ]


def tagged_and_trashable() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("tag_digests", ARRAY(sa.LargeBinary()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("trashed_at", sa.DateTime(timezone=True)),
        *times("created_at", "updated_at"),
    ]


def times(*names: str) -> list[sa.schema.SchemaItem]:
    return [sa.Column(name, sa.DateTime(timezone=True), server_default=NOW, nullable=False) for name in names]


def in_vault(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["vault_id"], ["vaults.id"], name=f"fk_{table}_vault_id", ondelete="CASCADE")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    replace_read_policy("data_keys", OWN_DATA_KEY)
    replace_read_policy("jobs", OWN_JOB)
    for table in ("vault_document_versions", "vault_documents", "vault_item_versions", "vault_items"):
        op.drop_table(table)
    op.execute("DROP POLICY vaults_read ON vaults")  # it asks vault_members
    for table in ("vault_invitations", "vault_members", "vaults"):
        op.drop_table(table)
