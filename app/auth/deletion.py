"""Accounts that are deleted: closed at once, restorable for some days, then destroyed with their keys.

Other packages may object before (`before_deletion`), and clear what they have of a person after, on the event
`auth.account_deleted`. The row of the account goes when nothing refers to it any more.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import challenges, links, sessions
from app.auth.accounts import read_me
from app.auth.acts import note
from app.auth.api_keys import delete_api_keys
from app.auth.errors import NotWaitingForDeletion
from app.auth.models import User
from app.auth.principal import Principal
from app.auth.schemas import MeRead
from app.auth.step_up import require_recent
from app.core.logging import get_log
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import session_scope

Objection: TypeAlias = Callable[[AsyncSession, Principal], Awaitable[None]]
ACCOUNTS_AT_ONCE: Final = 100

log = get_log(__name__)
_objections: list[Objection] = []


def before_deletion(objection: Objection) -> Objection:
    """Register a function that raises an error if an account can't be deleted as things are."""
    _objections.append(objection)
    return objection


async def request_deletion(session: AsyncSession, principal: Principal) -> datetime:
    """Close an account at once; when it will be destroyed. Asking again does not put that off.

    Raises `StepUpRequired`, and what the objections raise. Emits `auth.deletion_requested`.
    """
    await require_recent(session, principal)
    for objection in _objections:
        await objection(session, principal)
    later = func.now() + timedelta(days=current().settings.account_deletion_days)
    doomed = update(User).where(User.id == principal.user_id).values(deletion_at=func.coalesce(User.deletion_at, later))
    deletion_at: datetime | None = await session.scalar(doomed.returning(User.deletion_at))
    assert deletion_at is not None  # noqa: S101
    await _close(session, principal.user_id)
    await emit(session, "auth.deletion_requested", user_id=principal.user_id)
    await note(session, principal, principal.user_id, "auth.deletion_requested")
    return deletion_at


async def _close(session: AsyncSession, user_id: UUID) -> None:
    """Let nobody in by what was given out before."""
    await delete_api_keys(session, user_id)
    await links.void(session, user_id)
    await challenges.void(session, user_id)
    await sessions.end(session, user_id)


async def restore_account(session: AsyncSession, principal: Principal) -> MeRead:
    """Keep an account after all; who is signed in signs in again for more than their profile.

    Raises `NotWaitingForDeletion`. Emits `auth.deletion_cancelled`.
    """
    waiting = User.id == principal.user_id, User.deletion_at.is_not(None), User.deletion_announced_at.is_(None)
    kept = update(User).where(*waiting).values(deletion_at=None).returning(User.id)
    if await session.scalar(kept) is None:
        raise NotWaitingForDeletion
    await emit(session, "auth.deletion_cancelled", user_id=principal.user_id)
    await note(session, principal, principal.user_id, "auth.deletion_cancelled")
    return await read_me(session, principal)


async def deletion_time(session: AsyncSession, user_id: UUID) -> datetime | None:
    """When an account will be destroyed; None if it stays."""
    at: datetime | None = await session.scalar(select(User.deletion_at).where(User.id == user_id))
    return at


async def delete_accounts(now: datetime) -> int:
    """Destroy the accounts that were announced before, unless something refers to them; announce those that are due.

    Returns how many were destroyed.
    """
    async with session_scope() as session:
        announced = select(User.id).where(User.deletion_announced_at.is_not(None))
        user_ids = (await session.scalars(announced.order_by(func.random()).limit(ACCOUNTS_AT_ONCE))).all()
    destroyed = sum([await _destroy(user_id) for user_id in user_ids])
    async with session_scope() as session:
        await _announce(session, now)
    return destroyed


async def _announce(session: AsyncSession, now: datetime) -> None:
    """Emits `auth.account_deleted`; from here on there is no way back."""
    due = select(User.id).where(User.deletion_at <= now, User.deletion_announced_at.is_(None)).limit(ACCOUNTS_AT_ONCE)
    for user_id in (await session.scalars(due.with_for_update(skip_locked=True))).all():
        await session.execute(update(User).where(User.id == user_id).values(deletion_announced_at=now))
        await _close(session, user_id)
        await emit(session, "auth.account_deleted", user_id=user_id)


async def _destroy(user_id: UUID) -> bool:
    try:
        async with session_scope() as session:
            await session.execute(delete(User).where(User.id == user_id))
            await current().keys.destroy(session, user_id)
    except IntegrityError:
        log.info("account waits for what refers to it", user_id=str(user_id))
        return False
    return True
