"""What is deleted after a while."""

from datetime import timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import ApiKey, Challenge, Link, RefreshToken, User, UserSession
from app.auth.opening import verification_required
from app.auth.presence import keep_presence
from app.db.runtime import current

KEEP_ENDED_SESSIONS = timedelta(days=30)
KEEP_UNCONFIRMED = timedelta(days=7)
MOST_ACCOUNTS = 500


async def purge(session: AsyncSession) -> None:
    """Delete what expired, ended or was used long ago, and unconfirmed accounts."""
    await session.execute(delete(Link).where(Link.expires_at < func.now()))
    ended = func.now() - KEEP_ENDED_SESSIONS
    await session.execute(delete(ApiKey).where(ApiKey.expires_at < ended))
    await session.execute(delete(Challenge).where(Challenge.expires_at < func.now()))
    leaving = or_(UserSession.ended_at < ended, UserSession.expires_at < ended)
    await keep_presence(session, leaving)
    await session.execute(delete(UserSession).where(leaving))
    unused = func.now() - timedelta(seconds=current().settings.refresh_token_seconds)
    await session.execute(delete(RefreshToken).where(RefreshToken.used_at < unused))
    if verification_required():
        await _purge_unconfirmed(session)


async def _purge_unconfirmed(session: AsyncSession) -> None:
    """Delete accounts and claims (see `accounts`) that nobody confirmed in time."""
    old = func.now() - KEEP_UNCONFIRMED
    await session.execute(update(User).where(User.claimed_at < old).values(claim_hash=None, claimed_at=None))
    waiting = select(User.id).where(User.email_verified_at.is_(None), User.created_at < old).limit(MOST_ACCOUNTS)
    gone = await session.scalars(delete(User).where(User.id.in_(waiting)).returning(User.id))
    for user_id in gone.all():
        await current().keys.destroy(session, user_id)
