"""Routes of drills."""

from uuid import UUID

from fastapi import Response

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.errors import SessionNeeded
from app.nominees import service
from app.nominees.errors import DrillNotFound, DrillRunning, LegacyPlanNotFound, PlanNotReady, TooManyLetters
from app.nominees.router.access import MADE, Reader, Writer
from app.nominees.schemas.cases import DrillPage, DrillRead

router = Router()


@router.post(
    "/plans/{plan_id}/drills",
    status_code=201,
    responses={
        201: MADE,
        **problems(SessionNeeded, LegacyPlanNotFound, PlanNotReady, DrillRunning, TooManyLetters),
    },
)
@idempotent()
async def start_drill(plan_id: UUID, principal: Writer, session: SessionDep, response: Response) -> DrillRead:
    """Walk through a plan with its real people: you, the trusted person, the nominees get letters marked as a drill.

    Nothing is released by it. Who answered, and when, is shown, and sent to you at the end.
    """
    drill = await service.start_drill(session, principal, plan_id)
    response.headers["Location"] = f"/v1/nominees/drills/{drill.id}"
    return drill


@router.get("/plans/{plan_id}/drills", responses=problems(LegacyPlanNotFound, InvalidCursor))
async def list_drills(
    plan_id: UUID, principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> DrillPage:
    """List the drills of a plan, newest first."""
    items, last = await service.list_drills(session, principal, plan_id, parse_cursor(cursor), limit)
    return DrillPage(items=items, next_cursor=cursor_of(last) if last else None)


@router.get("/drills/{drill_id:uuid}", responses=problems(DrillNotFound))
async def read_drill(drill_id: UUID, principal: Reader, session: SessionDep) -> DrillRead:
    """See who has answered in a drill."""
    return await service.read_drill(session, principal, drill_id)
