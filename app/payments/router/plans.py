"""Routes of what can be bought."""

from fastapi import Response

from app.api.deps import SessionDep
from app.api.routes import Router
from app.db.session import SYSTEM, act_for
from app.payments.schemas.plans import PlanList
from app.payments.services import plans

CACHED = {"Cache-Control": {"description": "For how long it may be kept.", "schema": {"type": "string"}}}

router = Router()


@router.get("/plans", responses={200: {"headers": CACHED}})
async def list_plans(session: SessionDep, response: Response) -> PlanList:
    """List the plans with their limits and prices, and packs of credits. For everybody, also without a sign-in."""
    act_for(session, SYSTEM)
    response.headers["Cache-Control"] = "public, max-age=300"
    return await plans.list_plans(session)
