"""Create the tables of outgoing webhooks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db.base import KEY_OF_BODY
from app.db.security import IS_SYSTEM, USER, protect

revision = "b9c0"
down_revision = "b4c1"
branch_labels = None
depends_on = None

ENDPOINTS = "notifications_webhook_endpoints"
MESSAGES = "notifications_webhook_messages"
ATTEMPTS = "notifications_webhook_attempts"
NOW = sa.text("now()")


def column(name: str, kind: sa.types.TypeEngine, *, nullable: bool = False, default: str | None = None) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable, server_default=sa.text(default) if default else None)


def time(name: str, *, now: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=NOW if now else None)


def refers(table: str, name: str, to: str, *, cascade: bool = True) -> sa.ForeignKeyConstraint:
    key = f"fk_{table}_{name}"
    return sa.ForeignKeyConstraint([name], [f"{to}.id"], name=key, ondelete="CASCADE" if cascade else None)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        ENDPOINTS,
        column("id", sa.Uuid()),
        column("user_id", sa.Uuid()),
        column("body", sa.LargeBinary()),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        column("events", ARRAY(sa.String())),
        column("state", sa.String()),
        column("reason", sa.String(), nullable=True),
        time("created_at"),
        time("updated_at"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{ENDPOINTS}"),
        sa.CheckConstraint("state IN ('active', 'disabled')", name=f"ck_{ENDPOINTS}_state"),
        refers(ENDPOINTS, "user_id", "auth_users"),
        refers(ENDPOINTS, "key_id", "data_keys", cascade=False),
    )
    op.create_table(
        MESSAGES,
        column("id", sa.Uuid()),
        column("user_id", sa.Uuid()),
        column("endpoint_id", sa.Uuid()),
        column("event_id", sa.Uuid()),
        column("event", sa.String()),
        column("payload", JSONB()),
        column("state", sa.String(), default="'pending'"),
        column("attempts", sa.Integer(), default="0"),
        time("due_at"),
        time("created_at"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{MESSAGES}"),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=f"ck_{MESSAGES}_state"),
        sa.UniqueConstraint("endpoint_id", "event_id", name=f"uq_{MESSAGES}_endpoint_id_event_id"),
        refers(MESSAGES, "user_id", "auth_users"),
        refers(MESSAGES, "endpoint_id", ENDPOINTS),
    )
    op.create_table(
        ATTEMPTS,
        column("id", sa.Uuid()),
        column("user_id", sa.Uuid()),
        column("message_id", sa.Uuid()),
        column("status", sa.Integer(), nullable=True),
        column("error", sa.String(), nullable=True),
        column("milliseconds", sa.Integer()),
        time("created_at"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{ATTEMPTS}"),
        refers(ATTEMPTS, "user_id", "auth_users"),
        refers(ATTEMPTS, "message_id", MESSAGES),
    )
    op.create_index(f"ix_{ENDPOINTS}_key_id", ENDPOINTS, ["key_id"])
    op.create_index(f"ix_{MESSAGES}_due", MESSAGES, ["due_at"], postgresql_where=sa.text("state = 'pending'"))
    op.create_index(f"ix_{MESSAGES}_page", MESSAGES, ["endpoint_id", "id"])
    op.create_index(f"ix_{ATTEMPTS}_message_id", ATTEMPTS, ["message_id"])
    for table in (ENDPOINTS, MESSAGES, ATTEMPTS):
        op.create_index(f"ix_{table}_user_id", table, ["user_id"])
        for statement in protect(table, read=f"{IS_SYSTEM} OR user_id = {USER}"):
            op.execute(statement)


def downgrade() -> None:
    for table in (ATTEMPTS, MESSAGES, ENDPOINTS):
        op.drop_table(table)
