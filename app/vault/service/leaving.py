"""What becomes of vaults when an account ends."""

from uuid import UUID

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.db.outbox import emit
from app.jobs.service import create_job
from app.vault.models import members, vaults
from app.vault.policy import RANKS
from app.vault.sealed.ending import end_access_everywhere
from app.vault.service.favourites import forget_favourites
from app.vault.service.shares import forget_shares
from app.vault.service.vaults import PURGE_JOB


async def leave_all(session: AsyncSession, user_id: UUID) -> int:
    """End every membership of a deleted account; the transaction is the system's. Returns how many vaults it was in.

    A vault that nobody else is in is destroyed. One that somebody joined meanwhile goes to the highest in rank, of
    those to the one who joined first. Emits `vault.member_removed`, `vault.member_changed`.
    """
    await end_access_everywhere(session, user_id)
    gone = delete(members).where(members.c.user_id == user_id).returning(members.c.vault_id, members.c.role)
    rows = (await session.execute(gone)).all()
    for vault_id, role in rows:
        await emit(session, "vault.member_removed", vault_id=vault_id, user_id=user_id)
        await audit.record(session, None, vault_id, "vault.member_removed", user_id)
        if role == "owner" and not await _hand_over(session, vault_id):
            await _purge(session, vault_id)
    return len(rows)


async def forget_member(session: AsyncSession, vault_id: UUID, user_id: UUID) -> None:
    """Drop what was somebody's own in a vault that they are no longer in; for the system.

    Nothing of it has worked since they left.
    """
    still = select(members.c.id).where(members.c.vault_id == vault_id, members.c.user_id == user_id)
    if await session.scalar(still) is None:
        await forget_favourites(session, vault_id, user_id)
        await forget_shares(session, vault_id, user_id)


async def _hand_over(session: AsyncSession, vault_id: UUID) -> bool:
    rank = case({role: rank for rank, role in enumerate(RANKS)}, value=members.c.role)
    others = select(members.c.id).where(members.c.vault_id == vault_id).order_by(rank.desc(), members.c.id).limit(1)
    heir = update(members).where(members.c.id == others.scalar_subquery()).values(role="owner")
    user_id = await session.scalar(heir.returning(members.c.user_id))
    if user_id is None:
        return False
    await emit(session, "vault.member_changed", vault_id=vault_id, user_id=user_id)
    await audit.record(session, None, vault_id, "vault.member_changed", user_id, role="owner")
    return True


async def _purge(session: AsyncSession, vault_id: UUID) -> None:
    values = {"trashed_at": func.coalesce(vaults.c.trashed_at, func.now()), "purging_at": func.now()}
    doomed = update(vaults).where(vaults.c.id == vault_id, vaults.c.purging_at.is_(None)).values(values)
    if await session.scalar(doomed.returning(vaults.c.id)) is not None:
        await create_job(session, PURGE_JOB, subject_id=vault_id)
