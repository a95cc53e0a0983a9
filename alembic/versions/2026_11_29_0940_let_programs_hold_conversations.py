"""Let programs hold conversations: by a name of their own, and ones that are not kept."""

import sqlalchemy as sa
from alembic import op

revision = "b7c0"
down_revision = "b5c0"
branch_labels = None
depends_on = None

TABLE = "agent_conversations"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(TABLE, sa.Column("kept", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column(TABLE, sa.Column("thread", sa.LargeBinary(), nullable=True))
    op.create_unique_constraint("uq_agent_conversations_thread", TABLE, ["user_id", "thread"])
    op.create_index("ix_agent_conversations_unkept", TABLE, ["updated_at"], postgresql_where=sa.text("NOT kept"))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_agent_conversations_unkept", TABLE)
    op.drop_constraint("uq_agent_conversations_thread", TABLE)
    op.drop_column(TABLE, "thread")
    op.drop_column(TABLE, "kept")
