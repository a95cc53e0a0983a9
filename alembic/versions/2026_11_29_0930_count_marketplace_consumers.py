"""Count what consumers of a marketplace use."""

import sqlalchemy as sa
from alembic import op

from app.db.security import FAMILY, IS_SYSTEM, protect

revision = "b0c0"
down_revision = "b3c0"
branch_labels = None
depends_on = None

COUNT = """CREATE FUNCTION payments_count_consumer(p_family uuid) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_month text := to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'); v_untold bigint; BEGIN
INSERT INTO payments_consumer_months AS m (family_id, month, requests) VALUES (p_family, v_month, 1)
ON CONFLICT (family_id, month) DO UPDATE SET requests = m.requests + 1;
SELECT coalesce((SELECT sum(l.used) FROM payments_credit_lots l WHERE l.family_id = p_family), 0)
  - coalesce((SELECT sum(m.credits) FROM payments_consumer_months m WHERE m.family_id = p_family), 0) INTO v_untold;
IF v_untold > 0 THEN
  UPDATE payments_consumer_months SET credits = credits + v_untold WHERE family_id = p_family AND month = v_month;
END IF;
RETURN greatest(v_untold, 0); END $$"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "payments_consumer_months",
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("credits", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("requests >= 0 AND credits >= 0", name="ck_payments_consumer_months_counted"),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name="fk_payments_consumer_months_family_id"),
        sa.PrimaryKeyConstraint("family_id", "month", name="pk_payments_consumer_months"),
    )
    op.create_index("ix_payments_consumer_months_month", "payments_consumer_months", ["month"])
    for statement in protect("payments_consumer_months", read=f"{IS_SYSTEM} OR family_id = {FAMILY}", write=IS_SYSTEM):
        op.execute(statement)
    op.execute(COUNT)


def downgrade() -> None:
    op.execute("DROP FUNCTION payments_count_consumer(uuid)")
    op.drop_table("payments_consumer_months")
