"""New passwords: by the old one, or by a link."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import attempts, challenges, links, sessions
from app.auth.accounts import mark_verified
from app.auth.acts import note
from app.auth.devices import Device
from app.auth.errors import WrongPassword
from app.auth.models import User
from app.auth.passwords import refuse_weak
from app.auth.principal import Principal
from app.auth.profiles import profile
from app.auth.schemas import PasswordChange, ResetRequest
from app.auth.step_up import require_recent
from app.core.security import check_password, hash_password
from app.db.outbox import emit
from app.db.session import session_scope


async def request_reset(email: str, device: Device) -> None:
    """Send a link for a new password, if there is an account. Raises `TooManyAttempts`.

    Emits `auth.reset_requested`.
    """
    await links.request("auth.reset_requested", email, device)


async def reset_password(data: ResetRequest) -> None:
    """Set a new password by the token of a link; all sessions end, all links are void.

    Raises `InvalidLink`, `WeakPassword`; a link is not used up by a password that is refused. Emits
    `auth.password_changed`.
    """
    async with session_scope() as session:
        person = await profile(session, await links.owner(session, "reset", data.token))
    refuse_weak(data.password, person)
    password_hash = await hash_password(data.password)
    async with session_scope() as session:
        user_id = await links.redeem(session, "reset", data.token)
        await session.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))
        await mark_verified(session, user_id)
        await sessions.end(session, user_id)
        await links.void(session, user_id)
        await challenges.void(session, user_id)
        await emit(session, "auth.password_changed", user_id=user_id)
        await note(session, None, user_id, "auth.password_reset")


async def change_password(session: AsyncSession, principal: Principal, data: PasswordChange, device: Device) -> None:
    """Set a new password by the current one; the other sessions end, all links are void.

    Raises `StepUpRequired`, `WrongPassword`, `WeakPassword`, `TooManyAttempts`. Emits `auth.password_changed`.
    """
    await require_recent(session, principal)
    columns = User.email_digest, User.password_hash
    digest, old_hash = (await session.execute(select(*columns).where(User.id == principal.user_id))).one()
    await attempts.begin(digest, device, known=True)
    if not (await check_password(data.current_password, old_hash)).matches:
        await attempts.failed(digest, device)
        raise WrongPassword
    await attempts.succeeded(digest, device)
    refuse_weak(data.new_password, await profile(session, principal.user_id))
    password_hash = await hash_password(data.new_password)
    same = User.id == principal.user_id, User.password_hash == old_hash
    changed = update(User).where(*same).values(password_hash=password_hash).returning(User.id)
    if await session.scalar(changed) is None:
        raise WrongPassword
    await sessions.end_others(session, principal)
    await links.void(session, principal.user_id)
    await challenges.void(session, principal.user_id)
    await emit(session, "auth.password_changed", user_id=principal.user_id)
    await note(session, principal, principal.user_id, "auth.password_changed")
