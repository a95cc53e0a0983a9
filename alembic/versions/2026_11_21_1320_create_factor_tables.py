"""Create the tables of API keys, second factors, passkeys and foreign identities; let accounts wait for deletion."""

import sqlalchemy as sa
from alembic import op

from app.db.security import IS_SYSTEM, USER, protect

revision = "a2c2"
down_revision = "a5c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"
AS_SYSTEM = "SELECT set_config('app.principal', 'system', true)"  # row-level security holds for the owner, too
TABLES = (
    "auth_api_keys",
    "auth_totp",
    "auth_recovery_codes",
    "auth_passkeys",
    "auth_challenges",
    "auth_identities",
)


def time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    """An aware time."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW if now else None, nullable=nullable)


def foreign_key(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    """A foreign key to the id of another table, under our naming convention."""
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def create(table: str, *items: sa.schema.SchemaItem, sealed: bool = False, anonymous: bool = False) -> None:
    """A table of rows of people, with a sealed body if asked for."""
    body: list[sa.schema.SchemaItem] = []
    if sealed:
        body = [
            sa.Column("body", sa.LargeBinary(), nullable=False),
            sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
            foreign_key(table, "key_id", "data_keys"),
        ]
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=anonymous),
        *body,
        *items,
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        foreign_key(table, "user_id", "auth_users", "CASCADE"),
    )
    if sealed:
        op.create_index(f"ix_{table}_key_id", table, ["key_id"])
    if table != "auth_totp":
        op.create_index(f"ix_{table}_user_id", table, ["user_id"])


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.alter_column("auth_users", "password_hash", nullable=True)
    op.add_column("auth_users", time("deletion_at", nullable=True))
    op.add_column("auth_users", time("deletion_announced_at", nullable=True))
    op.create_index("ix_auth_users_deletion_at", "auth_users", ["deletion_at"])
    op.add_column("auth_sessions", sa.Column("device_digest", sa.LargeBinary(), nullable=True))
    op.add_column("auth_sessions", time("authenticated_at", now=True))
    op.execute(AS_SYSTEM)
    op.execute("UPDATE auth_sessions SET authenticated_at = created_at")
    create(
        "auth_api_keys",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        time("expires_at", nullable=True),
        time("last_used_at", nullable=True),
        sa.UniqueConstraint("prefix", name="uq_auth_api_keys_prefix"),
        sealed=True,
    )
    op.create_index("ix_auth_api_keys_expires_at", "auth_api_keys", ["expires_at"])
    create(
        "auth_totp",
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        time("confirmed_at", nullable=True),
        sa.UniqueConstraint("user_id", name="uq_auth_totp_user_id"),
        sealed=True,
    )
    create(
        "auth_recovery_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        time("used_at", nullable=True),
        sa.UniqueConstraint("digest", name="uq_auth_recovery_codes_digest"),
    )
    create(
        "auth_passkeys",
        sa.Column("credential_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        time("last_used_at", nullable=True),
        sa.UniqueConstraint("credential_digest", name="uq_auth_passkeys_credential_digest"),
        sealed=True,
    )
    create(
        "auth_challenges",
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        time("expires_at"),
        sa.UniqueConstraint("digest", name="uq_auth_challenges_digest"),
        sa.CheckConstraint(
            "kind IN ('second_factor', 'passkey', 'register', 'step_up')", name="ck_auth_challenges_kind"
        ),
        foreign_key("auth_challenges", "session_id", "auth_sessions", "CASCADE"),
        anonymous=True,
    )
    op.create_index("ix_auth_challenges_session_id", "auth_challenges", ["session_id"])
    op.create_index("ix_auth_challenges_expires_at", "auth_challenges", ["expires_at"])
    create(
        "auth_identities",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("digest", name="uq_auth_identities_digest"),
        sealed=True,
    )
    for table in TABLES:
        for statement in protect(table, read=f"{IS_SYSTEM} OR user_id = {USER}"):
            op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_column("auth_sessions", "authenticated_at")
    op.drop_column("auth_sessions", "device_digest")
    op.drop_index("ix_auth_users_deletion_at", "auth_users")
    op.drop_column("auth_users", "deletion_announced_at")
    op.drop_column("auth_users", "deletion_at")
    op.execute(AS_SYSTEM)
    op.execute("UPDATE auth_users SET password_hash = '' WHERE password_hash IS NULL")  # which no password matches
    op.alter_column("auth_users", "password_hash", nullable=False)
