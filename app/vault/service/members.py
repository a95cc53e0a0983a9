"""Members of vaults: listed, given roles, removed."""

from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.acting import acting_for
from app.db.outbox import emit
from app.db.session import Actor
from app.vault.cells import open_body, ring_of
from app.vault.errors import MemberNotFound, OwnerStays
from app.vault.models import members
from app.vault.policy import require
from app.vault.schemas.vaults import MemberRead
from app.vault.sealed.ending import end_access


async def list_members(session: AsyncSession, principal: Principal, vault_id: UUID) -> list[MemberRead]:
    """Everybody in a vault, the first to join first. Raises `VaultNotFound`."""
    await require(session, principal, vault_id, "read", any_tier=True)
    statement = select(members).where(members.c.vault_id == vault_id).order_by(members.c.id)
    async with acting_for(session, Actor.vault(vault_id)):
        rows = (await session.execute(statement)).mappings().all()
    ring = await ring_of(session, vault_id, *(row["body"] for row in rows))
    return [
        MemberRead(
            user_id=row["user_id"],
            role=row["role"],
            joined_at=row["created_at"],
            **open_body(ring, members, row["id"], row["body"]),
        )
        for row in rows
    ]


async def update_member(
    session: AsyncSession, principal: Principal, vault_id: UUID, user_id: UUID, role: str
) -> MemberRead:
    """Give a member another role; what the owner has is handed over by an offer.

    Raises `VaultNotFound`, `RoleTooLow`, `MemberNotFound`, `OwnerStays`. Emits `vault.member_changed`.
    """
    await require(session, principal, vault_id, "manage")
    present = await _role_of(session, vault_id, user_id)
    if present == "owner":
        raise OwnerStays
    same = members.c.vault_id == vault_id, members.c.user_id == user_id, members.c.role != "owner"
    async with acting_for(session, Actor.vault(vault_id)):
        changed = update(members).where(*same).values(role=role).returning(members.c.id)
        if await session.scalar(changed) is None:  # meanwhile the vault was handed to them, or they were removed
            raise OwnerStays
        await audit.record(session, principal, vault_id, "vault.member_changed", user_id, role=role, before=present)
    await emit(session, "vault.member_changed", vault_id=vault_id, user_id=user_id)
    shown = await list_members(session, principal, vault_id)
    return next(each for each in shown if each.user_id == user_id)


async def remove_member(session: AsyncSession, principal: Principal, vault_id: UUID, user_id: UUID) -> None:
    """End a membership: one's own, or another's. It counts from this transaction on.

    Raises `VaultNotFound`, `RoleTooLow`, `MemberNotFound`, `OwnerStays`. Emits `vault.member_removed`.
    """
    await require(session, principal, vault_id, "read" if user_id == principal.user_id else "manage", any_tier=True)
    if await _role_of(session, vault_id, user_id) == "owner":
        raise OwnerStays
    async with acting_for(session, Actor.vault(vault_id)):
        await end_access(session, vault_id, user_id)
        gone = delete(members).where(members.c.vault_id == vault_id, members.c.user_id == user_id)
        if await session.scalar(gone.where(members.c.role != "owner").returning(members.c.id)) is None:
            raise OwnerStays
        action = "vault.member_left" if user_id == principal.user_id else "vault.member_removed"
        await audit.record(session, principal, vault_id, action, user_id)
    await emit(session, "vault.member_removed", vault_id=vault_id, user_id=user_id)


async def _role_of(session: AsyncSession, vault_id: UUID, user_id: UUID) -> str:
    same = members.c.vault_id == vault_id, members.c.user_id == user_id
    async with acting_for(session, Actor.vault(vault_id)):
        role: str | None = await session.scalar(select(members.c.role).where(*same))
    if role is None:
        raise MemberNotFound
    return role
