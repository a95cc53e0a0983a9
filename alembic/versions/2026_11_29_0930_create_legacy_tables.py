"""Create the tables of legacy: nominees, plans, release cases, drills, keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db.security import IS_SYSTEM, USER, protect

revision = "b5c0"
down_revision = "b2c0"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"
CASE_STATES = "'suspected', 'reminding', 'confirming', 'waiting', 'released', 'stopped', 'closed'"
READ_KINDS = "'overview', 'items', 'item', 'documents', 'document', 'content', 'server_sheet'"
TABLES = (
    "nominees",
    "nominee_links",
    "nominee_codes",
    "nominee_sessions",
    "legacy_plans",
    "legacy_gifts",
    "legacy_messages",
    "legacy_keys",
    "legacy_cases",
    "legacy_case_events",
    "legacy_attestations",
    "legacy_proofs",
    "legacy_releases",
    "legacy_reads",
    "legacy_drills",
    "legacy_drill_people",
)
# The ways of a case as `app.nominees.machine` has them, held by the database too.
GUARD = """CREATE FUNCTION legacy_case_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND OLD.state || ' ' || NEW.state NOT IN (
        'suspected reminding', 'suspected stopped', 'reminding confirming', 'reminding waiting', 'reminding stopped',
        'confirming waiting', 'confirming stopped', 'waiting released', 'waiting stopped', 'released stopped',
        'released closed', 'stopped closed'
    ) THEN
        RAISE EXCEPTION 'a release case does not go from % to %', OLD.state, NEW.state;
    END IF;
    IF NEW.rules <> OLD.rules OR NEW.plan_id <> OLD.plan_id OR NEW.opened_at <> OLD.opened_at THEN
        RAISE EXCEPTION 'the rules of a release case stay as they are';
    END IF;
    RETURN NEW;
END $$"""
RELEASE_GUARD = """CREATE FUNCTION legacy_release_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM legacy_cases c WHERE c.id = NEW.case_id AND c.plan_id = NEW.plan_id AND c.state = 'released';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this case has released nothing';
    END IF;
    RETURN NEW;
END $$"""


def time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    """An aware time."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW if now else None, nullable=nullable)


def number(name: str, default: int | None = None, *, nullable: bool = False) -> sa.Column[object]:
    """A whole number."""
    shown = None if default is None else sa.text(str(default))
    return sa.Column(name, sa.Integer(), server_default=shown, nullable=nullable)


def some_id(name: str, *, nullable: bool = False) -> sa.Column[object]:
    """An id."""
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def word(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[object]:
    """A kind or a state."""
    return sa.Column(name, sa.String(), nullable=nullable, server_default=sa.text(f"'{default}'") if default else None)


def flag(name: str, default: bool | None = None) -> sa.Column[object]:
    """True or false."""
    shown = None if default is None else sa.text(str(default).lower())
    return sa.Column(name, sa.Boolean(), server_default=shown, nullable=False)


def binary(name: str) -> sa.Column[object]:
    """Bytes."""
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def refers(table: str, column: str, target: str, ondelete: str | None = "CASCADE") -> sa.ForeignKeyConstraint:
    """A foreign key to the id of another table, under our naming convention."""
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    """A unique constraint, under our naming convention."""
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    """A check, under our naming convention."""
    return sa.CheckConstraint(condition, name=f"ck_{table}_{name}")


def index(table: str, *columns: str) -> None:
    """An index, under our naming convention."""
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def create(
    table: str, *items: sa.schema.SchemaItem, sealed: bool = False, created: bool = True, by_user: bool = True
) -> None:
    """A table of rows of people, with a sealed body if asked for."""
    body: list[sa.schema.SchemaItem] = []
    if sealed:
        body = [
            binary("body"),
            sa.Column("key_id", sa.Uuid(), sa.Computed(KEY_OF_BODY, persisted=True), nullable=False),
            refers(table, "key_id", "data_keys", None),
        ]
    op.create_table(
        table,
        some_id("id"),
        some_id("user_id"),
        *body,
        *items,
        *([time("created_at", now=True)] if created else []),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        refers(table, "user_id", "auth_users"),
    )
    if sealed:
        index(table, "key_id")
    if by_user:
        index(table, "user_id")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_people()
    _create_plans()
    _create_cases()
    _create_drills()
    for table in TABLES:
        for statement in protect(table, read=f"{IS_SYSTEM} OR user_id = {USER}"):
            op.execute(statement)
    for table, name, when in (
        ("legacy_cases", "legacy_case_guard", "UPDATE"),
        ("legacy_releases", "legacy_release_guard", "INSERT"),
    ):
        op.execute(GUARD if table == "legacy_cases" else RELEASE_GUARD)
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def _create_people() -> None:
    create(
        "nominees",
        binary("email_digest"),
        word("state", default="invited"),
        time("invited_at", now=True),
        time("answered_at", nullable=True),
        time("verified_at", nullable=True),
        time("updated_at", now=True),
        unique("nominees", "user_id", "email_digest"),
        check("nominees", "state", "state IN ('invited', 'accepted', 'declined')"),
        sealed=True,
    )
    index("nominees", "email_digest")
    create(
        "nominee_links",
        word("kind"),
        binary("digest"),
        some_id("nominee_id", nullable=True),
        some_id("subject_id", nullable=True),
        time("expires_at"),
        time("used_at", nullable=True),
        unique("nominee_links", "digest"),
        check("nominee_links", "kind", "kind IN ('invitation', 'sign_in', 'stop', 'confirm', 'drill')"),
        refers("nominee_links", "nominee_id", "nominees"),
    )
    index("nominee_links", "nominee_id")
    index("nominee_links", "expires_at")
    create(
        "nominee_codes",
        some_id("nominee_id"),
        some_id("link_id"),
        binary("digest"),
        number("attempts", 0),
        time("expires_at"),
        unique("nominee_codes", "nominee_id"),
        refers("nominee_codes", "nominee_id", "nominees"),
        refers("nominee_codes", "link_id", "nominee_links"),
    )
    index("nominee_codes", "link_id")
    index("nominee_codes", "expires_at")
    create(
        "nominee_sessions",
        some_id("nominee_id"),
        binary("digest"),
        time("expires_at"),
        unique("nominee_sessions", "digest"),
        refers("nominee_sessions", "nominee_id", "nominees"),
    )
    index("nominee_sessions", "nominee_id")
    index("nominee_sessions", "expires_at")


def _create_plans() -> None:
    create(
        "legacy_plans",
        number("revision", 1),
        time("armed_at", nullable=True),
        flag("may_be_asked"),
        number("inactivity_days", nullable=True),
        number("reminder_days"),
        some_id("confirmer_id", nullable=True),
        number("confirmation_days"),
        flag("goes_on_if_silent"),
        *(number(name) for name in ("attestations_needed", "waiting_days", "access_days", "cooldown_days")),
        flag("gives_server_sheet"),
        sa.Column("stages", ARRAY(sa.BigInteger()), nullable=False),
        time("updated_at", now=True),
        refers("legacy_plans", "confirmer_id", "nominees", None),
        sealed=True,
    )
    index("legacy_plans", "confirmer_id")
    by_inactivity = sa.text("armed_at IS NOT NULL AND inactivity_days > 0")
    op.create_index("ix_legacy_plans_armed", "legacy_plans", ["id"], postgresql_where=by_inactivity)
    create(
        "legacy_gifts",
        some_id("plan_id"),
        some_id("nominee_id"),
        number("stage"),
        some_id("vault_id"),
        word("type", nullable=True),
        some_id("item_id", nullable=True),
        some_id("document_id", nullable=True),
        check("legacy_gifts", "part", "num_nonnulls(type, item_id, document_id) <= 1"),
        refers("legacy_gifts", "plan_id", "legacy_plans"),
        refers("legacy_gifts", "nominee_id", "nominees", None),
        refers("legacy_gifts", "vault_id", "vaults"),
        refers("legacy_gifts", "item_id", "vault_items"),
        refers("legacy_gifts", "document_id", "vault_documents"),
    )
    op.create_index("ix_legacy_gifts_plan_id", "legacy_gifts", ["plan_id", "nominee_id"])
    for column in ("nominee_id", "vault_id", "item_id", "document_id"):
        index("legacy_gifts", column)
    create(
        "legacy_messages",
        some_id("plan_id"),
        some_id("nominee_id"),
        unique("legacy_messages", "plan_id", "nominee_id"),
        refers("legacy_messages", "plan_id", "legacy_plans"),
        refers("legacy_messages", "nominee_id", "nominees", None),
        sealed=True,
    )
    index("legacy_messages", "nominee_id")
    create(
        "legacy_keys",
        binary("public_key"),
        number("nominees_needed"),
        sa.Column("nominee_ids", ARRAY(sa.Uuid()), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sealed=True,
    )


def _create_cases() -> None:
    create(
        "legacy_cases",
        some_id("plan_id"),
        word("trigger"),
        some_id("asked_by", nullable=True),
        sa.Column("rules", JSONB(), nullable=False),
        word("state"),
        time("opened_at"),
        time("entered_at"),
        time("due_at", nullable=True),
        number("reminders", 0),
        flag("confirmed", default=False),
        number("attestations", 0),
        number("stages", 0),
        time("released_at", nullable=True),
        time("ends_at", nullable=True),
        word("ending", nullable=True),
        check("legacy_cases", "trigger", "trigger IN ('inactive', 'asked')"),
        check("legacy_cases", "state", f"state IN ({CASE_STATES})"),
        check("legacy_cases", "ending", "ending IN ('owner', 'owner_seen', 'declined', 'unconfirmed', 'over')"),
        check("legacy_cases", "no_dead_end", "(due_at IS NULL) = (state = 'closed')"),
        check("legacy_cases", "end", "(state IN ('stopped', 'closed')) = (ending IS NOT NULL)"),
        refers("legacy_cases", "plan_id", "legacy_plans"),
        refers("legacy_cases", "asked_by", "nominees", "SET NULL"),
    )
    unclosed = sa.text("state <> 'closed'")
    op.create_index("uq_legacy_cases_open", "legacy_cases", ["plan_id"], unique=True, postgresql_where=unclosed)
    op.create_index("ix_legacy_cases_due_at", "legacy_cases", ["due_at"], postgresql_where=unclosed)
    for column in ("plan_id", "asked_by"):
        index("legacy_cases", column)
    create(
        "legacy_case_events",
        some_id("case_id"),
        number("ordinal"),
        word("kind"),
        some_id("nominee_id", nullable=True),
        time("at"),
        unique("legacy_case_events", "case_id", "ordinal"),
        refers("legacy_case_events", "case_id", "legacy_cases"),
        created=False,
    )
    create(
        "legacy_attestations",
        some_id("case_id"),
        some_id("nominee_id"),
        unique("legacy_attestations", "case_id", "nominee_id"),
        refers("legacy_attestations", "case_id", "legacy_cases"),
        refers("legacy_attestations", "nominee_id", "nominees"),
        sealed=True,
    )
    index("legacy_attestations", "nominee_id")
    create(
        "legacy_proofs",
        some_id("case_id"),
        some_id("nominee_id"),
        word("media_type"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        word("blob_name"),
        unique("legacy_proofs", "blob_name"),
        refers("legacy_proofs", "case_id", "legacy_cases"),
        refers("legacy_proofs", "nominee_id", "nominees"),
        sealed=True,
    )
    index("legacy_proofs", "nominee_id")
    index("legacy_proofs", "case_id")
    create(
        "legacy_releases",
        some_id("plan_id"),
        some_id("case_id"),
        time("released_at"),
        unique("legacy_releases", "plan_id", "case_id"),
        unique("legacy_releases", "case_id"),
        refers("legacy_releases", "plan_id", "legacy_plans"),
        refers("legacy_releases", "case_id", "legacy_cases"),
        created=False,
    )
    create(
        "legacy_reads",
        some_id("nominee_id"),
        word("kind"),
        some_id("subject_id", nullable=True),
        check("legacy_reads", "kind", f"kind IN ({READ_KINDS})"),
        by_user=False,
    )
    op.create_index("ix_legacy_reads_page", "legacy_reads", ["user_id", "id"])


def _create_drills() -> None:
    create(
        "legacy_drills",
        some_id("plan_id"),
        word("step"),
        time("due_at"),
        time("ended_at", nullable=True),
        check("legacy_drills", "step", "step IN ('owner', 'trusted', 'nominees', 'over')"),
        refers("legacy_drills", "plan_id", "legacy_plans"),
    )
    going_on = sa.text("step <> 'over'")
    op.create_index("uq_legacy_drills_open", "legacy_drills", ["plan_id"], unique=True, postgresql_where=going_on)
    op.create_index("ix_legacy_drills_due_at", "legacy_drills", ["due_at"], postgresql_where=going_on)
    index("legacy_drills", "plan_id")
    create(
        "legacy_drill_people",
        some_id("drill_id"),
        word("role"),
        some_id("nominee_id", nullable=True),
        time("mailed_at", nullable=True),
        time("answered_at", nullable=True),
        check("legacy_drill_people", "role", "role IN ('owner', 'trusted', 'nominee')"),
        check("legacy_drill_people", "person", "(role = 'owner') = (nominee_id IS NULL)"),
        refers("legacy_drill_people", "drill_id", "legacy_drills"),
        refers("legacy_drill_people", "nominee_id", "nominees"),
        created=False,
    )
    for column in ("drill_id", "nominee_id"):
        index("legacy_drill_people", column)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(TABLES):
        op.drop_table(table)
    for function in ("legacy_case_guard", "legacy_release_guard"):
        op.execute(f"DROP FUNCTION {function}()")
