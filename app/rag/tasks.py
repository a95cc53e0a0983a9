"""Background work of reading."""

from uuid import UUID

from app.core.tasks import task
from app.db.session import Actor, session_scope
from app.jobs.service import JobRun
from app.rag import ingest as reading
from app.rag import service


@task("rag.ingest")
async def ingest(run: JobRun) -> None:
    """Read a document version and publish its index."""
    await reading.ingest(run)


@task("rag.reread_renamed", on="vault.document_renamed")
async def reread_renamed(document_id: str, vault_id: str) -> None:
    """Make the index anew for a new title; its pages are kept, so nothing is read again."""
    async with session_scope(Actor.vault(UUID(vault_id))) as session:
        await service.reindex(session, UUID(document_id), UUID(vault_id))
