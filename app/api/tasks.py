"""Background work of the API itself."""

from datetime import timedelta

from app.api import idempotency
from app.core.tasks import task
from app.db.session import session_scope


@task("api.purge_idempotency_keys", every=timedelta(hours=6))
async def purge_idempotency_keys() -> int:
    """Delete Idempotency-Keys that are too old to be repeated; returns how many."""
    async with session_scope() as session:
        return await idempotency.purge_keys(session)
