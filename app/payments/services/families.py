"""Families: who pays for whom. Everybody has one: the one whose seat they claimed, else their own."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.keys import KeyRing
from app.db.runtime import current
from app.db.statements import Statement
from app.payments.errors import NotThePayer
from app.payments.models.families import Family, Seat
from app.payments.policy import as_family

TABLE: Final = "payments_seats"
CLAIMED: Final = text("state = 'claimed'")
_SEAT: Final = Statement(select(Seat.family_id).where(Seat.user_id == bindparam("user_id"), Seat.state == "claimed"))


async def family_of(session: AsyncSession, user_id: UUID) -> UUID:
    """The family whose seat a person has claimed; otherwise their own, made on first use.

    For the person themself or the system. However many ask at once, there is one family and one seat.
    Raises `LookupError` if there is no such person.
    """
    family_id: UUID | None = await _SEAT.scalar(session, user_id=user_id)
    return family_id or await _own_family(session, user_id)


async def require_payer(session: AsyncSession, principal: Principal) -> UUID:
    """The family that the principal pays for. Raises `NotThePayer` for those whose seat somebody else pays."""
    family_id = await family_of(session, principal.user_id)
    if await session.scalar(select(Family.owner_id).where(Family.id == family_id)) != principal.user_id:
        raise NotThePayer
    return family_id


async def find_family(session: AsyncSession, user_id: UUID) -> UUID | None:
    """The family whose seat a person has claimed, if they have asked about plans before."""
    family_id: UUID | None = await _SEAT.scalar(session, user_id=user_id)
    return family_id


async def payers(session: AsyncSession, family_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Who pays for each of these families. For the system."""
    statement = select(Family.id, Family.owner_id).where(Family.id.in_(family_ids), Family.owner_id.is_not(None))
    return {row.id: row.owner_id for row in await session.execute(statement)}


async def _own_family(session: AsyncSession, user_id: UUID) -> UUID:
    person = await auth.profile(session, user_id)
    ring = await current().keys.ring(session, user_id)
    family_id = await session.scalar(select(Family.id).where(Family.owner_id == user_id)) or new_id()
    async with as_family(session, family_id):
        put = upsert(Family).values(id=family_id, owner_id=user_id).on_conflict_do_nothing()
        await session.execute(put)
    family_id = (await session.scalars(select(Family.id).where(Family.owner_id == user_id))).one()
    await claim_own_seat(session, family_id, user_id, sealed_person(ring, seat_id := new_id(), person), seat_id)
    return (await session.scalars(select(Seat.family_id).where(Seat.user_id == user_id, Seat.state == "claimed"))).one()


async def claim_own_seat(session: AsyncSession, family_id: UUID, user_id: UUID, body: bytes, seat_id: UUID) -> None:
    """Give a person the owner's seat in their own family, unless they have a seat."""
    values = {"id": seat_id, "family_id": family_id, "owner_id": user_id, "user_id": user_id, "state": "claimed"}
    async with as_family(session, family_id):
        put = upsert(Seat).values(**values, body=body, claimed_at=func.now())
        await session.execute(put.on_conflict_do_nothing(index_elements=["user_id"], index_where=CLAIMED))


def sealed_person(ring: KeyRing, seat_id: UUID, person: auth.Profile) -> bytes:
    """Name and address of whoever has a seat, sealed for the payer."""
    return ring.seal(TABLE, seat_id, "body", orjson.dumps({"name": person.name, "email": person.email}))


def opened_person(ring: KeyRing, seat_id: UUID, body: bytes) -> auth.Profile:
    """Name and address of whoever has a seat."""
    fields = orjson.loads(ring.open(TABLE, seat_id, "body", body))
    return auth.Profile(fields["email"], fields["name"])
