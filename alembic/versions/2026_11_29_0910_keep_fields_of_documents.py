"""Let the steps of reading keep the fields of a page."""

from alembic import op

revision = "b8c0"
down_revision = "b7c0"
branch_labels = None
depends_on = None

CONSTRAINT = "ck_rag_artifacts_stage"


def upgrade() -> None:
    allow("page", "vectors", "fields")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SELECT set_config('app.principal', 'system', true)")  # row-level security holds for the owner, too
    op.execute("DELETE FROM rag_artifacts WHERE stage = 'fields'")
    allow("page", "vectors")


def allow(*stages: str) -> None:
    """Say which stages there are."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(CONSTRAINT, "rag_artifacts", type_="check")
    names = ", ".join(f"'{stage}'" for stage in stages)
    op.create_check_constraint(CONSTRAINT, "rag_artifacts", f"stage IN ({names})")
