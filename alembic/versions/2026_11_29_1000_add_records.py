"""Add types that people make, favourites, links between records, and shares with people outside."""

import sqlalchemy as sa
from alembic import op

from app.db.security import IS_SYSTEM, USER, VAULT, in_readable_vault, in_writable_vault, protect

revision = "b1c0"
down_revision = "b9c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"
ENDS = ("source_item_id", "source_document_id", "target_item_id", "target_document_id")
TABLES = ("vault_types", "vault_favourites", "vault_links", "vault_shares", "vault_share_views")

AS_THE_VAULT = f"{IS_SYSTEM} OR vault_id = {VAULT}"


def in_role(*roles: str) -> str:
    """The row's vault is one that the principal has one of these roles in."""
    listed = ", ".join(f"'{role}'" for role in roles)
    return f"vault_id IN (SELECT m.vault_id FROM vault_members m WHERE m.user_id = {USER} AND m.role IN ({listed}))"  # noqa: S608  constants


MANAGED = f"{AS_THE_VAULT} OR {in_role('admin', 'owner')}"
OWN_SHARE = f"{MANAGED} OR (user_id = {USER} AND {in_role('editor')})"
VISIBLE_SHARE = "share_id IN (SELECT s.id FROM vault_shares s)"  # that is, by its own policy


def time(name: str, *, now: bool = False) -> sa.Column[object]:
    """An aware time."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW if now else None, nullable=not now)


def foreign_key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """A row that goes with another one."""
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def create(table: str, *items: sa.schema.SchemaItem, of_vault: bool = True) -> None:
    """A table of rows with a sealed body."""
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        *items,
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["key_id"], ["data_keys.id"], name=f"fk_{table}_key_id"),
        *([foreign_key(table, "vault_id", "vaults")] if of_vault else []),
    )
    op.create_index(f"ix_{table}_key_id", table, ["key_id"])


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    create(
        "vault_types",
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        time("updated_at", now=True),
        sa.UniqueConstraint("vault_id", "id", name="uq_vault_types_vault_id_id"),
    )
    add_type_id()
    create_favourites()
    create_links()
    create_shares()
    statements = [
        *protect("vault_types", read=in_readable_vault(), write=in_writable_vault()),
        *protect("vault_favourites", read=f"{IS_SYSTEM} OR user_id = {USER}"),
        *protect("vault_links", read=in_readable_vault(), write=in_writable_vault()),
        *protect("vault_shares", read=f"{MANAGED} OR user_id = {USER}", write=OWN_SHARE),
        *protect("vault_share_views", read=f"{AS_THE_VAULT} OR {VISIBLE_SHARE}", write=AS_THE_VAULT),
    ]
    for statement in statements:
        op.execute(statement)


def add_type_id() -> None:
    op.add_column("vault_items", sa.Column("type_id", sa.Uuid()))
    op.create_foreign_key(
        "fk_vault_items_vault_id_type_id", "vault_items", "vault_types", ["vault_id", "type_id"], ["vault_id", "id"]
    )
    custom = "coalesce(type = 'custom:' || type_id::text, left(type, 7) <> 'custom:')"
    op.create_check_constraint(op.f("ck_vault_items_type"), "vault_items", custom)
    used = sa.text("type_id IS NOT NULL")
    op.create_index("ix_vault_items_type_id", "vault_items", ["type_id"], postgresql_where=used)


def create_favourites() -> None:
    op.create_table(
        "vault_favourites",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("user_id", "item_id", name="pk_vault_favourites"),
        foreign_key("vault_favourites", "user_id", "auth_users"),
        foreign_key("vault_favourites", "item_id", "vault_items"),
    )
    op.create_index("ix_vault_favourites_item_id", "vault_favourites", ["item_id"])


def create_links() -> None:
    create(
        "vault_links",
        *(sa.Column(name, sa.Uuid()) for name in ENDS),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("num_nonnulls(source_item_id, source_document_id) = 1", name="ck_vault_links_source"),
        sa.CheckConstraint("num_nonnulls(target_item_id, target_document_id) = 1", name="ck_vault_links_target"),
        *(foreign_key("vault_links", name, "vault_items" if "item" in name else "vault_documents") for name in ENDS),
    )
    unique = {"unique": True, "postgresql_nulls_not_distinct": True}
    op.create_index("uq_vault_links_ends", "vault_links", [*ENDS, "relation"], **unique)
    for name in (*ENDS[1:], "vault_id"):
        op.create_index(f"ix_vault_links_{name}", "vault_links", [name])


def create_shares() -> None:
    create(
        "vault_shares",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid()),
        sa.Column("version_id", sa.Uuid()),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("max_views", sa.Integer()),
        sa.Column("views", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        time("revoked_at"),
        time("viewed_at"),
        sa.CheckConstraint("num_nonnulls(item_id, version_id) = 1", name="ck_vault_shares_subject"),
        sa.CheckConstraint("views >= 0 AND views <= coalesce(max_views, views)", name="ck_vault_shares_views"),
        sa.UniqueConstraint("token_digest", name="uq_vault_shares_token_digest"),
        foreign_key("vault_shares", "user_id", "auth_users"),
        foreign_key("vault_shares", "item_id", "vault_items"),
        foreign_key("vault_shares", "version_id", "vault_document_versions"),
    )
    op.create_index("ix_vault_shares_page", "vault_shares", ["user_id", "id"])
    for name in ("vault_id", "item_id", "version_id", "expires_at"):
        op.create_index(f"ix_vault_shares_{name}", "vault_shares", [name])
    create(
        "vault_share_views",
        sa.Column("share_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("ticket_digest", sa.LargeBinary()),
        sa.CheckConstraint("outcome IN ('opened', 'refused')", name="ck_vault_share_views_outcome"),
        sa.UniqueConstraint("ticket_digest", name="uq_vault_share_views_ticket_digest"),
        foreign_key("vault_share_views", "share_id", "vault_shares"),
        of_vault=False,
    )
    op.create_index("ix_vault_share_views_page", "vault_share_views", ["share_id", "id"])
    op.create_index("ix_vault_share_views_vault_id", "vault_share_views", ["vault_id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(op.f("ck_vault_items_type"), "vault_items")
    op.execute("SELECT set_config('app.principal', 'system', true)")
    # Their types go; what they hold is in their own bodies and stays readable.
    op.execute("UPDATE vault_items SET type = 'secure_note' WHERE type_id IS NOT NULL")
    op.drop_column("vault_items", "type_id")
    for table in reversed(TABLES):
        op.drop_table(table)
