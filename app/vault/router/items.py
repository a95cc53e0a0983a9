"""Routes of items and their versions."""

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
    InvalidFields,
    ItemNotFound,
    LimitReached,
    NotInTrash,
    RoleTooLow,
    StaleRevision,
    TypeNotFound,
    VaultNotFound,
    VaultSealed,
    VersionNotFound,
)
from app.vault.router.access import MADE, IfMatch, Reader, Revision, Writer, tag, unless_known
from app.vault.router.queries import ItemFilters, Pages, next_cursor
from app.vault.schemas.items import (
    ItemCreate,
    ItemPage,
    ItemRead,
    ItemUpdate,
    ItemVersionPage,
    ItemVersionRead,
)

router = Router()


@router.post(
    "/items",
    status_code=201,
    responses={
        201: MADE,
        **problems(VaultNotFound, VaultSealed, TypeNotFound, RoleTooLow, LimitReached, InvalidFields),
    },
)
@idempotent()
async def create_item(data: ItemCreate, principal: Writer, session: SessionDep, response: Response) -> ItemRead:
    """Put a record into a vault.

    The fields that its type defines are checked, any other name is a custom field. What is missing can come later.
    """
    item = await service.create_item(session, principal, data)
    response.headers["Location"] = f"/v1/vault/items/{item.id}"
    tag(response, item.revision)
    return item


@router.get(
    "/items",
    response_model=ItemPage,
    responses={**LISTED, **problems(VaultNotFound, VaultSealed, InvalidCursor, ContentDamaged)},
)
async def list_items(
    query: ItemFilters, principal: Reader, session: SessionDep, if_none_match: IfNoneMatch = None
) -> Response:
    """List the records of one vault, or of all of yours, newest first. New ones don't shift the pages."""
    items, last = await service.list_items(session, principal, query.filters())
    return unless_same(ItemPage(items=items, next_cursor=next_cursor(last)), if_none_match)


@router.get(
    "/items/{item_id}",
    response_model=ItemRead,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(ItemNotFound, ContentDamaged)},
)
async def read_item(
    item_id: UUID, principal: Reader, session: SessionDep, response: Response, if_none_match: IfNoneMatch = None
) -> ItemRead | Response:
    """Read a record."""
    item = await service.read_item(session, principal, item_id)
    return unless_known(item, item.revision, response, if_none_match)


@router.patch(
    "/items/{item_id}",
    responses={
        200: TAGGED,
        **problems(ItemNotFound, RoleTooLow, InvalidFields, StaleRevision, ContentDamaged),
    },
)
async def update_item(
    item_id: UUID,
    data: ItemUpdate,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ItemRead:
    """Change a record. What is left out stays; fields are merged one by one, null removes one; tags are replaced.

    With If-Match and the ETag that you have read, nobody's change in between is overwritten: then the answer is 412.
    What the record was before stays in its history.
    """
    item = await service.update_item(session, principal, item_id, data, if_match=if_match)
    tag(response, item.revision)
    return item


@router.delete("/items/{item_id}", status_code=204, responses=problems(ItemNotFound, RoleTooLow))
async def delete_item(item_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Put a record into the trash. It is purged after some time (30 days by default)."""
    await service.trash(session, principal, service.ITEM, item_id)


@router.post("/items/{item_id}/restore", responses={200: TAGGED, **problems(ItemNotFound, RoleTooLow, NotInTrash)})
async def restore_item(item_id: UUID, principal: Writer, session: SessionDep, response: Response) -> ItemRead:
    """Take a record out of the trash."""
    await service.restore(session, principal, service.ITEM, item_id)
    item = await service.read_item(session, principal, item_id)
    tag(response, item.revision)
    return item


@router.post("/items/{item_id}/purge", status_code=204, responses=problems(ItemNotFound, RoleTooLow, NotInTrash))
async def purge_item(item_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Destroy a record that is in the trash, with its history. This can't be undone."""
    await service.purge(session, principal, service.ITEM, item_id)


@router.get("/items/{item_id}/versions", responses=problems(ItemNotFound, InvalidCursor, ContentDamaged))
async def list_item_versions(item_id: UUID, query: Pages, principal: Reader, session: SessionDep) -> ItemVersionPage:
    """List what a record was before, newest first."""
    versions, last = await service.list_item_versions(session, principal, item_id, query.filters())
    return ItemVersionPage(items=versions, next_cursor=next_cursor(last))


@router.get("/items/{item_id}/versions/{revision}", responses=problems(ItemNotFound, VersionNotFound, ContentDamaged))
async def read_item_version(
    item_id: UUID, revision: Revision, principal: Reader, session: SessionDep
) -> ItemVersionRead:
    """Read what a record was at an earlier revision."""
    return await service.read_item_version(session, principal, item_id, revision)


@router.post(
    "/items/{item_id}/versions/{revision}/restore",
    responses={
        200: TAGGED,
        **problems(ItemNotFound, VersionNotFound, RoleTooLow, StaleRevision, ContentDamaged),
    },
)
async def restore_item_version(
    item_id: UUID,
    revision: Revision,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ItemRead:
    """Make an earlier version the present one again, as a new revision; If-Match is honoured."""
    item = await service.restore_item_version(session, principal, item_id, revision, if_match=if_match)
    tag(response, item.revision)
    return item
