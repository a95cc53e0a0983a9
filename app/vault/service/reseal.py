"""A new data key for a vault: every cell sealed again under it, then the old keys destroyed.

Tables say themselves what they seal for a vault (`SEALED_BY` in the `info` of a column), so this knows those of other
packages, too. A cell that was missed, or sealed with an old key by a process that did not know the new one yet, keeps
its key: the foreign key of `key_id` lets none be destroyed that is in use.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import utc_now
from app.core.crypto import owner_digest
from app.db.acting import acting_for
from app.db.keys import REMEMBER_SECONDS
from app.db.models import DataKeyRow
from app.db.reseal import Digests, reseal_rows, sealed_columns
from app.db.runtime import current
from app.db.session import SYSTEM
from app.jobs.service import JobRun, create_job, find_open_job
from app.vault.cells import tag_digests
from app.vault.errors import VaultNotFound
from app.vault.models import document_versions, documents, items

RESEAL_JOB: Final = "vault.reseal"
SETTLE_SECONDS: Final = REMEMBER_SECONDS + 15  # how long another process may go on sealing with the key it remembers

# Digests are made with the data key, so they are made anew with the cells.
DIGESTS: Final[dict[Table, Digests]] = {
    items: lambda ring, content: {"tag_digests": tag_digests(ring, content["tags"])},
    documents: lambda ring, content: {"tag_digests": tag_digests(ring, content["tags"])},
    document_versions: lambda ring, content: {
        "content_digest": owner_digest(ring.current, "content", bytes.fromhex(content["sha256"]))
    },
}


async def rotate_vault_key(session: AsyncSession, vault_id: UUID, principal: Principal | None = None) -> UUID:
    """Queue the exchange of a vault's data key; returns the job, or the one that is at it already.

    Who may ask for it is the caller's to decide. Raises `VaultNotFound`.
    """
    if open_job := await find_open_job(session, RESEAL_JOB, vault_id):
        return open_job
    newest = select(func.max(DataKeyRow.version)).where(DataKeyRow.owner_id == vault_id)
    version = await session.scalar(newest)
    if version is None:
        raise VaultNotFound
    user_id = principal.user_id if principal else None
    job_id = await create_job(session, RESEAL_JOB, vault_id=vault_id, user_id=user_id, version=version)
    await audit.record(session, principal, vault_id, "vault.key_exchange_started", job_id)
    return job_id


async def reseal_vault(run: JobRun, vault_id: UUID, settle_seconds: float = SETTLE_SECONDS) -> float:
    """Exchange the data key of a vault; may be interrupted anywhere and run again.

    Returns the seconds after which it must be called again, until other processes know the new key; 0 when done.
    """
    await _make_key(run, vault_id, int(run.payload["version"]))
    wait = await _seconds_to_settle(run, vault_id, settle_seconds)
    await _reseal(run, vault_id)
    if wait:
        return wait
    async with run.scope() as session:
        async with acting_for(session, SYSTEM):
            await current().keys.destroy_retired(session, vault_id)
        await audit.record(session, None, vault_id, "vault.key_exchanged", run.id)
        await run.finish(session)
    return 0


async def _make_key(run: JobRun, vault_id: UUID, version: int) -> None:
    """Rotate, unless an earlier try did: `version` was the newest key when the job was made."""
    keys = current().keys
    newest = select(func.max(DataKeyRow.version)).where(DataKeyRow.owner_id == vault_id)
    try:
        async with run.scope() as session:
            if await session.scalar(newest) == version:
                await keys.rotate(session, vault_id)
    finally:
        keys.forget(vault_id)  # what the store remembers may not have been committed


async def _seconds_to_settle(run: JobRun, vault_id: UUID, settle_seconds: float) -> float:
    made = select(func.max(DataKeyRow.created_at)).where(DataKeyRow.owner_id == vault_id)
    async with run.scope() as session:
        created_at = await session.scalar(made)
    age = (utc_now() - created_at).total_seconds() if created_at else 0.0
    return max(settle_seconds - age, 0.0)


async def _reseal(run: JobRun, vault_id: UUID) -> None:
    done = 0
    for table, column in sealed_columns():
        last: UUID | None = None
        while True:
            async with run.scope() as session, acting_for(session, SYSTEM):
                ids = await reseal_rows(session, vault_id, table, column, last, DIGESTS.get(table))
            if not ids:
                break
            last, done = ids[-1], done + len(ids)
            await run.progress("sealing", done)
