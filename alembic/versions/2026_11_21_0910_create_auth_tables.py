"""Create the tables of accounts, sessions, and outgoing e-mails."""

import sqlalchemy as sa
from alembic import op

from app.db.security import IS_SYSTEM, USER, protect

revision = "a2c0"
down_revision = "a1c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def key_id(column: str) -> sa.Column[object]:
    """The data key of a sealed cell, read out of it."""
    expression = f"encode(\"substring\"({column}, 2, 16), 'hex'::text)::uuid"
    return sa.Column("key_id", sa.Uuid(), sa.Computed(expression, persisted=True), nullable=False)


def time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    """An aware time."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW if now else None, nullable=nullable)


def foreign_key(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    """A foreign key to the id of another table, under our naming convention."""
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "auth_users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email_digest", sa.LargeBinary(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        key_id("profile"),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("claim_hash", sa.String()),
        time("claimed_at", nullable=True),
        time("email_verified_at", nullable=True),
        time("last_seen_at", now=True),
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_auth_users"),
        sa.UniqueConstraint("email_digest", name="uq_auth_users_email_digest"),
        foreign_key("auth_users", "key_id", "data_keys"),
    )
    op.create_table(
        "auth_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String()),
        sa.Column("device", sa.LargeBinary(), nullable=False),
        key_id("device"),
        sa.Column("address_digest", sa.LargeBinary(), nullable=False),
        time("last_seen_at", now=True),
        time("expires_at"),
        time("ended_at", nullable=True),
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_auth_sessions"),
        foreign_key("auth_sessions", "user_id", "auth_users", "CASCADE"),
        foreign_key("auth_sessions", "key_id", "data_keys"),
    )
    op.create_table(
        "auth_refresh_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        time("used_at", nullable=True),
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_auth_refresh_tokens"),
        sa.UniqueConstraint("digest", name="uq_auth_refresh_tokens_digest"),
        foreign_key("auth_refresh_tokens", "session_id", "auth_sessions", "CASCADE"),
        foreign_key("auth_refresh_tokens", "user_id", "auth_users", "CASCADE"),
    )
    op.create_table(
        "auth_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        time("expires_at"),
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_auth_links"),
        sa.UniqueConstraint("digest", name="uq_auth_links_digest"),
        sa.CheckConstraint("kind IN ('verify', 'reset')", name="ck_auth_links_kind"),
        foreign_key("auth_links", "user_id", "auth_users", "CASCADE"),
    )
    op.create_table(
        "notifications_mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        key_id("body"),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        time("due_at", now=True),
        time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_notifications_mails"),
        foreign_key("notifications_mails", "key_id", "data_keys", "CASCADE"),
    )
    for table, column in (
        ("auth_users", "key_id"),
        ("auth_sessions", "user_id"),
        ("auth_sessions", "key_id"),
        ("auth_sessions", "expires_at"),
        ("auth_refresh_tokens", "session_id"),
        ("auth_refresh_tokens", "user_id"),
        ("auth_refresh_tokens", "parent_id"),
        ("auth_links", "user_id"),
        ("auth_links", "expires_at"),
        ("notifications_mails", "key_id"),
        ("notifications_mails", "due_at"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])
    statements = [
        *protect("auth_users", read=f"{IS_SYSTEM} OR id = {USER}"),
        *protect("auth_sessions", read=f"{IS_SYSTEM} OR user_id = {USER}"),
        *protect("auth_refresh_tokens", read=f"{IS_SYSTEM} OR user_id = {USER}"),
        *protect("auth_links", read=f"{IS_SYSTEM} OR user_id = {USER}"),
        *protect("notifications_mails", read=IS_SYSTEM),
        "CREATE POLICY notifications_mails_queue ON notifications_mails FOR INSERT WITH CHECK (app_principal() <> '')",
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("notifications_mails", "auth_links", "auth_refresh_tokens", "auth_sessions", "auth_users"):
        op.drop_table(table)
