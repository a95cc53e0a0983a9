"""Proofs of identity, and the step-up that one of them makes."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import attempts, authenticators, challenges
from app.auth.acts import note
from app.auth.devices import Device
from app.auth.errors import WrongCode, WrongPassword
from app.auth.factor_schemas import Answer, PasskeyOptions, StepUp
from app.auth.models import User, UserSession
from app.auth.passkeys import credentials_of, use_passkey
from app.auth.principal import Principal
from app.auth.recovery_codes import use_recovery_code
from app.auth.step_up import require_session
from app.auth.totp import use_totp
from app.core.security import check_password


async def is_proof(session: AsyncSession, user_id: UUID, answer: Answer, token: str) -> bool:
    """Whether a second factor is this person's; it is used up. A passkey must have signed the challenge `token`."""
    if answer.passkey is not None:
        return await use_passkey(session, answer.passkey, token, user_id) is not None
    if answer.code is not None:
        return await use_totp(session, user_id, answer.code)
    return await use_recovery_code(session, user_id, answer.recovery_code or "")


async def is_right_code(session: AsyncSession, user_id: UUID, text: str) -> bool:
    """As `is_proof`, for a field that takes a code of the app as well as a recovery code."""
    code = text.replace(" ", "")
    if code.isascii() and code.isdigit():
        return await use_totp(session, user_id, code)
    return await use_recovery_code(session, user_id, code)


async def start_step_up(session: AsyncSession, principal: Principal) -> PasskeyOptions:
    """What the principal's passkeys are asked. Raises `SessionNeeded`."""
    require_session(principal)
    token = await challenges.ask(session, "step_up", user_id=principal.user_id, session_id=principal.session_id)
    return PasskeyOptions(
        options=authenticators.request_options(token, await credentials_of(session, principal.user_id))
    )


async def step_up(session: AsyncSession, principal: Principal, data: StepUp, device: Device) -> None:
    """Open dangerous acts to this session for a while (see `require_recent`).

    Raises `SessionNeeded`, `WrongPassword`, `WrongCode`, `TooManyAttempts`.
    """
    require_session(principal)
    if data.password is not None:
        await _prove_password(session, principal, data.password, device)
    else:
        await _prove_factor(session, principal, data, device)
    mine = UserSession.id == principal.session_id, UserSession.user_id == principal.user_id
    await session.execute(update(UserSession).where(*mine).values(authenticated_at=func.now()))
    await note(session, principal, principal.user_id, "auth.identity_proved", principal.session_id)


async def _prove_password(session: AsyncSession, principal: Principal, password: str, device: Device) -> None:
    columns = User.email_digest, User.password_hash
    digest, stored = (await session.execute(select(*columns).where(User.id == principal.user_id))).one()
    await attempts.begin(digest, device, known=True)
    if not (await check_password(password, stored)).matches:
        await attempts.failed(digest, device)
        raise WrongPassword
    await attempts.succeeded(digest, device)


async def _prove_factor(session: AsyncSession, principal: Principal, data: StepUp, device: Device) -> None:
    await attempts.begin_code(principal.user_id, device, known=True)
    token = authenticators.challenge_in(data.passkey or {}) or ""
    asked = data.passkey is None or await challenges.redeem(session, "step_up", token, session_id=principal.session_id)
    if not asked or not await is_proof(session, principal.user_id, data, token):
        await attempts.failed_code(principal.user_id)
        raise WrongCode
    await attempts.succeeded_code(principal.user_id, device)
