"""Routes of members of sealed vaults."""

from uuid import UUID

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.vault.errors import (
    AlreadyMember,
    InvitationForSomebodyElse,
    InvitationNotFound,
    LimitReached,
    OwnerStays,
    RoleTooLow,
    StaleRevision,
    VaultNotFound,
)
from app.vault.router.access import Reader, Writer
from app.vault.sealed import service
from app.vault.sealed.errors import (
    CandidateNotFound,
    EpochUnfinished,
    EpochWanted,
    NotWaiting,
    SealedAccountNeeded,
    SealedInvalid,
    UnknownSuite,
    VaultNotSealed,
    WrapsIncomplete,
)
from app.vault.sealed.schemas import (
    SealedAccept,
    SealedCandidateList,
    SealedCandidateRead,
    SealedListAdd,
    SealedVaultRead,
)

router = Router()

ADDING = (VaultNotSealed, StaleRevision, OwnerStays, NotWaiting, EpochWanted, LimitReached)


@router.post(
    "/vaults/{vault_id}/lists",
    status_code=201,
    responses=problems(VaultNotFound, RoleTooLow, *ADDING, UnknownSuite, SealedInvalid, WrapsIncomplete),
)
async def add_sealed_list(
    vault_id: UUID, data: SealedListAdd, principal: Writer, session: SessionDep
) -> SealedVaultRead:
    """Put the next signed list of members into force: let somebody in who waits, change roles, remove somebody.

    Whoever is not on it any more is out in this transaction; then the list begins a new epoch, with a key for each
    member who stays. Admins only, except for other keys of one's own.
    """
    return await service.add_list(session, principal, vault_id, data)


@router.post(
    "/vaults/{vault_id}/finish-epoch",
    status_code=204,
    responses=problems(VaultNotFound, VaultNotSealed, RoleTooLow, EpochUnfinished),
)
async def finish_sealed_epoch(vault_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Forget the keys of epochs that have ended, once the keys of all items stand under the present one."""
    await service.finish_epoch(session, principal, vault_id)


@router.get("/vaults/{vault_id}/candidates", responses=problems(VaultNotFound, VaultNotSealed, RoleTooLow))
async def list_sealed_candidates(vault_id: UUID, principal: Reader, session: SessionDep) -> SealedCandidateList:
    """List those who have accepted an invitation and wait to be let in. Admins only."""
    return SealedCandidateList(items=await service.list_candidates(session, principal, vault_id))


@router.delete(
    "/vaults/{vault_id}/candidates/{user_id}",
    status_code=204,
    responses=problems(VaultNotFound, VaultNotSealed, RoleTooLow, CandidateNotFound),
)
async def delete_sealed_candidate(vault_id: UUID, user_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Let somebody wait no longer, or wait no longer yourself. Admins only, except for oneself."""
    await service.refuse_candidate(session, principal, vault_id, user_id)


@router.post(
    "/invitations/accept",
    responses=problems(
        InvitationNotFound, InvitationForSomebodyElse, VaultNotSealed, SealedAccountNeeded, AlreadyMember
    ),
)
async def accept_sealed_invitation(data: SealedAccept, principal: Writer, session: SessionDep) -> SealedCandidateRead:
    """Accept an invitation into a sealed vault that was sent to the address of your account.

    You see the vault when the client of somebody who manages it has compared your keys and let you in.
    """
    return await service.accept_invitation(session, principal, data.token)
