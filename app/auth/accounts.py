"""Accounts: registration, confirmation of the address, and what people see and change of themselves.

Nobody learns from here whether an address has an account. Registering it again does the same work and gives the same
answer as the first time; its owner is told by e-mail. Where addresses must be confirmed, an account that was not is
worth nothing yet, so a new registration replaces it; and beside a confirmed account the new password is kept as a
*claim*: signing in with it says "confirm your address first", as it would had the account been new.
"""

from uuid import UUID

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import attempts, links
from app.auth.acts import note
from app.auth.addresses import email_digest
from app.auth.devices import Device
from app.auth.models import User
from app.auth.opening import verification_required
from app.auth.passwords import refuse_weak
from app.auth.principal import Principal
from app.auth.profiles import Profile, open_profile, seal_profile
from app.auth.schemas import MeRead, MeUpdate, Registered, RegisterRequest
from app.core.clock import new_id
from app.core.security import hash_password
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import session_scope


async def register(data: RegisterRequest, device: Device) -> Registered:
    """Make an account, or seem to. Raises `WeakPassword`, `TooManyAttempts`.

    Emits `auth.verification_requested`, or `auth.registration_repeated` for the owner of the address.
    """
    await attempts.begin_request(device)
    new = Profile(data.email, data.name)
    refuse_weak(data.password, new)
    password_hash = await hash_password(data.password)
    mailed = await attempts.may_be_mailed(email_digest(data.email))
    async with session_scope() as session:
        user_id, owner = await _claim(session, new, password_hash)
        event = "auth.registration_repeated" if owner else "auth.verification_requested"
        if mailed:
            await emit(session, event, user_id=owner or user_id, link_id=new_id())
    return Registered(id=user_id, email=data.email, name=data.name)


async def _claim(session: AsyncSession, new: Profile, password_hash: str) -> tuple[UUID, UUID | None]:
    """The id of the new account, and the id of one that has the address already; the same statements either way."""
    digest = email_digest(new.email)
    unconfirmed = User.email_digest == digest, User.email_verified_at.is_(None), literal(verification_required())
    replaced = await session.scalar(delete(User).where(*unconfirmed).returning(User.id))
    user_id, is_new = await add_user(session, new, password_hash)
    claim = update(User).where(User.email_digest == digest, User.id != user_id)
    claimed = claim.values(claim_hash=password_hash, claimed_at=func.now())
    owner = await session.scalar(claimed.returning(User.id))
    await current().keys.destroy(session, (replaced or new_id()) if is_new else user_id)
    return user_id, owner


async def add_user(session: AsyncSession, new: Profile, password_hash: str | None) -> tuple[UUID, bool]:
    """Add an account with a data key of its own, unless the address is taken; its id, and whether it was added."""
    user_id = new_id()
    ring = await current().keys.create(session, "user", user_id)
    values = {
        "id": user_id,
        "email_digest": email_digest(new.email),
        "profile": seal_profile(ring, user_id, new),
        "password_hash": password_hash,
    }
    insert = upsert(User).values(**values).on_conflict_do_nothing(index_elements=[User.email_digest])
    return user_id, await session.scalar(insert.returning(User.id)) is not None


async def request_verification(email: str, device: Device) -> None:
    """Send the link again, if there is an account that needs it. Raises `TooManyAttempts`.

    Emits `auth.verification_requested`.
    """
    await links.request("auth.verification_requested", email, device)


async def verify_email(token: str) -> None:
    """Confirm an address by the token of a link. Raises `InvalidLink`."""
    async with session_scope() as session:
        user_id = await links.redeem(session, "verify", token)
        await mark_verified(session, user_id)


async def mark_verified(session: AsyncSession, user_id: UUID) -> None:
    """Note that the person reads what is sent to their address."""
    verified = {"email_verified_at": func.coalesce(User.email_verified_at, func.now())}
    await session.execute(update(User).where(User.id == user_id).values(**verified))


async def read_me(session: AsyncSession, principal: Principal) -> MeRead:
    """The principal's own account."""
    return await _read(session, principal.user_id)


async def update_me(session: AsyncSession, principal: Principal, data: MeUpdate) -> MeRead:
    """Change the principal's name. Emits `auth.profile_changed`."""
    cell = await session.scalar(select(User.profile).where(User.id == principal.user_id).with_for_update())
    ring = await current().keys.ring(session, principal.user_id, *filter(None, [cell]))
    old = open_profile(ring, principal.user_id, cell or b"")
    renamed = seal_profile(ring, principal.user_id, Profile(old.email, data.name))
    await session.execute(update(User).where(User.id == principal.user_id).values(profile=renamed))
    await emit(session, "auth.profile_changed", user_id=principal.user_id)
    await note(session, principal, principal.user_id, "auth.profile_changed")
    return await _read(session, principal.user_id)


async def _read(session: AsyncSession, user_id: UUID) -> MeRead:
    columns = User.profile, User.email_verified_at.is_not(None), User.deletion_at, User.created_at
    cell, verified, deletion_at, created_at = (await session.execute(select(*columns).where(User.id == user_id))).one()
    mine = open_profile(await current().keys.ring(session, user_id, cell), user_id, cell)
    return MeRead(
        id=user_id,
        email=mine.email,
        name=mine.name,
        email_verified=verified,
        deletion_at=deletion_at,
        created_at=created_at,
    )
