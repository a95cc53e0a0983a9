"""Routes of sealed vaults."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.vault.errors import LimitReached, RoleTooLow, StaleRevision, VaultNotFound
from app.vault.router.access import Reader, Writer
from app.vault.sealed import service
from app.vault.sealed.errors import (
    SealedAccountNeeded,
    SealedDueNotFound,
    SealedEpochNotFound,
    SealedIdTaken,
    SealedInvalid,
    UnknownSuite,
    VaultNotSealed,
    WrapsIncomplete,
)
from app.vault.sealed.schemas import (
    BIGGEST,
    SealedDueRead,
    SealedDueWrite,
    SealedEpochRead,
    SealedVaultCreate,
    SealedVaultRead,
)

router = Router(prefix="/vaults")

Epoch = Annotated[int, Path(ge=1, le=BIGGEST)]
After = Annotated[int, Query(ge=0, le=BIGGEST, description="The newest list that you have verified; 0 for all.")]


@router.post(
    "",
    status_code=201,
    responses=problems(SealedAccountNeeded, SealedIdTaken, LimitReached, UnknownSuite, SealedInvalid, WrapsIncomplete),
)
async def create_sealed_vault(data: SealedVaultCreate, principal: Writer, session: SessionDep) -> SealedVaultRead:
    """Keep a vault that your client has made: its first list of members, with you alone, and its first key for you."""
    return await service.create_vault(session, principal, data)


@router.get("/{vault_id}", responses=problems(VaultNotFound, VaultNotSealed))
async def read_sealed_vault(
    vault_id: UUID, principal: Reader, session: SessionDep, after: After = 0
) -> SealedVaultRead:
    """Read what opens a vault for you: the signed lists of its members, and its keys, wrapped for you."""
    return await service.read_vault(session, principal, vault_id, after)


@router.get("/{vault_id}/epochs/{epoch}", responses=problems(VaultNotFound, VaultNotSealed, SealedEpochNotFound))
async def read_sealed_epoch(vault_id: UUID, epoch: Epoch, principal: Reader, session: SessionDep) -> SealedEpochRead:
    """Read which revisions were the last ones when an epoch ended: what is older than that belongs to it."""
    return await service.read_epoch(session, principal, vault_id, epoch)


@router.put("/{vault_id}/due", responses=problems(VaultNotFound, VaultNotSealed, RoleTooLow, StaleRevision))
async def leave_sealed_due(
    vault_id: UUID, data: SealedDueWrite, principal: Writer, session: SessionDep
) -> SealedDueRead:
    """Leave tokens of days, in the place of those that were left before.

    When a day comes (in UTC) whose token is among those that matter, everybody who may write to the vault is told that
    something is due, and nothing else: what it is, only clients know.
    """
    return await service.leave_due(session, principal, vault_id, data)


@router.get("/{vault_id}/due", responses=problems(VaultNotFound, VaultNotSealed, SealedDueNotFound))
async def read_sealed_due(vault_id: UUID, principal: Reader, session: SessionDep) -> SealedDueRead:
    """See until which day tokens were left."""
    return await service.read_due(session, principal, vault_id)
