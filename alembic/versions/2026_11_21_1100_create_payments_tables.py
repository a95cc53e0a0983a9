"""Create the tables of payments: families, catalogue, billing, operations."""

import json
from uuid import NAMESPACE_URL, UUID, uuid5

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.db.security import FAMILY, FAMILY_FUNCTION, IS_SYSTEM, USER, protect

revision = "a5c0"
down_revision = "a4c0"
branch_labels = None
depends_on = None

GB = 1_000_000_000
PLANS = (
    # code, name, rank, days of trial, limits of version 1 (None: no limit)
    (
        "free",
        "Free",
        0,
        0,
        {
            "seats": 1,
            "more_seats": 0,
            "documents": 50,
            "storage_bytes": GB // 4,
            "credits_monthly": 30,
            "agents": 0,
            "api_requests_per_minute": 60,
        },
    ),
    (
        "plus",
        "Plus",
        1,
        14,
        {
            "seats": 1,
            "more_seats": 0,
            "documents": None,
            "storage_bytes": 20 * GB,
            "credits_monthly": 600,
            "agents": None,
            "api_requests_per_minute": 300,
        },
    ),
    (
        "family",
        "Family",
        2,
        14,
        {
            "seats": 6,
            "more_seats": 6,
            "documents": None,
            "storage_bytes": 100 * GB,
            "credits_monthly": 1_500,
            "agents": None,
            "api_requests_per_minute": 600,
        },
    ),
)
PRICES = (
    # lookup key, kind, plan, interval, cents, credits
    ("lv:plus:v1:month:eur", "plan", "plus", "month", 500, None),
    ("lv:plus:v1:year:eur", "plan", "plus", "year", 5_000, None),
    ("lv:family:v1:month:eur", "plan", "family", "month", 900, None),
    ("lv:family:v1:year:eur", "plan", "family", "year", 9_000, None),
    ("lv:family:v1:seat:month:eur", "seat", "family", "month", 150, None),
    ("lv:family:v1:seat:year:eur", "seat", "family", "year", 1_500, None),
    ("lv:credits:500:eur", "credits", None, "once", 500, 500),
    ("lv:credits:2500:eur", "credits", None, "once", 2_000, 2_500),
)

IMMUTABLE = """CREATE FUNCTION payments_immutable() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '% of % is immutable', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"""

TERMINAL = """CREATE FUNCTION payments_ended_is_terminal() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN
IF OLD.state = 'ended' AND NEW.state <> 'ended' THEN
  RAISE EXCEPTION 'a subscription that ended does not come back' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW; END $$"""

ANYBODY = "app_principal() <> ''"
CATALOGUE = ("payments_plans", "payments_plan_versions", "payments_prices")
OF_A_FAMILY = (
    "payments_checkouts",
    "payments_coupon_uses",
    "payments_customers",
    "payments_disputes",
    "payments_invoice_lines",
    "payments_invoices",
    "payments_operations",
    "payments_payments",
    "payments_receipts",
    "payments_refunds",
    "payments_subscriptions",
    "payments_trials",
)


def fixed_id(name: str) -> UUID:
    """The id of a row that every installation has."""
    return uuid5(NAMESPACE_URL, f"lifevault:{name}")


def security() -> list[str]:
    """Rights and policies: what a family pays is its own; the catalogue is everybody's to read."""
    mine = f"{IS_SYSTEM} OR family_id = {FAMILY}"
    in_it = f"id IN (SELECT s.family_id FROM payments_seats s WHERE s.user_id = {USER} AND s.state = 'claimed')"  # noqa: S608  constants
    return [
        FAMILY_FUNCTION,
        *protect(
            "payments_families",
            read=f"{IS_SYSTEM} OR id = {FAMILY} OR owner_id = {USER} OR {in_it}",
            write=f"{IS_SYSTEM} OR id = {FAMILY}",
        ),
        *protect("payments_seats", read=f"{mine} OR user_id = {USER}", write=mine),
        *[statement for table in OF_A_FAMILY for statement in protect(table, read=mine)],
        *[statement for table in CATALOGUE for statement in protect(table, read=ANYBODY, write=IS_SYSTEM)],
        *protect("payments_inbox", read=IS_SYSTEM),
        *protect("payments_reconciliations", read=IS_SYSTEM),
        *protect("payments_differences", read=IS_SYSTEM),
        *protect("payments_receipt_series", read=IS_SYSTEM),
        *protect("payments_coupons", read=ANYBODY, write=f"{IS_SYSTEM} OR {FAMILY} IS NOT NULL"),
        *protect("payments_provider_prices", read=ANYBODY, write=ANYBODY),
    ]


def triggers() -> list[str]:
    """What the database itself refuses."""
    return [
        IMMUTABLE,
        TERMINAL,
        "CREATE TRIGGER payments_plan_versions_immutable BEFORE UPDATE OR DELETE ON payments_plan_versions "
        "FOR EACH ROW EXECUTE FUNCTION payments_immutable()",
        "CREATE TRIGGER payments_prices_immutable BEFORE DELETE OR UPDATE OF lookup_key, kind, plan_version_id, "
        "interval, currency, amount_cents, credits ON payments_prices "
        "FOR EACH ROW EXECUTE FUNCTION payments_immutable()",
        "CREATE TRIGGER payments_subscriptions_ended BEFORE UPDATE ON payments_subscriptions "
        "FOR EACH ROW EXECUTE FUNCTION payments_ended_is_terminal()",
    ]


def fill_catalogue() -> None:
    """The plans and prices that LifeVault begins with."""
    connection = op.get_bind()
    for code, name, rank, trial_days, limits in PLANS:
        connection.execute(
            sa.text("INSERT INTO payments_plans (code, name, rank, trial_days) VALUES (:code, :name, :rank, :days)"),
            {"code": code, "name": name, "rank": rank, "days": trial_days},
        )
        connection.execute(
            sa.text("INSERT INTO payments_plan_versions (id, plan_code, version, limits) VALUES (:id, :code, 1, :l)"),
            {"id": fixed_id(f"plan:{code}:1"), "code": code, "l": json.dumps(limits)},
        )
    for lookup_key, kind, plan, interval, cents, credits in PRICES:
        connection.execute(
            sa.text(
                "INSERT INTO payments_prices (id, lookup_key, kind, plan_version_id, interval, currency, amount_cents, "
                "credits) VALUES (:id, :key, :kind, :version, :interval, 'eur', :cents, :credits)"
            ),
            {
                "id": fixed_id(lookup_key),
                "key": lookup_key,
                "kind": kind,
                "version": fixed_id(f"plan:{plan}:1") if plan else None,
                "interval": interval,
                "cents": cents,
                "credits": credits,
            },
        )


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "payments_plans",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("trial_days", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_payments_plans")),
        sa.UniqueConstraint("rank", name=op.f("uq_payments_plans_rank")),
    )
    op.create_table(
        "payments_coupons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("amount_cents", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("months", sa.Integer(), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("plan_code", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(amount_cents IS NULL) = (currency IS NULL)", name=op.f("ck_payments_coupons_currency")),
        sa.CheckConstraint("(percent IS NULL) <> (amount_cents IS NULL)", name=op.f("ck_payments_coupons_value")),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_payments_coupons_amount")),
        sa.CheckConstraint("percent BETWEEN 1 AND 100", name=op.f("ck_payments_coupons_percent")),
        sa.CheckConstraint(
            "used >= 0 AND (max_uses IS NULL OR used <= max_uses)", name=op.f("ck_payments_coupons_cap")
        ),
        sa.ForeignKeyConstraint(["plan_code"], ["payments_plans.code"], name=op.f("fk_payments_coupons_plan_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_coupons")),
        sa.UniqueConstraint("code", name=op.f("uq_payments_coupons_code")),
    )
    op.create_table(
        "payments_plan_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_code", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_code"], ["payments_plans.code"], name=op.f("fk_payments_plan_versions_plan_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_plan_versions")),
        sa.UniqueConstraint("plan_code", "version", name=op.f("uq_payments_plan_versions_plan_code_version")),
    )
    op.create_table(
        "payments_families",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("granted_plan_version_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["granted_plan_version_id"],
            ["payments_plan_versions.id"],
            name=op.f("fk_payments_families_granted_plan_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["auth_users.id"], name=op.f("fk_payments_families_owner_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_families")),
        sa.UniqueConstraint("owner_id", name=op.f("uq_payments_families_owner_id")),
    )
    op.create_table(
        "payments_prices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lookup_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("plan_version_id", sa.Uuid(), nullable=True),
        sa.Column("interval", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=True),
        sa.Column("is_offered", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("(kind = 'credits') = (credits IS NOT NULL)", name=op.f("ck_payments_prices_credits")),
        sa.CheckConstraint("(kind = 'credits') = (interval = 'once')", name=op.f("ck_payments_prices_once")),
        sa.CheckConstraint("(kind = 'credits') = (plan_version_id IS NULL)", name=op.f("ck_payments_prices_plan")),
        sa.CheckConstraint("interval IN ('month', 'year', 'once')", name=op.f("ck_payments_prices_interval")),
        sa.CheckConstraint("kind IN ('plan', 'seat', 'credits')", name=op.f("ck_payments_prices_kind")),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_payments_prices_amount")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["payments_plan_versions.id"], name=op.f("fk_payments_prices_plan_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_prices")),
        sa.UniqueConstraint("lookup_key", name=op.f("uq_payments_prices_lookup_key")),
        sa.UniqueConstraint(
            "plan_version_id",
            "kind",
            "interval",
            "currency",
            name=op.f("uq_payments_prices_plan_version_id_kind_interval_currency"),
        ),
    )
    op.create_table(
        "payments_checkouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=True),
        sa.Column("coupon_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), server_default="open", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("purpose IN ('plan', 'credits', 'card')", name=op.f("ck_payments_checkouts_purpose")),
        sa.CheckConstraint("state IN ('open', 'complete', 'expired')", name=op.f("ck_payments_checkouts_state")),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_checkouts_family_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_checkouts")),
        sa.UniqueConstraint("operation_id", name=op.f("uq_payments_checkouts_operation_id")),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_payments_checkouts_provider_provider_id")),
    )
    op.create_index(op.f("ix_payments_checkouts_family_id"), "payments_checkouts", ["family_id"], unique=False)
    op.create_index(
        "ix_payments_checkouts_open",
        "payments_checkouts",
        ["family_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "payments_coupon_uses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["coupon_id"], ["payments_coupons.id"], name=op.f("fk_payments_coupon_uses_coupon_id")),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_coupon_uses_family_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_coupon_uses")),
        sa.UniqueConstraint("coupon_id", "family_id", name=op.f("uq_payments_coupon_uses_coupon_id_family_id")),
    )
    op.create_index(op.f("ix_payments_coupon_uses_family_id"), "payments_coupon_uses", ["family_id"], unique=False)
    op.create_table(
        "payments_customers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_customers_family_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_customers")),
        sa.UniqueConstraint(
            "family_id", "provider", "livemode", name=op.f("uq_payments_customers_family_id_provider_livemode")
        ),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_payments_customers_provider_provider_id")),
    )
    op.create_index(op.f("ix_payments_customers_family_id"), "payments_customers", ["family_id"], unique=False)
    op.create_table(
        "payments_operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), server_default="created", nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('created', 'sent', 'succeeded', 'failed', 'unknown')", name=op.f("ck_payments_operations_state")
        ),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_operations_family_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_operations")),
        sa.UniqueConstraint("kind", "subject", "attempt", name=op.f("uq_payments_operations_kind_subject_attempt")),
    )
    op.create_index(op.f("ix_payments_operations_family_id"), "payments_operations", ["family_id"], unique=False)
    op.create_index(
        "ix_payments_operations_unsettled",
        "payments_operations",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state IN ('created', 'sent', 'unknown')"),
    )
    op.create_table(
        "payments_provider_prices",
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["price_id"], ["payments_prices.id"], name=op.f("fk_payments_provider_prices_price_id")
        ),
        sa.PrimaryKeyConstraint("price_id", "provider", name=op.f("pk_payments_provider_prices")),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_payments_provider_prices_provider_provider_id")),
    )
    op.create_table(
        "payments_seats",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "key_id",
            sa.Uuid(),
            sa.Computed("encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid", persisted=True),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(state = 'claimed') <= (user_id IS NOT NULL)", name=op.f("ck_payments_seats_claimed")),
        sa.CheckConstraint("state IN ('invited', 'claimed', 'revoked')", name=op.f("ck_payments_seats_state")),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_seats_family_id")),
        sa.ForeignKeyConstraint(["key_id"], ["data_keys.id"], name=op.f("fk_payments_seats_key_id")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["auth_users.id"], name=op.f("fk_payments_seats_owner_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth_users.id"], name=op.f("fk_payments_seats_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_seats")),
    )
    op.create_index(op.f("ix_payments_seats_family_id"), "payments_seats", ["family_id"], unique=False)
    op.create_index(op.f("ix_payments_seats_key_id"), "payments_seats", ["key_id"], unique=False)
    op.create_index(
        "ix_payments_seats_person",
        "payments_seats",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("state = 'claimed'"),
    )
    op.create_index("ix_payments_seats_token", "payments_seats", ["token_digest"], unique=True)
    op.create_table(
        "payments_subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("plan_version_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("provider_status", sa.String(), nullable=False),
        sa.Column("interval", sa.String(), nullable=False),
        sa.Column("seats", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trial_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_at_period_end", sa.Boolean(), nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("grace_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("planned_plan_version_id", sa.Uuid(), nullable=True),
        sa.Column("planned_interval", sa.String(), nullable=True),
        sa.Column("planned_seats", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'trialing', 'active', 'grace', 'suspended', 'ended')",
            name=op.f("ck_payments_subscriptions_state"),
        ),
        sa.CheckConstraint("seats >= 0", name=op.f("ck_payments_subscriptions_seats")),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_subscriptions_family_id")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["payments_plan_versions.id"], name=op.f("fk_payments_subscriptions_plan_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["planned_plan_version_id"],
            ["payments_plan_versions.id"],
            name=op.f("fk_payments_subscriptions_planned_plan_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_subscriptions")),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_payments_subscriptions_provider_provider_id")),
    )
    op.create_index(op.f("ix_payments_subscriptions_family_id"), "payments_subscriptions", ["family_id"], unique=False)
    op.create_index(
        "ix_payments_subscriptions_live",
        "payments_subscriptions",
        ["family_id"],
        unique=False,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_table(
        "payments_trials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("card_digest", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_trials_family_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_trials")),
        sa.UniqueConstraint("family_id", name=op.f("uq_payments_trials_family_id")),
    )
    op.create_index(
        "ix_payments_trials_card",
        "payments_trials",
        ["card_digest"],
        unique=True,
        postgresql_where=sa.text("card_digest IS NOT NULL"),
    )
    op.create_index(op.f("ix_payments_trials_family_id"), "payments_trials", ["family_id"], unique=False)
    op.create_table(
        "payments_invoices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("provider_number", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("subtotal_cents", sa.BigInteger(), nullable=False),
        sa.Column("discount_cents", sa.BigInteger(), nullable=False),
        sa.Column("tax_cents", sa.BigInteger(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("due_cents", sa.BigInteger(), nullable=False),
        sa.Column("paid_cents", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('draft', 'open', 'paid', 'void', 'uncollectible')", name=op.f("ck_payments_invoices_status")
        ),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_invoices_family_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["payments_subscriptions.id"], name=op.f("fk_payments_invoices_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_invoices")),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_payments_invoices_provider_provider_id")),
    )
    op.create_index(op.f("ix_payments_invoices_family_id"), "payments_invoices", ["family_id"], unique=False)
    op.create_index(
        op.f("ix_payments_invoices_subscription_id"), "payments_invoices", ["subscription_id"], unique=False
    )
    op.create_table(
        "payments_payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("credits_price_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("charge_id", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("received_cents", sa.BigInteger(), nullable=False),
        sa.Column("refunded_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_disputed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("card_country", sa.String(), nullable=True),
        sa.Column("card_digest", sa.LargeBinary(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("refunded_cents BETWEEN 0 AND received_cents", name=op.f("ck_payments_payments_refunded")),
        sa.ForeignKeyConstraint(
            ["credits_price_id"], ["payments_prices.id"], name=op.f("fk_payments_payments_credits_price_id")
        ),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_payments_family_id")),
        sa.ForeignKeyConstraint(["invoice_id"], ["payments_invoices.id"], name=op.f("fk_payments_payments_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_payments")),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_payments_payments_provider_provider_id")),
    )
    op.create_index("ix_payments_payments_charge", "payments_payments", ["provider", "charge_id"], unique=True)
    op.create_index(op.f("ix_payments_payments_family_id"), "payments_payments", ["family_id"], unique=False)
    op.create_index(op.f("ix_payments_payments_invoice_id"), "payments_payments", ["invoice_id"], unique=False)
    op.create_table(
        "payments_disputes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_disputes_family_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments_payments.id"], name=op.f("fk_payments_disputes_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_disputes")),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_payments_disputes_provider_provider_id")),
    )
    op.create_index(op.f("ix_payments_disputes_family_id"), "payments_disputes", ["family_id"], unique=False)
    op.create_index(op.f("ix_payments_disputes_payment_id"), "payments_disputes", ["payment_id"], unique=False)
    op.create_table(
        "payments_refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("provider_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_payments_refunds_amount")),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_refunds_family_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments_payments.id"], name=op.f("fk_payments_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_refunds")),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_payments_refunds_provider_provider_id")),
    )
    op.create_index(op.f("ix_payments_refunds_family_id"), "payments_refunds", ["family_id"], unique=False)
    op.create_index(op.f("ix_payments_refunds_payment_id"), "payments_refunds", ["payment_id"], unique=False)
    op.create_table(
        "payments_inbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_inbox")),
        sa.UniqueConstraint(
            "provider", "account", "event_id", name=op.f("uq_payments_inbox_provider_account_event_id")
        ),
    )
    op.create_index(
        "ix_payments_inbox_due",
        "payments_inbox",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NULL AND dead_at IS NULL"),
    )
    op.create_index(
        "ix_payments_inbox_dead",
        "payments_inbox",
        ["dead_at"],
        unique=False,
        postgresql_where=sa.text("dead_at IS NOT NULL"),
    )
    op.create_table(
        "payments_receipt_series",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_payments_receipt_series")),
    )
    op.create_table(
        "payments_receipts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(invoice_id IS NULL) <> (payment_id IS NULL)", name=op.f("ck_payments_receipts_subject")),
        sa.CheckConstraint("number > 0", name=op.f("ck_payments_receipts_number")),
        sa.ForeignKeyConstraint(["family_id"], ["payments_families.id"], name=op.f("fk_payments_receipts_family_id")),
        sa.ForeignKeyConstraint(["invoice_id"], ["payments_invoices.id"], name=op.f("fk_payments_receipts_invoice_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments_payments.id"], name=op.f("fk_payments_receipts_payment_id")),
        sa.ForeignKeyConstraint(["series"], ["payments_receipt_series.code"], name=op.f("fk_payments_receipts_series")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_receipts")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_payments_receipts_invoice_id")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_payments_receipts_payment_id")),
        sa.UniqueConstraint("series", "number", name=op.f("uq_payments_receipts_series_number")),
    )
    op.create_index(op.f("ix_payments_receipts_family_id"), "payments_receipts", ["family_id"], unique=False)
    op.create_table(
        "payments_reconciliations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("depth", sa.String(), nullable=False),
        sa.Column("reached_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.Column("events_added", sa.Integer(), nullable=False),
        sa.Column("healed", sa.Integer(), nullable=False),
        sa.Column("open_differences", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("depth IN ('light', 'deep')", name=op.f("ck_payments_reconciliations_depth")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_reconciliations")),
    )
    op.create_index(
        "ix_payments_reconciliations_newest", "payments_reconciliations", ["provider", "reached_to"], unique=False
    )
    op.create_table(
        "payments_differences",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("ours", sa.String(), nullable=True),
        sa.Column("theirs", sa.String(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["payments_reconciliations.id"], name=op.f("fk_payments_differences_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_differences")),
    )
    op.create_index(op.f("ix_payments_differences_run_id"), "payments_differences", ["run_id"], unique=False)
    op.create_index(
        "ix_payments_differences_open",
        "payments_differences",
        ["provider", "kind", "reference", "field"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "payments_invoice_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("lookup_key", sa.String(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("discount_cents", sa.BigInteger(), nullable=False),
        sa.Column("tax_cents", sa.BigInteger(), nullable=False),
        sa.Column("is_proration", sa.Boolean(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["family_id"], ["payments_families.id"], name=op.f("fk_payments_invoice_lines_family_id")
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["payments_invoices.id"], name=op.f("fk_payments_invoice_lines_invoice_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_invoice_lines")),
        sa.UniqueConstraint("invoice_id", "provider_id", name=op.f("uq_payments_invoice_lines_invoice_id_provider_id")),
    )
    op.create_index(op.f("ix_payments_invoice_lines_family_id"), "payments_invoice_lines", ["family_id"], unique=False)
    fill_catalogue()  # before row-level security holds for the owner of the tables, too
    for statement in [*security(), *triggers()]:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP POLICY payments_families_read ON payments_families")  # it names the seats
    op.drop_table("payments_receipts")
    op.drop_table("payments_receipt_series")
    op.drop_table("payments_invoice_lines")
    op.drop_table("payments_differences")
    op.drop_table("payments_reconciliations")
    op.drop_table("payments_inbox")
    op.drop_table("payments_refunds")
    op.drop_table("payments_disputes")
    op.drop_table("payments_payments")
    op.drop_table("payments_invoices")
    op.drop_table("payments_trials")
    op.drop_table("payments_subscriptions")
    op.drop_table("payments_seats")
    op.drop_table("payments_provider_prices")
    op.drop_table("payments_operations")
    op.drop_table("payments_customers")
    op.drop_table("payments_coupon_uses")
    op.drop_table("payments_checkouts")
    op.drop_table("payments_prices")
    op.drop_table("payments_families")
    op.drop_table("payments_plan_versions")
    op.drop_table("payments_coupons")
    op.drop_table("payments_plans")
    for function in ("payments_ended_is_terminal", "payments_immutable", "app_family"):
        op.execute(f"DROP FUNCTION {function}()")
