"""Routes of vaults that are handed over."""

from uuid import UUID

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.problems import problems
from app.api.routes import Router
from app.auth.errors import SessionNeeded, StepUpRequired
from app.vault import service
from app.vault.errors import (
    AlreadyOwner,
    LimitReached,
    MemberNotFound,
    RoleTooLow,
    TransferNotFound,
    VaultNotFound,
    VaultSealed,
)
from app.vault.router.access import Reader, Writer
from app.vault.schemas.transfers import TransferCreate, TransferList, TransferRead
from app.vault.schemas.vaults import VaultRead

router = Router()
OFFER_PROBLEMS = problems(
    VaultNotFound, VaultSealed, MemberNotFound, RoleTooLow, SessionNeeded, StepUpRequired, AlreadyOwner
)


@router.post("/vaults/{vault_id}/transfer", status_code=201, responses=OFFER_PROBLEMS)
@idempotent()
async def offer_vault(vault_id: UUID, data: TransferCreate, principal: Writer, session: SessionDep) -> TransferRead:
    """Offer your vault to another member. The owner only, soon after signing in or a step-up.

    Nothing changes until they accept. A new offer replaces an earlier one.
    """
    return await service.offer_vault(session, principal, vault_id, data.user_id)


@router.get("/vaults/{vault_id}/transfer", responses=problems(VaultNotFound, VaultSealed, TransferNotFound))
async def read_transfer(vault_id: UUID, principal: Reader, session: SessionDep) -> TransferRead:
    """See the open offer of a vault, as the one who made it or the one who may accept it."""
    return await service.read_transfer(session, principal, vault_id)


@router.delete(
    "/vaults/{vault_id}/transfer", status_code=204, responses=problems(VaultNotFound, VaultSealed, TransferNotFound)
)
async def delete_transfer(vault_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Withdraw your offer, or decline the one that was made to you."""
    await service.drop_transfer(session, principal, vault_id)


@router.post(
    "/vaults/{vault_id}/transfer/accept",
    responses=problems(VaultNotFound, VaultSealed, TransferNotFound, SessionNeeded, LimitReached),
)
async def accept_transfer(vault_id: UUID, principal: Writer, session: SessionDep) -> VaultRead:
    """Become the owner of a vault that is offered to you; who was it becomes an admin at the same moment."""
    return await service.accept_transfer(session, principal, vault_id)


@router.get("/transfers")
async def list_transfers(principal: Reader, session: SessionDep) -> TransferList:
    """List the vaults that are offered to you."""
    return TransferList(items=await service.list_transfers(session, principal))
