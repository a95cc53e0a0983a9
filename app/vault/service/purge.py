"""What is destroyed for good: vaults with their keys, what was long in the trash, files that no row names."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.db.blob_rows import blobs_of, named_blobs
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.jobs.service import JobRun, create_job
from app.vault.models import documents, invitations, items, vaults
from app.vault.service.documents import forget_document
from app.vault.service.vaults import PURGE_JOB

ROWS_AT_ONCE: Final = 500
ORPHAN_AGE: Final = timedelta(days=1)


async def destroy_vault(run: JobRun, vault_id: UUID) -> None:
    """Delete a vault's files, then its rows and data keys in one transaction. Emits `vault.purged`."""
    async with session_scope(Actor.vault(vault_id)) as session:
        names = await blobs_of(session, vault_id=vault_id)
    for begin in range(0, len(names), ROWS_AT_ONCE):
        await delete_blobs(names[begin:][:ROWS_AT_ONCE])
        await run.progress("deleting", begin, len(names))
    async with session_scope(Actor.vault(vault_id)) as session:
        gone = delete(vaults).where(vaults.c.id == vault_id, vaults.c.purging_at.is_not(None)).returning(vaults.c.id)
        if await session.scalar(gone) is not None:
            await current().keys.destroy(session, vault_id)
            await emit(session, "vault.purged", vault_id=vault_id)


async def delete_blobs(names: list[str]) -> None:
    """Delete files; those that are gone already don't matter."""
    for name in names:
        await current().blobs.delete(name)


async def purge_due(session: AsyncSession, now: datetime) -> int:
    """Purge what has been in the trash for long enough, and expired invitations; returns how many of them."""
    before = now - timedelta(days=current().settings.trash_days)
    due_items = select(items.c.id).where(items.c.trashed_at < before).limit(ROWS_AT_ONCE)
    purged = delete(items).where(items.c.id.in_(due_items)).returning(items.c.vault_id, items.c.id)
    expired = delete(invitations).where(invitations.c.expires_at < now)
    done = {
        "vault.item_purged": (await session.execute(purged)).all(),
        "vault.invitation_expired": (
            await session.execute(expired.returning(invitations.c.vault_id, invitations.c.id))
        ).all(),
        "vault.document_purged": await _purge_documents(session, before),
        "vault.purge_started": await _purge_vaults(session, before),
    }
    acts = [(vault_id, action, row_id) for action, rows in done.items() for vault_id, row_id in rows]
    for vault_id, action, row_id in acts:
        await audit.record(session, None, vault_id, action, row_id)
    return len(acts)


async def _purge_documents(session: AsyncSession, before: datetime) -> list[tuple[UUID, UUID]]:
    due = select(documents.c.id, documents.c.vault_id).where(documents.c.trashed_at < before)
    rows = (await session.execute(due.limit(ROWS_AT_ONCE).with_for_update(skip_locked=True))).all()
    for row in rows:
        names = await blobs_of(session, document_id=row.id)
        await session.execute(delete(documents).where(documents.c.id == row.id))
        await forget_document(session, row.vault_id, row.id, names)
    return [(row.vault_id, row.id) for row in rows]


async def _purge_vaults(session: AsyncSession, before: datetime) -> list[tuple[UUID, UUID]]:
    due = vaults.c.trashed_at < before, vaults.c.purging_at.is_(None)
    doomed = update(vaults).where(*due).values(purging_at=func.now()).returning(vaults.c.id)
    vault_ids = (await session.scalars(doomed)).all()
    return [(vault_id, await create_job(session, PURGE_JOB, subject_id=vault_id)) for vault_id in vault_ids]


async def sweep_blobs(now: datetime) -> int:
    """Delete files older than a day that no row names: a crash came between file and row. Returns how many."""
    swept = 0
    waiting: list[str] = []
    async for name, changed_at in current().blobs.names():
        if changed_at < now - ORPHAN_AGE and "/" not in name:  # folders are kept by others
            waiting.append(name)
        if len(waiting) == ROWS_AT_ONCE:
            swept += await _sweep(waiting)
            waiting = []
    return swept + await _sweep(waiting)


async def _sweep(names: list[str]) -> int:
    async with session_scope() as session:
        named = await named_blobs(session, names)
    orphans = [name for name in names if name not in named]
    await delete_blobs(orphans)
    return len(orphans)
