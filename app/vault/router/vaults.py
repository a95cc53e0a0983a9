"""Routes of vaults."""

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
    BeingPurged,
    ContentDamaged,
    LimitReached,
    NotInTrash,
    RoleTooLow,
    StaleRevision,
    VaultHasMembers,
    VaultNotFound,
    VaultSealed,
)
from app.vault.router.access import MADE, IfMatch, Reader, Writer, tag, unless_known
from app.vault.router.queries import VaultFilters, next_cursor
from app.vault.schemas.vaults import JobStarted, VaultCreate, VaultPage, VaultRead, VaultUpdate

router = Router(prefix="/vaults")


@router.post("", status_code=201, responses={201: MADE, **problems(VaultSealed, LimitReached)})
@idempotent()
async def create_vault(data: VaultCreate, principal: Writer, session: SessionDep, response: Response) -> VaultRead:
    """Make a vault. You are its owner; a family vault can be shared with others.

    A sealed one is made by a client, at /v1/vault/sealed/vaults.
    """
    vault = await service.create_vault(session, principal, data)
    response.headers["Location"] = f"/v1/vault/vaults/{vault.id}"
    tag(response, vault.revision)
    return vault


@router.get("", response_model=VaultPage, responses={**LISTED, **problems(InvalidCursor, ContentDamaged)})
async def list_vaults(
    query: VaultFilters, principal: Reader, session: SessionDep, if_none_match: IfNoneMatch = None
) -> Response:
    """List the vaults that you are a member of, newest first. Those in the trash are shown to their owners."""
    vaults, last = await service.list_vaults(session, principal, query.filters())
    return unless_same(VaultPage(items=vaults, next_cursor=next_cursor(last)), if_none_match)


@router.get(
    "/{vault_id}",
    response_model=VaultRead,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(VaultNotFound, ContentDamaged)},
)
async def read_vault(
    vault_id: UUID, principal: Reader, session: SessionDep, response: Response, if_none_match: IfNoneMatch = None
) -> VaultRead | Response:
    """Read a vault."""
    vault = await service.read_vault(session, principal, vault_id)
    return unless_known(vault, vault.revision, response, if_none_match)


@router.patch(
    "/{vault_id}",
    responses={200: TAGGED, **problems(VaultNotFound, RoleTooLow, VaultHasMembers, VaultSealed, StaleRevision)},
)
async def update_vault(
    vault_id: UUID,
    data: VaultUpdate,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> VaultRead:
    """Rename a vault or change its kind. Admins only. With If-Match it is changed only if nobody else did before."""
    vault = await service.update_vault(session, principal, vault_id, data, if_match=if_match)
    tag(response, vault.revision)
    return vault


@router.delete("/{vault_id}", status_code=204, responses=problems(VaultNotFound, RoleTooLow))
async def delete_vault(vault_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Put a vault into the trash. The owner only.

    It is hidden from everybody at once, can be restored for some time (30 days by default), and is then destroyed.
    """
    await service.trash_vault(session, principal, vault_id)


@router.post("/{vault_id}/restore", responses=problems(VaultNotFound, RoleTooLow, NotInTrash, BeingPurged))
async def restore_vault(vault_id: UUID, principal: Writer, session: SessionDep) -> VaultRead:
    """Take a vault out of the trash. The owner only."""
    return await service.restore_vault(session, principal, vault_id)


@router.post(
    "/{vault_id}/purge",
    status_code=202,
    responses=problems(VaultNotFound, RoleTooLow, NotInTrash, BeingPurged),
)
async def purge_vault(vault_id: UUID, principal: Writer, session: SessionDep) -> JobStarted:
    """Destroy a vault that is in the trash: its rows, its files, and the keys without which no backup can be read.

    The owner only. This can't be undone.
    """
    return JobStarted(job_id=await service.purge_vault(session, principal, vault_id))


@router.post("/{vault_id}/rotate-key", status_code=202, responses=problems(VaultNotFound, RoleTooLow))
async def rotate_key(vault_id: UUID, principal: Writer, session: SessionDep) -> JobStarted:
    """Encrypt everything in a vault anew with a new data key, and destroy the old one. The owner only.

    Of a sealed vault that is the names of its members: the keys of what is in it, its clients change.
    """
    await service.require(session, principal, vault_id, "own", any_tier=True)
    return JobStarted(job_id=await service.rotate_vault_key(session, vault_id, principal))
