"""Sessions opened for people whose identity is proved."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import sessions
from app.auth.devices import Device
from app.auth.models import User, UserSession
from app.auth.schemas import TokenPair
from app.auth.tokens import token_pair
from app.core.errors import AppError
from app.db.runtime import current

WAITING_SCOPE = "profile"  # all that is open to an account that waits for its deletion


def verification_required() -> bool:
    """Whether an account can be used only once its e-mail address is confirmed."""
    return current().settings.environment == "production"


@dataclass(frozen=True, slots=True)
class _State:
    verified: bool
    deletion_at: datetime | None


async def open_session(
    session: AsyncSession, user_id: UUID, scope: str | None, device: Device, otherwise: AppError
) -> TokenPair | AppError:
    """A new session, if the account is one to be used; else the error. The account stays locked against changes."""
    columns = User.email_verified_at.is_not(None), User.deletion_at
    usable = User.id == user_id, User.deletion_announced_at.is_(None)
    row = (await session.execute(select(*columns).where(*usable).with_for_update(read=True))).one_or_none()
    state = _State(*row) if row else None
    if state is None or (verification_required() and not state.verified):
        return otherwise
    granted = WAITING_SCOPE if state.deletion_at else scope
    session_id, refresh_token = await sessions.start(session, user_id, granted, device)
    return token_pair(user_id, session_id, granted, refresh_token, state.deletion_at)


async def is_known_place(session: AsyncSession, user_id: UUID, device: Device) -> bool:
    """Whether the person has signed in from this place before."""
    here = exists().where(UserSession.user_id == user_id, UserSession.address_digest == device.place)
    return bool(await session.scalar(select(here)))
