"""Where a family's subscription stands, as it is shown."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.session import Actor, session_scope
from app.payments.models import BillingSubscription, PlanVersion
from app.payments.schemas.subscription import PlannedRead, SubscriptionRead, SubscriptionState
from app.payments.services import families, overview


async def read_subscription(principal: Principal) -> SubscriptionState:
    """The plan of the payer's family and its newest subscription. Raises `NotThePayer`."""
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    async with session_scope(Actor.family(family_id)) as session:
        mine = select(BillingSubscription).where(BillingSubscription.family_id == family_id)
        newest = mine.order_by(BillingSubscription.state == "ended", BillingSubscription.started_at.desc()).limit(1)
        row = (await session.scalars(newest)).one_or_none()
        shown = await _shown(session, row) if row else None
        return SubscriptionState(plan=await overview.plan_state(session, family_id), subscription=shown)


async def _shown(session: AsyncSession, row: BillingSubscription) -> SubscriptionRead:
    planned = None
    if row.planned_plan_version_id:
        code = await _code(session, row.planned_plan_version_id)
        planned = PlannedRead.model_validate(
            {"plan": code, "interval": row.planned_interval, "seats": row.planned_seats or 0}
        )
    names = SubscriptionRead.model_fields.keys() - {"plan", "planned"}
    values = {name: getattr(row, name) for name in names}
    return SubscriptionRead.model_validate(
        {**values, "plan": await _code(session, row.plan_version_id), "planned": planned}
    )


async def _code(session: AsyncSession, version_id: UUID) -> str:
    code = select(PlanVersion.plan_code).where(PlanVersion.id == version_id)
    return (await session.scalars(code)).one()
