"""Vaults handed over: the owner offers, the other accepts, and both roles change at once."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import service as auth
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.acting import acting_for
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import Actor
from app.notifications.service import queue_mail
from app.vault.errors import AlreadyOwner, MemberNotFound, TransferNotFound
from app.vault.models import members, transfers
from app.vault.policy import require, visible_vaults
from app.vault.schemas.transfers import TransferRead
from app.vault.schemas.vaults import VaultRead
from app.vault.service.members import list_members
from app.vault.service.vaults import read_vault, require_room_for_vault

OPEN: Final = transfers.c.expires_at > func.now()


async def offer_vault(session: AsyncSession, principal: Principal, vault_id: UUID, user_id: UUID) -> TransferRead:
    """Offer a vault to a member, in the place of an earlier offer.

    Raises `VaultNotFound`, `RoleTooLow`, `SessionNeeded`, `StepUpRequired`, `MemberNotFound`, `AlreadyOwner`.
    """
    await require(session, principal, vault_id, "own")
    await auth.require_recent(session, principal)
    people = {each.user_id: each for each in await list_members(session, principal, vault_id)}
    if user_id not in people:
        raise MemberNotFound
    if user_id == principal.user_id:
        raise AlreadyOwner
    vault = await read_vault(session, principal, vault_id)
    seconds = current().settings.transfer_seconds
    values = {
        "id": new_id(),
        "from_user": principal.user_id,
        "to_user": user_id,
        "expires_at": func.now() + timedelta(seconds=seconds),
        "created_at": func.now(),
    }
    made = upsert(transfers).values(vault_id=vault_id, **values)
    replaced = made.on_conflict_do_update(index_elements=["vault_id"], set_=values)
    async with acting_for(session, Actor.vault(vault_id)):
        row = (await session.execute(replaced.returning(*transfers.c))).mappings().one()
        await queue_mail(
            session,
            owner_id=vault_id,
            to=people[user_id].email,
            template="transfer_offered",
            vault=vault.name,
            owner=people[principal.user_id].name,
            days=str(max(seconds // 86_400, 1)),
        )
        await audit.record(session, principal, vault_id, "vault.transfer_offered", user_id, transfer_id=row["id"])
    return TransferRead.model_validate(row)


async def list_transfers(session: AsyncSession, principal: Principal) -> list[TransferRead]:
    """The vaults that are offered to the principal, the oldest offer first."""
    vault_ids = visible_vaults(principal.user_id).with_only_columns(members.c.vault_id)
    mine = select(transfers).where(transfers.c.to_user == principal.user_id, transfers.c.vault_id.in_(vault_ids), OPEN)
    rows = (await session.execute(mine.order_by(transfers.c.id))).mappings().all()
    return [TransferRead.model_validate(row) for row in rows]


async def read_transfer(session: AsyncSession, principal: Principal, vault_id: UUID) -> TransferRead:
    """The offer of a vault, for the two whom it concerns. Raises `VaultNotFound`, `TransferNotFound`."""
    await require(session, principal, vault_id, "read")
    row = (await session.execute(select(transfers).where(*_concerning(principal, vault_id)))).mappings().one_or_none()
    if row is None:
        raise TransferNotFound
    return TransferRead.model_validate(row)


async def drop_transfer(session: AsyncSession, principal: Principal, vault_id: UUID) -> None:
    """Withdraw an offer, or decline it. Raises `VaultNotFound`, `TransferNotFound`."""
    await require(session, principal, vault_id, "read")
    gone = delete(transfers).where(*_concerning(principal, vault_id)).returning(transfers.c.from_user)
    async with acting_for(session, Actor.vault(vault_id)):
        from_user = await session.scalar(gone)
        if from_user is None:
            raise TransferNotFound
        action = "vault.transfer_withdrawn" if from_user == principal.user_id else "vault.transfer_declined"
        await audit.record(session, principal, vault_id, action)


async def accept_transfer(session: AsyncSession, principal: Principal, vault_id: UUID) -> VaultRead:
    """Become the owner of a vault; who was it becomes an admin, in the same transaction.

    Raises `VaultNotFound`, `SessionNeeded`, `TransferNotFound`, `LimitReached`. Emits `vault.member_changed` for both.
    """
    await require(session, principal, vault_id, "read")
    auth.require_session(principal)
    await require_room_for_vault(session, principal.user_id)
    mine = transfers.c.vault_id == vault_id, transfers.c.to_user == principal.user_id, OPEN
    async with acting_for(session, Actor.vault(vault_id)):
        from_user = await session.scalar(delete(transfers).where(*mine).returning(transfers.c.from_user))
        if from_user is None or not await _give(session, vault_id, from_user, "owner", "admin"):
            raise TransferNotFound
        await _give(session, vault_id, principal.user_id, None, "owner")  # there is one owner at a time
        await audit.record(session, principal, vault_id, "vault.handed_over", principal.user_id, from_user=from_user)
    for user_id in (from_user, principal.user_id):
        await emit(session, "vault.member_changed", vault_id=vault_id, user_id=user_id)
    return await read_vault(session, principal, vault_id)


async def _give(session: AsyncSession, vault_id: UUID, user_id: UUID, before: str | None, role: str) -> bool:
    """Give a member another role; whether there was one with the role before."""
    this = [members.c.vault_id == vault_id, members.c.user_id == user_id]
    if before:
        this.append(members.c.role == before)
    return await session.scalar(update(members).where(*this).values(role=role).returning(members.c.id)) is not None


def _concerning(principal: Principal, vault_id: UUID) -> list[Any]:
    of_principal = (transfers.c.from_user == principal.user_id) | (transfers.c.to_user == principal.user_id)
    return [transfers.c.vault_id == vault_id, of_principal, OPEN]
