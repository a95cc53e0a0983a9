"""Legacy keys on lists of members: they read like a viewer, and belong to no account. Another package knows them."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.sealed.identity import PublicIdentity

Finder: TypeAlias = Callable[[AsyncSession, UUID, UUID], Awaitable[PublicIdentity | None]]

_finders: list[Finder] = []


def knows_legacy_keys(finder: Finder) -> Finder:
    """Register the function that finds the public half of a person's legacy keys, by their id; for the system."""
    _finders[:] = [finder]
    return finder


async def legacy_identity(session: AsyncSession, owner_id: UUID, key_id: UUID) -> PublicIdentity | None:
    """The public half of the owner's legacy keys of this id; None if there are none. For the system."""
    return await _finders[0](session, owner_id, key_id) if _finders else None
