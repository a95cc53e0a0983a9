"""Index what the hourly purge of accounts looks for: ended sessions, used tokens, claims, unconfirmed accounts."""

import sqlalchemy as sa
from alembic import op

revision = "a2c1"
down_revision = "a5c2"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_auth_sessions_ended_at", "auth_sessions", "ended_at", "ended_at IS NOT NULL"),
    ("ix_auth_refresh_tokens_used_at", "auth_refresh_tokens", "used_at", "used_at IS NOT NULL"),
    ("ix_auth_users_claimed_at", "auth_users", "claimed_at", "claimed_at IS NOT NULL"),
    ("ix_auth_users_unconfirmed", "auth_users", "created_at", "email_verified_at IS NULL"),
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, table, column, rows in INDEXES:
        op.create_index(name, table, [column], postgresql_where=sa.text(rows))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table)
