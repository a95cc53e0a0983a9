"""Plans that an operator gives."""

from uuid import UUID

from sqlalchemy import select, update

from app.db.outbox import emit
from app.db.session import session_scope
from app.payments.errors import FamilyNotFound, PlanNotFound
from app.payments.models import Family, PlanVersion


async def grant_plan(family_id: UUID, plan_code: str | None) -> None:
    """Give a family the newest version of a plan, or take it back. For operators.

    Raises `FamilyNotFound`, `PlanNotFound`. Emits `payments.plan_granted`.
    """
    async with session_scope() as session:
        newest = select(PlanVersion.id).where(PlanVersion.plan_code == plan_code)
        version_id = await session.scalar(newest.order_by(PlanVersion.version.desc()).limit(1))
        if plan_code is not None and version_id is None:
            raise PlanNotFound
        given = update(Family).where(Family.id == family_id).values(granted_plan_version_id=version_id)
        if await session.scalar(given.returning(Family.id)) is None:
            raise FamilyNotFound
        await emit(session, "payments.plan_granted", family_id=family_id)
