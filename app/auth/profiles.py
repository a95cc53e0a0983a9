"""Name and address of a person, sealed under their own data key."""

from dataclasses import asdict, dataclass
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import User
from app.db.keys import KeyRing
from app.db.runtime import current


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person is called, and where mail reaches them."""

    email: str
    name: str


def seal_profile(ring: KeyRing, user_id: UUID, profile: Profile) -> bytes:
    """The cell of a profile."""
    return ring.seal("auth_users", user_id, "profile", orjson.dumps(asdict(profile)))


def open_profile(ring: KeyRing, user_id: UUID, cell: bytes) -> Profile:
    """The profile in a cell. Raises `SealBroken`."""
    return Profile(**orjson.loads(ring.open("auth_users", user_id, "profile", cell)))


async def find_profile(session: AsyncSession, user_id: UUID) -> Profile | None:
    """The profile of a person, for themself or the system; None if there is no such account (any more)."""
    cell = await session.scalar(select(User.profile).where(User.id == user_id))
    if cell is None:
        return None
    return open_profile(await current().keys.ring(session, user_id, cell), user_id, cell)


async def profile(session: AsyncSession, user_id: UUID) -> Profile:
    """As `find_profile`, where the account is known to exist. Raises `LookupError`."""
    found = await find_profile(session, user_id)
    if found is None:
        raise LookupError("no such account")
    return found
