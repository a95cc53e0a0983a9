"""Add uploads in parts, imports, exports, and kept pictures of pages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.security import IS_SYSTEM, USER, VAULT, in_readable_vault, in_writable_vault, protect

revision = "b2c0"
down_revision = "b3c1"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"
OF_THE_PERSON = f"{IS_SYSTEM} OR vault_id = {VAULT} OR user_id = {USER}"


def time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    """An aware time."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW if now else None, nullable=nullable)


def ids(*names: str, nullable: bool = False) -> list[sa.Column[object]]:
    """Columns of ids."""
    return [sa.Column(name, sa.Uuid(), nullable=nullable) for name in names]


def foreign_key(table: str, column: str, target: str, ondelete: str | None = "CASCADE") -> sa.ForeignKeyConstraint:
    """A foreign key to the id of another table, under our naming convention."""
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def create(table: str, *items: sa.schema.SchemaItem) -> None:
    """A table whose rows have a sealed body."""
    op.create_table(
        table,
        *ids("id"),
        *items,
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        foreign_key(table, "key_id", "data_keys", None),
    )
    op.create_index(f"ix_{table}_key_id", table, ["key_id"])


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_uploads()
    _create_imports()
    _create_exports()
    _create_previews()
    own = f"{IS_SYSTEM} OR user_id = {USER}"
    mine = f"{IS_SYSTEM} OR vault_id = {VAULT} OR import_id IN (SELECT i.id FROM vault_imports i)"  # noqa: S608  no values in it
    statements = [
        *protect("vault_uploads", read=OF_THE_PERSON, write=f"({OF_THE_PERSON}) AND ({in_writable_vault()})"),
        *protect("vault_upload_parts", read=in_readable_vault(), write=in_writable_vault()),
        *protect("vault_imports", read=OF_THE_PERSON, write=f"({OF_THE_PERSON}) AND ({in_writable_vault()})"),
        *protect("vault_import_entries", read=mine),
        *protect("vault_exports", read=own),
        *protect("rag_previews", read=in_readable_vault(), write=f"{IS_SYSTEM} OR vault_id = {VAULT}"),
    ]
    for statement in statements:
        op.execute(statement)


def _create_uploads() -> None:
    create(
        "vault_uploads",
        *ids("vault_id", "user_id"),
        *ids("target_id", nullable=True),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        *ids("document_id", "version_id", "job_id", nullable=True),
        time("expires_at"),
        time("updated_at", now=True),
        foreign_key("vault_uploads", "vault_id", "vaults"),
        foreign_key("vault_uploads", "user_id", "auth_users"),
        sa.CheckConstraint("length > 0 AND received BETWEEN 0 AND length", name="ck_vault_uploads_received"),
    )
    for column in ("vault_id", "user_id", "expires_at"):
        op.create_index(f"ix_vault_uploads_{column}", "vault_uploads", [column])
    create(
        "vault_upload_parts",
        *ids("vault_id", "upload_id"),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("blob_name", sa.String(), nullable=False),
        foreign_key("vault_upload_parts", "upload_id", "vault_uploads"),
        sa.UniqueConstraint("upload_id", "start", name="uq_vault_upload_parts_upload_id_start"),
        sa.UniqueConstraint("blob_name", name="uq_vault_upload_parts_blob_name"),
    )
    op.create_index("ix_vault_upload_parts_vault_id", "vault_upload_parts", ["vault_id"])


def _create_imports() -> None:
    formats = "'bitwarden_json', 'bitwarden_zip', 'onepux', 'csv', 'lifevault'"
    create(
        "vault_imports",
        *ids("vault_id", "user_id", "job_id"),
        sa.Column("format", sa.String()),
        sa.Column("total", sa.Integer()),
        sa.Column("blob_name", sa.String()),
        time("finished_at", nullable=True),
        foreign_key("vault_imports", "vault_id", "vaults"),
        foreign_key("vault_imports", "user_id", "auth_users"),
        sa.CheckConstraint(f"format IS NULL OR format IN ({formats})", name="ck_vault_imports_format"),
    )
    op.create_index("ix_vault_imports_page", "vault_imports", ["user_id", "id"])
    op.create_index("ix_vault_imports_vault_id", "vault_imports", ["vault_id"])
    kept = {"postgresql_where": sa.text("blob_name IS NOT NULL")}
    op.create_index("ix_vault_imports_kept", "vault_imports", ["created_at"], **kept)
    create(
        "vault_import_entries",
        *ids("vault_id", "import_id"),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        *ids("item_id", "document_id", nullable=True),
        foreign_key("vault_import_entries", "import_id", "vault_imports"),
        sa.UniqueConstraint("import_id", "ordinal", name="uq_vault_import_entries_import_id_ordinal"),
        sa.CheckConstraint("outcome IN ('imported', 'duplicate', 'refused')", name="ck_vault_import_entries_outcome"),
    )
    op.create_index("ix_vault_import_entries_vault_id", "vault_import_entries", ["vault_id"])
    op.create_index("ix_vault_import_entries_page", "vault_import_entries", ["import_id", "id"])


def _create_exports() -> None:
    create(
        "vault_exports",
        *ids("user_id", "job_id"),
        sa.Column("vault_ids", ARRAY(sa.Uuid()), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("blob_name", sa.String()),
        time("expires_at"),
        time("finished_at", nullable=True),
        foreign_key("vault_exports", "user_id", "auth_users"),
        sa.UniqueConstraint("blob_name", name="uq_vault_exports_blob_name"),
        sa.CheckConstraint("format IN ('lifevault', 'bitwarden')", name="ck_vault_exports_format"),
    )
    op.create_index("ix_vault_exports_page", "vault_exports", ["user_id", "id"])
    op.create_index("ix_vault_exports_expires_at", "vault_exports", ["expires_at"])


def _create_previews() -> None:
    create(
        "rag_previews",
        *ids("vault_id", "document_id", "version_id"),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("blob_name", sa.String(), nullable=False),
        foreign_key("rag_previews", "version_id", "vault_document_versions"),
        sa.UniqueConstraint("version_id", "page", "width", name="uq_rag_previews_picture"),
        sa.UniqueConstraint("blob_name", name="uq_rag_previews_blob_name"),
    )
    for column in ("vault_id", "document_id", "created_at"):
        op.create_index(f"ix_rag_previews_{column}", "rag_previews", [column])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in (
        "rag_previews",
        "vault_exports",
        "vault_import_entries",
        "vault_imports",
        "vault_upload_parts",
        "vault_uploads",
    ):
        op.drop_table(table)
