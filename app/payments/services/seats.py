"""Seats: offered by e-mail, claimed by the person they were offered to, given up or taken back.

Whoever has no seat in another family has their own family on the free plan; what they stored stays theirs either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.parts import throttle
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.core.throttle import Limit
from app.db.acting import acting_for
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import SYSTEM
from app.notifications.service import queue_mail
from app.payments.errors import (
    AlreadyInFamily,
    InAnotherFamily,
    NoSeatLeft,
    OwnPlanFirst,
    PayerStays,
    SeatForSomebodyElse,
    SeatInvitationNotFound,
    SeatNotFound,
    TooManySeatInvitations,
)
from app.payments.models.families import Family, Seat
from app.payments.policy import as_family
from app.payments.services import families, limits
from app.payments.services.access import access_of

BY_PERSON: Final = Limit("seats", 100, 3_600)
TO_ADDRESS: Final = Limit("seat", 5, 3_600)
OFFERED: Final = (Seat.state == "invited") & (Seat.expires_at > func.now())


@dataclass(frozen=True, slots=True)
class Place:
    """A seat as it is shown: name and address of whoever has it, or was offered it."""

    id: UUID
    state: str
    is_payer: bool
    is_you: bool
    name: str
    email: str
    expires_at: datetime | None
    claimed_at: datetime | None


async def list_seats(session: AsyncSession, principal: Principal, family_id: UUID) -> list[Place]:
    """Every seat that is claimed or offered, for the payer; their own for members. The first to come first."""
    owner_id = await session.scalar(select(Family.owner_id).where(Family.id == family_id))
    places = []
    for row in await _seats(session, family_id):
        if owner_id == principal.user_id or row.user_id == principal.user_id:
            places.append(await _place(session, principal, row))
    return places


async def _seats(session: AsyncSession, family_id: UUID) -> Sequence[Seat]:
    live = select(Seat).where(Seat.family_id == family_id, (Seat.state == "claimed") | OFFERED).order_by(Seat.id)
    async with as_family(session, family_id):
        return (await session.scalars(live)).all()


async def _place(session: AsyncSession, principal: Principal, seat: Seat) -> Place:
    is_you = seat.user_id == principal.user_id
    if seat.owner_id != principal.user_id:  # sealed for the payer: a member knows their own name
        person = await auth.profile(session, principal.user_id)
    else:
        ring = await current().keys.ring(session, seat.owner_id, seat.body)
        person = families.opened_person(ring, seat.id, seat.body)
    return Place(
        id=seat.id,
        state=seat.state,
        is_payer=seat.user_id == seat.owner_id,
        is_you=is_you,
        name=person.name,
        email=person.email,
        expires_at=seat.expires_at,
        claimed_at=seat.claimed_at,
    )


async def invite(session: AsyncSession, principal: Principal, email: str) -> Place:
    """Offer a seat to an address and send the token there; an earlier offer to the same address is replaced.

    Raises `NotThePayer`, `AlreadyInFamily`, `NoSeatLeft`, `TooManySeatInvitations`.
    """
    family_id = await families.require_payer(session, principal)
    await _lock(session, family_id)
    digest = auth.email_digest(email)
    for place in await list_seats(session, principal, family_id):
        if auth.email_digest(place.email) == digest:
            if place.state == "claimed":
                raise AlreadyInFamily
            await _revoke(session, family_id, place.id)
    await _count_invitation(principal, digest)
    await _require_seat(session, family_id, offered=True)
    seat_id, token = new_id(), new_token()
    ring = await current().keys.ring(session, principal.user_id)
    values = {"id": seat_id, "family_id": family_id, "owner_id": principal.user_id, "state": "invited"}
    body = families.sealed_person(ring, seat_id, auth.Profile(email, ""))
    async with as_family(session, family_id):
        session.add(Seat(**values, body=body, token_digest=token_digest(token), expires_at=await _deadline(session)))
        await session.flush()
    await _send(session, principal, email, token)
    return await _one(session, principal, family_id, seat_id)


async def resend(session: AsyncSession, principal: Principal, seat_id: UUID) -> Place:
    """Send a new token for a seat that was offered; the earlier one is void.

    Raises `NotThePayer`, `SeatNotFound`, `TooManySeatInvitations`.
    """
    family_id = await families.require_payer(session, principal)
    place = await _one(session, principal, family_id, seat_id)
    if place.state != "invited":
        raise SeatNotFound
    await _count_invitation(principal, auth.email_digest(place.email))
    token = new_token()
    values = {"token_digest": token_digest(token), "expires_at": await _deadline(session)}
    async with as_family(session, family_id):
        await session.execute(update(Seat).where(Seat.id == seat_id, Seat.state == "invited").values(**values))
    await _send(session, principal, place.email, token)
    return await _one(session, principal, family_id, seat_id)


async def accept(session: AsyncSession, principal: Principal, token: str) -> UUID:
    """Claim the seat that the principal's own address was offered; the token works once. Returns the family.

    Raises `SeatInvitationNotFound`, `SeatForSomebodyElse`, `AlreadyInFamily`, `InAnotherFamily`, `OwnPlanFirst`,
    `NoSeatLeft`. Emits `payments.seat_claimed`.
    """
    person = await auth.profile(session, principal.user_id)
    own_id = await families.family_of(session, principal.user_id)
    async with acting_for(session, SYSTEM):  # the token proves the right to a seat that nobody else may see yet
        offered = select(Seat).where(Seat.token_digest == token_digest(token), OFFERED)
        seat = (await session.scalars(offered)).one_or_none()
        if seat is None:
            raise SeatInvitationNotFound
        await _lock(session, seat.family_id, own_id)
        ring = await current().keys.ring(session, seat.owner_id, seat.body)
        if auth.email_digest(families.opened_person(ring, seat.id, seat.body).email) != auth.email_digest(person.email):
            raise SeatForSomebodyElse
        await _leave_own(session, principal.user_id, seat.family_id)
        await _require_seat(session, seat.family_id, offered=False)
        body = families.sealed_person(ring, seat.id, person)
        values = {"state": "claimed", "user_id": principal.user_id, "body": body, "token_digest": None}
        claim = update(Seat).where(Seat.id == seat.id, OFFERED).values(**values, claimed_at=func.now(), expires_at=None)
        if await session.scalar(claim.returning(Seat.id)) is None:
            raise SeatInvitationNotFound
        await limits.move(session, principal.user_id, seat.family_id)
        ids = {"family_id": seat.family_id, "seat_id": seat.id}
        await emit(session, "payments.seat_claimed", **ids, user_id=principal.user_id)
    return seat.family_id


async def _leave_own(session: AsyncSession, user_id: UUID, family_id: UUID) -> None:
    """Give up the seat in one's own family, if nothing keeps the person there. The families are locked."""
    mine = select(Seat.family_id, Seat.owner_id).where(Seat.user_id == user_id, Seat.state == "claimed")
    present = (await session.execute(mine)).one()
    if present.family_id == family_id:
        raise AlreadyInFamily
    if present.owner_id != user_id:
        raise InAnotherFamily
    access = await access_of(session, present.family_id)
    others = select(Seat.id).where(Seat.family_id == present.family_id, Seat.user_id != user_id)
    if access.state not in ("none", "ended") or await session.scalar(others.where(Seat.state == "claimed").limit(1)):
        raise OwnPlanFirst("End your own plan, or let your family's members go, before you join another family")
    gone = update(Seat).where(Seat.family_id == present.family_id, Seat.state != "revoked")
    await session.execute(gone.values(state="revoked", revoked_at=func.now(), token_digest=None))


async def remove(session: AsyncSession, principal: Principal, seat_id: UUID) -> None:
    """Take a seat back, or give up one's own. What the person stored stays theirs, on the free plan.

    Raises `SeatNotFound`, `PayerStays`. Emits `payments.seat_revoked`.
    """
    family_id = await families.family_of(session, principal.user_id)
    seat = next((each for each in await _seats(session, family_id) if each.id == seat_id), None)
    if seat is None or (principal.user_id not in (seat.owner_id, seat.user_id)):
        raise SeatNotFound
    if seat.user_id == seat.owner_id:
        raise PayerStays
    async with acting_for(session, SYSTEM):
        await _lock(session, family_id)
        await _revoke(session, family_id, seat_id)
        if seat.user_id:
            await _return_home(session, seat.user_id)
    await emit(session, "payments.seat_revoked", family_id=family_id, seat_id=seat_id)


async def close_family(session: AsyncSession, user_id: UUID) -> None:
    """Let a deleted account out: members of its own family go home, its own seat is given up. For the system.

    Emits `payments.family_closed`, whose subscription then ends at the provider, and `payments.seat_revoked`.
    """
    own_id = await session.scalar(select(Family.id).where(Family.owner_id == user_id))
    if own_id is not None:
        await _lock(session, own_id)
        for seat in await _seats(session, own_id):
            await _revoke(session, own_id, seat.id)
            if seat.user_id and seat.user_id != user_id:
                await _return_home(session, seat.user_id)
        await emit(session, "payments.family_closed", family_id=own_id)
    elsewhere = select(Seat.id, Seat.family_id).where(Seat.user_id == user_id, Seat.state == "claimed")
    for row in (await session.execute(elsewhere)).all():
        await _revoke(session, row.family_id, row.id)
        await emit(session, "payments.seat_revoked", family_id=row.family_id, seat_id=row.id)


async def _return_home(session: AsyncSession, user_id: UUID) -> None:
    """What somebody stored counts for their own family again. For the system."""
    if await auth.find_profile(session, user_id):
        await limits.move(session, user_id, await families.family_of(session, user_id))


async def _revoke(session: AsyncSession, family_id: UUID, seat_id: UUID) -> None:
    gone = update(Seat).where(Seat.id == seat_id, Seat.family_id == family_id, Seat.state != "revoked")
    async with as_family(session, family_id):
        await session.execute(gone.values(state="revoked", revoked_at=func.now(), token_digest=None))


async def _lock(session: AsyncSession, *family_ids: UUID) -> None:
    """One after another: whoever changes the seats of a family."""
    for family_id in sorted(family_ids):
        async with as_family(session, family_id):
            await session.execute(select(Family.id).where(Family.id == family_id).with_for_update(key_share=True))


async def seats_taken(session: AsyncSession, family_id: UUID) -> tuple[int, int]:
    """How many seats are claimed, and how many are offered besides."""
    counts = select(
        func.count().filter(Seat.state == "claimed").label("claimed"), func.count().filter(OFFERED).label("offered")
    ).where(Seat.family_id == family_id)
    async with as_family(session, family_id):
        row = (await session.execute(counts)).one()
    return row.claimed, row.offered


async def _require_seat(session: AsyncSession, family_id: UUID, *, offered: bool) -> None:
    """See that there is room for one more; seats on offer count for further offers. The family is locked."""
    most = (await access_of(session, family_id)).limits.get("seats")
    if most is None or not current().settings.plan_limits_enforced:
        return
    claimed, waiting = await seats_taken(session, family_id)
    if claimed + (waiting if offered else 0) >= most:
        raise NoSeatLeft(f"The plan has {most} seats; take one back, or buy a further one")


async def _count_invitation(principal: Principal, digest: bytes) -> None:
    counted = throttle()
    wait = await counted.hit(BY_PERSON, principal.user_id.hex) or await counted.hit(TO_ADDRESS, digest.hex())
    if wait:
        raise TooManySeatInvitations(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})


async def _deadline(session: AsyncSession) -> datetime:
    later = func.now() + timedelta(seconds=current().settings.seat_invitation_seconds)
    return (await session.scalars(select(later))).one()


async def _send(session: AsyncSession, principal: Principal, email: str, token: str) -> None:
    payer = await auth.profile(session, principal.user_id)
    context: dict[str, Any] = {"inviter": payer.name, "token": token}
    hours = str(current().settings.seat_invitation_seconds // 3600)
    await queue_mail(session, owner_id=principal.user_id, to=email, template="seat_invitation", hours=hours, **context)


async def _one(session: AsyncSession, principal: Principal, family_id: UUID, seat_id: UUID) -> Place:
    for place in await list_seats(session, principal, family_id):
        if place.id == seat_id:
            return place
    raise SeatNotFound
