"""When people were last there, whichever way they came: in a session, by a program of theirs, by a foreign sign-in.

Only the clock of the database counts, and it is told about once an hour.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import ApiKey, User, UserSession
from app.db.session import Actor, session_scope

SEEN_SECONDS: Final = 3_600


async def last_seen(session: AsyncSession, user_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """The last sign of life of each of these accounts, for the system or the person; not of those being deleted."""
    in_session = select(func.max(UserSession.last_seen_at)).where(UserSession.user_id == User.id).scalar_subquery()
    by_program = select(func.max(ApiKey.last_used_at)).where(ApiKey.user_id == User.id).scalar_subquery()
    latest = func.greatest(User.last_seen_at, in_session, by_program)  # NULLs are passed over
    statement = select(User.id, latest).where(User.id.in_(user_ids), User.deletion_at.is_(None))
    return {row[0]: row[1] for row in await session.execute(statement)}


async def note_presence(user_id: UUID) -> None:
    """Record that somebody is there who has no session with us, in a transaction of its own."""
    old = User.last_seen_at < func.now() - timedelta(seconds=SEEN_SECONDS)
    seen = update(User).where(User.id == user_id, old).values(last_seen_at=func.now())
    async with session_scope(Actor.user(user_id)) as session:
        await session.execute(seen, execution_options={"synchronize_session": False})


async def keep_presence(session: AsyncSession, leaving: ColumnElement[bool]) -> None:
    """Keep what sessions say about presence before they are deleted; the transaction is the system's."""
    seen = func.max(UserSession.last_seen_at).label("at")
    known = select(UserSession.user_id, seen).where(leaving).group_by(UserSession.user_id).subquery()
    kept = update(User).where(User.id == known.c.user_id, User.last_seen_at < known.c.at)
    await session.execute(kept.values(last_seen_at=known.c.at), execution_options={"synchronize_session": False})
