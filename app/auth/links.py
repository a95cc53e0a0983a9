"""Links that prove that somebody reads the mail of an address; only the digest of their token is kept."""

from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import attempts
from app.auth.addresses import email_digest
from app.auth.devices import Device
from app.auth.errors import InvalidLink
from app.auth.models import Link, User
from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import session_scope

Kind = Literal["verify", "reset"]


async def request(event: str, email: str, device: Device) -> None:
    """Emit `event` for the account of an address; for an unknown one too, so that both do the same work.

    Raises `TooManyAttempts`.
    """
    await attempts.begin_request(device)
    digest = email_digest(email)
    mailed = await attempts.may_be_mailed(digest)
    async with session_scope() as session:
        user_id = await session.scalar(select(User.id).where(User.email_digest == digest))
        if mailed:
            await emit(session, event, user_id=user_id or new_id(), link_id=new_id())


async def make_link(session: AsyncSession, kind: Kind, user_id: UUID, link_id: UUID) -> str | None:
    """The token of a new link, for the one who writes the mail; None if it was made before or is not needed."""
    needed = select(User.id).where(User.id == user_id)
    if kind == "verify":
        needed = needed.where(User.email_verified_at.is_(None))
    if await session.scalar(needed) is None:
        return None
    token = new_token()
    insert = upsert(Link).values(
        id=link_id, user_id=user_id, kind=kind, digest=token_digest(token), expires_at=func.now() + _life(kind)
    )
    made = insert.on_conflict_do_nothing(index_elements=[Link.id]).returning(Link.id)
    return token if await session.scalar(made) else None


def _life(kind: Kind) -> timedelta:
    settings = current().settings
    return timedelta(seconds=settings.email_token_seconds if kind == "verify" else settings.reset_token_seconds)


def _valid(kind: Kind, token: str) -> ColumnElement[bool]:
    return (Link.kind == kind) & (Link.digest == token_digest(token)) & (Link.expires_at > func.now())


async def owner(session: AsyncSession, kind: Kind, token: str) -> UUID:
    """Whose link it is; it is not used up. Raises `InvalidLink`."""
    user_id = await session.scalar(select(Link.user_id).where(_valid(kind, token)))
    if user_id is None:
        raise InvalidLink
    return user_id


async def redeem(session: AsyncSession, kind: Kind, token: str) -> UUID:
    """Whose link it is; it works only once. Raises `InvalidLink`."""
    user_id: UUID | None = await session.scalar(delete(Link).where(_valid(kind, token)).returning(Link.user_id))
    if user_id is None:
        raise InvalidLink
    return user_id


async def void(session: AsyncSession, user_id: UUID) -> None:
    """Make every link of a person useless."""
    await session.execute(delete(Link).where(Link.user_id == user_id))
