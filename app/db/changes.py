"""The feed of changes as SQL, for migrations: triggers that note what changes in a vault, so that nothing forgets to.

`vault_changes` has one row for each thing, with the last that happened to it, in the order of the transactions: `xid`
is the transaction's number, `number` tells apart what one transaction did. A reader takes what finished transactions
have written, so a transaction that commits late is never overtaken (see `app.vault.service.changes`).
"""

from app.db.security import IS_SYSTEM, USER, VAULT

MINE = f"SELECT m.vault_id FROM vault_members m WHERE m.user_id = {USER}"  # noqa: S608
# What concerns one person alone, whether they have access, is theirs, also when they have it no more.
READ = (
    f"{IS_SYSTEM} OR vault_id = {VAULT} OR (kind <> 'access' AND vault_id IN ({MINE})) "
    f"OR (kind = 'access' AND subject_id = {USER})"
)
WRITE = f"{IS_SYSTEM} OR vault_id = {VAULT} OR vault_id IN ({MINE})"

PUT = """
CREATE FUNCTION vault_put_change(vault uuid, word text, subject uuid, what text, rev integer) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO vault_changes AS c (vault_id, kind, subject_id, change, revision, xid, number, at)
    VALUES (vault, word, subject, what, rev, pg_current_xact_id()::text::bigint, nextval('vault_changes_number'),
            clock_timestamp())
    ON CONFLICT (vault_id, kind, subject_id) DO UPDATE SET change = excluded.change, revision = excluded.revision,
        xid = excluded.xid, number = excluded.number, at = excluded.at
$$
"""
# Of a vault that is destroyed nothing is noted but that people have no access any more: its rows go by foreign keys.
NOTE = """
CREATE FUNCTION vault_note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    what text := 'updated';
    rev integer;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM vaults v WHERE v.id = OLD.vault_id) THEN
            PERFORM vault_put_change(OLD.vault_id, TG_ARGV[0], OLD.id, 'purged', NULL);
        END IF;
        RETURN NULL;
    END IF;
    IF TG_ARGV[1] = 'true' THEN
        rev := NEW.revision;
    END IF;
    IF TG_OP = 'INSERT' THEN
        what := 'created';
    ELSE
        IF TG_ARGV[2] = 'true' THEN  -- what a table does not have must not be named in what is evaluated
            IF OLD.trashed_at IS DISTINCT FROM NEW.trashed_at THEN
                what := CASE WHEN NEW.trashed_at IS NULL THEN 'restored' ELSE 'trashed' END;
            END IF;
        END IF;
        IF OLD.vault_id <> NEW.vault_id THEN
            PERFORM vault_put_change(OLD.vault_id, TG_ARGV[0], OLD.id, 'purged', NULL);
            what := 'created';
        END IF;
    END IF;
    PERFORM vault_put_change(NEW.vault_id, TG_ARGV[0], NEW.id, what, rev);
    RETURN NULL;
END $$
"""
NOTE_VAULT = """
CREATE FUNCTION vault_note_vault() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    what text := 'updated';
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM vault_changes WHERE vault_id = OLD.id AND kind <> 'access';
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        what := 'created';
    ELSIF OLD.trashed_at IS DISTINCT FROM NEW.trashed_at THEN
        what := CASE WHEN NEW.trashed_at IS NULL THEN 'restored' ELSE 'trashed' END;
    END IF;
    PERFORM vault_put_change(NEW.id, 'vault', NEW.id, what, NEW.revision);
    RETURN NULL;
END $$
"""
NOTE_MEMBER = """
CREATE FUNCTION vault_note_member() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM vaults v WHERE v.id = OLD.vault_id) THEN
            PERFORM vault_put_change(OLD.vault_id, 'member', OLD.user_id, 'removed', NULL);
        END IF;
        PERFORM vault_put_change(OLD.vault_id, 'access', OLD.user_id, 'removed', NULL);
    ELSIF TG_OP = 'INSERT' THEN
        PERFORM vault_put_change(NEW.vault_id, 'member', NEW.user_id, 'created', NULL);
        PERFORM vault_put_change(NEW.vault_id, 'access', NEW.user_id, 'granted', NULL);
    ELSE
        PERFORM vault_put_change(NEW.vault_id, 'member', NEW.user_id, 'updated', NULL);
        PERFORM vault_put_change(NEW.vault_id, 'access', NEW.user_id, 'changed', NULL);
    END IF;
    RETURN NULL;
END $$
"""
# Where the numbers of transactions mean what they meant: another cluster, database or timeline counts anew.
PLACE = """
CREATE FUNCTION vault_changes_place() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT concat_ws(':', s.system_identifier, d.oid, c.timeline_id)
    FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d WHERE d.datname = current_database()
$$
"""
FUNCTIONS = (PUT, NOTE, NOTE_VAULT, NOTE_MEMBER, PLACE)


def tracked(table: str, kind: str, *, revision: bool = False, trash: bool = False) -> list[str]:
    """Statements that note in the feed what changes in a table with the columns `id` and `vault_id`.

    With `revision` a change is one that counts the revision up, and is noted with it; without, rows come, go and move
    to other vaults. With `trash` the column `trashed_at` says whether a row lies in the trash. Rows that are there
    already are noted as created.
    """
    seen = ["vault_id", *["revision"] * revision, *["trashed_at"] * trash]
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in seen)
    arguments = f"'{kind}', '{str(revision).lower()}', '{str(trash).lower()}'"
    each = f"FOR EACH ROW %sEXECUTE FUNCTION vault_note_change({arguments})"
    created = "CASE WHEN trashed_at IS NULL THEN 'created' ELSE 'trashed' END" if trash else "'created'"
    present = f"SELECT vault_put_change(vault_id, '{kind}', id, {created}, {'revision' if revision else 'NULL'})"
    return [
        f"CREATE TRIGGER {table}_noted AFTER INSERT OR DELETE ON {table} {each % ''}",
        f"CREATE TRIGGER {table}_change_noted AFTER UPDATE ON {table} {each % f'WHEN ({changed}) '}",
        f"{present} FROM {table}",
    ]


def untracked(table: str) -> list[str]:
    """Statements that undo `tracked`, for downgrades."""
    return [f"DROP TRIGGER {table}_{name} ON {table}" for name in ("noted", "change_noted")]
