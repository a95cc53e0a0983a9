"""Create the tables of reminders, and those of what people are told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db.security import IS_SYSTEM, USER, in_readable_vault, in_writable_vault, protect

revision = "b4c1"
down_revision = "b4c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"
MINE = f"{IS_SYSTEM} OR user_id = {USER}"
# Records from before get their reminders, too.
FOLLOW_ALL = """INSERT INTO jobs (id, kind, state, payload, step, progress_done, progress_total, attempts)
SELECT gen_random_uuid(), 'reminders.follow_item', 'queued',
  jsonb_build_object('item_id', id, 'vault_id', vault_id, 'change', 'updated'), 'waiting', 0, 0, 0
FROM vault_items WHERE trashed_at IS NULL"""
TABLES = (
    "notifications_preferences",
    "notifications_messages",
    "notifications_push_subscriptions",
    "notifications_pushes",
    "reminders",
    "reminder_sent",
    "reminder_snoozes",
    "reminder_feeds",
    "reminder_standing",
)


def time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    """An aware time."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW if now else None, nullable=nullable)


def column(name: str, kind: object, *, nullable: bool = False) -> sa.Column[object]:
    """A column, not null unless it is said."""
    return sa.Column(name, kind, nullable=nullable)  # type: ignore[arg-type]


def foreign_key(table: str, name: str, target: str, ondelete: str | None = "CASCADE") -> sa.ForeignKeyConstraint:
    """A foreign key to the id of another table, under our naming convention."""
    return sa.ForeignKeyConstraint([name], [f"{target}.id"], name=f"fk_{table}_{name}", ondelete=ondelete)


def sealed(table: str) -> list[sa.schema.SchemaItem]:
    """A sealed body, and the key that it names."""
    return [
        column("body", sa.LargeBinary()),
        sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
        foreign_key(table, "key_id", "data_keys", None),
    ]


def of_person(table: str, *items: sa.schema.SchemaItem, key: str = "id") -> None:
    """A table of rows that belong to one person."""
    own_id = [column("id", sa.Uuid())] if key == "id" else []
    op.create_table(
        table,
        *own_id,
        column("user_id", sa.Uuid()),
        *items,
        sa.PrimaryKeyConstraint(key, name=f"pk_{table}"),
        foreign_key(table, "user_id", "auth_users"),
    )


def index(table: str, *columns: str, name: str = "", where: str = "") -> None:
    """An index under our naming convention."""
    partial = {"postgresql_where": sa.text(where)} if where else {}
    op.create_index(name or f"ix_{table}_{'_'.join(columns)}", table, list(columns), **partial)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_notifications()
    _create_reminders()
    _create_what_follows()
    for table in TABLES:
        if table != "reminders":
            for statement in protect(table, read=MINE):
                op.execute(statement)
    read, write = f"user_id = {USER} OR {in_readable_vault()}", f"user_id = {USER} OR {in_writable_vault()}"
    for statement in protect("reminders", read=read, write=write):
        op.execute(statement)
    for table in ("notifications_messages", "notifications_push_subscriptions", "notifications_pushes", "reminders"):
        index(table, "key_id")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN body SET STORAGE EXTERNAL")  # ciphertext can't be compressed
    op.execute("SELECT set_config('app.principal', 'system', true)")
    op.execute(FOLLOW_ALL)


def _create_notifications() -> None:
    of_person(
        "notifications_preferences",
        column("zone", sa.String()),
        column("remind_at", sa.Integer()),
        column("quiet_from", sa.Integer(), nullable=True),
        column("quiet_until", sa.Integer(), nullable=True),
        column("channels", JSONB()),
        column("digest", sa.String()),
        column("digest_at", sa.Integer()),
        column("digest_weekday", sa.Integer()),
        column("titles", sa.String()),
        time("updated_at", now=True),
        key="user_id",
    )
    messages = "notifications_messages"
    of_person(
        messages,
        column("kind", sa.String()),
        column("cause", sa.String()),
        column("vault_id", sa.Uuid(), nullable=True),
        column("subject_id", sa.Uuid(), nullable=True),
        *sealed(messages),
        column("in_inbox", sa.Boolean()),
        *(time(name, nullable=True) for name in ("mail_at", "push_at", "read_at")),
        time("created_at", now=True),
        sa.UniqueConstraint("user_id", "cause", name="uq_notifications_messages_user_id_cause"),
    )
    index(messages, "user_id", "id", name=f"ix_{messages}_page", where="in_inbox")
    for name in ("mail_at", "push_at"):
        index(messages, name, where=f"{name} IS NOT NULL")
    for name in ("vault_id", "created_at"):
        index(messages, name)
    of_person(
        "notifications_push_subscriptions",
        column("endpoint_digest", sa.LargeBinary()),
        *sealed("notifications_push_subscriptions"),
        time("last_used_at", nullable=True),
        time("created_at", now=True),
        sa.UniqueConstraint("endpoint_digest", name="uq_notifications_push_subscriptions_endpoint_digest"),
    )
    pushes = "notifications_pushes"
    of_person(
        pushes,
        column("subscription_id", sa.Uuid()),
        *sealed(pushes),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        time("due_at", now=True),
        time("created_at", now=True),
        foreign_key(pushes, "subscription_id", "notifications_push_subscriptions"),
    )
    for table, name in (
        ("notifications_push_subscriptions", "user_id"),
        (pushes, "user_id"),
        (pushes, "subscription_id"),
        (pushes, "due_at"),
    ):
        index(table, name)


def _create_reminders() -> None:
    op.create_table(
        "reminders",
        column("id", sa.Uuid()),
        column("vault_id", sa.Uuid(), nullable=True),
        column("user_id", sa.Uuid(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), sa.Computed("COALESCE(vault_id, user_id)", persisted=True), nullable=False),
        *sealed("reminders"),
        *(column(name, sa.String()) for name in ("kind", "source", "state")),
        *(column(name, sa.Uuid(), nullable=True) for name in ("item_id", "document_id")),
        column("source_digest", sa.LargeBinary(), nullable=True),
        column("starts_on", sa.Date()),
        column("minute_of_day", sa.Integer(), nullable=True),
        column("zone", sa.String(), nullable=True),
        column("rrule", sa.String(), nullable=True),
        column("leads", ARRAY(sa.Integer())),
        column("assigned_to", ARRAY(sa.Uuid()), nullable=True),
        column("occurs_on", sa.Date()),
        time("occurs_at"),
        column("done_on", sa.Date(), nullable=True),
        time("done_at", nullable=True),
        time("armed_at"),
        time("next_at", nullable=True),
        column("created_by", sa.Uuid()),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        *(time(name, now=True) for name in ("created_at", "updated_at")),
        sa.PrimaryKeyConstraint("id", name="pk_reminders"),
        foreign_key("reminders", "vault_id", "vaults"),
        foreign_key("reminders", "user_id", "auth_users"),
        sa.UniqueConstraint("owner_id", "source_digest", name="uq_reminders_owner_id_source_digest"),
        sa.CheckConstraint("(vault_id IS NULL) <> (user_id IS NULL)", name="ck_reminders_owner"),
        sa.CheckConstraint("(minute_of_day IS NULL) = (zone IS NULL)", name="ck_reminders_time"),
        sa.CheckConstraint("kind IN ('expires', 'renews', 'due', 'other')", name="ck_reminders_kind"),
        sa.CheckConstraint("source IN ('manual', 'field', 'assistant')", name="ck_reminders_source"),
        sa.CheckConstraint("state IN ('proposed', 'active', 'done', 'dismissed', 'ended')", name="ck_reminders_state"),
    )
    index("reminders", "owner_id", "state", "occurs_at", "id", name="ix_reminders_page")
    index("reminders", "next_at", where="state = 'active'")
    for name in ("vault_id", "user_id", "item_id", "document_id"):
        index("reminders", name)


def _create_what_follows() -> None:
    sent = "reminder_sent"
    of_person(
        sent,
        column("reminder_id", sa.Uuid()),
        column("occurs_on", sa.Date()),
        time("occurs_at"),
        column("lead", sa.Integer()),
        column("sent", sa.Boolean()),
        column("token_digest", sa.LargeBinary(), nullable=True),
        time("created_at", now=True),
        foreign_key(sent, "reminder_id", "reminders"),
        sa.UniqueConstraint("reminder_id", "occurs_at", "lead", "user_id", name="uq_reminder_sent_once"),
        sa.UniqueConstraint("token_digest", name="uq_reminder_sent_token_digest"),
    )
    for name in ("user_id", "created_at"):
        index(sent, name)
    snoozes = "reminder_snoozes"
    op.create_table(
        snoozes,
        column("reminder_id", sa.Uuid()),
        column("user_id", sa.Uuid()),
        column("occurs_on", sa.Date()),
        time("until"),
        column("count", sa.Integer()),
        sa.PrimaryKeyConstraint("reminder_id", "user_id", name=f"pk_{snoozes}"),
        foreign_key(snoozes, "reminder_id", "reminders"),
        foreign_key(snoozes, "user_id", "auth_users"),
    )
    index(snoozes, "user_id")
    of_person(
        "reminder_feeds",
        column("token_digest", sa.LargeBinary()),
        column("titles", sa.String()),
        time("last_used_at", nullable=True),
        time("created_at", now=True),
        sa.UniqueConstraint("token_digest", name="uq_reminder_feeds_token_digest"),
        sa.CheckConstraint("titles IN ('full', 'private')", name="ck_reminder_feeds_titles"),
        key="user_id",
    )
    of_person("reminder_standing", time("review_at"), time("password_since"), time("password_at"), key="user_id")
    for name in ("review_at", "password_at"):
        index("reminder_standing", name)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(TABLES):
        op.drop_table(table)
