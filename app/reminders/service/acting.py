"""What people do with reminders: done, opened again, put off, confirmed, dismissed."""

from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import on_wall, utc_now
from app.db.acting import acting_for
from app.db.session import Actor
from app.notifications.hours import Preferences
from app.notifications.preferences import preferences_of
from app.reminders.errors import NotActive, NotAhead, NotDone, NotProposed
from app.reminders.models import Reminder, Snooze
from app.reminders.policy import find, find_answerable, find_writable, locked
from app.reminders.reading import shown
from app.reminders.schedule import schedule_of
from app.reminders.schemas import DoneRequest, Preset, ReminderRead, SnoozeFor, SnoozeUntil
from app.reminders.service.reminders import forget, open_at, record, touch
from app.reminders.wording import today_in

DAY: Final = timedelta(days=1)
LONGEST: Final = timedelta(days=5 * 366)
PRESET_DAYS: Final[dict[Preset, int]] = {"tomorrow": 1, "week": 7, "month": 30}


def _owner(row: Reminder, principal: Principal) -> Actor:
    """Who may write a reminder that is assigned to somebody who may only read its vault."""
    return Actor.vault(row.vault_id) if row.vault_id else principal.actor


async def complete(session: AsyncSession, principal: Principal, reminder_id: UUID, data: DoneRequest) -> ReminderRead:
    """Say that it is done; one that repeats moves on to the next day that is not past.

    Raises `ReminderNotFound`, `RoleTooLow`, `NotActive`.
    """
    held = await find_answerable(session, principal, reminder_id)
    zone = held.row.zone or (await preferences_of(session, principal.user_id)).zone
    async with acting_for(session, _owner(held.row, principal)):
        row = await locked(session, reminder_id)
        if not _is_done(row, data):
            _move_on(row, data.due_on or row.occurs_on, utc_now(), zone)
            await forget(session, row)
            await touch(session, row)
            await record(session, principal, row, "reminders.done")
    return await shown(session, principal, row)


def _is_done(row: Reminder, data: DoneRequest) -> bool:
    """Whether it was said before. Raises `NotActive` for a day on which it is not due."""
    if data.due_on and row.done_on and row.done_on >= data.due_on:
        return True
    is_open = data.due_on in (None, row.occurs_on)
    if row.state != "active" or not (is_open or _is_ahead(row, data)):
        raise NotActive
    return False


def _is_ahead(row: Reminder, data: DoneRequest) -> bool:
    """Whether it is a later day of the rule: then those before are done with it."""
    return data.due_on is not None and data.due_on > row.occurs_on and schedule_of(row).next(data.due_on) == data.due_on


def _move_on(row: Reminder, day: date, now: datetime, zone: str) -> None:
    row.done_on, row.done_at = day, now
    schedule = schedule_of(row)
    following = schedule.next(max(day + DAY, today_in(zone, now)))
    if following is None:
        row.state, row.next_at = "done", None
    else:
        open_at(row, schedule, following, now)


async def reopen(session: AsyncSession, principal: Principal, reminder_id: UUID) -> ReminderRead:
    """Take back that it is done: the day that was done last is open again.

    Raises `ReminderNotFound`, `RoleTooLow`, `NotDone`.
    """
    held = await find_answerable(session, principal, reminder_id)
    async with acting_for(session, _owner(held.row, principal)):
        row = await locked(session, reminder_id)
        if row.done_on is None or row.state not in ("active", "done"):
            raise NotDone
        row.state = "active"
        open_at(row, schedule_of(row), row.done_on, utc_now())
        row.done_on = row.done_at = None
        await touch(session, row)
        await record(session, principal, row, "reminders.reopened")
    return await shown(session, principal, row)


async def snooze(
    session: AsyncSession, principal: Principal, reminder_id: UUID, data: SnoozeUntil | SnoozeFor
) -> ReminderRead:
    """Tell the principal again at a later time, and nothing until then; others are told as before.

    Raises `ReminderNotFound`, `NotActive`, `NotAhead`.
    """
    row = (await find(session, principal, reminder_id)).row
    if row.state != "active":
        raise NotActive
    preferences, now = await preferences_of(session, principal.user_id), utc_now()
    until = data.until if isinstance(data, SnoozeUntil) else preset_moment(data.preset, preferences, now)
    if not timedelta() < until - now < LONGEST:
        raise NotAhead
    await put_off(session, principal, row, until)
    return await shown(session, principal, row)


def preset_moment(preset: Preset, preferences: Preferences, now: datetime) -> datetime:
    """In an hour, or some days ahead at the person's time for reminders."""
    if preset == "hour":
        return now + timedelta(hours=1)
    day = today_in(preferences.zone, now) + PRESET_DAYS[preset] * DAY
    return on_wall(day, preferences.remind_at, preferences.zone)


async def put_off(session: AsyncSession, principal: Principal, row: Reminder, until: datetime) -> None:
    """Note that the principal wants to be told again then, of the occurrence that is open now."""
    ids = {"reminder_id": row.id, "user_id": principal.user_id}
    values: dict[str, Any] = {"occurs_on": row.occurs_on, "until": until}
    upsert = insert(Snooze).values(**ids, **values, count=1)
    changed = upsert.on_conflict_do_update(
        index_elements=["reminder_id", "user_id"], set_={**values, "count": Snooze.count + 1}
    )
    await session.execute(changed)
    async with acting_for(session, _owner(row, principal)):
        locked_row = await locked(session, row.id)
        locked_row.next_at = utc_now()
        await session.flush()


async def confirm(session: AsyncSession, principal: Principal, reminder_id: UUID) -> ReminderRead:
    """Make a proposed reminder active, or one that was dismissed.

    Raises `ReminderNotFound`, `RoleTooLow`, `NotProposed`.
    """
    row = await find_writable(session, principal, reminder_id)
    if row.state not in ("proposed", "dismissed"):
        raise NotProposed
    row.state, row.armed_at, row.next_at = "active", utc_now(), utc_now()
    await touch(session, row)
    await record(session, principal, row, "reminders.confirmed")
    return await shown(session, principal, row)


async def dismiss(session: AsyncSession, principal: Principal, reminder_id: UUID) -> ReminderRead:
    """Say that a proposed reminder is not wanted; it is not proposed again.

    Raises `ReminderNotFound`, `RoleTooLow`, `NotProposed`.
    """
    row = await find_writable(session, principal, reminder_id)
    if row.state not in ("proposed", "dismissed"):
        raise NotProposed
    row.state = "dismissed"
    await touch(session, row)
    await record(session, principal, row, "reminders.dismissed")
    return await shown(session, principal, row)
