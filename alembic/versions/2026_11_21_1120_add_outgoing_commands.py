"""Create the table of Idempotency-Keys; let commands to providers be found again, and refunds be reserved."""

import sqlalchemy as sa
from alembic import op

from app.db.security import IS_SYSTEM, USER, protect

revision = "a5c2"
down_revision = "a5c1"
branch_labels = None
depends_on = None

KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'running'"), nullable=False),
        sa.Column("run", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('running', 'done')", name=op.f("ck_idempotency_keys_state")),
        sa.CheckConstraint(
            "(state = 'done') = (status IS NOT NULL AND body IS NOT NULL)", name=op.f("ck_idempotency_keys_answer")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth_users.id"], name=op.f("fk_idempotency_keys_user_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["key_id"], ["data_keys.id"], name=op.f("fk_idempotency_keys_key_id")),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("id", name=op.f("uq_idempotency_keys_id")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])
    op.create_index(op.f("ix_idempotency_keys_key_id"), "idempotency_keys", ["key_id"])
    for statement in protect("idempotency_keys", read=f"{IS_SYSTEM} OR user_id = {USER}"):
        op.execute(statement)
    for column in (
        sa.Column("followed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cause", sa.Uuid(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=True),
    ):
        op.add_column("payments_operations", column)
    op.create_check_constraint(
        op.f("ck_payments_operations_owner"), "payments_operations", "(body IS NULL) >= (owner_id IS NULL)"
    )
    op.create_unique_constraint(
        op.f("uq_payments_operations_cause_kind_subject"), "payments_operations", ["cause", "kind", "subject"]
    )
    op.create_foreign_key(
        op.f("fk_payments_operations_owner_id"),
        "payments_operations",
        "auth_users",
        ["owner_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_foreign_key(op.f("fk_payments_operations_key_id"), "payments_operations", "data_keys", ["key_id"], ["id"])
    op.create_index(op.f("ix_payments_operations_owner_id"), "payments_operations", ["owner_id"])
    op.create_index(op.f("ix_payments_operations_key_id"), "payments_operations", ["key_id"])
    op.create_index(
        "ix_payments_operations_unfollowed",
        "payments_operations",
        ["lease_until"],
        postgresql_where=sa.text("state = 'succeeded' AND followed_at IS NULL"),
    )
    op.add_column(
        "payments_payments",
        sa.Column("refunding_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_payments_payments_refunding"),
        "payments_payments",
        "refunding_cents BETWEEN 0 AND received_cents",
    )


def downgrade() -> None:
    op.drop_column("payments_payments", "refunding_cents")
    for column in ("key_id", "body", "owner_id", "cause", "followed_at"):
        op.drop_column("payments_operations", column)
    op.drop_table("idempotency_keys")
