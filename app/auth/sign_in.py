"""Sign-in with a password, and refresh with rotation.

Both commit in transactions of their own: what they record must stay although the answer is an error.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import attempts, sessions
from app.auth.acts import note
from app.auth.addresses import email_digest
from app.auth.devices import Device
from app.auth.errors import EmailNotVerified, InvalidCredentials, InvalidRefreshToken
from app.auth.models import RefreshToken, User, UserSession
from app.auth.opening import verification_required
from app.auth.schemas import TokenPair
from app.auth.second_step import after_password
from app.auth.tokens import requested_scope, token_pair
from app.core.crypto import token_digest
from app.core.errors import AppError
from app.core.security import check_password
from app.db.outbox import emit
from app.db.session import session_scope

# A client whose answer got lost may repeat a refresh for this long, unless the token it missed has been used. A thief
# who takes the same chance is found out as soon as both have used what they hold.
GRACE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Account:
    """What sign-in must know of an account; without `id` there is none."""

    id: UUID | None
    password_hash: str | None
    claim_hash: str | None
    verified: bool
    known_place: bool


async def sign_in(email: str, password: str, scope: str, device: Device, otp: str | None = None) -> TokenPair:
    """Open a session for somebody who knows the password. No connection is held while the password is checked.

    Raises `InvalidCredentials`, `EmailNotVerified`, `SecondFactorRequired`, `InvalidSecondFactor`, `TooManyAttempts`,
    `UnknownScope`.
    """
    granted = requested_scope(scope)
    digest = email_digest(email)
    account = await _find_account(digest, device)
    await attempts.begin(digest, device, known=account.known_place)
    check = await check_password(password, account.password_hash)
    if not check.matches or account.id is None:
        await _refuse(account, digest, password, device)
        raise InvalidCredentials
    if verification_required() and not account.verified:
        raise EmailNotVerified
    async with session_scope() as session:
        await _hold(session, account, check.new_hash)
        outcome = await after_password(session, account.id, granted, device, otp, known=account.known_place)
    await attempts.succeeded(digest, device)
    if isinstance(outcome, AppError):
        raise outcome
    return outcome


async def _find_account(digest: bytes, device: Device) -> _Account:
    here = exists().where(UserSession.user_id == User.id, UserSession.address_digest == device.place)
    columns = User.id, User.password_hash, User.claim_hash, User.email_verified_at.is_not(None), here
    async with session_scope() as session:
        row = (await session.execute(select(*columns).where(User.email_digest == digest))).one_or_none()
    return _Account(*row) if row else _Account(None, None, None, verified=False, known_place=False)


async def _refuse(account: _Account, digest: bytes, password: str, device: Device) -> None:
    """Count a wrong password; but one that this address was registered with again is answered like a new account's.

    Otherwise registering and then signing in would tell whether the address had an account before.
    """
    if verification_required() and (await check_password(password, account.claim_hash)).matches:
        raise EmailNotVerified
    await attempts.failed(digest, device)


async def _hold(session: AsyncSession, account: _Account, new_hash: str | None) -> None:
    """Lock the account for the rest of the transaction, if its password is still the one that was checked."""
    same = User.id == account.id, User.password_hash == account.password_hash
    if new_hash:
        held = await session.scalar(update(User).where(*same).values(password_hash=new_hash).returning(User.id))
    else:
        held = await session.scalar(select(User.id).where(*same).with_for_update(read=True))
    if held is None:
        raise InvalidCredentials


async def refresh(token: str) -> TokenPair:
    """Exchange a refresh token for a new pair; one that was used before ends its whole session.

    Raises `InvalidRefreshToken`, after the end of the session was committed. Emits `auth.session_compromised`.
    """
    async with session_scope() as session:
        pair = await _rotate(session, token_digest(token))
    if pair is None:
        raise InvalidRefreshToken
    return pair


async def _rotate(session: AsyncSession, digest: bytes) -> TokenPair | None:
    within_grace = RefreshToken.used_at > func.now() - GRACE
    found = (
        select(RefreshToken.id, within_grace, RefreshToken.user_id, UserSession.id, UserSession.scope, User.deletion_at)
        .join(UserSession, UserSession.id == RefreshToken.session_id)
        .join(User, User.id == RefreshToken.user_id)
        .where(RefreshToken.digest == digest, sessions.LIVE)
        .with_for_update(of=[RefreshToken, UserSession])
    )
    row = (await session.execute(found)).one_or_none()
    if row is None:
        return None
    token_id, recent, user_id, session_id, scope, deletion_at = row
    to_use = RefreshToken.id if recent is None else RefreshToken.parent_id  # a repetition voids what the first one gave
    used = update(RefreshToken).where(to_use == token_id, RefreshToken.used_at.is_(None)).values(used_at=func.now())
    if recent is False or await session.scalar(used.returning(RefreshToken.id)) is None:
        await sessions.end(session, user_id, UserSession.id == session_id)
        await emit(session, "auth.session_compromised", user_id=user_id)
        await note(session, None, user_id, "auth.session_compromised", session_id)
        return None
    refresh_token = await sessions.prolong(session, session_id, user_id, token_id)
    return token_pair(user_id, session_id, scope, refresh_token, deletion_at)
