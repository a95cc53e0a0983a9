"""Create the log: chains, entries that nobody changes, checkpoints, and the function that alone adds entries."""

import sqlalchemy as sa
from alembic import op

from app.db.security import IS_SYSTEM, ROLE, USER, VAULT, in_readable_vault, protect

revision = "b3c0"
down_revision = "a6c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
ACTOR_KINDS = "'person', 'api_key', 'identity', 'agent', 'system'"
MANAGED = (
    f"{IS_SYSTEM} OR chain_id = {VAULT} OR chain_id = {USER} OR chain_id IN (SELECT m.vault_id FROM vault_members m "  # noqa: S608
    f"WHERE m.user_id = {USER} AND m.role IN ('owner', 'admin'))"
)


def parts(*values: str) -> str:
    """SQL of the length-prefixed parts, as `app.core.crypto.length_prefixed` joins them."""
    return " || ".join(f"int4send(length({value})) || {value}" for value in values)


# A vault's entries are its members' to add (a viewer downloads), a person's are their own.
APPEND = f"""
CREATE FUNCTION audit_append(
    chain uuid, of_user boolean, actor_kind text, actor_id uuid, action text, subject_id uuid, ids text,
    key_version integer, inner_pad bytea, outer_pad bytea
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    last bigint;
    before bytea;
    after bytea;
    moment timestamptz;
BEGIN
    SELECT c.sequence, c.hash INTO last, before FROM audit_chains c WHERE c.id = chain FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_chains (id, vault_id, user_id, sequence, hash)
        VALUES (chain, CASE WHEN NOT of_user THEN chain END, CASE WHEN of_user THEN chain END, 0,
                decode(repeat('00', 32), 'hex'))
        ON CONFLICT DO NOTHING;
        SELECT c.sequence, c.hash INTO STRICT last, before FROM audit_chains c WHERE c.id = chain FOR UPDATE;
    END IF;
    moment := clock_timestamp();
    last := last + 1;
    after := sha256({
    parts(
        "'lifevault audit entry 1'::bytea",
        "uuid_send(chain)",
        "int8send(last)",
        "before",
        "int4send(key_version)",
        "convert_to(actor_kind, 'UTF8')",
        "coalesce(uuid_send(actor_id), '')",
        "convert_to(action, 'UTF8')",
        "coalesce(uuid_send(subject_id), '')",
        "convert_to(ids, 'UTF8')",
        "int8send((extract(epoch FROM moment) * 1000000)::bigint)",
    )
});
    INSERT INTO audit_entries VALUES (
        chain, last, actor_kind, actor_id, action, subject_id, ids, moment, key_version, after,
        sha256(outer_pad || sha256(inner_pad || after))
    );
    UPDATE audit_chains c SET sequence = last, hash = after WHERE c.id = chain;
    RETURN last;
END $$
"""  # noqa: S608

# What goes with its vault, or its account, goes by the foreign keys: then this is not the outermost trigger.
GUARD_ENTRY = """
CREATE FUNCTION audit_guard_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the log is not changed';
END $$
"""
GUARD_CHAIN = """
CREATE FUNCTION audit_guard_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.id = OLD.id AND NEW.sequence = OLD.sequence + 1
       AND NEW.vault_id IS NOT DISTINCT FROM OLD.vault_id AND NEW.user_id IS NOT DISTINCT FROM OLD.user_id THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the log is not changed';
END $$
"""
TRIGGERS = [
    f"CREATE TRIGGER {table}_guard BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
    for table, function in (("audit_entries", "audit_guard_entry"), ("audit_chains", "audit_guard_chain"))
] + [
    f"CREATE TRIGGER {table}_keep BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_guard_entry()"
    for table in ("audit_entries", "audit_chains")
]
OWNER_LIVES = """
CREATE FUNCTION audit_owner_lives(chain uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM vaults v WHERE v.id = chain) OR EXISTS (SELECT FROM auth_users u WHERE u.id = chain)
$$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    create_chains()
    create_entries()
    create_checkpoints()
    in_chain = f"{in_readable_vault('chain_id')} OR chain_id = {USER}"
    seen_chain = f"{in_readable_vault('id')} OR id = {USER}"
    statements = [
        *protect("audit_chains", read=seen_chain),
        *protect("audit_entries", read=MANAGED, write=in_chain),
        *protect("audit_checkpoints", read=in_chain, write=IS_SYSTEM),
        f"REVOKE INSERT, UPDATE, DELETE ON audit_chains, audit_entries FROM {ROLE}",
        f"REVOKE DELETE ON audit_checkpoints FROM {ROLE}",
        APPEND,
        "REVOKE ALL ON FUNCTION audit_append FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION audit_append TO {ROLE}",
        GUARD_ENTRY,
        GUARD_CHAIN,
        *TRIGGERS,
        OWNER_LIVES,
    ]
    for statement in statements:
        op.execute(statement)


def create_chains() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vault_id", sa.Uuid()),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_chains"),
        sa.ForeignKeyConstraint(["vault_id"], ["vaults.id"], name="fk_audit_chains_vault_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["auth_users.id"], name="fk_audit_chains_user_id", ondelete="CASCADE"),
        sa.CheckConstraint(
            "num_nonnulls(vault_id, user_id) = 1 AND id = coalesce(vault_id, user_id)", name="ck_audit_chains_owner"
        ),
    )
    op.create_index("ix_audit_chains_vault_id", "audit_chains", ["vault_id"], unique=True)
    op.create_index("ix_audit_chains_user_id", "audit_chains", ["user_id"], unique=True)


def create_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("ids", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "sequence", name="pk_audit_entries"),
        in_chain("audit_entries"),
        sa.CheckConstraint(f"actor_kind IN ({ACTOR_KINDS})", name="ck_audit_entries_actor_kind"),
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"], postgresql_using="brin")


def create_checkpoints() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("chain_id", name="pk_audit_checkpoints"),
        in_chain("audit_checkpoints"),
    )


def in_chain(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["chain_id"], ["audit_chains.id"], name=f"fk_{table}_chain_id", ondelete="CASCADE")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP FUNCTION audit_owner_lives, audit_append")
    for table in ("audit_checkpoints", "audit_entries", "audit_chains"):
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_guard_entry, audit_guard_chain")
