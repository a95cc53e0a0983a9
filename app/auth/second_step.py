"""Sign-in beyond the password: the second factor that follows it, or a passkey in its stead.

An error is returned, not raised, where what was recorded must be committed all the same.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import attempts, authenticators, challenges
from app.auth.devices import Device
from app.auth.errors import (
    InvalidChallenge,
    InvalidCredentials,
    InvalidPasskey,
    InvalidSecondFactor,
    SecondFactorRequired,
)
from app.auth.factor_schemas import PasskeyOptions, PasskeySignIn, SecondFactorAnswer
from app.auth.opening import is_known_place, open_session
from app.auth.passkeys import credentials_of, use_passkey
from app.auth.proofs import is_proof, is_right_code
from app.auth.schemas import TokenPair
from app.auth.second_factor import Factors, factors_of, hold_account_for_reading
from app.auth.tokens import requested_scope
from app.core.errors import AppError
from app.db.session import session_scope


async def after_password(
    session: AsyncSession, user_id: UUID, scope: str | None, device: Device, otp: str | None, *, known: bool
) -> TokenPair | AppError:
    """What the right password gives: a session, or the question for the second factor if there is one.

    Raises `TooManyAttempts`.
    """
    factors = await factors_of(session, user_id)
    if not factors:
        return await open_session(session, user_id, scope, device, InvalidCredentials())
    if not otp:
        return await _question(session, user_id, scope, factors)
    await attempts.begin_code(user_id, device, known=known)
    if not await is_right_code(session, user_id, otp):
        await attempts.failed_code(user_id)
        return InvalidSecondFactor()
    await attempts.succeeded_code(user_id, device)
    return await open_session(session, user_id, scope, device, InvalidCredentials())


async def _question(session: AsyncSession, user_id: UUID, scope: str | None, factors: Factors) -> AppError:
    token = await challenges.ask(session, "second_factor", user_id=user_id, scope=scope)
    known = await credentials_of(session, user_id) if factors.passkeys else []
    options = authenticators.request_options(token, known) if known else None
    return SecondFactorRequired(challenge=token, methods=factors.methods, passkey_options=options)


async def finish_sign_in(data: SecondFactorAnswer, device: Device) -> TokenPair:
    """Open the session that waited for the second factor.

    Raises `InvalidChallenge`, `InvalidSecondFactor`, `TooManyAttempts`.
    """
    async with session_scope() as session:
        asked = await challenges.find(session, "second_factor", data.challenge)
        known = bool(asked and asked.user_id and await is_known_place(session, asked.user_id, device))
    if asked is None or asked.user_id is None:
        raise InvalidChallenge
    await attempts.begin_code(asked.user_id, device, known=known)
    async with session_scope() as session:
        outcome = await _answered(session, asked.user_id, data, device)
    if isinstance(outcome, AppError):
        raise outcome
    await attempts.succeeded_code(asked.user_id, device)
    return outcome


async def _answered(
    session: AsyncSession, user_id: UUID, data: SecondFactorAnswer, device: Device
) -> TokenPair | AppError:
    """The account is locked first, as a change of its password does, which voids its challenges."""
    await hold_account_for_reading(session, user_id)
    asked = await challenges.find(session, "second_factor", data.challenge, lock=True)
    if asked is None:
        return InvalidChallenge()
    if not await is_proof(session, user_id, data, data.challenge):
        await challenges.count_failure(session, asked)
        await attempts.failed_code(user_id)
        return InvalidSecondFactor()
    await challenges.close(session, asked)
    return await open_session(session, user_id, asked.scope, device, InvalidChallenge())


async def start_passkey_sign_in(device: Device) -> PasskeyOptions:
    """What any authenticator is asked for a sign-in without an address. Raises `TooManyAttempts`."""
    await attempts.begin_request(device)
    async with session_scope() as session:
        token = await challenges.ask(session, "passkey")
    return PasskeyOptions(options=authenticators.request_options(token))


async def sign_in_with_passkey(data: PasskeySignIn, device: Device) -> TokenPair:
    """Open a session for the owner of a passkey, who was verified by the authenticator: no more factors are needed.

    Raises `InvalidPasskey`, `TooManyAttempts`, `UnknownScope`. The challenge is used up in any case.
    """
    granted = requested_scope(data.scope)
    await attempts.begin_passkey(device)
    token = authenticators.challenge_in(data.passkey) or ""
    async with session_scope() as session:
        outcome = await _by_passkey(session, data, token, granted, device)
    if isinstance(outcome, AppError):
        await attempts.failed_passkey(device)
        raise outcome
    return outcome


async def _by_passkey(
    session: AsyncSession, data: PasskeySignIn, token: str, scope: str | None, device: Device
) -> TokenPair | AppError:
    if await challenges.redeem(session, "passkey", token) is None:
        return InvalidPasskey()
    user_id = await use_passkey(session, data.passkey, token)
    if user_id is None:
        return InvalidPasskey()
    return await open_session(session, user_id, scope, device, InvalidPasskey())
