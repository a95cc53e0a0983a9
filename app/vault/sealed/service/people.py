"""Memberships of sealed vaults, as signed lists say them. The transaction acts for the vault."""

from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.outbox import emit
from app.vault.cells import open_body, ring_of, seal_body
from app.vault.models import members
from app.vault.sealed.errors import NotWaiting
from app.vault.sealed.models import candidates


async def roles_of(session: AsyncSession, vault_id: UUID) -> dict[UUID, str]:
    """The role of each member."""
    rows = await session.execute(select(members.c.user_id, members.c.role).where(members.c.vault_id == vault_id))
    return {row.user_id: row.role for row in rows}


async def let_in(session: AsyncSession, principal: Principal, vault_id: UUID, user_id: UUID, role: str) -> None:
    """Make a member of who waits for this role. Raises `NotWaiting`. Emits `vault.member_added`."""
    waiting = candidates.c.vault_id == vault_id, candidates.c.user_id == user_id, candidates.c.role == role
    row = (await session.execute(delete(candidates).where(*waiting).returning(candidates))).mappings().one_or_none()
    if row is None:
        raise NotWaiting
    ring = await ring_of(session, vault_id, row["body"])
    about, member_id = open_body(ring, candidates, row["id"], row["body"]), new_id()
    values = {"id": member_id, "vault_id": vault_id, "user_id": user_id, "role": role}
    await session.execute(insert(members).values(**values, body=seal_body(ring, members, member_id, about)))
    ids = {"role": role, "invited_by": row["invited_by"]}
    await audit.record(session, principal, vault_id, "vault.member_added", user_id, **ids)
    await emit(session, "vault.member_added", vault_id=vault_id, user_id=user_id)


async def give_role(
    session: AsyncSession, principal: Principal, vault_id: UUID, user_id: UUID, role: str, before: str
) -> None:
    """Change a role. Emits `vault.member_changed`."""
    same = members.c.vault_id == vault_id, members.c.user_id == user_id
    await session.execute(update(members).where(*same).values(role=role))
    await audit.record(session, principal, vault_id, "vault.member_changed", user_id, role=role, before=before)
    await emit(session, "vault.member_changed", vault_id=vault_id, user_id=user_id)


async def put_out(session: AsyncSession, principal: Principal, vault_id: UUID, user_id: UUID) -> None:
    """End a membership, unless it has ended. Emits `vault.member_removed`."""
    same = members.c.vault_id == vault_id, members.c.user_id == user_id
    if await session.scalar(delete(members).where(*same).returning(members.c.id)) is None:
        return
    await audit.record(session, principal, vault_id, "vault.member_removed", user_id)
    await emit(session, "vault.member_removed", vault_id=vault_id, user_id=user_id)
