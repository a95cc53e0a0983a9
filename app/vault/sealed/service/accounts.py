"""Sealed accounts: a person's keys, wrapped by what only they know; changed as a whole, and only by who holds them."""

import base64
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import service as auth
from app.auth.parts import throttle
from app.auth.principal import Principal
from app.core.security import check_password, hash_password
from app.core.throttle import Limit
from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import SYSTEM
from app.sealed.encoding import digest
from app.sealed.state import AccountState
from app.vault.errors import StaleRevision, TooManyTries
from app.vault.models import members, vaults
from app.vault.sealed import checking
from app.vault.sealed.errors import (
    SealedAccountExists,
    SealedAccountNeeded,
    SealedAccountNotFound,
    SealedVaultsRemain,
    WrongSealedKey,
)
from app.vault.sealed.models import accounts, candidates
from app.vault.sealed.schemas import (
    SealedAccountCreate,
    SealedAccountRead,
    SealedAccountReplace,
    SealedIdentityRead,
    SealedPinsReplace,
    SealedUnlock,
    SealedWrapsRead,
)

HOUR: Final = 3_600


async def create_account(session: AsyncSession, principal: Principal, data: SealedAccountCreate) -> SealedAccountRead:
    """Keep the keys that a person's client has made.

    Raises `SessionNeeded`, `SealedAccountExists`, and what `checking` raises.
    """
    auth.require_session(principal)
    checking.require_size(current().settings.sealed_account_bytes, data.state, data.wraps, data.pins)
    state = checking.first_state(data.state, data.wraps, principal.user_id)
    checking.box_of(data.pins)
    values = {
        "user_id": principal.user_id,
        "counter": state.counter,
        "state": data.state,
        "wraps": data.wraps,
        "pins": data.pins,
        "verifier": await _verifier(data.verifier),
        "recovery_verifier": await _verifier(data.recovery_verifier),
    }
    made = upsert(accounts).values(values).on_conflict_do_nothing().returning(accounts)
    row = (await session.execute(made)).mappings().one_or_none()
    if row is None:
        raise SealedAccountExists
    await audit.record_own(session, principal, principal.user_id, "vault.sealed_account_created")
    return _shown(row)


async def read_account(session: AsyncSession, principal: Principal) -> SealedAccountRead:
    """One's own account. Raises `SealedAccountNotFound`."""
    return _shown(await _mine(session, principal))


async def replace_account(session: AsyncSession, principal: Principal, data: SealedAccountReplace) -> SealedAccountRead:
    """Put the next state in the place of the present one, with all that belongs to it, or change nothing.

    Whoever signs in is not enough: the state is signed by the keys of the account. Raises `SealedAccountNotFound`,
    `StaleRevision`, and what `checking` raises.
    """
    row = await _mine(session, principal, lock=True)
    checking.require_size(current().settings.sealed_account_bytes, data.state, data.wraps, data.pins)
    state = checking.state_of(data.state)
    if state.counter <= row["counter"] or digest(row["pins"]) != data.pins_before:
        raise StaleRevision
    state = checking.next_state(row["state"], data.state, data.wraps, principal.user_id)
    checking.box_of(data.pins)
    before = checking.state_of(row["state"])
    checking.require(state.kdf == before.kdf or data.verifier is not None)
    values: dict[str, Any] = {"counter": state.counter, "state": data.state, "wraps": data.wraps, "pins": data.pins}
    for name in ("verifier", "recovery_verifier"):
        key: bytes | None = getattr(data, name)
        if key is not None:
            values[name] = await _verifier(key)
    changed = update(accounts).where(accounts.c.user_id == principal.user_id)
    row = (await session.execute(changed.values(**values, updated_at=func.now()).returning(accounts))).mappings().one()
    action = "vault.sealed_keys_changed" if state.identity != before.identity else "vault.sealed_account_changed"
    await audit.record_own(session, principal, principal.user_id, action, counter=state.counter)
    return _shown(row)


async def replace_pins(session: AsyncSession, principal: Principal, data: SealedPinsReplace) -> SealedAccountRead:
    """Keep what a person's clients have seen. Raises `SealedAccountNotFound`, `StaleRevision`, `UnknownSuite`, …"""
    row = await _mine(session, principal, lock=True)
    checking.require_size(current().settings.sealed_account_bytes, row["state"], row["wraps"], data.pins)
    checking.box_of(data.pins)
    if digest(row["pins"]) != data.pins_before:
        raise StaleRevision
    changed = update(accounts).where(accounts.c.user_id == principal.user_id).values(pins=data.pins)
    return _shown((await session.execute(changed.returning(accounts))).mappings().one())


async def unlock_account(session: AsyncSession, principal: Principal, data: SealedUnlock) -> SealedWrapsRead:
    """The wraps, for who knows the password or the recovery key.

    Raises `SealedAccountNotFound`, `WrongSealedKey`, `TooManyTries`.
    """
    row = await _mine(session, principal)
    counted, tries = throttle(), Limit("sealed_tries", current().settings.sealed_tries, HOUR)
    if wait := await counted.hit(tries, principal.user_id.hex):
        raise TooManyTries(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})
    for name in ("verifier", "recovery_verifier"):
        if (await check_password(_text(data.key), row[name])).matches:
            await counted.clear(tries, principal.user_id.hex)
            return SealedWrapsRead(state=row["state"], wraps=row["wraps"])
    raise WrongSealedKey


async def delete_account(session: AsyncSession, principal: Principal) -> None:
    """Destroy a person's keys, as who has lost password and recovery key must before they can begin anew.

    Raises `SessionNeeded`, `StepUpRequired`, `SealedAccountNotFound`, `SealedVaultsRemain`.
    """
    await auth.require_recent(session, principal)
    joined = members.join(vaults, vaults.c.id == members.c.vault_id)
    mine = select(vaults.c.id).select_from(joined).where(members.c.user_id == principal.user_id)
    if await session.scalar(mine.where(vaults.c.tier == "sealed").limit(1)) is not None:
        raise SealedVaultsRemain
    gone = delete(accounts).where(accounts.c.user_id == principal.user_id).returning(accounts.c.user_id)
    if await session.scalar(gone) is None:
        raise SealedAccountNotFound
    async with acting_for(session, SYSTEM):
        await session.execute(delete(candidates).where(candidates.c.user_id == principal.user_id))
    await audit.record_own(session, principal, principal.user_id, "vault.sealed_account_deleted")


async def read_identity(session: AsyncSession, principal: Principal, account_id: UUID) -> SealedIdentityRead:
    """The public keys of oneself, of who shares a vault with one, or waits or is waited for in one.

    Raises `SealedAccountNotFound`.
    """
    async with acting_for(session, SYSTEM):  # other people's memberships and accounts; the question is whether
        known = account_id == principal.user_id or await session.scalar(_meet(principal.user_id, account_id))
        state = await session.scalar(select(accounts.c.state).where(accounts.c.user_id == account_id))
    if not known or state is None:
        raise SealedAccountNotFound
    return SealedIdentityRead(account_id=account_id, state=state)


def _meet(one: UUID, other: UUID) -> Select[Any]:
    """A row if two people are members of a vault that is not in the trash, or one is and the other waits."""
    inside, outside = members.alias("inside"), members.alias("outside")
    waiting = select(candidates.c.vault_id, candidates.c.user_id).subquery()
    together = or_(
        (inside.c.user_id == one) & (outside.c.user_id == other),
        (inside.c.user_id == one) & (waiting.c.user_id == other),
        (inside.c.user_id == other) & (waiting.c.user_id == one),
    )
    joined = (
        inside.join(vaults, vaults.c.id == inside.c.vault_id)
        .outerjoin(outside, outside.c.vault_id == inside.c.vault_id)
        .outerjoin(waiting, waiting.c.vault_id == inside.c.vault_id)
    )
    return select(inside.c.vault_id).select_from(joined).where(together, vaults.c.trashed_at.is_(None)).limit(1)


async def own_state(session: AsyncSession, user_id: UUID) -> AccountState:
    """The state of an account, for the system or the person. Raises `SealedAccountNeeded`."""
    state = await find_state(session, user_id)
    if state is None:
        raise SealedAccountNeeded
    return state


async def find_state(session: AsyncSession, user_id: UUID) -> AccountState | None:
    """The state of an account; None if there is no such account. For the system or the person."""
    state = await session.scalar(select(accounts.c.state).where(accounts.c.user_id == user_id))
    return None if state is None else checking.state_of(state)


async def _mine(session: AsyncSession, principal: Principal, *, lock: bool = False) -> Any:
    statement = select(accounts).where(accounts.c.user_id == principal.user_id)
    statement = statement.with_for_update() if lock else statement
    row = (await session.execute(statement)).mappings().one_or_none()
    if row is None:
        raise SealedAccountNotFound
    return row


async def _verifier(key: bytes) -> str:
    return await hash_password(_text(key))


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _shown(row: Any) -> SealedAccountRead:
    times = {name: row[name] for name in ("created_at", "updated_at")}
    blobs = {name: row[name] for name in ("state", "pins")}
    return SealedAccountRead(account_id=row["user_id"], counter=row["counter"], **blobs, **times)
