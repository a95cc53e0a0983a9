"""What the feed of changes (`app.db.changes`) tells of besides vaults, as SQL for migrations: reminders, work, …

These belong to a vault or to one person; what is a person's own stands in the feed with their id as `user_id` and as
`vault_id`. Whoever waits for changes is woken by a notification on commit that names the vault or the person.
"""

from app.db.changes import READ as OF_VAULTS
from app.db.changes import WRITE as INTO_VAULTS
from app.db.security import USER

CHANNEL = "lifevault_changes"
READ = f"{OF_VAULTS} OR user_id = {USER}"
WRITE = f"{INTO_VAULTS} OR user_id = {USER}"

# It notes for the system: a person may start work for a vault that they have just left. Of what is destroyed nothing is
# noted: it has nobody whom it could be told.
PUT = """
CREATE FUNCTION vault_put_owned_change(vault uuid, person uuid, word text, subject uuid, what text, rev integer)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    acting text := coalesce(current_setting('app.principal', true), '');
BEGIN
    PERFORM set_config('app.principal', 'system', true);
    IF what = 'forgotten' THEN
        DELETE FROM vault_changes c
        WHERE c.vault_id = coalesce(vault, person) AND c.kind = word AND c.subject_id = subject;
    ELSIF EXISTS (SELECT FROM vaults v WHERE v.id = vault)
        OR (vault IS NULL AND EXISTS (SELECT FROM auth_users u WHERE u.id = person)) THEN
        INSERT INTO vault_changes AS c (vault_id, user_id, kind, subject_id, change, revision, xid, number, at)
        VALUES (coalesce(vault, person), CASE WHEN vault IS NULL THEN person END, word, subject, what, rev,
                pg_current_xact_id()::text::bigint, nextval('vault_changes_number'), clock_timestamp())
        ON CONFLICT (vault_id, kind, subject_id) DO UPDATE SET change = excluded.change, revision = excluded.revision,
            xid = excluded.xid, number = excluded.number, at = excluded.at;
    END IF;
    PERFORM set_config('app.principal', acting, true);
END $$
"""
# One that has ended is seen by nobody until its field is there again.
NOTE_REMINDER = """
CREATE FUNCTION vault_note_reminder() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    was_seen boolean := false;
    is_seen boolean := false;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        was_seen := OLD.state <> 'ended';
    END IF;
    IF TG_OP <> 'DELETE' THEN
        is_seen := NEW.state <> 'ended';
    END IF;
    IF was_seen AND (NOT is_seen OR OLD.owner_id <> NEW.owner_id) THEN
        PERFORM vault_put_owned_change(OLD.vault_id, OLD.user_id, 'reminder', OLD.id, 'purged', NULL);
        was_seen := false;
    END IF;
    IF is_seen THEN
        PERFORM vault_put_owned_change(NEW.vault_id, NEW.user_id, 'reminder', NEW.id,
                                       CASE WHEN was_seen THEN 'updated' ELSE 'created' END, NEW.revision);
    END IF;
    RETURN NULL;
END $$
"""
# `revision` is how much is done, in percent. Jobs that belong to nobody are nobody's business.
NOTE_JOB = """
CREATE FUNCTION vault_note_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    done integer;
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM vault_put_owned_change(OLD.vault_id, OLD.user_id, 'job', OLD.id, 'forgotten', NULL);
        RETURN NULL;
    END IF;
    done := CASE WHEN NEW.state = 'succeeded' THEN 100
                 WHEN NEW.progress_total = 0 THEN 0
                 ELSE least(NEW.progress_done::bigint * 100 / NEW.progress_total, 99) END;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.state = NEW.state AND OLD.step = NEW.step AND OLD.progress_total = NEW.progress_total
            AND done = least(OLD.progress_done::bigint * 100 / greatest(OLD.progress_total, 1), 99) THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM vault_put_owned_change(NEW.vault_id, NEW.user_id, 'job', NEW.id, NEW.state, done);
    RETURN NULL;
END $$
"""
NOTE_RUN = """
CREATE FUNCTION vault_note_run() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM vault_put_owned_change(NULL, OLD.user_id, 'run', OLD.id, 'purged', NULL);
    ELSE
        PERFORM vault_put_owned_change(NULL, NEW.user_id, 'run', NEW.id, NEW.state, NULL);
    END IF;
    RETURN NULL;
END $$
"""
NOTE_NOTIFICATION = """
CREATE FUNCTION vault_note_notification() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM vault_put_owned_change(NULL, OLD.user_id, 'notification', OLD.id, 'purged', NULL);
    ELSE
        PERFORM vault_put_owned_change(NULL, NEW.user_id, 'notification', NEW.id,
                                       CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'updated' END, NULL);
    END IF;
    RETURN NULL;
END $$
"""
FORGET_PERSON = """
CREATE FUNCTION vault_forget_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    DELETE FROM vault_changes WHERE user_id = OLD.id;
    RETURN NULL;
END $$
"""
WAKE = f"""
CREATE FUNCTION vault_wake_waiting() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', CASE NEW.kind WHEN 'access' THEN NEW.subject_id ELSE NEW.vault_id END::text);
    RETURN NULL;
END $$
"""
# Who has been signed out is woken, too, so that nobody goes on listening.
WAKE_PERSON = f"""
CREATE FUNCTION auth_wake_person() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', OLD.user_id::text);
    RETURN NULL;
END $$
"""
FUNCTIONS = {
    "vault_put_owned_change": PUT,
    "vault_note_reminder": NOTE_REMINDER,
    "vault_note_job": NOTE_JOB,
    "vault_note_run": NOTE_RUN,
    "vault_note_notification": NOTE_NOTIFICATION,
    "vault_forget_person": FORGET_PERSON,
    "vault_wake_waiting": WAKE,
    "auth_wake_person": WAKE_PERSON,
}

SHOWN = "owner_id, revision, state, occurs_at, starts_on, rrule, leads, assigned_to, done_on, item_id, document_id"


def _row(name: str) -> str:
    return ", ".join(f"{name}.{column}" for column in SHOWN.split(", "))


OWNED = "(NEW.vault_id IS NOT NULL OR NEW.user_id IS NOT NULL)"
PROGRESS = "(NEW.state, NEW.step, NEW.progress_done, NEW.progress_total)"
TRIGGERS = (
    ("reminders", "noted", "INSERT OR DELETE", "", "vault_note_reminder"),
    ("reminders", "change_noted", "UPDATE", f"({_row('OLD')}) IS DISTINCT FROM ({_row('NEW')})", "vault_note_reminder"),
    ("jobs", "noted", "INSERT", OWNED, "vault_note_job"),
    (
        *("jobs", "change_noted", "UPDATE"),
        f"{OWNED} AND {PROGRESS.replace('NEW', 'OLD')} IS DISTINCT FROM {PROGRESS}",
        "vault_note_job",
    ),
    ("jobs", "end_noted", "DELETE", OWNED.replace("NEW", "OLD"), "vault_note_job"),
    ("agent_runs", "noted", "INSERT OR DELETE", "", "vault_note_run"),
    ("agent_runs", "change_noted", "UPDATE", "OLD.state <> NEW.state", "vault_note_run"),
    ("notifications_messages", "noted", "INSERT", "NEW.in_inbox", "vault_note_notification"),
    (
        *("notifications_messages", "change_noted", "UPDATE"),
        "NEW.in_inbox AND OLD.read_at IS DISTINCT FROM NEW.read_at",
        "vault_note_notification",
    ),
    ("notifications_messages", "end_noted", "DELETE", "OLD.in_inbox", "vault_note_notification"),
    ("auth_users", "forgotten", "DELETE", "", "vault_forget_person"),
    ("vault_changes", "wake", "INSERT OR UPDATE", "", "vault_wake_waiting"),
    ("auth_sessions", "wake", "UPDATE", "OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL", "auth_wake_person"),
    ("auth_sessions", "end_wake", "DELETE", "OLD.ended_at IS NULL", "auth_wake_person"),
    ("auth_api_keys", "wake", "DELETE", "", "auth_wake_person"),
    ("auth_identities", "wake", "DELETE", "", "auth_wake_person"),
)
"""Table, name, events, condition, function."""


def triggers() -> list[str]:
    """The statements that make them."""
    return [
        f"CREATE TRIGGER {table}_{name} AFTER {events} ON {table} FOR EACH ROW "
        f"{f'WHEN ({condition}) ' if condition else ''}EXECUTE FUNCTION {function}()"
        for table, name, events, condition, function in TRIGGERS
    ]


def without_triggers() -> list[str]:
    """The statements that undo `triggers`, and the functions."""
    return [
        *(f"DROP TRIGGER {table}_{name} ON {table}" for table, name, *_ in TRIGGERS),
        f"DROP FUNCTION {', '.join(FUNCTIONS)}",
    ]
