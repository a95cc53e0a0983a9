"""Routes of the family and its seats."""

from uuid import UUID

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.problems import problems
from app.api.routes import Router
from app.payments.errors import (
    AlreadyInFamily,
    InAnotherFamily,
    NoSeatLeft,
    NotThePayer,
    OwnPlanFirst,
    PayerStays,
    SeatForSomebodyElse,
    SeatInvitationNotFound,
    SeatNotFound,
    TooManySeatInvitations,
)
from app.payments.router.access import Reader, Writer
from app.payments.schemas.family import FamilyRead, SeatAccept, SeatCreate, SeatRead
from app.payments.services import overview, seats

router = Router()


@router.get("/family")
async def read_family(principal: Reader, session: SessionDep) -> FamilyRead:
    """See your plan, what it allows now, and who shares it. Whoever pays sees all seats, but nothing that is stored."""
    return await overview.read_family(session, principal)


@router.post(
    "/family/seats",
    status_code=201,
    responses=problems(NotThePayer, AlreadyInFamily, NoSeatLeft, TooManySeatInvitations),
)
@idempotent()
async def create_seat(data: SeatCreate, principal: Writer, session: SessionDep) -> SeatRead:
    """Offer a seat by e-mail, with or without an account. Only for the person who pays.

    The token in the e-mail works once, for an account with this address. Offering again replaces the earlier offer.
    """
    return SeatRead.model_validate(await seats.invite(session, principal, data.email))


@router.post(
    "/family/accept-seat",
    responses=problems(
        SeatInvitationNotFound, SeatForSomebodyElse, AlreadyInFamily, InAnotherFamily, OwnPlanFirst, NoSeatLeft
    ),
)
async def accept_seat(data: SeatAccept, principal: Writer, session: SessionDep) -> FamilyRead:
    """Take the seat that you were offered. Your vaults stay yours alone; they count for the family's plan from now on.

    Whoever has a plan of their own ends it first.
    """
    await seats.accept(session, principal, data.token)
    return await overview.read_family(session, principal)


@router.post("/family/seats/{seat_id}/resend", responses=problems(NotThePayer, SeatNotFound, TooManySeatInvitations))
async def resend_seat(seat_id: UUID, principal: Writer, session: SessionDep) -> SeatRead:
    """Send the invitation again, with a new token; the earlier one is void. Only for the person who pays."""
    return SeatRead.model_validate(await seats.resend(session, principal, seat_id))


@router.delete("/family/seats/{seat_id}", status_code=204, responses=problems(SeatNotFound, PayerStays))
async def delete_seat(seat_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Take a seat back, or give up your own. What the person stored stays theirs, on the free plan."""
    await seats.remove(session, principal, seat_id)
