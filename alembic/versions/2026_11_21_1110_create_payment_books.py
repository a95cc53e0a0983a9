"""Create the books of payments: ledger, credits, usage, clock."""

import sqlalchemy as sa
from alembic import op

from app.db.security import FAMILY, IS_SYSTEM, ROLE, protect

revision = "a5c1"
down_revision = "a2c2"
branch_labels = None
depends_on = None

AUDIT = "payments_credit_audit"
OF_A_FAMILY = (
    "payments_credit_accounts",
    "payments_credit_holds",
    "payments_credit_lots",
    "payments_credit_returns",
    "payments_credit_uses",
    "payments_usage_counters",
    "payments_usage_entries",
)
STORED = {"vault_documents": "documents", "vault_document_versions": "storage_bytes"}
ADDED_TO_ONLY = ("payments_ledger_transactions", "payments_ledger_legs")

POSTED_IN = """CREATE FUNCTION payments_ledger_posted_in() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN NEW.posted_in := pg_current_xact_id()::text::bigint; NEW.created_at := now(); RETURN NEW; END $$"""

LEG_IN_TIME = """CREATE FUNCTION payments_ledger_leg_in_time() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NOT EXISTS (SELECT FROM payments_ledger_transactions t WHERE t.id = NEW.transaction_id
               AND t.posted_in = pg_current_xact_id()::text::bigint AND t.created_at = now()) THEN
  RAISE EXCEPTION 'a transaction of the ledger is complete when it is committed' USING ERRCODE = 'restrict_violation';
END IF;
RETURN NEW; END $$"""

# What balances is decided about all legs, whoever the transaction acts for at its end.
BALANCED = """CREATE FUNCTION payments_ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE posted uuid; v_before text := app_principal(); BEGIN
PERFORM set_config('app.principal', 'system', true);
posted := CASE TG_TABLE_NAME WHEN 'payments_ledger_legs' THEN to_jsonb(NEW)->>'transaction_id'
          ELSE to_jsonb(NEW)->>'id' END;
IF (SELECT count(*) FROM payments_ledger_legs l WHERE l.transaction_id = posted) < 2
   OR EXISTS (SELECT FROM payments_ledger_legs l WHERE l.transaction_id = posted
              GROUP BY l.currency HAVING sum(l.amount_cents) <> 0) THEN
  RAISE EXCEPTION 'a transaction of the ledger does not balance' USING ERRCODE = 'check_violation';
END IF;
PERFORM set_config('app.principal', v_before, true);
RETURN NULL; END $$"""

HOLD = """CREATE FUNCTION payments_hold_credits(
  p_family uuid, p_hold uuid, p_key text, p_amount int, p_seconds int
) RETURNS SETOF payments_credit_holds LANGUAGE plpgsql AS $$ BEGIN
RETURN QUERY SELECT h.* FROM payments_credit_holds h WHERE h.family_id = p_family AND h.key = p_key;
IF FOUND THEN RETURN; END IF;
IF p_amount > 0 THEN
  UPDATE payments_credit_accounts SET available = available - p_amount, held = held + p_amount
  WHERE family_id = p_family AND available >= p_amount AND debt = 0 AND is_open
    AND attend_at > now() + coalesce((SELECT c.ahead FROM payments_clocks c WHERE c.provider = 'sim'), interval '0');
  IF NOT FOUND THEN RETURN; END IF;
END IF;
RETURN QUERY INSERT INTO payments_credit_holds (id, family_id, key, amount, state, settled, expires_at)
  VALUES (p_hold, p_family, p_key, p_amount, 'held', 0, now() + make_interval(secs => p_seconds))
  ON CONFLICT (family_id, key) DO NOTHING RETURNING *;
IF NOT FOUND THEN
  UPDATE payments_credit_accounts SET available = available + p_amount, held = held - p_amount
  WHERE family_id = p_family;
  RETURN QUERY SELECT h.* FROM payments_credit_holds h WHERE h.family_id = p_family AND h.key = p_key;
END IF;
END $$"""

# A member holds credits of the family whose seat they have, which they may not see or change otherwise.
HOLD_OF = """CREATE FUNCTION payments_hold_credits_of(
  p_user uuid, p_hold uuid, p_key text, p_amount int, p_seconds int
) RETURNS SETOF payments_credit_holds LANGUAGE plpgsql AS $$
DECLARE v_family uuid; v_before text := app_principal(); BEGIN
SELECT s.family_id INTO v_family FROM payments_seats s WHERE s.user_id = p_user AND s.state = 'claimed';
IF v_family IS NULL THEN RETURN; END IF;
PERFORM set_config('app.principal', 'family:' || v_family, true);
RETURN QUERY SELECT * FROM payments_hold_credits(v_family, p_hold, p_key, p_amount, p_seconds);
PERFORM set_config('app.principal', v_before, true);
END $$"""

SETTLE = """CREATE FUNCTION payments_settle_credits(p_hold uuid, p_amount int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_hold payments_credit_holds; v_lot record; v_more int; v_left int; v_take int; BEGIN
SELECT * INTO v_hold FROM payments_credit_holds h WHERE h.id = p_hold FOR UPDATE;
IF NOT FOUND OR v_hold.state <> 'held' THEN RETURN v_hold.state; END IF;
SELECT least(a.available, greatest(p_amount - v_hold.amount, 0)) INTO v_more
FROM payments_credit_accounts a WHERE a.family_id = v_hold.family_id FOR UPDATE;
v_more := coalesce(v_more, 0);
v_left := least(greatest(p_amount, 0), v_hold.amount + v_more);
UPDATE payments_credit_accounts
SET held = held - v_hold.amount, available = available + v_hold.amount - v_left WHERE family_id = v_hold.family_id;
UPDATE payments_credit_holds SET state = 'settled', amount = amount + v_more, settled = v_left, closed_at = now()
WHERE id = p_hold;
FOR v_lot IN SELECT l.id, l.remaining FROM payments_credit_lots l
  WHERE l.family_id = v_hold.family_id AND l.remaining > 0
  ORDER BY l.priority, l.expires_at ASC NULLS LAST, l.id
LOOP
  EXIT WHEN v_left = 0;
  v_take := least(v_left, v_lot.remaining);
  UPDATE payments_credit_lots SET remaining = remaining - v_take, used = used + v_take WHERE id = v_lot.id;
  INSERT INTO payments_credit_uses (hold_id, lot_id, family_id, amount)
  VALUES (p_hold, v_lot.id, v_hold.family_id, v_take);
  v_left := v_left - v_take;
END LOOP;
IF v_left > 0 THEN RAISE EXCEPTION 'more credits are held than remain' USING ERRCODE = 'check_violation'; END IF;
RETURN 'settled'; END $$"""

RELEASE = """CREATE FUNCTION payments_release_credits(p_hold uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_hold payments_credit_holds; BEGIN
SELECT * INTO v_hold FROM payments_credit_holds h WHERE h.id = p_hold FOR UPDATE;
IF NOT FOUND OR v_hold.state <> 'held' THEN RETURN v_hold.state; END IF;
UPDATE payments_credit_accounts SET held = held - v_hold.amount, available = available + v_hold.amount
WHERE family_id = v_hold.family_id;
UPDATE payments_credit_holds SET state = 'released', closed_at = now() WHERE id = p_hold;
RETURN 'released'; END $$"""

PLAN_CHANGED = """CREATE FUNCTION payments_plan_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
UPDATE payments_credit_accounts SET attend_at = '-infinity'
WHERE family_id = (CASE TG_TABLE_NAME WHEN 'payments_families' THEN to_jsonb(NEW)->>'id'
                   ELSE to_jsonb(NEW)->>'family_id' END)::uuid;
RETURN NULL; END $$"""

CONSUME = """CREATE FUNCTION payments_consume(
  p_family uuid, p_user uuid, p_meter text, p_period text, p_key text, p_amount bigint, p_most bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_used bigint; BEGIN
IF p_amount <= 0 THEN RETURN NULL; END IF;
INSERT INTO payments_usage_entries AS e (meter, key, family_id, user_id, period, amount)
VALUES (p_meter, p_key, p_family, p_user, p_period, p_amount)
ON CONFLICT (meter, key) DO UPDATE SET returned_at = NULL, family_id = EXCLUDED.family_id,
  user_id = EXCLUDED.user_id, period = EXCLUDED.period, amount = EXCLUDED.amount WHERE e.returned_at IS NOT NULL;
IF NOT FOUND THEN RETURN NULL; END IF;
INSERT INTO payments_usage_counters AS c (family_id, meter, period, used)
VALUES (p_family, p_meter, p_period, p_amount)
ON CONFLICT (family_id, meter, period) DO UPDATE SET used = c.used + EXCLUDED.used RETURNING c.used INTO v_used;
IF v_used > p_most THEN
  UPDATE payments_usage_counters SET used = used - p_amount
  WHERE family_id = p_family AND meter = p_meter AND period = p_period;
  DELETE FROM payments_usage_entries WHERE meter = p_meter AND key = p_key;
  RETURN -1;
END IF;
RETURN v_used; END $$"""

GIVE_BACK = """CREATE FUNCTION payments_give_back(p_meter text, p_key text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_entry payments_usage_entries; BEGIN
UPDATE payments_usage_entries SET returned_at = now()
WHERE meter = p_meter AND key = p_key AND returned_at IS NULL RETURNING * INTO v_entry;
IF NOT FOUND THEN RETURN false; END IF;
UPDATE payments_usage_counters SET used = used - v_entry.amount
WHERE family_id = v_entry.family_id AND meter = v_entry.meter AND period = v_entry.period;
RETURN true; END $$"""

# What is deleted from a vault, by whatever way, is taken off the usage of whoever's family it counted for.
STORED_GONE = """CREATE FUNCTION payments_stored_gone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE v_before text := app_principal(); BEGIN
PERFORM set_config('app.principal', 'system', true);
PERFORM payments_give_back(TG_ARGV[0], OLD.id::text);
PERFORM set_config('app.principal', v_before, true);
RETURN NULL; END $$"""

# Every difference is 0 at any time: what was granted is somewhere, once.
VIEW = f"""CREATE VIEW {AUDIT} WITH (security_invoker = true) AS
SELECT a.family_id, a.available, a.held, a.debt,
  coalesce(l.granted, 0) AS granted, coalesce(l.used, 0) AS used, coalesce(l.expired, 0) AS expired,
  coalesce(l.taken_back, 0) AS taken_back,
  coalesce(l.granted - l.used - l.expired - l.taken_back, 0) - a.held - a.available AS off_account,
  coalesce(l.used, 0) - coalesce(u.amount, 0) AS off_uses,
  coalesce(h.settled, 0) - coalesce(u.amount, 0) AS off_settled,
  a.held - coalesce(h.held, 0) AS off_holds
FROM payments_credit_accounts a
LEFT JOIN (SELECT family_id, sum(granted) AS granted, sum(used) AS used, sum(expired) AS expired,
           sum(taken_back + repaid) AS taken_back FROM payments_credit_lots GROUP BY family_id) l USING (family_id)
LEFT JOIN (SELECT family_id, sum(amount) AS amount FROM payments_credit_uses GROUP BY family_id) u USING (family_id)
LEFT JOIN (SELECT family_id, sum(settled) AS settled, sum(amount) FILTER (WHERE state = 'held') AS held
           FROM payments_credit_holds GROUP BY family_id) h USING (family_id)"""  # noqa: S608  constants

FUNCTIONS = {
    "payments_ledger_posted_in()": POSTED_IN,
    "payments_ledger_leg_in_time()": LEG_IN_TIME,
    "payments_ledger_balanced()": BALANCED,
    "payments_hold_credits(uuid, uuid, text, int, int)": HOLD,
    "payments_hold_credits_of(uuid, uuid, text, int, int)": HOLD_OF,
    "payments_settle_credits(uuid, int)": SETTLE,
    "payments_release_credits(uuid)": RELEASE,
    "payments_plan_changed()": PLAN_CHANGED,
    "payments_consume(uuid, uuid, text, text, text, bigint, bigint)": CONSUME,
    "payments_give_back(text, text)": GIVE_BACK,
    "payments_stored_gone()": STORED_GONE,
}


def security() -> list[str]:
    """Rights and policies: what a family uses is its own; the books are only added to."""
    mine = f"{IS_SYSTEM} OR family_id = {FAMILY}"
    of_mine = f"transaction_id IN (SELECT t.id FROM payments_ledger_transactions t WHERE t.family_id = {FAMILY})"  # noqa: S608  constants
    return [
        *[statement for table in OF_A_FAMILY for statement in protect(table, read=mine)],
        *protect("payments_ledger_transactions", read=mine),
        *protect("payments_ledger_legs", read=f"{IS_SYSTEM} OR {of_mine}"),
        *protect("payments_recognitions", read=IS_SYSTEM),
        *protect("payments_clocks", read="app_principal() <> ''", write=IS_SYSTEM),
        *[f"REVOKE UPDATE, DELETE ON {table} FROM {ROLE}" for table in ADDED_TO_ONLY],
        f"GRANT SELECT ON {AUDIT} TO {ROLE}",
    ]


def triggers() -> list[str]:
    """What the database itself sees to."""
    immutable = [
        f"CREATE TRIGGER {table}_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION payments_immutable()"
        for table in ADDED_TO_ONLY
    ]
    balanced = [
        f"CREATE CONSTRAINT TRIGGER {table}_balanced AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION payments_ledger_balanced()"
        for table in ADDED_TO_ONLY
    ]
    return [
        *immutable,
        *balanced,
        "CREATE TRIGGER payments_ledger_transactions_posted_in BEFORE INSERT ON payments_ledger_transactions "
        "FOR EACH ROW EXECUTE FUNCTION payments_ledger_posted_in()",
        "CREATE TRIGGER payments_ledger_legs_in_time BEFORE INSERT ON payments_ledger_legs "
        "FOR EACH ROW EXECUTE FUNCTION payments_ledger_leg_in_time()",
        "CREATE TRIGGER payments_subscriptions_plan_changed AFTER INSERT OR UPDATE ON payments_subscriptions "
        "FOR EACH ROW EXECUTE FUNCTION payments_plan_changed()",
        "CREATE TRIGGER payments_families_plan_changed AFTER UPDATE OF granted_plan_version_id ON payments_families "
        "FOR EACH ROW EXECUTE FUNCTION payments_plan_changed()",
        *[
            f"CREATE TRIGGER {table}_payments AFTER DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION payments_stored_gone('{meter}')"
            for table, meter in STORED.items()
        ],
    ]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "payments_clocks",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("ahead", sa.Interval(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_payments_clocks")),
    )
    op.create_table(
        "payments_ledger_transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("corrects", sa.Uuid(), nullable=True),
        sa.Column("posted_in", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["corrects"], ["payments_ledger_transactions.id"], name=op.f("fk_payments_ledger_transactions_corrects")
        ),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_ledger_transactions_family_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_ledger_transactions")),
        sa.UniqueConstraint("kind", "reference", name=op.f("uq_payments_ledger_transactions_kind_reference")),
    )
    op.create_index(
        op.f("ix_payments_ledger_transactions_family_id"), "payments_ledger_transactions", ["family_id"], unique=False
    )
    op.create_index(
        "ix_payments_ledger_transactions_occurred", "payments_ledger_transactions", ["occurred_at", "id"], unique=False
    )
    op.create_table(
        "payments_ledger_legs",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_cents <> 0", name=op.f("ck_payments_ledger_legs_amount")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["payments_ledger_transactions.id"], name=op.f("fk_payments_ledger_legs_transaction_id")
        ),
        sa.PrimaryKeyConstraint("transaction_id", "position", name=op.f("pk_payments_ledger_legs")),
    )
    op.create_index("ix_payments_ledger_legs_account", "payments_ledger_legs", ["account", "subject"], unique=False)
    op.create_table(
        "payments_recognitions",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("through_on", sa.Date(), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["payments_invoices.id"], name=op.f("fk_payments_recognitions_invoice_id")
        ),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_payments_recognitions")),
    )
    op.create_index(
        "ix_payments_recognitions_open",
        "payments_recognitions",
        ["invoice_id"],
        unique=False,
        postgresql_where=sa.text("NOT is_done"),
    )
    op.create_table(
        "payments_credit_accounts",
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("available", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("held", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("debt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("attend_at", sa.DateTime(timezone=True), server_default=sa.text("'-infinity'"), nullable=False),
        sa.CheckConstraint("available >= 0", name=op.f("ck_payments_credit_accounts_available")),
        sa.CheckConstraint("debt >= 0", name=op.f("ck_payments_credit_accounts_debt")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_payments_credit_accounts_held")),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_credit_accounts_family_id")
        ),
        sa.PrimaryKeyConstraint("family_id", name=op.f("pk_payments_credit_accounts")),
    )
    op.create_table(
        "payments_credit_lots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("source_kind", sa.String(), nullable=False),
        sa.Column("source_reference", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("repaid", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("expired", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("taken_back", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("withdrawn", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "LEAST(remaining, used, repaid, expired, taken_back) >= 0", name=op.f("ck_payments_credit_lots_counts")
        ),
        sa.CheckConstraint(
            "granted > 0 AND granted = remaining + used + repaid + expired + taken_back",
            name=op.f("ck_payments_credit_lots_sum"),
        ),
        sa.CheckConstraint("withdrawn BETWEEN 0 AND granted", name=op.f("ck_payments_credit_lots_withdrawn")),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_credit_lots_family_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_credit_lots")),
        sa.UniqueConstraint(
            "source_kind", "source_reference", name=op.f("uq_payments_credit_lots_source_kind_source_reference")
        ),
    )
    op.create_index(op.f("ix_payments_credit_lots_family_id"), "payments_credit_lots", ["family_id"], unique=False)
    op.create_index(
        "ix_payments_credit_lots_left",
        "payments_credit_lots",
        ["family_id"],
        unique=False,
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_index(
        "ix_payments_credit_lots_payment",
        "payments_credit_lots",
        ["payment_id"],
        unique=False,
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )
    op.create_table(
        "payments_credit_holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.String(), server_default="held", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state = 'settled' OR settled = 0", name=op.f("ck_payments_credit_holds_settled")),
        sa.CheckConstraint("state IN ('held', 'settled', 'released')", name=op.f("ck_payments_credit_holds_state")),
        sa.CheckConstraint(
            "amount >= 0 AND settled BETWEEN 0 AND amount", name=op.f("ck_payments_credit_holds_amount")
        ),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_credit_holds_family_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_credit_holds")),
        sa.UniqueConstraint("family_id", "key", name=op.f("uq_payments_credit_holds_family_id_key")),
    )
    op.create_index(
        "ix_payments_credit_holds_open",
        "payments_credit_holds",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_table(
        "payments_credit_uses",
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payments_credit_uses_amount")),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_credit_uses_family_id")
        ),
        sa.ForeignKeyConstraint(
            ["hold_id"], ["payments_credit_holds.id"], name=op.f("fk_payments_credit_uses_hold_id")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["payments_credit_lots.id"], name=op.f("fk_payments_credit_uses_lot_id")),
        sa.PrimaryKeyConstraint("hold_id", "lot_id", name=op.f("pk_payments_credit_uses")),
    )
    op.create_index(op.f("ix_payments_credit_uses_family_id"), "payments_credit_uses", ["family_id"], unique=False)
    op.create_table(
        "payments_credit_returns",
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("back_cents", sa.BigInteger(), nullable=False),
        sa.Column("received_cents", sa.BigInteger(), nullable=False),
        sa.Column("movements", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_credit_returns_family_id")
        ),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_payments_credit_returns")),
    )
    op.create_index(
        op.f("ix_payments_credit_returns_family_id"), "payments_credit_returns", ["family_id"], unique=False
    )
    op.create_table(
        "payments_usage_counters",
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_payments_usage_counters_used")),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_usage_counters_family_id")
        ),
        sa.PrimaryKeyConstraint("family_id", "meter", "period", name=op.f("pk_payments_usage_counters")),
    )
    op.create_table(
        "payments_usage_entries",
        sa.Column("meter", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payments_usage_entries_amount")),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_usage_entries_family_id")
        ),
        sa.PrimaryKeyConstraint("meter", "key", name=op.f("pk_payments_usage_entries")),
    )
    op.create_index(
        "ix_payments_usage_entries_family", "payments_usage_entries", ["family_id", "meter", "period"], unique=False
    )
    op.create_index(
        "ix_payments_usage_entries_person",
        "payments_usage_entries",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("returned_at IS NULL"),
    )
    for statement in [*FUNCTIONS.values(), VIEW, *security(), *triggers()]:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"DROP VIEW {AUDIT}")
    op.execute("DROP TRIGGER payments_subscriptions_plan_changed ON payments_subscriptions")
    op.execute("DROP TRIGGER payments_families_plan_changed ON payments_families")
    for table in STORED:
        op.execute(f"DROP TRIGGER {table}_payments ON {table}")
    op.execute("DROP FUNCTION payments_hold_credits_of(uuid, uuid, text, int, int)")
    op.execute("DROP FUNCTION payments_hold_credits(uuid, uuid, text, int, int)")  # it returns rows of a table
    op.drop_table("payments_usage_entries")
    op.drop_table("payments_usage_counters")
    op.drop_table("payments_credit_returns")
    op.drop_table("payments_credit_uses")
    op.drop_table("payments_credit_holds")
    op.drop_table("payments_credit_lots")
    op.drop_table("payments_credit_accounts")
    op.drop_table("payments_recognitions")
    op.drop_table("payments_ledger_legs")
    op.drop_table("payments_ledger_transactions")
    op.drop_table("payments_clocks")
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION IF EXISTS {name}")
