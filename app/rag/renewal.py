"""What another embedder or an earlier pipeline made is made anew, a few documents at a time; rests are swept away."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import first_id_at, new_id
from app.db.runtime import current
from app.jobs.service import create_job
from app.rag.engine import embedder_of
from app.rag.models import Artifact, ShardRow
from app.rag.pipelines import PIPELINE
from app.rag.publishing import RENEWAL
from app.rag.serving import HAS_FIELDS, SERVES
from app.vault.service import READ_JOB

AT_ONCE = 50
"""So many renewals wait or run at most, so that what people upload meanwhile does not wait behind them for long."""
TRY_AGAIN_AFTER = timedelta(minutes=30)
ARTIFACTS_LAST = timedelta(days=1)


async def queue_renewals(session: AsyncSession, now: datetime) -> int:
    """Queue reading again for some of the outdated indexes; returns how many.

    Until then they are searched by their words. Queueing one gives it a new revision, whose time tells when that was.
    """
    before = first_id_at(now - TRY_AGAIN_AFTER)
    under_way = select(func.count()).select_from(ShardRow).where(_outdated(), ShardRow.revision >= before)
    room = AT_ONCE - (await session.scalar(under_way) or 0)
    oldest = select(ShardRow.id).where(_outdated(), ShardRow.revision < before).order_by(ShardRow.revision)
    due = list(await session.scalars(oldest.limit(max(room, 0)).with_for_update(skip_locked=True)))
    for version_id in due:
        changed = update(ShardRow).where(ShardRow.id == version_id).values(revision=new_id())
        row = (await session.execute(changed.returning(ShardRow.vault_id, ShardRow.document_id))).one()
        ids: dict[str, Any] = {"vault_id": row.vault_id, "document_id": row.document_id, RENEWAL: 1}
        await create_job(session, READ_JOB, subject_id=version_id, **ids)
    return len(due)


def _outdated() -> ColumnElement[bool]:
    embedder = embedder_of(current().settings)
    model_id = embedder.model_id if embedder else None
    return or_(ShardRow.pipeline != PIPELINE, ShardRow.model_id.is_distinct_from(model_id), ~HAS_FIELDS)


async def sweep_artifacts(session: AsyncSession, now: datetime) -> int:
    """Delete what given-up readings have left: steps of a day ago that serve no published index; returns how many."""
    old = Artifact.created_at < now - ARTIFACTS_LAST
    swept = await session.scalars(delete(Artifact).where(old, ~SERVES).returning(Artifact.id))
    return len(swept.all())
