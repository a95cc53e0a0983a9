"""Reminders: made by hand, listed, read, changed, deleted."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id, utc_now
from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import SYSTEM
from app.notifications.inbox import forget_subject
from app.notifications.preferences import preferences_of
from app.reminders.cells import seal_words
from app.reminders.errors import DateInRecord, NotShared, TooManyReminders
from app.reminders.models import Reminder, Snooze
from app.reminders.policy import find, find_writable, for_person, visible_reminders
from app.reminders.reading import shown, shown_all
from app.reminders.schedule import Schedule, make_schedule
from app.reminders.schemas import ReminderCreate, ReminderRead, ReminderUpdate, Shown
from app.reminders.wording import clock_text, today_in
from app.vault import service as vaults
from app.vault.errors import ItemNotFound, MemberNotFound
from app.vault.etags import check_revision

LATEST_FIRST: Final = ("done", "dismissed")
STATES: Final[dict[Shown, str]] = {
    "open": "active",
    "upcoming": "active",
    "overdue": "active",
    "done": "done",
    "proposed": "proposed",
    "dismissed": "dismissed",
}


async def create_reminder(session: AsyncSession, principal: Principal, data: ReminderCreate) -> ReminderRead:
    """Make a reminder.

    Raises `VaultNotFound`, `RoleTooLow`, `ItemNotFound`, `MemberNotFound`, `NotShared`, `InvalidSchedule`,
    `TooManyReminders`.
    """
    vault_id = await _vault_of(session, principal, data)
    await _require_people(session, vault_id, data.assigned_to)
    await _require_room(session, principal, vault_id)
    zone = data.zone or (await preferences_of(session, principal.user_id)).zone
    schedule = make_schedule(data.due_on, minute_of(data.at), zone if data.at else None, data.rrule)
    row = Reminder(
        id=new_id(),
        vault_id=vault_id,
        user_id=None if vault_id else principal.user_id,
        kind="other",
        source="manual",
        state="active",
        item_id=data.item_id,
        leads=leads_of(data.leads),
        assigned_to=data.assigned_to,
        created_by=principal.user_id,
    )
    await seal_words(session, row, {"title": data.title, "notes": data.notes})
    arm(row, schedule, utc_now())
    session.add(row)
    await session.flush()
    await record(session, principal, row, "reminders.created")
    return await shown(session, principal, row)


async def record(session: AsyncSession, principal: Principal, row: Reminder, action: str) -> None:
    """Write an act into the log of the reminder's vault; what people do with their own is nobody's business."""
    if row.vault_id:
        await audit.record(session, principal, row.vault_id, action, subject_id=row.id)


async def _vault_of(session: AsyncSession, principal: Principal, data: ReminderCreate) -> UUID | None:
    """The vault that a reminder is for, if any. Raises `VaultNotFound`, `RoleTooLow`, `ItemNotFound`."""
    vault_id = data.vault_id
    if data.item_id is not None:
        item = await vaults.read_item(session, principal, data.item_id)
        if vault_id not in (None, item.vault_id):
            raise ItemNotFound
        vault_id = item.vault_id
    if vault_id is not None:
        await vaults.require(session, principal, vault_id, "write")
    return vault_id


async def _require_people(session: AsyncSession, vault_id: UUID | None, people: list[UUID] | None) -> None:
    """See that these are members. Raises `MemberNotFound`, `NotShared`."""
    if people is None:
        return
    if vault_id is None:
        raise NotShared
    async with acting_for(session, SYSTEM):
        roles = await vaults.roles_in(session, vault_id)
    if not set(people) <= roles.keys():
        raise MemberNotFound


async def _require_room(session: AsyncSession, principal: Principal, vault_id: UUID | None) -> None:
    settings = current().settings
    most = settings.reminders_per_vault if vault_id else settings.reminders_per_user
    held = select(func.count()).select_from(Reminder).where(Reminder.owner_id == (vault_id or principal.user_id))
    if (await session.scalar(held) or 0) >= most:
        raise TooManyReminders


def minute_of(clock: str | None) -> int | None:
    """The minute of the day of 14:30."""
    return None if clock is None else int(clock[:2]) * 60 + int(clock[3:])


def leads_of(days: list[int]) -> list[int]:
    """Each once, the longest first."""
    return sorted(set(days), reverse=True)


def arm(row: Reminder, schedule: Schedule, now: datetime) -> None:
    """Give a reminder a schedule that counts from now on: what would have been told before is past."""
    row.starts_on, row.minute_of_day, row.zone = schedule.starts_on, schedule.minute_of_day, schedule.zone
    row.rrule = str(schedule.rule) if schedule.rule else None
    open_at(row, schedule, schedule.starts_on, now)
    row.armed_at = now


def open_at(row: Reminder, schedule: Schedule, day: date, now: datetime) -> None:
    """Make an occurrence the one that is open; the next sweep finds out when somebody is to be told."""
    row.occurs_on, row.occurs_at, row.next_at = day, schedule.moment(day), now


async def read_reminder(session: AsyncSession, principal: Principal, reminder_id: UUID) -> ReminderRead:
    """A reminder. Raises `ReminderNotFound`."""
    return await shown(session, principal, (await find(session, principal, reminder_id)).row)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which part of a list is asked for: at most `limit` that follow the one at `after`, by moment and id."""

    show: Shown = "open"
    vault_id: UUID | None = None
    mine: bool = False
    limit: int = 20
    after: tuple[datetime, UUID] | None = None


async def list_reminders(
    session: AsyncSession, principal: Principal, filters: Filters
) -> tuple[list[ReminderRead], tuple[datetime, UUID] | None]:
    """One page, and the moment and id that the next one continues after. Raises `VaultNotFound`."""
    if filters.vault_id:
        await vaults.require(session, principal, filters.vault_id, "read")
    preferences = await preferences_of(session, principal.user_id)
    statement = _page(principal, filters, today_in(preferences.zone, utc_now()))
    rows = [row[0] for row in (await session.execute(statement.limit(filters.limit + 1))).all()]
    page = rows[: filters.limit]
    last = (page[-1].occurs_at, page[-1].id) if len(rows) > filters.limit else None
    return await shown_all(session, principal, page, preferences), last


def _page(principal: Principal, filters: Filters, today: date) -> Select[Any]:
    statement = visible_reminders(principal).where(Reminder.state == STATES[filters.show])
    if filters.vault_id:
        statement = statement.where(Reminder.vault_id == filters.vault_id)
    if filters.mine:
        statement = for_person(statement, principal.user_id)
    whole_day = Reminder.minute_of_day.is_(None)
    past = (whole_day & (Reminder.occurs_on < today)) | (~whole_day & (Reminder.occurs_at < func.now()))
    if filters.show in ("overdue", "upcoming"):
        statement = statement.where(past if filters.show == "overdue" else ~past)
    place = tuple_(Reminder.occurs_at, Reminder.id)
    backwards = filters.show in LATEST_FIRST
    if filters.after:
        statement = statement.where(place < filters.after if backwards else place > filters.after)
    order = (Reminder.occurs_at, Reminder.id)
    return statement.order_by(*(column.desc() for column in order)) if backwards else statement.order_by(*order)


async def update_reminder(
    session: AsyncSession, principal: Principal, reminder_id: UUID, data: ReminderUpdate, *, if_match: str | None
) -> ReminderRead:
    """Change a reminder.

    Raises `ReminderNotFound`, `RoleTooLow`, `StaleRevision`, `DateInRecord`, `MemberNotFound`, `NotShared`,
    `InvalidSchedule`.
    """
    row = await find_writable(session, principal, reminder_id)
    check_revision(if_match, row.revision)
    given = data.model_fields_set
    if row.source == "field" and given & {"title", "due_on", "at", "zone", "rrule"}:
        raise DateInRecord
    if "assigned_to" in given:
        await _require_people(session, row.vault_id, data.assigned_to)
        row.assigned_to, row.next_at = data.assigned_to, utc_now()
    if data.title is not None or data.notes is not None:
        await seal_words(session, row, {"title": data.title, "notes": data.notes})
    if data.leads is not None:
        row.leads, row.armed_at, row.next_at = leads_of(data.leads), utc_now(), utc_now()
    if given & {"due_on", "at", "zone", "rrule"}:
        arm(row, await _changed_schedule(session, principal, row, data), utc_now())
    await touch(session, row)
    await record(session, principal, row, "reminders.updated")
    return await shown(session, principal, row)


async def _changed_schedule(
    session: AsyncSession, principal: Principal, row: Reminder, data: ReminderUpdate
) -> Schedule:
    """The schedule with its changes; it goes on from the open day, if no other is given. Raises `InvalidSchedule`."""
    given = data.model_fields_set
    at = data.at if "at" in given else clock_text(row.minute_of_day) or None
    zone = data.zone or row.zone or (await preferences_of(session, principal.user_id)).zone
    rrule = data.rrule if "rrule" in given else row.rrule
    return make_schedule(data.due_on or row.occurs_on, minute_of(at), zone if at else None, rrule)


async def touch(session: AsyncSession, row: Reminder) -> None:
    """Count a change, and write it."""
    row.revision, row.updated_at = row.revision + 1, utc_now()
    await session.flush()


async def delete_reminder(session: AsyncSession, principal: Principal, reminder_id: UUID) -> None:
    """Delete a reminder; one that follows a field is dismissed, so that it does not come back.

    Raises `ReminderNotFound`, `RoleTooLow`.
    """
    row = await find_writable(session, principal, reminder_id)
    await forget(session, row)
    if row.source == "field":
        row.state, row.next_at = "dismissed", None
        await touch(session, row)
    else:
        await session.execute(delete(Reminder).where(Reminder.id == reminder_id))
    await record(session, principal, row, "reminders.deleted")


async def forget(session: AsyncSession, row: Reminder) -> None:
    """Send nothing of it any more, to whomever, and forget who has put it off."""
    async with acting_for(session, SYSTEM):
        await forget_subject(session, row.id)
        await session.execute(delete(Snooze).where(Snooze.reminder_id == row.id))
