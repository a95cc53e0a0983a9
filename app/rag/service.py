"""Searching and answering: the only way to passages, for every face of the product.

What may be searched is decided by which shards the principal may open; ids in requests only narrow that.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.config import Settings
from app.db.keys import KeyRing
from app.db.runtime import current
from app.jobs.service import create_job
from app.rag.embedder import EmbeddingFailed
from app.rag.engine import PIPELINE, embedder_of, shard_cache
from app.rag.errors import ModelUnavailable, NotReadYet, PageNotFound
from app.rag.models import PAGE, Artifact, ShardRow
from app.rag.ranking import Hit, search
from app.rag.schemas import PageRead, ReadingState
from app.rag.shard import Shard, open_shard
from app.vault import service as vaults

SHARDS_AT_ONCE = 64


def search_shards(settings: Settings, shards: Sequence[Shard], query: str, limit: int) -> list[Hit]:
    """The best passages; takes tens of milliseconds of processor time. Raises `ModelUnavailable`."""
    try:
        return search(shards, query, None, limit, embedder=embedder_of(settings) if shards else None)
    except EmbeddingFailed:
        raise ModelUnavailable from None


async def open_shards(session: AsyncSession, principal: Principal, vault_ids: Sequence[UUID] | None) -> list[Shard]:
    """The indexes of all documents that the principal may read, in a stable order. Raises `VaultNotFound`."""
    if vault_ids:
        await vaults.require_vaults(session, principal, vault_ids)
    visible = vaults.visible_document_versions(principal, vault_ids).subquery()
    statement = (
        select(ShardRow.id, ShardRow.revision, ShardRow.vault_id)
        .join(visible, visible.c.document_id == ShardRow.document_id)
        .order_by(ShardRow.id)
    )
    rows = (await session.execute(statement)).all()
    cache = shard_cache(current().settings.shard_cache_bytes)
    opened = {row.id: shard for row in rows if (shard := cache.get(row.revision))}
    missing = [row for row in rows if row.id not in opened]
    rings = {vault_id: await current().keys.ring(session, vault_id) for vault_id in {row.vault_id for row in missing}}
    for begin in range(0, len(missing), SHARDS_AT_ONCE):
        ids = [row.id for row in missing[begin : begin + SHARDS_AT_ONCE]]
        columns = select(ShardRow.id, ShardRow.revision, ShardRow.vault_id, ShardRow.body)
        sealed = (await session.execute(columns.where(ShardRow.id.in_(ids)))).all()
        for row in sealed:
            opened[row.id] = await asyncio.to_thread(_open, rings[row.vault_id], row.id, row.body)
            cache.put(row.revision, opened[row.id])
    return [opened[row.id] for row in rows if row.id in opened]


def _open(ring: KeyRing, version_id: UUID, body: bytes) -> Shard:
    return open_shard(ring.open("rag_shards", version_id, "body", body))


async def read_state(session: AsyncSession, principal: Principal, document_id: UUID) -> ReadingState:
    """What is searchable of a document. Raises `NotReadYet`."""
    visible = vaults.visible_document_versions(principal, None).subquery()
    columns = ShardRow.document_id, ShardRow.id.label("version_id"), ShardRow.pages, ShardRow.chunks, ShardRow.model_id
    statement = select(*columns).join(visible, visible.c.document_id == ShardRow.document_id)
    row = (await session.execute(statement.where(ShardRow.document_id == document_id))).one_or_none()
    if row is None:
        raise NotReadYet
    return ReadingState.model_validate(row)


async def read_page(session: AsyncSession, principal: Principal, document_id: UUID, number: int) -> PageRead:
    """The text of a page of the version that is searched. Raises `PageNotFound`."""
    visible = vaults.visible_document_versions(principal, None).subquery()
    statement = (
        select(Artifact.id, Artifact.version_id, Artifact.vault_id, Artifact.body)
        .join(ShardRow, ShardRow.id == Artifact.version_id)
        .join(visible, visible.c.document_id == ShardRow.document_id)
        .where(ShardRow.document_id == document_id, Artifact.stage == PAGE, Artifact.ordinal == number)
        .where(Artifact.pipeline == PIPELINE)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise PageNotFound
    ring = await current().keys.ring(session, row.vault_id)
    text = ring.open("rag_artifacts", row.id, "body", row.body).decode()
    return PageRead(document_id=document_id, version_id=row.version_id, page=number, text=text)


async def reindex(session: AsyncSession, document_id: UUID, vault_id: UUID) -> None:
    """Queue reading the present version of a document again."""
    version_id = await vaults.current_version_id(session, document_id)
    if version_id:
        await create_job(session, "rag.ingest", subject_id=version_id, vault_id=vault_id, document_id=document_id)
