"""Schedules: runs started by the clock on the wall of a time zone, once a day at most, also when the clocks change."""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import agents, runs
from app.agents.cells import opened, opened_all, sealed
from app.agents.errors import AgentNotFound, InvalidZone, ScheduleNotFound, TooMany
from app.agents.models import Schedule, ScheduleSlot
from app.agents.schemas import RunCreate, ScheduleRead, ScheduleWrite
from app.auth.principal import Principal
from app.core.clock import is_zone, new_id, on_wall, utc_now
from app.core.errors import AppError
from app.db.runtime import current
from app.db.session import session_scope

TABLE: Final = "agent_schedules"
AT_ONCE: Final = 50
WEEK: Final = 7


def next_due(after: date, now: datetime, minute_of_day: int, weekdays: list[int], zone: str) -> tuple[date, datetime]:
    """The first day later than `after`, and not past, on which the schedule is due, and its moment."""
    day = max(after + timedelta(days=1), now.astimezone(ZoneInfo(zone)).date())
    for _ in range(2 * WEEK + 1):
        moment = on_wall(day, minute_of_day, zone)
        if moment > now and (not weekdays or day.isoweekday() in weekdays):
            return day, moment
        day += timedelta(days=1)
    raise AssertionError("every week has each of its days")


async def create(session: AsyncSession, principal: Principal, data: ScheduleWrite) -> ScheduleRead:
    """Make a schedule. Raises `AgentNotFound`, `InvalidZone`, `TooMany`."""
    count = select(func.count()).select_from(Schedule).where(Schedule.user_id == principal.user_id)
    if (await session.scalar(count) or 0) >= current().settings.agent_schedules_per_user:
        raise TooMany
    row = Schedule(id=new_id(), user_id=principal.user_id)
    await _fill(session, principal, row, data)
    session.add(row)
    await session.flush()
    return _read(row, data.message)


async def change(session: AsyncSession, principal: Principal, schedule_id: UUID, data: ScheduleWrite) -> ScheduleRead:
    """Replace a schedule. Raises `ScheduleNotFound`, and as `create`."""
    row = await _mine(session, principal, schedule_id)
    await _fill(session, principal, row, data)
    row.updated_at = utc_now()
    await session.flush()
    return _read(row, data.message)


async def _fill(session: AsyncSession, principal: Principal, row: Schedule, data: ScheduleWrite) -> None:
    if not is_zone(data.zone):
        raise InvalidZone
    await agents.read(session, principal, data.agent_id)
    hours, minutes = data.time.split(":")
    row.agent_id, row.scopes, row.zone = data.agent_id, sorted(principal.scopes), data.zone
    row.minute_of_day, row.weekdays = int(hours) * 60 + int(minutes), sorted(set(data.weekdays))
    row.enabled = data.enabled
    row.next_on, row.next_at = next_due(date.min, utc_now(), row.minute_of_day, row.weekdays, row.zone)
    row.body = await sealed(session, principal.user_id, TABLE, row.id, {"message": data.message})


async def list_all(session: AsyncSession, principal: Principal) -> list[ScheduleRead]:
    """Every schedule, oldest first."""
    statement = select(Schedule).where(Schedule.user_id == principal.user_id).order_by(Schedule.id)
    rows = (await session.scalars(statement)).all()
    contents = await opened_all(session, TABLE, rows)
    return [_read(row, content["message"]) for row, content in zip(rows, contents, strict=True)]


async def remove(session: AsyncSession, principal: Principal, schedule_id: UUID) -> None:
    """Delete a schedule; its runs stay. Raises `ScheduleNotFound`."""
    row = await _mine(session, principal, schedule_id)
    await session.execute(delete(Schedule).where(Schedule.id == row.id))


async def _mine(session: AsyncSession, principal: Principal, schedule_id: UUID) -> Schedule:
    mine = Schedule.id == schedule_id, Schedule.user_id == principal.user_id
    row = await session.scalar(select(Schedule).where(*mine).with_for_update())
    if row is None:
        raise ScheduleNotFound
    return row


async def start_due(now: datetime) -> int:
    """Start every run whose time has come, each once; what was missed while nothing ran is started once. How many."""
    async with session_scope() as session:
        due = select(Schedule.id, Schedule.user_id).where(Schedule.enabled, Schedule.next_at <= now)
        found = (await session.execute(due.order_by(Schedule.next_at).limit(AT_ONCE))).all()
    started = 0
    for schedule_id, user_id in found:
        async with session_scope(Principal(user_id, frozenset()).actor) as session:
            started += await _start(session, schedule_id, now)
    return started


async def _start(session: AsyncSession, schedule_id: UUID, now: datetime) -> bool:
    locked = select(Schedule).where(Schedule.id == schedule_id, Schedule.enabled, Schedule.next_at <= now)
    row = await session.scalar(locked.with_for_update(skip_locked=True))
    if row is None:
        return False
    due_on, due_at = row.next_on, row.next_at
    row.next_on, row.next_at = next_due(due_on, now, row.minute_of_day, row.weekdays, row.zone)
    slot_id = new_id()
    slot = {"id": slot_id, "user_id": row.user_id, "schedule_id": row.id, "due_on": due_on, "due_at": due_at}
    taken = insert(ScheduleSlot).values(**slot).on_conflict_do_nothing().returning(ScheduleSlot.id)
    await session.flush()
    if await session.scalar(taken) is None:
        return False
    return await _start_run(session, row, slot_id)


async def _start_run(session: AsyncSession, row: Schedule, slot_id: UUID) -> bool:
    """A schedule whose agent or vault is gone is switched off; while too much is going on, this time is left out."""
    message = (await opened(session, TABLE, row))["message"]
    principal = Principal(row.user_id, frozenset(row.scopes))
    try:
        data = RunCreate(message=message, background=True)
        run = await runs.start_run(session, principal, row.agent_id, data)
    except AgentNotFound:
        row.enabled = False
        return False
    except AppError:
        return False
    await session.merge(ScheduleSlot(id=slot_id, run_id=run.id))
    return True


def _read(row: Schedule, message: str) -> ScheduleRead:
    clock = f"{row.minute_of_day // 60:02}:{row.minute_of_day % 60:02}"
    names = ("id", "agent_id", "zone", "weekdays", "enabled", "next_at", "created_at")
    return ScheduleRead.model_validate(
        {**{name: getattr(row, name) for name in names}, "time": clock, "message": message}
    )
