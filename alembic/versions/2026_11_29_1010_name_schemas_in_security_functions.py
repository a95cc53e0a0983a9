"""Name the schema within the functions of row security, so that they work on any search_path, such as pg_dump's."""

from alembic import op

from app.db.security import FAMILY_FUNCTION, FUNCTIONS

revision = "b0c1"
down_revision = "b0c0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for function in (*FUNCTIONS, FAMILY_FUNCTION):
        op.execute(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def downgrade() -> None:
    """Nothing: what names its schema works before as well."""
