"""Routes of items of sealed vaults."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.api.deps import SessionDep
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.vault.errors import LimitReached, RoleTooLow, StaleRevision, VaultNotFound
from app.vault.router.access import Reader, Writer
from app.vault.sealed import service
from app.vault.sealed.errors import (
    EpochWanted,
    SealedInvalid,
    SealedItemNotFound,
    SealedTooLarge,
    UnknownSuite,
    VaultNotSealed,
)
from app.vault.sealed.schemas import (
    SealedItemBrief,
    SealedItemPage,
    SealedItemRead,
    SealedItemWrite,
    SealedKeysMove,
    SealedRevisionList,
)

router = Router(prefix="/vaults/{vault_id}/items")

Content = Annotated[bool, Query(description="Also the keys and the newest revision of each; pages may be shorter.")]
First = Annotated[int, Query(ge=1, le=2**31 - 1, description="The first revision of the answer.")]


@router.get("", responses=problems(VaultNotFound, VaultNotSealed, InvalidCursor))
async def list_sealed_items(
    vault_id: UUID,
    principal: Reader,
    session: SessionDep,
    limit: Limit = 20,
    cursor: Cursor = None,
    content: Content = False,
) -> SealedItemPage:
    """List the items of a sealed vault by their ids, the ended ones too; with `content`, to open them all."""
    after = parse_cursor(cursor)
    items, last = await service.list_items(session, principal, vault_id, after, limit, content=content)
    return SealedItemPage(items=items, next_cursor=cursor_of(last) if last else None)


@router.get("/{item_id}", responses=problems(VaultNotFound, VaultNotSealed, SealedItemNotFound))
async def read_sealed_item(vault_id: UUID, item_id: UUID, principal: Reader, session: SessionDep) -> SealedItemRead:
    """Read the newest revision of an item, and its keys."""
    return await service.read_item(session, principal, vault_id, item_id)


@router.get("/{item_id}/revisions", responses=problems(VaultNotFound, VaultNotSealed, SealedItemNotFound))
async def list_sealed_revisions(
    vault_id: UUID, item_id: UUID, principal: Reader, session: SessionDep, first: First = 1, limit: Limit = 20
) -> SealedRevisionList:
    """Read revisions of an item, the first one first. They stay until the vault is purged."""
    found, more = await service.list_revisions(session, principal, vault_id, item_id, first, limit)
    return SealedRevisionList(items=found, has_more=more)


@router.put(
    "/{item_id}",
    responses=problems(
        *(VaultNotFound, VaultNotSealed, RoleTooLow, EpochWanted, StaleRevision, LimitReached),
        *(UnknownSuite, SealedInvalid, SealedTooLarge),
    ),
)
async def write_sealed_item(
    vault_id: UUID, item_id: UUID, data: SealedItemWrite, principal: Writer, session: SessionDep
) -> SealedItemRead:
    """Write the next revision of an item, or the first one; the last one may end the item, which a next one undoes.

    It is signed by you, under the newest list of members, and names the revision before.
    """
    return await service.write_item(session, principal, vault_id, item_id, data)


@router.put(
    "/{item_id}/keys",
    responses=problems(
        VaultNotFound, VaultNotSealed, RoleTooLow, SealedItemNotFound, StaleRevision, UnknownSuite, SealedInvalid
    ),
)
async def move_sealed_keys(
    vault_id: UUID, item_id: UUID, data: SealedKeysMove, principal: Writer, session: SessionDep
) -> SealedItemBrief:
    """Put the keys of an item under the key of the present epoch; the item itself stays as it is."""
    return await service.move_keys(session, principal, vault_id, item_id, data)
