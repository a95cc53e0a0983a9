"""What other packages may know of people, in transactions of the system."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import ApiKey, User


def people() -> Select[UUID, datetime]:
    """`id` and `created_at` of every account that stays."""
    return select(User.id, User.created_at).where(User.deletion_at.is_(None))


async def has_password(session: AsyncSession, user_id: UUID) -> bool:
    """Whether a person signs in by a password."""
    hashed = await session.scalar(select(User.password_hash).where(User.id == user_id, User.deletion_at.is_(None)))
    return bool(hashed)


async def account_of(session: AsyncSession, email_digest: bytes) -> UUID | None:
    """The account of an address, by the digest of it."""
    found: UUID | None = await session.scalar(select(User.id).where(User.email_digest == email_digest))
    return found


@dataclass(frozen=True, slots=True)
class ExpiringKey:
    """An API key that will be refused from `expires_at` on."""

    id: UUID
    user_id: UUID
    prefix: str
    created_at: datetime
    expires_at: datetime


async def expiring_api_keys(session: AsyncSession, now: datetime, before: datetime) -> list[ExpiringKey]:
    """The keys that are good now and will not be at a later time, the next to expire first."""
    columns = ApiKey.id, ApiKey.user_id, ApiKey.prefix, ApiKey.created_at, ApiKey.expires_at
    expiring = select(*columns).where(ApiKey.expires_at > now, ApiKey.expires_at <= before)
    rows: Iterable[Any] = await session.execute(expiring.order_by(ApiKey.expires_at))
    return [ExpiringKey(*row) for row in rows]
