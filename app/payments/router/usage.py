"""Routes of usage and credits."""

from app.api.deps import SessionDep
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.payments.router.access import Reader
from app.payments.schemas.family import CreditsRead, UsageRead
from app.payments.services import overview

router = Router()


@router.get("/usage")
async def read_usage(principal: Reader, session: SessionDep) -> UsageRead:
    """See how much of your plan's limits your family uses."""
    return await overview.read_usage(session, principal)


@router.get("/credits", responses=problems(InvalidCursor))
async def read_credits(principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None) -> CreditsRead:
    """See your family's credits for the assistant: what is left, from where, until when, and what was used."""
    before = parse_cursor(cursor)
    read, last = await overview.read_credits(session, principal, limit=limit, before=before)
    return read.model_copy(update={"next_cursor": cursor_of(last) if last else None})
