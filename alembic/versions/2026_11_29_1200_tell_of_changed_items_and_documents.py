"""Let the database itself write an event for every change of items and documents, so that no code can forget it."""

from alembic import op

revision = "b4c0"
down_revision = "b0c1"
branch_labels = None
depends_on = None

# What a key rotation seals anew keeps its revision and tells nobody; a vault that is destroyed tells of itself alone.
TELL = """CREATE FUNCTION vault_tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  kind text := TG_ARGV[0];
  change text := 'created';
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF NOT EXISTS (SELECT FROM vaults v WHERE v.id = old.vault_id) THEN
      RETURN NULL;
    END IF;
    new := old;
    change := 'purged';
  ELSIF TG_OP = 'UPDATE' THEN
    change := CASE
      WHEN old.trashed_at IS NULL AND new.trashed_at IS NOT NULL THEN 'trashed'
      WHEN old.trashed_at IS NOT NULL AND new.trashed_at IS NULL THEN 'restored'
      ELSE 'updated' END;
  END IF;
  INSERT INTO outbox_events (id, event, payload) VALUES (
    gen_random_uuid(),
    'vault.' || kind || '_changed',
    jsonb_build_object(kind || '_id', new.id, 'vault_id', new.vault_id, 'change', change)
  );
  RETURN NULL;
END $$"""

WATCHED = {
    "item": ("vault_items", "revision, type, vault_id, trashed_at IS NULL"),
    "document": ("vault_documents", "revision, vault_id, trashed_at IS NULL"),
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TELL)
    for kind, (table, columns) in WATCHED.items():
        before, after = (", ".join(f"{row}.{column}" for column in columns.split(", ")) for row in ("old", "new"))
        changed = f"WHEN (({before}) IS DISTINCT FROM ({after}))"
        for when, condition in (("INSERT", ""), ("UPDATE", changed), ("DELETE", "")):
            op.execute(
                f"CREATE TRIGGER {table}_tell_{when.lower()} AFTER {when} ON {table} FOR EACH ROW {condition} "
                f"EXECUTE FUNCTION vault_tell_change('{kind}')"
            )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, _ in WATCHED.values():
        for when in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER {table}_tell_{when} ON {table}")
    op.execute("DROP FUNCTION vault_tell_change()")
