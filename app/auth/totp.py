"""The authenticator app of a person: set up, confirmed by a code, used, removed."""

import time
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import attempts, one_time
from app.auth.acts import note
from app.auth.devices import Device
from app.auth.errors import TotpActive, TotpNotFound, WrongCode
from app.auth.factor_schemas import RecoveryCodesRead, TotpSetup
from app.auth.models import Totp
from app.auth.principal import Principal
from app.auth.profiles import profile
from app.auth.second_factor import first_recovery_codes, forget_recovery_codes_without_factor
from app.auth.step_up import require_recent
from app.core.clock import new_id
from app.db.outbox import emit
from app.db.runtime import current


async def set_up_totp(session: AsyncSession, principal: Principal) -> TotpSetup:
    """A secret for an app; it counts once a code confirms it. Replaces one that was not confirmed.

    Raises `StepUpRequired`, `TotpActive`.
    """
    await require_recent(session, principal)
    secret, row_id = one_time.new_secret(), new_id()
    ring = await current().keys.ring(session, principal.user_id)
    values = {"id": row_id, "body": ring.seal("auth_totp", row_id, "body", secret), "last_step": None}
    made = upsert(Totp).values(user_id=principal.user_id, **values)
    replaced = made.on_conflict_do_update(
        index_elements=[Totp.user_id], set_=values | {"created_at": func.now()}, where=Totp.confirmed_at.is_(None)
    )
    if await session.scalar(replaced.returning(Totp.id)) is None:
        raise TotpActive
    uri = one_time.uri(secret, (await profile(session, principal.user_id)).email)
    return TotpSetup(secret=one_time.base32(secret), uri=uri, qr_svg=one_time.qr_svg(uri))


async def confirm_totp(
    session: AsyncSession, principal: Principal, code: str, device: Device, now: float | None = None
) -> RecoveryCodesRead:
    """Count on the app from now on; recovery codes come with the first second factor.

    Raises `StepUpRequired`, `TotpNotFound`, `WrongCode`, `TooManyAttempts`. Emits `auth.second_factor_changed`.
    """
    await require_recent(session, principal)
    waiting = Totp.user_id == principal.user_id, Totp.confirmed_at.is_(None)
    if await session.scalar(select(Totp.id).where(*waiting)) is None:
        raise TotpNotFound
    await attempts.begin_code(principal.user_id, device, known=True)
    codes = await first_recovery_codes(session, principal.user_id)
    if not await _use(session, principal.user_id, code, now, confirmed=False):
        await attempts.failed_code(principal.user_id)
        raise WrongCode
    await attempts.succeeded_code(principal.user_id, device)
    await session.execute(update(Totp).where(*waiting).values(confirmed_at=func.now()))
    await emit(session, "auth.second_factor_changed", user_id=principal.user_id)
    await note(session, principal, principal.user_id, "auth.totp_confirmed")
    return RecoveryCodesRead(recovery_codes=codes)


async def use_totp(session: AsyncSession, user_id: UUID, code: str, now: float | None = None) -> bool:
    """Whether a code of the confirmed app is right; it is right once, however many ask at the same time."""
    return await _use(session, user_id, code, now, confirmed=True)


async def _use(session: AsyncSession, user_id: UUID, code: str, now: float | None, *, confirmed: bool) -> bool:
    state = Totp.confirmed_at.is_not(None) if confirmed else Totp.confirmed_at.is_(None)
    row = await session.scalar(select(Totp).where(Totp.user_id == user_id, state))
    if row is None:
        return False
    ring = await current().keys.ring(session, user_id, row.body)
    secret = ring.open("auth_totp", row.id, "body", row.body)
    step = one_time.matching_step(secret, code, row.last_step, time.time() if now is None else now)
    if step is None:
        return False
    unused = or_(Totp.last_step.is_(None), Totp.last_step < step)
    used = update(Totp).where(Totp.id == row.id, unused).values(last_step=step).returning(Totp.id)
    return await session.scalar(used, execution_options={"synchronize_session": False}) is not None


async def delete_totp(session: AsyncSession, principal: Principal) -> None:
    """Remove the app, confirmed or not; without any second factor the recovery codes go, too.

    Raises `StepUpRequired`, `TotpNotFound`. Emits `auth.second_factor_changed`.
    """
    await require_recent(session, principal)
    gone = delete(Totp).where(Totp.user_id == principal.user_id).returning(Totp.id)
    if await session.scalar(gone) is None:
        raise TotpNotFound
    await forget_recovery_codes_without_factor(session, principal.user_id)
    await emit(session, "auth.second_factor_changed", user_id=principal.user_id)
    await note(session, principal, principal.user_id, "auth.totp_deleted")
