"""What a person is shown of their family, its usage and its credits."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.runtime import current
from app.payments.models.credits import CreditHold, CreditLot
from app.payments.models.families import Family
from app.payments.policy import as_family
from app.payments.schemas.family import (
    CreditsRead,
    CreditUseRead,
    FamilyRead,
    LotRead,
    MeterRead,
    PlanState,
    SeatRead,
    UsageRead,
)
from app.payments.services import credits, families, limits, plans, seats
from app.payments.services.access import access_of


async def read_family(session: AsyncSession, principal: Principal) -> FamilyRead:
    """The family whose seat the principal has, and its plan."""
    family_id = await families.family_of(session, principal.user_id)
    owner_id = await session.scalar(select(Family.owner_id).where(Family.id == family_id))
    claimed, offered = await seats.seats_taken(session, family_id)
    places = await seats.list_seats(session, principal, family_id)
    return FamilyRead(
        id=family_id,
        role="payer" if owner_id == principal.user_id else "member",
        plan=await plan_state(session, family_id),
        seats_claimed=claimed,
        seats_offered=offered,
        seats=[SeatRead.model_validate(place) for place in places],
    )


async def plan_state(session: AsyncSession, family_id: UUID) -> PlanState:
    """What a family's plan allows now."""
    access = await access_of(session, family_id)
    return PlanState(
        code=access.plan_code,
        name=await plans.plan_name(session, access.plan_version_id),
        version_id=access.plan_version_id,
        state=access.state,
        reason=access.reason,
        may_write=access.may_write,
        may_use_ai=access.may_use_ai,
        until=access.until,
        limits=plans.limits_read(access.limits),
    )


async def read_usage(session: AsyncSession, principal: Principal) -> UsageRead:
    """What the family uses of its plan; credits are the available part of what the lots hold now."""
    family_id = await families.family_of(session, principal.user_id)
    access = await access_of(session, family_id)
    claimed, _ = await seats.seats_taken(session, family_id)
    found = [limits.Usage("seats", claimed, access.limits.get("seats")), *await limits.usage(session, family_id)]
    return UsageRead(
        plan=access.plan_code,
        enforced=current().settings.plan_limits_enforced,
        meters=[
            MeterRead(meter=each.meter, used=each.used, limit=each.limit, percent=_percent(each)) for each in found
        ],
    )


def _percent(usage: limits.Usage) -> int | None:
    if usage.limit is None:
        return None
    return 100 * usage.used // usage.limit if usage.limit else 100 * min(usage.used, 1)


async def read_credits(
    session: AsyncSession, principal: Principal, *, limit: int, before: UUID | None
) -> tuple[CreditsRead, UUID | None]:
    """The family's credits and a page of what was used; the id that the next page begins after."""
    family_id = await families.family_of(session, principal.user_id)
    has = await credits.balance(session, family_id)
    used = select(CreditHold).where(CreditHold.family_id == family_id).order_by(CreditHold.id.desc()).limit(limit + 1)
    left = select(CreditLot).where(CreditLot.family_id == family_id, CreditLot.remaining > 0).order_by(*credits.ORDER)
    async with as_family(session, family_id):
        holds = (await session.scalars(used.where(CreditHold.id < before) if before else used)).all()
        lots = (await session.scalars(left)).all()
    page = holds[:limit]
    last = page[-1].id if len(holds) > limit else None
    read = CreditsRead(
        available=has.available if has.is_open and not has.debt else 0,
        held=has.held,
        debt=has.debt,
        lots=[_lot(each) for each in lots],
        history=[_use(each) for each in page],
        next_cursor=None,
    )
    return read, last


def _lot(lot: CreditLot) -> LotRead:
    return LotRead(
        id=lot.id,
        source="plan" if lot.source_kind == "plan" else "payment" if lot.source_kind == "payment" else "other",
        granted=lot.granted,
        remaining=lot.remaining,
        used=lot.used,
        expired=lot.expired,
        taken_back=lot.taken_back + lot.repaid,
        expires_at=lot.expires_at,
        granted_at=lot.created_at,
    )


def _use(hold: CreditHold) -> CreditUseRead:
    return CreditUseRead.model_validate(
        {
            "id": hold.id,
            "state": hold.state,
            "amount": hold.amount,
            "used": hold.settled,
            "created_at": hold.created_at,
            "closed_at": hold.closed_at,
        }
    )
