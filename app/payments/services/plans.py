"""What can be bought."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.payments.models.catalog import Plan, PlanVersion, Price
from app.payments.schemas.plans import LimitsRead, PlanList, PlanRead, PriceRead


async def list_plans(session: AsyncSession) -> PlanList:
    """Every plan that is offered in its newest version, the smallest first, and packs of credits."""
    newest = select(PlanVersion.plan_code, func.max(PlanVersion.version).label("version"))
    newest_one = newest.group_by(PlanVersion.plan_code).subquery()
    same = (PlanVersion.plan_code == newest_one.c.plan_code) & (PlanVersion.version == newest_one.c.version)
    plans = select(Plan, PlanVersion).join(PlanVersion, PlanVersion.plan_code == Plan.code).join(newest_one, same)
    offered = select(Price).where(Price.is_offered).order_by(Price.kind, Price.amount_cents)
    prices = (await session.scalars(offered)).all()
    rows = (await session.execute(plans.order_by(Plan.rank))).all()
    read = [_plan(plan, version, prices) for plan, version in rows]
    packs = [PriceRead.model_validate(each) for each in prices if each.kind == "credits"]
    return PlanList(plans=[plan for plan in read if plan.prices or plan.code == "free"], credit_packs=packs)


def _plan(plan: Plan, version: PlanVersion, prices: Sequence[Price]) -> PlanRead:
    return PlanRead(
        code=plan.code,
        name=plan.name,
        version_id=version.id,
        trial_days=plan.trial_days,
        limits=limits_read(version.limits),
        prices=[PriceRead.model_validate(each) for each in prices if each.plan_version_id == version.id],
    )


def limits_read(limits: Mapping[str, Any]) -> LimitsRead:
    """Limits as they are shown; what a version does not name, it does not limit."""
    return LimitsRead.model_validate({name: limits.get(name) for name in LimitsRead.model_fields})


async def plan_name(session: AsyncSession, version_id: UUID) -> str:
    """What the plan of a version is called."""
    name = select(Plan.name).join(PlanVersion, PlanVersion.plan_code == Plan.code).where(PlanVersion.id == version_id)
    return (await session.scalars(name)).one()
