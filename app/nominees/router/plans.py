"""Routes of legacy plans."""

from uuid import UUID

from fastapi import Response

from app.api.conditional import TAGGED
from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.nominees import service
from app.nominees.errors import CaseIsOpen, LegacyPlanNotFound, NomineeNotFound, PlanNotReady, TooManyPlans
from app.nominees.router.access import MADE_TAGGED, Reader, Writer
from app.nominees.router.people import STEP_UP
from app.nominees.schemas.plans import (
    LegacyPlanCreate,
    LegacyPlanPage,
    LegacyPlanRead,
    LegacyPlanUpdate,
    Readiness,
)
from app.vault.errors import DocumentNotFound, ItemNotFound, RoleTooLow, StaleRevision, VaultNotFound, VaultSealed
from app.vault.router.access import IfMatch, tag

router = Router(prefix="/plans")
GIFTS = (NomineeNotFound, VaultNotFound, VaultSealed, ItemNotFound, DocumentNotFound, RoleTooLow)
CHANGE = (*STEP_UP, LegacyPlanNotFound, CaseIsOpen)


@router.post("", status_code=201, responses={201: MADE_TAGGED, **problems(*STEP_UP, TooManyPlans, *GIFTS)})
@idempotent()
async def create_plan(
    data: LegacyPlanCreate, principal: Writer, session: SessionDep, response: Response
) -> LegacyPlanRead:
    """Write down who gets what of your vaults, in which stages, and what has to happen before.

    A new plan is a draft: nothing happens until you arm it.
    """
    plan = await service.create_plan(session, principal, data)
    response.headers["Location"] = f"/v1/nominees/plans/{plan.id}"
    tag(response, plan.revision)
    return plan


@router.get("", responses=problems(InvalidCursor))
async def list_plans(
    principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> LegacyPlanPage:
    """List your plans, newest first."""
    items, last = await service.list_plans(session, principal, parse_cursor(cursor), limit)
    return LegacyPlanPage(items=items, next_cursor=cursor_of(last) if last else None)


@router.get("/{plan_id}", responses={200: TAGGED, **problems(LegacyPlanNotFound)})
async def read_plan(plan_id: UUID, principal: Reader, session: SessionDep, response: Response) -> LegacyPlanRead:
    """See a plan."""
    plan = await service.read_plan(session, principal, plan_id)
    tag(response, plan.revision)
    return plan


@router.patch("/{plan_id}", responses={200: TAGGED, **problems(*CHANGE, *GIFTS, StaleRevision)})
async def update_plan(
    plan_id: UUID,
    data: LegacyPlanUpdate,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> LegacyPlanRead:
    """Change a plan. What is left out stays; `stages` and `messages` are replaced. You are told by e-mail.

    While a release of the plan is going on it can't be changed: stop that first.
    """
    plan = await service.update_plan(session, principal, plan_id, data, if_match=if_match)
    tag(response, plan.revision)
    return plan


@router.delete("/{plan_id}", status_code=204, responses=problems(*CHANGE))
async def delete_plan(plan_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Delete a plan, with what happened in its past releases."""
    await service.delete_plan(session, principal, plan_id)


@router.post("/{plan_id}/arm", responses={200: TAGGED, **problems(*CHANGE, PlanNotReady)})
async def arm_plan(plan_id: UUID, principal: Writer, session: SessionDep, response: Response) -> LegacyPlanRead:
    """Let a plan come into force. What would fail today is told by …/readiness."""
    plan = await service.arm_plan(session, principal, plan_id)
    tag(response, plan.revision)
    return plan


@router.post("/{plan_id}/disarm", responses={200: TAGGED, **problems(*CHANGE)})
async def disarm_plan(plan_id: UUID, principal: Writer, session: SessionDep, response: Response) -> LegacyPlanRead:
    """Make a plan a draft again."""
    plan = await service.disarm_plan(session, principal, plan_id)
    tag(response, plan.revision)
    return plan


@router.get("/{plan_id}/readiness", responses=problems(LegacyPlanNotFound))
async def read_readiness(plan_id: UUID, principal: Reader, session: SessionDep) -> Readiness:
    """See what would fail if the plan had to work today: somebody who has not accepted, a vault that is gone, …"""
    return await service.read_readiness(session, principal, plan_id)
