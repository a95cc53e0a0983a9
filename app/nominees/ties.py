"""What legacy tells vaults."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.nominees.models import legacy_keys
from app.sealed.identity import PublicIdentity
from app.vault.sealed.legacy_keys import knows_legacy_keys


@knows_legacy_keys
async def find_public_key(session: AsyncSession, user_id: UUID, key_id: UUID) -> PublicIdentity | None:
    """The public half of an owner's legacy keys of this id, present or older ones; None if there are none."""
    mine = legacy_keys.c.user_id == user_id, legacy_keys.c.id == key_id
    found = await session.scalar(select(legacy_keys.c.public_key).where(*mine))
    return PublicIdentity.from_bytes(found) if found else None
