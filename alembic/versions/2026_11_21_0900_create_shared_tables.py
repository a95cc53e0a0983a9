"""Create the shared tables: data keys, outbox, jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.db.security import FUNCTIONS, IS_SYSTEM, ROLE, USER, VAULT, protect

revision = "a1c0"
down_revision = None
branch_labels = None
depends_on = None

MAKE_ROLE = f"""DO $$ BEGIN
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
  CREATE ROLE {ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS;
END IF;
IF session_user <> '{ROLE}' AND NOT pg_has_role(session_user, '{ROLE}', 'MEMBER') THEN
  EXECUTE format('GRANT {ROLE} TO %I', session_user);
END IF;
END $$"""

WAKE = """CREATE FUNCTION app_wake() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_notify('lifevault_wake', ''); RETURN NULL; END $$"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(MAKE_ROLE)
    op.execute(f"GRANT USAGE ON SCHEMA public TO {ROLE}")
    for function in [*FUNCTIONS, WAKE]:
        op.execute(function)
    now = sa.text("now()")
    op.create_table(
        "data_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("root_version", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_data_keys"),
        sa.UniqueConstraint("owner_id", "version", name="uq_data_keys_owner_id_version"),
        sa.CheckConstraint("purpose IN ('vault', 'user')", name="ck_data_keys_purpose"),
    )
    op.create_table(
        "outbox_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_events"),
    )
    op.create_index("ix_outbox_events_created_at", "outbox_events", ["created_at"])
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("vault_id", sa.Uuid()),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("event_id", sa.Uuid()),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("error_code", sa.String()),
        sa.Column("error_detail", sa.String()),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed')", name="ck_jobs_state"),
        sa.CheckConstraint("progress_done >= 0 AND progress_total >= 0", name="ck_jobs_progress"),
    )
    open_jobs = sa.text("state IN ('queued', 'running')")
    op.create_index("ix_jobs_due", "jobs", ["due_at"], postgresql_where=open_jobs)
    op.create_index("ix_jobs_subject", "jobs", ["subject_id"])
    op.create_index(
        "ix_jobs_event", "jobs", ["event_id", "kind"], unique=True, postgresql_where=sa.text("event_id IS NOT NULL")
    )
    for table in ("outbox_events", "jobs"):
        op.execute(
            f"CREATE TRIGGER {table}_wake AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION app_wake()"
        )
    mine = f"{IS_SYSTEM} OR user_id = {USER} OR vault_id = {VAULT}"
    statements = [
        *protect("outbox_events", read=IS_SYSTEM, write="true"),
        *protect("jobs", read=mine),
        *protect("data_keys", read=f"{IS_SYSTEM} OR owner_id = {USER} OR owner_id = {VAULT}"),
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("jobs", "outbox_events", "data_keys"):
        op.drop_table(table)
    op.execute("DROP FUNCTION app_wake()")
    for function in ("app_is_system", "app_vault", "app_user", "app_principal"):
        op.execute(f"DROP FUNCTION {function}()")
    op.execute(f"REVOKE USAGE ON SCHEMA public FROM {ROLE}")
