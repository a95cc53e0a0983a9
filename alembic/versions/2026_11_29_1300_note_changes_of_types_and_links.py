"""Note in the feed of changes what becomes of record types and links."""

from alembic import op

from app.db.changes import tracked, untracked

revision = "b1c1"
down_revision = "b3c1"
branch_labels = None
depends_on = None

# A link has no revision, as it is never changed: it comes, goes, and moves to another vault with its ends.
LINKS = [
    "CREATE TRIGGER vault_links_noted AFTER INSERT OR DELETE ON vault_links FOR EACH ROW "
    "EXECUTE FUNCTION vault_note_change('link', 'false', 'false')",
    "CREATE TRIGGER vault_links_change_noted AFTER UPDATE ON vault_links FOR EACH ROW "
    "WHEN (OLD.vault_id IS DISTINCT FROM NEW.vault_id) EXECUTE FUNCTION vault_note_change('link', 'false', 'false')",
    "SELECT vault_put_change(vault_id, 'link', id, 'created', NULL) FROM vault_links",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SELECT set_config('app.principal', 'system', true)")  # row-level security holds for the owner, too
    for statement in [*tracked("vault_types", "type", revision=True), *LINKS]:
        op.execute(statement)
    op.execute("SELECT set_config('app.principal', '', true)")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SELECT set_config('app.principal', 'system', true)")
    for table in ("vault_types", "vault_links"):
        for statement in untracked(table):
            op.execute(statement)
    op.execute("DELETE FROM vault_changes WHERE kind IN ('type', 'link')")
    op.execute("SELECT set_config('app.principal', '', true)")
