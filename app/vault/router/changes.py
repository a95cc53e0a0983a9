"""Routes by which items and documents are moved, marked, changed in bulk and compared with what they were."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Query, Response

from app.api.conditional import TAGGED
from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.payments.errors import PlanLimitReached
from app.vault import service
from app.vault.errors import (
    BulkRefused,
    ContentDamaged,
    DocumentNotFound,
    FieldNotFound,
    InvalidFields,
    ItemNotFound,
    LimitReached,
    RoleTooLow,
    StaleRevision,
    VaultNotFound,
    VaultSealed,
    VersionNotFound,
)
from app.vault.router.access import IfMatch, Reader, Revision, Writer, tag
from app.vault.schemas.bulk import BulkChange, BulkResult, MoveTo
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.history import ItemDiff, RestorePart
from app.vault.schemas.items import ItemRead

MOVED = (VaultNotFound, VaultSealed, RoleTooLow, LimitReached, StaleRevision, ContentDamaged)
OtherRevision = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="The revision to compare with; the present one if left out.")
]

router = Router()


@router.post(
    "/bulk", responses=problems(BulkRefused, VaultNotFound, VaultSealed, RoleTooLow, LimitReached, ContentDamaged)
)
async def change_items(data: Annotated[BulkChange, Body()], principal: Writer, session: SessionDep) -> BulkResult:
    """Trash, restore, purge, move, tag or untag many records at once: all of them or none.

    If something stands in the way, the problem lists in `refused` the `item_id` and the `code` of each such record.
    """
    return await service.change_items(session, principal, data)


@router.post("/items/{item_id}/move", responses={200: TAGGED, **problems(ItemNotFound, *MOVED)})
async def move_item(
    item_id: UUID,
    data: MoveTo,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ItemRead:
    """Move a record into another vault that you may write to, with its history, its links and its shares.

    The members of that vault see it from now on, those of the old one no longer. A type that people made is made there
    too, if it is not there already.
    """
    item = await service.move_item(session, principal, item_id, data.vault_id, if_match=if_match)
    tag(response, item.revision)
    return item


@router.post(
    "/documents/{document_id}/move", responses={200: TAGGED, **problems(DocumentNotFound, *MOVED, PlanLimitReached)}
)
async def move_document(
    document_id: UUID,
    data: MoveTo,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> DocumentRead:
    """Move a document into another vault that you may write to, with its versions, its links and its shares.

    It counts for the plan of that vault's owner from now on. Its index is made anew; it is found meanwhile.
    """
    document = await service.move_document(session, principal, document_id, data.vault_id, if_match=if_match)
    tag(response, document.revision)
    return document


@router.put("/items/{item_id}/favourite", status_code=204, responses=problems(ItemNotFound))
async def add_favourite(item_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Make a record one of your favourites. Other members don't see that."""
    await service.add_favourite(session, principal, item_id)


@router.delete("/items/{item_id}/favourite", status_code=204, responses=problems(ItemNotFound))
async def remove_favourite(item_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Let a record be none of your favourites."""
    await service.remove_favourite(session, principal, item_id)


@router.get(
    "/items/{item_id}/versions/{revision}/diff", responses=problems(ItemNotFound, VersionNotFound, ContentDamaged)
)
async def diff_item_versions(
    item_id: UUID, revision: Revision, principal: Reader, session: SessionDep, to: OtherRevision = None
) -> ItemDiff:
    """See what changed from one revision of a record to another, field by field."""
    return await service.diff_item_versions(session, principal, item_id, revision, to)


@router.post(
    "/items/{item_id}/versions/{revision}/restore-part",
    responses={
        200: TAGGED,
        **problems(
            ItemNotFound, VersionNotFound, FieldNotFound, RoleTooLow, StaleRevision, InvalidFields, ContentDamaged
        ),
    },
)
async def restore_item_part(
    item_id: UUID,
    revision: Revision,
    data: Annotated[RestorePart, Body()],
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ItemRead:
    """Bring one field, the title, the notes or the tags of an earlier version back, as a new revision."""
    item = await service.restore_item_part(session, principal, item_id, revision, data, if_match=if_match)
    tag(response, item.revision)
    return item
