"""Background work of reading.

What reads and indexes is imported by the work that needs it: it brings NumPy, and the clock needs none of that.
"""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import utc_now
from app.core.tasks import task
from app.db.session import Actor, session_scope
from app.jobs.service import JobRun
from app.vault import service as vaults


@task(vaults.READ_JOB)
async def ingest(run: JobRun) -> None:
    """Read a document version and publish its index."""
    from app.rag import ingest as reading  # noqa: PLC0415

    await reading.ingest(run)


@task("rag.reread_renamed", on="vault.document_renamed")
async def reread_renamed(document_id: str, vault_id: str) -> None:
    """Make the index anew for a new title; its pages are kept, so nothing is read again."""
    from app.rag import service  # noqa: PLC0415

    async with session_scope(Actor.vault(UUID(vault_id))) as session:
        await service.reindex(session, UUID(document_id), UUID(vault_id))


@task("rag.renew_indexes", every=timedelta(minutes=2))
async def renew_indexes(now: datetime | None = None) -> int:
    """Queue reading again for what another embedder or an earlier pipeline has indexed; returns how many."""
    from app.rag import renewal  # noqa: PLC0415

    async with session_scope() as session:
        return await renewal.queue_renewals(session, now or utc_now())


@task("rag.sweep_artifacts", every=timedelta(days=1))
async def sweep_artifacts(now: datetime | None = None) -> int:
    """Delete what readings that were given up have left; returns how many rows."""
    from app.rag import renewal  # noqa: PLC0415

    async with session_scope() as session:
        return await renewal.sweep_artifacts(session, now or utc_now())


@task("rag.sweep_previews", every=timedelta(hours=6))
async def sweep_previews(now: datetime | None = None) -> int:
    """Delete pictures of pages that were made long ago; they are made again when somebody looks. Returns how many."""
    from app.rag import previews  # noqa: PLC0415

    return await previews.sweep(now or utc_now())


@task("rag.store_chosen_vectors", on="rag.index_chosen")
async def store_chosen_vectors(vault_id: str) -> int:
    """As `store_vectors`, for a vault whose owner has just chosen that."""
    del vault_id
    return await store_vectors()


@task("rag.store_vectors", every=timedelta(minutes=1))
async def store_vectors() -> int:
    """Copy vectors that PostgreSQL is to compare, or delete all copies if the installation does not want them.

    Returns how many batches of indexes were copied, or how many indexes lost their copy.
    """
    from app.rag.pgvector import storing  # noqa: PLC0415

    return await storing.keep_up()
