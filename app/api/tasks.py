"""Background work of the API itself."""

from datetime import timedelta

from sqlalchemy import delete, func

from app.api.models import IdempotencyKey
from app.core.tasks import task
from app.db.runtime import current
from app.db.session import session_scope


@task("api.purge_idempotency_keys", every=timedelta(hours=6))
async def purge_idempotency_keys() -> int:
    """Delete Idempotency-Keys that are too old to be repeated; returns how many."""
    async with session_scope() as session:
        old = IdempotencyKey.created_at < func.now() - timedelta(days=current().settings.idempotency_days)
        return len((await session.scalars(delete(IdempotencyKey).where(old).returning(IdempotencyKey.id))).all())
