"""Create the tables of agents."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.security import IS_SYSTEM, USER, in_readable_vault, protect

revision = "a6c0"
down_revision = "a2c1"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"
RUN_STATES = "'queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled'"
TABLES = (
    "agents",
    "agent_versions",
    "agent_conversations",
    "agent_runs",
    "agent_messages",
    "agent_events",
    "agent_approvals",
    "agent_memories",
    "agent_schedules",
    "agent_schedule_slots",
    "agent_model_calls",
)


def time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    """An aware time."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW if now else None, nullable=nullable)


def number(name: str, default: int | None = 0) -> sa.Column[object]:
    """A whole number."""
    shown = None if default is None else sa.text(str(default))
    return sa.Column(name, sa.Integer(), server_default=shown, nullable=False)


def foreign_key(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    """A foreign key to the id of another table, under our naming convention."""
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def create(table: str, *items: sa.schema.SchemaItem, sealed: bool = True, updated: bool = False) -> None:
    """A table of rows of people, which they alone see."""
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
        sa.Column("user_id", sa.Uuid(), nullable=False),
        *body,
        *items,
        time("created_at", now=True),
        *([time("updated_at", now=True)] if updated else []),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        foreign_key(table, "user_id", "auth_users", "CASCADE"),
    )
    if sealed:
        op.create_index(f"ix_{table}_key_id", table, ["key_id"])
        op.execute(f"ALTER TABLE {table} ALTER COLUMN body SET STORAGE EXTERNAL")  # ciphertext can't be compressed
    op.create_index(f"ix_{table}_user_id", table, ["user_id"])


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    create("agents", number("version", 1), sealed=False, updated=True)
    create(
        "agent_versions",
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        number("number", None),
        sa.UniqueConstraint("agent_id", "number", name="uq_agent_versions_number"),
        foreign_key("agent_versions", "agent_id", "agents", "CASCADE"),
    )
    create("agent_conversations", sa.Column("agent_id", sa.Uuid(), nullable=False), updated=True)
    _create_runs()
    for table in ("agent_messages", "agent_events"):
        create(
            table,
            sa.Column("run_id", sa.Uuid(), nullable=False),
            number("ordinal", None),
            *([sa.Column("kind", sa.String(), nullable=False)] if table == "agent_events" else []),
            sa.UniqueConstraint("run_id", "ordinal", name=f"uq_{table}_ordinal"),
            foreign_key(table, "run_id", "agent_runs", "CASCADE"),
        )
    create(
        "agent_approvals",
        sa.Column("run_id", sa.Uuid()),
        sa.Column("call_id", sa.String()),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'pending'"), nullable=False),
        time("expires_at"),
        time("decided_at", nullable=True),
        time("consumed_at", nullable=True),
        sa.UniqueConstraint("run_id", "call_id", name="uq_agent_approvals_call"),
        sa.CheckConstraint("state IN ('pending', 'approved', 'denied', 'consumed')", name="ck_agent_approvals_state"),
        foreign_key("agent_approvals", "run_id", "agent_runs", "CASCADE"),
    )
    create(
        "agent_memories",
        sa.Column("run_id", sa.Uuid()),
        foreign_key("agent_memories", "run_id", "agent_runs", "SET NULL"),
        updated=True,
    )
    _create_schedules()
    create(
        "agent_model_calls",
        sa.Column("run_id", sa.Uuid()),
        number("step", None),
        sa.Column("model", sa.String(), nullable=False),
        *(number(name, None) for name in ("prompt_tokens", "completion_tokens", "credits")),
        sa.UniqueConstraint("run_id", "step", name="uq_agent_model_calls_step"),
        foreign_key("agent_model_calls", "run_id", "agent_runs", "SET NULL"),
        sealed=False,
    )
    for table in TABLES:
        for statement in protect(table, read=f"{IS_SYSTEM} OR user_id = {USER}"):
            op.execute(statement)
    _create_rules()


def _create_runs() -> None:
    create(
        "agent_runs",
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        number("agent_version", None),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("background", sa.Boolean(), nullable=False),
        sa.Column("scopes", ARRAY(sa.String()), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("reason", sa.String()),
        *(number(name) for name in ("steps", "events", "prompt_tokens", "completion_tokens", "credits")),
        sa.Column("job_id", sa.Uuid()),
        time("cancelled_at", nullable=True),
        time("started_at", nullable=True),
        time("ended_at", nullable=True),
        sa.CheckConstraint(f"state IN ({RUN_STATES})", name="ck_agent_runs_state"),
        foreign_key("agent_runs", "conversation_id", "agent_conversations", "CASCADE"),
    )
    op.create_index("ix_agent_runs_conversation_id", "agent_runs", ["conversation_id"])
    unended = {"unique": True, "postgresql_where": sa.text("ended_at IS NULL")}
    op.create_index("ix_agent_runs_open", "agent_runs", ["conversation_id"], **unended)


def _create_schedules() -> None:
    create(
        "agent_schedules",
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", ARRAY(sa.String()), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        number("minute_of_day", None),
        sa.Column("weekdays", ARRAY(sa.Integer()), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=False),
        time("next_at"),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        updated=True,
    )
    op.create_index("ix_agent_schedules_due", "agent_schedules", ["next_at"], postgresql_where=sa.text("enabled"))
    create(
        "agent_schedule_slots",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        time("due_at"),
        sa.Column("run_id", sa.Uuid()),
        sa.UniqueConstraint("schedule_id", "due_on", name="uq_agent_schedule_slots_due"),
        foreign_key("agent_schedule_slots", "schedule_id", "agent_schedules", "CASCADE"),
        foreign_key("agent_schedule_slots", "run_id", "agent_runs", "SET NULL"),
        sealed=False,
    )


def _create_rules() -> None:
    """What owners allow: every member may see it, the owner decides (see `app.agents.rules`)."""
    op.create_table(
        "agent_vault_rules",
        sa.Column("vault_id", sa.Uuid(), nullable=False),
        sa.Column("providers", ARRAY(sa.String())),
        sa.Column("masked", sa.Boolean(), nullable=False),
        time("updated_at", now=True),
        sa.PrimaryKeyConstraint("vault_id", name="pk_agent_vault_rules"),
        foreign_key("agent_vault_rules", "vault_id", "vaults", "CASCADE"),
    )
    owners = (
        f"{IS_SYSTEM} OR vault_id IN (SELECT m.vault_id FROM vault_members m WHERE m.user_id = {USER} "  # noqa: S608  constants
        "AND m.role = 'owner')"
    )
    for statement in protect("agent_vault_rules", read=in_readable_vault(), write=owners):
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("agent_vault_rules", *reversed(TABLES)):
        op.drop_table(table)
