"""Who may see and change which reminder: one's own, and those of one's vaults by the role there."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.reminders.errors import ReminderNotFound
from app.reminders.models import Reminder
from app.vault.errors import RoleTooLow
from app.vault.policy import allows, roles_for, visible_vaults

SHOWN = ("proposed", "active", "done", "dismissed")


@dataclass(frozen=True, slots=True)
class Held:
    """A reminder, and the principal's role in its vault; none in their own."""

    row: Reminder
    role: str | None

    @property
    def is_writable(self) -> bool:
        """Whether they may change it."""
        return self.role is None or allows(self.role, "write")


def visible_reminders(principal: Principal) -> Select[Any]:
    """A reminder and the principal's role in its vault, for each that they may see; those that ended are not seen."""
    mine = visible_vaults(principal.user_id).subquery()
    return (
        select(Reminder, mine.c.role)
        .outerjoin(mine, mine.c.vault_id == Reminder.vault_id)
        .where(or_(Reminder.user_id == principal.user_id, mine.c.vault_id.is_not(None)), Reminder.state.in_(SHOWN))
    )


def for_person(statement: Select[Any], user_id: UUID) -> Select[Any]:
    """Of `visible_reminders` those that a person is told of: assigned to them, or to all who may change the vault."""
    role = statement.selected_columns["role"]
    everyone = Reminder.assigned_to.is_(None) & (Reminder.vault_id.is_(None) | role.in_(roles_for("write")))
    return statement.where(everyone | Reminder.assigned_to.contains([user_id]))


async def find(session: AsyncSession, principal: Principal, reminder_id: UUID) -> Held:
    """A reminder that the principal may see. Raises `ReminderNotFound`."""
    statement = visible_reminders(principal).where(Reminder.id == reminder_id)
    row = (await session.execute(statement.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise ReminderNotFound
    return Held(row[0], row.role)


async def find_writable(session: AsyncSession, principal: Principal, reminder_id: UUID) -> Reminder:
    """A reminder that the principal may change, locked. Raises `ReminderNotFound`, `RoleTooLow`."""
    held = await find(session, principal, reminder_id)
    if not held.is_writable:
        raise RoleTooLow
    return await locked(session, reminder_id)


async def find_answerable(session: AsyncSession, principal: Principal, reminder_id: UUID) -> Held:
    """A reminder that the principal may say is done: they may change it, or it is assigned to them.

    Raises `ReminderNotFound`, `RoleTooLow`.
    """
    held = await find(session, principal, reminder_id)
    if not held.is_writable and principal.user_id not in (held.row.assigned_to or []):
        raise RoleTooLow
    return held


async def locked(session: AsyncSession, reminder_id: UUID) -> Reminder:
    """The row, which nobody else changes until the transaction ends. Raises `ReminderNotFound`.

    The transaction acts for somebody who may change it.
    """
    statement = select(Reminder).where(Reminder.id == reminder_id).with_for_update()
    row = await session.scalar(statement.execution_options(populate_existing=True))
    if row is None:
        raise ReminderNotFound
    return row
