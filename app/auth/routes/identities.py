"""Sign-ins elsewhere that open an account of ours."""

from uuid import UUID

from app.api.deps import SessionDep
from app.api.pages import Cursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth import service
from app.auth.errors import IdentityNotFound, IdentityTaken, SessionNeeded, StepUpRequired
from app.auth.gateway import IssuerUnavailable
from app.auth.routes.deps import Person
from app.auth.schemas import IdentityCreate, IdentityPage, IdentityRead
from app.core.security import InvalidToken

router = Router(prefix="/identities")
LINK_PROBLEMS = problems(InvalidToken, SessionNeeded, StepUpRequired, IdentityTaken, IssuerUnavailable)


@router.post("", status_code=201, responses=LINK_PROBLEMS)
async def create_identity(data: IdentityCreate, principal: Person, session: SessionDep) -> IdentityRead:
    """Link a sign-in elsewhere: from now on its tokens are accepted as yours."""
    return await service.create_identity(session, principal, data.token)


@router.get("", responses=problems(SessionNeeded))
async def list_identities(
    principal: Person, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> IdentityPage:
    """See your linked sign-ins, newest first."""
    items, last = await service.list_identities(session, principal, parse_cursor(cursor), limit)
    return IdentityPage(items=items, next_cursor=cursor_of(last) if last else None)


@router.delete("/{identity_id}", status_code=204, responses=problems(SessionNeeded, StepUpRequired, IdentityNotFound))
async def delete_identity(identity_id: UUID, principal: Person, session: SessionDep) -> None:
    """Unlink a sign-in at once."""
    await service.delete_identity(session, principal, identity_id)
