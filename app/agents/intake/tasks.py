"""Background work of filing."""

from datetime import datetime
from uuid import UUID

from app.core.clock import utc_now
from app.core.tasks import task


@task("agents.propose_intake", on="rag.document_indexed")
async def propose_intake(document_id: str, now: datetime | None = None) -> bool:
    """Propose to file a document that was read; whether there is a new proposal."""
    from app.agents.intake.making import make  # noqa: PLC0415  brings NumPy

    return await make(UUID(document_id), (now or utc_now()).date())
