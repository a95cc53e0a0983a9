"""API keys."""

from uuid import UUID

from app.api.deps import SessionDep
from app.api.pages import Cursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth import service
from app.auth.errors import ApiKeyNotFound, ScopeNotHeld, SessionNeeded, StepUpRequired, TooManyApiKeys
from app.auth.routes.deps import Person
from app.auth.schemas import ApiKeyCreate, ApiKeyCreated, ApiKeyPage

router = Router(prefix="/api-keys")


@router.post("", status_code=201, responses=problems(SessionNeeded, StepUpRequired, ScopeNotHeld, TooManyApiKeys))
async def create_api_key(data: ApiKeyCreate, principal: Person, session: SessionDep) -> ApiKeyCreated:
    """Create a key for a program: send it as `Authorization: Bearer lv_…`. It is shown this once."""
    return await service.create_api_key(session, principal, data)


@router.get("", responses=problems(SessionNeeded))
async def list_api_keys(principal: Person, session: SessionDep, limit: Limit = 20, cursor: Cursor = None) -> ApiKeyPage:
    """See your keys, newest first."""
    items, last = await service.list_api_keys(session, principal, parse_cursor(cursor), limit)
    return ApiKeyPage(items=items, next_cursor=cursor_of(last) if last else None)


@router.delete("/{api_key_id}", status_code=204, responses=problems(SessionNeeded, ApiKeyNotFound))
async def delete_api_key(api_key_id: UUID, principal: Person, session: SessionDep) -> None:
    """Revoke a key at once."""
    await service.delete_api_key(session, principal, api_key_id)
