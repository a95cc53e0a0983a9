"""Reminders as they are shown to a person."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import utc_now
from app.db.keys import KeyRing
from app.notifications.hours import Preferences
from app.notifications.preferences import preferences_of
from app.reminders.cells import open_words
from app.reminders.models import Reminder, Snooze
from app.reminders.schemas import Citation, ReminderRead
from app.reminders.wording import clock_text, today_in
from app.vault.cells import rings_of_vaults

COLUMNS = (
    *("id", "vault_id", "item_id", "document_id", "kind", "source", "state", "zone", "rrule", "starts_on", "leads"),
    *("assigned_to", "done_on", "done_at", "created_by", "revision", "created_at", "updated_at"),
)


async def shown(session: AsyncSession, principal: Principal, row: Reminder) -> ReminderRead:
    """One reminder."""
    [only] = await shown_all(session, principal, [row], await preferences_of(session, principal.user_id))
    return only


async def shown_all(
    session: AsyncSession, principal: Principal, rows: Sequence[Reminder], preferences: Preferences
) -> list[ReminderRead]:
    """Reminders in their order."""
    rings = await rings_of_vaults(session, {row.owner_id for row in rows})
    ids = [row.id for row in rows]
    mine = select(Snooze.reminder_id, Snooze.until).where(Snooze.user_id == principal.user_id)
    put_off = {row.reminder_id: row.until for row in await session.execute(mine.where(Snooze.reminder_id.in_(ids)))}
    now = utc_now()
    return [_read(rings[row.owner_id], row, put_off.get(row.id), preferences, now) for row in rows]


def _read(
    ring: KeyRing, row: Reminder, until: datetime | None, preferences: Preferences, now: datetime
) -> ReminderRead:
    words = open_words(ring, row)
    citation = words["citation"] if row.document_id else None
    whole_day = row.minute_of_day is None
    overdue = row.occurs_on < today_in(preferences.zone, now) if whole_day else row.occurs_at < now
    return ReminderRead(
        **{name: getattr(row, name) for name in COLUMNS},
        title=words["title"],
        notes=words["notes"],
        field=words["field"],
        citation=Citation(document_id=UUID(str(row.document_id)), **citation) if citation else None,
        due_on=row.occurs_on,
        due_at=None if whole_day else row.occurs_at,
        overdue=row.state == "active" and overdue,
        at=clock_text(row.minute_of_day) or None,
        snoozed_until=until if until and until > now else None,
    )
