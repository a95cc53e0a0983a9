"""The links in letters: done, or later, by whoever has the letter and without signing in, for that due day alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.crypto import token_digest
from app.db.session import Actor, session_scope
from app.reminders.errors import ReminderNotFound
from app.reminders.models import Sent
from app.reminders.policy import find
from app.reminders.schemas import DoneRequest, Preset, SnoozeFor
from app.reminders.service.acting import complete, snooze


@dataclass(frozen=True, slots=True)
class Answered:
    """What a letter was about: a due day of a reminder, and whom it was written to."""

    reminder_id: UUID
    user_id: UUID
    due_on: date


async def _sent(token: str) -> Answered:
    columns = Sent.reminder_id, Sent.user_id, Sent.occurs_on
    async with session_scope() as session:
        row = (await session.execute(select(*columns).where(Sent.token_digest == token_digest(token)))).one_or_none()
    if row is None:
        raise ReminderNotFound
    return Answered(*row)


@asynccontextmanager
async def _acting(token: str) -> AsyncIterator[tuple[AsyncSession, Principal, Answered]]:
    """A transaction of the person whom the letter was written to. Raises `ReminderNotFound`."""
    sent = await _sent(token)
    async with session_scope(Actor.user(sent.user_id)) as session:
        yield session, Principal(sent.user_id, frozenset()), sent


async def read_link(token: str) -> date:
    """The due day that a letter was about. Raises `ReminderNotFound`."""
    async with _acting(token) as (session, principal, sent):
        await find(session, principal, sent.reminder_id)
    return sent.due_on


async def done_by_link(token: str) -> None:
    """Say that what a letter was about is done. Raises `ReminderNotFound`, `RoleTooLow`, `NotActive`."""
    async with _acting(token) as (session, principal, sent):
        await complete(session, principal, sent.reminder_id, DoneRequest(due_on=sent.due_on))


async def snooze_by_link(token: str, preset: Preset) -> None:
    """Put off what a letter was about. Raises `ReminderNotFound`, `NotActive`."""
    async with _acting(token) as (session, principal, sent):
        await snooze(session, principal, sent.reminder_id, SnoozeFor(preset=preset))
