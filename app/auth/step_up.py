"""Dangerous acts: they need a session, and a proof of identity that is not old."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.errors import SessionNeeded, StepUpRequired
from app.auth.models import UserSession
from app.auth.principal import Principal
from app.db.runtime import current


def require_session(principal: Principal) -> None:
    """See that a person is there, not a program with a key. Raises `SessionNeeded`."""
    if principal.session_id is None:
        raise SessionNeeded


async def require_recent(session: AsyncSession, principal: Principal) -> None:
    """See that the person has just proved who they are, by signing in or by a step-up, in this session.

    Raises `SessionNeeded`, `StepUpRequired`.
    """
    require_session(principal)
    fresh = UserSession.authenticated_at > func.now() - timedelta(seconds=current().settings.step_up_seconds)
    mine = UserSession.id == principal.session_id, UserSession.user_id == principal.user_id
    if await session.scalar(select(UserSession.id).where(*mine, fresh)) is None:
        raise StepUpRequired
