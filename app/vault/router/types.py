"""Routes of record types."""

from uuid import UUID

from fastapi import Response

from app.api.conditional import LISTED, NOT_MODIFIED, TAGGED, IfNoneMatch, unless_same
from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import InvalidCursor
from app.api.problems import problems
from app.api.routes import Router
from app.vault import service
from app.vault.errors import (
    ContentDamaged,
    InvalidDefinition,
    LimitReached,
    RoleTooLow,
    StaleRevision,
    TypeInUse,
    TypeNotFound,
    VaultNotFound,
    VaultSealed,
)
from app.vault.router.access import MADE, IfMatch, Reader, Writer, tag, unless_known
from app.vault.router.queries import PagesOfVault, next_cursor
from app.vault.schemas.types import RecordTypePage, RecordTypeRead, TypeCreate, TypeUpdate

router = Router(prefix="/types")


@router.get(
    "",
    response_model=RecordTypePage,
    responses={**LISTED, **problems(VaultNotFound, VaultSealed, InvalidCursor, ContentDamaged)},
)
async def list_types(
    query: PagesOfVault, principal: Reader, session: SessionDep, if_none_match: IfNoneMatch = None
) -> Response:
    """List the record types and their fields: the built-in ones on the first page, then those that people made."""
    types, last = await service.list_types(session, principal, query.filters())
    return unless_same(RecordTypePage(items=types, next_cursor=next_cursor(last)), if_none_match)


@router.post(
    "",
    status_code=201,
    responses={201: MADE, **problems(VaultNotFound, VaultSealed, RoleTooLow, LimitReached, InvalidDefinition)},
)
@idempotent()
async def create_type(data: TypeCreate, principal: Writer, session: SessionDep, response: Response) -> RecordTypeRead:
    """Make a record type of your own for a vault. Its records have its `name` as their `type`."""
    made = await service.create_type(session, principal, data)
    response.headers["Location"] = f"/v1/vault/types/{made.id}"
    tag(response, made.revision or 1)
    return made


@router.get(
    "/{type_id}",
    response_model=RecordTypeRead,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(TypeNotFound, ContentDamaged)},
)
async def read_type(
    type_id: UUID, principal: Reader, session: SessionDep, response: Response, if_none_match: IfNoneMatch = None
) -> RecordTypeRead | Response:
    """Read a record type that people made."""
    found = await service.read_type(session, principal, type_id)
    return unless_known(found, found.revision or 1, response, if_none_match)


@router.patch(
    "/{type_id}",
    responses={200: TAGGED, **problems(TypeNotFound, RoleTooLow, StaleRevision, InvalidDefinition, ContentDamaged)},
)
async def update_type(
    type_id: UUID,
    data: TypeUpdate,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> RecordTypeRead:
    """Change a record type. Its records keep what they hold; a field that it has no longer is a custom one there."""
    changed = await service.update_type(session, principal, type_id, data, if_match=if_match)
    tag(response, changed.revision or 1)
    return changed


@router.delete("/{type_id}", status_code=204, responses=problems(TypeNotFound, RoleTooLow, TypeInUse))
async def delete_type(type_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Delete a record type that no record has, not even in the trash."""
    await service.delete_type(session, principal, type_id)
