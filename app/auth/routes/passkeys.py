"""Passkeys."""

from uuid import UUID

from app.api.deps import SessionDep
from app.api.pages import Cursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth import service
from app.auth.errors import (
    InvalidPasskey,
    PasskeyNotFound,
    PasskeyRefused,
    SessionNeeded,
    StepUpRequired,
    TooManyAttempts,
    TooManyPasskeys,
    UnknownScope,
)
from app.auth.factor_schemas import (
    PasskeyCreate,
    PasskeyCreated,
    PasskeyOptions,
    PasskeyPage,
    PasskeyRead,
    PasskeySignIn,
    PasskeyUpdate,
)
from app.auth.routes.deps import DeviceDep, Person
from app.auth.schemas import TokenPair

router = Router()


@router.post("/token/passkey/options", responses=problems(TooManyAttempts))
async def start_passkey_sign_in(device: DeviceDep) -> PasskeyOptions:
    """Get the options for a sign-in with a passkey, without an address."""
    return await service.start_passkey_sign_in(device)


@router.post("/token/passkey", responses=problems(InvalidPasskey, TooManyAttempts, UnknownScope))
async def sign_in_with_passkey(data: PasskeySignIn, device: DeviceDep) -> TokenPair:
    """Sign in with a passkey; it proves who you are by itself, so no second factor is asked for."""
    return await service.sign_in_with_passkey(data, device)


@router.post("/passkeys/registration/options", responses=problems(SessionNeeded, StepUpRequired, TooManyPasskeys))
async def start_passkey(principal: Person, session: SessionDep) -> PasskeyOptions:
    """Get the options for a new passkey."""
    return await service.start_passkey(session, principal)


@router.post(
    "/passkeys", status_code=201, responses=problems(SessionNeeded, StepUpRequired, PasskeyRefused, TooManyPasskeys)
)
async def create_passkey(data: PasskeyCreate, principal: Person, session: SessionDep) -> PasskeyCreated:
    """Register a passkey that was made by the options. From now on a password alone does not sign you in."""
    return await service.create_passkey(session, principal, data)


@router.get("/passkeys", responses=problems(SessionNeeded))
async def list_passkeys(
    principal: Person, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> PasskeyPage:
    """See your passkeys, newest first."""
    items, last = await service.list_passkeys(session, principal, parse_cursor(cursor), limit)
    return PasskeyPage(items=items, next_cursor=cursor_of(last) if last else None)


@router.patch("/passkeys/{passkey_id}", responses=problems(SessionNeeded, PasskeyNotFound))
async def update_passkey(passkey_id: UUID, data: PasskeyUpdate, principal: Person, session: SessionDep) -> PasskeyRead:
    """Give a passkey another name."""
    return await service.update_passkey(session, principal, passkey_id, data)


@router.delete(
    "/passkeys/{passkey_id}", status_code=204, responses=problems(SessionNeeded, StepUpRequired, PasskeyNotFound)
)
async def delete_passkey(passkey_id: UUID, principal: Person, session: SessionDep) -> None:
    """Delete a passkey."""
    await service.delete_passkey(session, principal, passkey_id)
