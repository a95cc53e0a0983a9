"""Create the tables of sealed vaults, and let vaults be sealed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.base import KEY_OF_BODY
from app.db.changes import tracked
from app.db.security import IS_SYSTEM, USER, VAULT, in_readable_vault, in_writable_vault, protect

revision = "b6c0"
down_revision = "b5c1"
branch_labels = None
depends_on = None

FIRST_NAME = "ck_vaults_ck_vaults_tier"  # the convention was applied to a name that was whole already
NOW = sa.text("now()")
BIG = sa.BigInteger()
BYTES = sa.LargeBinary()
ID = sa.Uuid()
AS_THE_VAULT = f"{IS_SYSTEM} OR vault_id = {VAULT}"
TABLES = ("accounts", "heads", "lists", "wraps", "epochs", "items", "revisions", "chunks", "dues", "candidates")


def name_of(table: str) -> str:
    return f"vault_sealed_{table}"


def column(name: str, kind: sa.types.TypeEngine, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable, autoincrement=False)


def moment(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.DateTime(timezone=True), server_default=NOW, nullable=False) for name in names]


def create(table: str, key: tuple[str, ...], *parts: sa.schema.SchemaItem, owner: str = "vault_id") -> None:
    """A table that goes with its vault, or with its person."""
    name = name_of(table)
    to = "vaults.id" if owner == "vault_id" else "auth_users.id"
    goes = sa.ForeignKeyConstraint([owner], [to], name=f"fk_{name}_{owner}", ondelete="CASCADE")
    owned = [] if table == "revisions" else [goes]
    op.create_table(name, column(owner, ID), *parts, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"), *owned)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(op.f(FIRST_NAME), "vaults")
    op.create_check_constraint(op.f("ck_vaults_tier"), "vaults", "tier IN ('assisted', 'sealed')")
    create_keys()
    create_contents()
    create_dues()
    create_candidates()
    for statement in [*security(), *tracked(name_of("items"), "item", revision=True, trash=True), *TOLD]:
        op.execute(statement)


TOLD = (
    "CREATE TRIGGER vault_sealed_chunks_payments AFTER DELETE ON vault_sealed_chunks "
    "FOR EACH ROW EXECUTE FUNCTION payments_stored_gone('storage_bytes')",
    "CREATE TRIGGER vault_sealed_items_tell_insert AFTER INSERT ON vault_sealed_items "
    "FOR EACH ROW EXECUTE FUNCTION vault_tell_change('item')",
    "CREATE TRIGGER vault_sealed_items_tell_update AFTER UPDATE ON vault_sealed_items FOR EACH ROW "
    "WHEN (old.revision IS DISTINCT FROM new.revision) EXECUTE FUNCTION vault_tell_change('item')",
)


def security() -> list[str]:
    """Members read; writers write what lies in a vault; who is in it, and the keys, the vault alone writes."""
    own = f"{IS_SYSTEM} OR user_id = {USER}"
    statements = protect(name_of("accounts"), read=own)
    for table in ("lists", "epochs"):
        statements += protect(name_of(table), read=in_readable_vault(), write=AS_THE_VAULT)
    for table in ("heads", "items", "revisions", "chunks", "dues"):
        statements += protect(name_of(table), read=in_readable_vault(), write=in_writable_vault())
    statements += protect(name_of("wraps"), read=f"account_id = {USER} OR {AS_THE_VAULT}", write=AS_THE_VAULT)
    return statements + protect(name_of("candidates"), read=f"user_id = {USER} OR {AS_THE_VAULT}", write=AS_THE_VAULT)


def create_keys() -> None:
    create(
        "accounts",
        ("user_id",),
        column("counter", BIG),
        column("state", BYTES),
        column("wraps", BYTES),
        column("pins", BYTES),
        column("verifier", sa.String()),
        column("recovery_verifier", sa.String()),
        *moment("created_at", "updated_at"),
        owner="user_id",
    )
    create(
        "heads",
        ("vault_id",),
        column("counter", BIG),
        column("epoch", BIG),
        column("wanted", sa.Boolean()),
        column("clock", BYTES),
        column("items", sa.Integer()),
        column("size", BIG),
        sa.CheckConstraint("counter >= epoch AND epoch > 0", name=op.f("ck_vault_sealed_heads_counter")),
    )
    lists = column("counter", BIG), column("envelope", BYTES), *moment("created_at")
    create("lists", ("vault_id", "counter"), *lists)
    create(
        "wraps", ("vault_id", "account_id"), column("account_id", ID), column("epoch", BIG), column("envelope", BYTES)
    )
    ended = column("epoch", BIG), column("closing", BYTES), column("link", BYTES, nullable=True)
    create("epochs", ("vault_id", "epoch"), *ended)


def create_contents() -> None:
    create(
        "items",
        ("vault_id", "id"),
        column("id", ID),
        column("revision", sa.Integer()),
        column("body_digest", BYTES),
        column("keys", BYTES),
        column("epoch", BIG),
        column("written_by", ID),
        sa.Column("trashed_at", sa.DateTime(timezone=True)),
        *moment("created_at", "updated_at"),
    )
    create(
        "revisions",
        ("vault_id", "item_id", "revision"),
        column("item_id", ID),
        column("revision", sa.Integer()),
        column("content", BYTES),
        *moment("created_at"),
        sa.ForeignKeyConstraint(
            ["vault_id", "item_id"],
            ["vault_sealed_items.vault_id", "vault_sealed_items.id"],
            name="fk_vault_sealed_revisions_item",
            ondelete="CASCADE",
        ),
    )
    create(
        "chunks",
        ("id",),
        column("id", ID),
        column("file_id", ID),
        column("number", sa.Integer()),
        column("size", sa.Integer()),
        column("digest", BYTES),
        column("blob_name", sa.String()),
        column("written_by", ID),
        *moment("created_at"),
        sa.CheckConstraint("size > 0", name=op.f("ck_vault_sealed_chunks_size")),
        sa.UniqueConstraint("vault_id", "file_id", "number", name="uq_vault_sealed_chunks_vault_id_file_id_number"),
        sa.UniqueConstraint("blob_name", name="uq_vault_sealed_chunks_blob_name"),
    )


def create_dues() -> None:
    create(
        "dues",
        ("vault_id",),
        column("epoch", BIG),
        column("first_on", sa.Date()),
        column("days", ARRAY(BYTES)),
        column("tokens", ARRAY(BYTES)),
        column("next_on", sa.Date(), nullable=True),
        *moment("updated_at"),
    )
    wanted = sa.text("next_on IS NOT NULL")
    op.create_index("ix_vault_sealed_dues_next_on", "vault_sealed_dues", ["next_on"], postgresql_where=wanted)


def create_candidates() -> None:
    create(
        "candidates",
        ("id",),
        column("id", ID),
        column("user_id", ID),
        column("role", sa.String()),
        column("invited_by", ID),
        column("body", BYTES),
        sa.Column("key_id", ID, sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        *moment("created_at"),
        sa.ForeignKeyConstraint(["key_id"], ["data_keys.id"], name="fk_vault_sealed_candidates_key_id"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth_users.id"], name="fk_vault_sealed_candidates_user_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("vault_id", "user_id", name="uq_vault_sealed_candidates_vault_id_user_id"),
        sa.CheckConstraint("role IN ('admin', 'editor', 'viewer')", name=op.f("ck_vault_sealed_candidates_role")),
    )
    for name in ("key_id", "user_id"):
        op.create_index(f"ix_vault_sealed_candidates_{name}", "vault_sealed_candidates", [name])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SELECT set_config('app.principal', 'system', true)")  # row-level security holds for the owner, too
    for table in ("revisions", *(each for each in TABLES if each != "revisions")):
        op.drop_table(name_of(table))
    op.execute("DELETE FROM vault_members m USING vaults v WHERE v.id = m.vault_id AND v.tier = 'sealed'")
    op.execute("DELETE FROM vaults WHERE tier = 'sealed'")
    op.drop_constraint(op.f("ck_vaults_tier"), "vaults")
    op.create_check_constraint(op.f(FIRST_NAME), "vaults", "tier = 'assisted'")
    op.execute("SELECT set_config('app.principal', '', true)")
