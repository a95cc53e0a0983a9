"""Routes of sealed accounts."""

from uuid import UUID

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.auth.errors import SessionNeeded, StepUpRequired
from app.vault.errors import StaleRevision, TooManyTries
from app.vault.router.access import Reader, Writer
from app.vault.sealed import service
from app.vault.sealed.errors import (
    SealedAccountExists,
    SealedAccountNotFound,
    SealedInvalid,
    SealedTooLarge,
    SealedVaultsRemain,
    UnknownSuite,
    WeakSealedPassword,
    WrongSealedKey,
)
from app.vault.sealed.schemas import (
    SealedAccountCreate,
    SealedAccountRead,
    SealedAccountReplace,
    SealedIdentityRead,
    SealedPinsReplace,
    SealedUnlock,
    SealedWrapsRead,
)

router = Router()

INVALID = (UnknownSuite, WeakSealedPassword, SealedInvalid, SealedTooLarge)


@router.post("/account", status_code=201, responses=problems(SessionNeeded, SealedAccountExists, *INVALID))
async def create_sealed_account(data: SealedAccountCreate, principal: Writer, session: SessionDep) -> SealedAccountRead:
    """Keep the keys that your client has made for you; the account in them has your id.

    Nothing of it opens anything without your password or your recovery key, which stay with you.
    """
    return await service.create_account(session, principal, data)


@router.get("/account", responses=problems(SealedAccountNotFound))
async def read_sealed_account(principal: Reader, session: SessionDep) -> SealedAccountRead:
    """Read the signed state of your sealed account, and what your clients have seen; the wraps come with unlock."""
    return await service.read_account(session, principal)


@router.put("/account", responses=problems(SealedAccountNotFound, StaleRevision, *INVALID))
async def replace_sealed_account(
    data: SealedAccountReplace, principal: Writer, session: SessionDep
) -> SealedAccountRead:
    """Change the password or the recovery key, or exchange all keys: everything at once, or nothing.

    The next state is signed by the keys of the account and counts up by one; who has merely signed in can't change it.
    """
    return await service.replace_account(session, principal, data)


@router.put("/account/pins", responses=problems(SealedAccountNotFound, StaleRevision, *INVALID))
async def replace_sealed_pins(data: SealedPinsReplace, principal: Writer, session: SessionDep) -> SealedAccountRead:
    """Leave what your clients have seen, sealed, for your next device."""
    return await service.replace_pins(session, principal, data)


@router.post("/account/unlock", responses=problems(SealedAccountNotFound, WrongSealedKey, TooManyTries))
async def unlock_sealed_account(data: SealedUnlock, principal: Reader, session: SessionDep) -> SealedWrapsRead:
    """Get the wrapped keys, for the key that your password or your recovery key makes. Few wrong ones are allowed."""
    return await service.unlock_account(session, principal, data)


@router.delete(
    "/account",
    status_code=204,
    responses=problems(SessionNeeded, StepUpRequired, SealedAccountNotFound, SealedVaultsRemain),
)
async def delete_sealed_account(principal: Writer, session: SessionDep) -> None:
    """Destroy your sealed keys, to begin anew when password and recovery key are lost. You are in no sealed vault."""
    await service.delete_account(session, principal)


@router.get("/accounts/{account_id}", responses=problems(SealedAccountNotFound))
async def read_sealed_identity(account_id: UUID, principal: Reader, session: SessionDep) -> SealedIdentityRead:
    """Read the public keys of somebody whom you share a vault with, or who waits to be let into one.

    Compare the words that they give, by another way than through us, before your client trusts them.
    """
    return await service.read_identity(session, principal, account_id)
