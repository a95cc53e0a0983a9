"""Searching and answering: the only way to passages, for every face of the product.

What may be searched is decided by which shards the principal may open; ids in requests only narrow that.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.config import Settings
from app.core.crypto import SealBroken
from app.db.keys import KeyRing
from app.db.runtime import current
from app.jobs.service import create_job
from app.rag import extractive
from app.rag.chunking import chunk_pages
from app.rag.document import Page, Source
from app.rag.embedder import EmbeddingFailed
from app.rag.engine import QUESTION_SECONDS, embedder_breaker, embedder_of, shard_cache
from app.rag.errors import NotReadYet, PageNotFound
from app.rag.models import PAGE, Artifact, ShardRow
from app.rag.ranking import Hit, search
from app.rag.renewal import READ_JOB
from app.rag.schemas import PageRead, ReadingState
from app.rag.shard import Shard, build_shard, open_shard
from app.rag.steps import CONTENTS, Contents
from app.vault import service as vaults

SHARDS_AT_ONCE = 128
WARM_UP_AFTER_SECONDS = 0.5

log = structlog.get_logger()


def search_shards(settings: Settings, shards: Sequence[Shard], query: str, limit: int) -> list[Hit]:
    """The best passages; takes tens of milliseconds of processor time.

    By words alone where no shard has vectors of the present embedder, and while its endpoint does not answer.
    """
    embedder = embedder_of(settings, seconds=QUESTION_SECONDS)
    comparable = embedder is not None and any(shard.model_id == embedder.model_id for shard in shards)
    if comparable and embedder_breaker.allows():
        try:
            hits = search(shards, query, None, limit, embedder=embedder)
        except EmbeddingFailed:
            embedder_breaker.failed()
            log.warning("embedder unavailable: searching by words alone")
        else:
            embedder_breaker.succeeded()
            return hits
    return search(shards, query, None, limit)


def warm_up(settings: Settings) -> None:
    """Load what the first question needs (models, stemmers) in the background, after the start."""
    timer = threading.Timer(WARM_UP_AFTER_SECONDS, _warm_up, [settings])
    timer.daemon = True
    timer.start()


def _warm_up(settings: Settings) -> None:
    embedder = embedder_of(settings) if settings.embedder == "builtin" else None
    text = "The insurance ends on 1 March 2026."
    source, pages = Source(new_id(), new_id(), new_id(), "Insurance", "en"), [Page(1, text)]
    vector = embedder.embed_query(text) if embedder else None
    vectors = None if vector is None else np.stack([vector, vector])
    shard = build_shard(source, pages, chunk_pages(pages), vectors, embedder.model_id if embedder else None)
    extractive.answer(text, search([open_shard(shard)], text, vector, 1, embedder=embedder))


async def open_shards(session: AsyncSession, principal: Principal, vault_ids: Sequence[UUID] | None) -> list[Shard]:
    """The indexes of all documents that the principal may read, in a stable order. Raises `VaultNotFound`."""
    if vault_ids:
        await vaults.require_vaults(session, principal, vault_ids)
    visible = vaults.visible_document_versions(principal, vault_ids).subquery()
    statement = select(ShardRow.id, ShardRow.revision).join(visible, visible.c.document_id == ShardRow.document_id)
    rows = (await session.execute(statement.order_by(ShardRow.id))).all()
    cache = shard_cache(current().settings.shard_cache_bytes)
    found = {version_id: cache.get(revision) for version_id, revision in rows}
    missing = [version_id for version_id, shard in found.items() if shard is None]
    for begin in range(0, len(missing), SHARDS_AT_ONCE):  # one after the other: the memory of the sealed ones is reused
        sealed = await _sealed(session, missing[begin:][:SHARDS_AT_ONCE])
        for version_id, revision, shard in await asyncio.to_thread(_open_all, *sealed):
            cache.put(revision, shard)
            found[version_id] = shard
    return [shard for shard in found.values() if shard is not None]


async def _sealed(session: AsyncSession, version_ids: Sequence[UUID]) -> tuple[Sequence[Any], Mapping[UUID, KeyRing]]:
    """Rows with sealed shards, and the keys of their vaults."""
    columns = select(ShardRow.id, ShardRow.revision, ShardRow.vault_id, ShardRow.body)
    rows = (await session.execute(columns.where(ShardRow.id.in_(version_ids)))).all()
    cells: dict[UUID, list[bytes]] = {}
    for row in rows:
        cells.setdefault(row.vault_id, []).append(row.body)
    rings = {vault_id: await current().keys.ring(session, vault_id, *bodies) for vault_id, bodies in cells.items()}
    return rows, rings


def _open_all(rows: Sequence[Any], rings: Mapping[UUID, KeyRing]) -> list[tuple[UUID, UUID, Shard]]:
    """Ids, revisions and opened shards; a damaged one is left out, for it must not keep the others from answering."""
    opened = []
    for row in rows:
        try:
            shard = open_shard(rings[row.vault_id].open("rag_shards", row.id, "body", row.body))
        except (SealBroken, ValueError) as error:
            log.error("index damaged", version_id=str(row.id), error=type(error).__name__)
        else:
            opened.append((row.id, row.revision, shard))
    return opened


async def read_state(session: AsyncSession, principal: Principal, document_id: UUID) -> ReadingState:
    """What is searchable of a document. Raises `NotReadYet`."""
    row = await _page_row(session, principal, document_id, CONTENTS)
    if row is None:
        raise NotReadYet
    contents = Contents.opened(await _opened_page(session, row))
    return ReadingState(
        document_id=document_id,
        version_id=row.version_id,
        pages=row.pages,
        pages_unread=list(contents.unread),
        chunks=row.chunks,
        model_id=row.model_id,
    )


async def read_page(session: AsyncSession, principal: Principal, document_id: UUID, number: int) -> PageRead:
    """The text of a page of the version that is searched. Raises `PageNotFound`."""
    row = await _page_row(session, principal, document_id, number)
    if row is None:
        raise PageNotFound
    text = (await _opened_page(session, row)).decode()
    return PageRead(document_id=document_id, version_id=row.version_id, page=number, text=text)


async def _page_row(session: AsyncSession, principal: Principal, document_id: UUID, number: int) -> Any:
    """The row of a page to which the published index refers; None if there is none that the principal may read."""
    visible = vaults.visible_document_versions(principal, None).subquery()
    page = (Artifact.version_id == ShardRow.id) & (Artifact.pipeline == ShardRow.pipeline)
    statement = (
        select(Artifact.id, Artifact.version_id, Artifact.vault_id, Artifact.body)
        .add_columns(ShardRow.pages, ShardRow.chunks, ShardRow.model_id)
        .join(ShardRow, page)
        .join(visible, visible.c.document_id == ShardRow.document_id)
        .where(ShardRow.document_id == document_id, Artifact.stage == PAGE, Artifact.ordinal == number)
    )
    return (await session.execute(statement)).one_or_none()


async def _opened_page(session: AsyncSession, row: Any) -> bytes:
    ring = await current().keys.ring(session, row.vault_id, row.body)
    return ring.open("rag_artifacts", row.id, "body", row.body)


async def reindex(session: AsyncSession, document_id: UUID, vault_id: UUID) -> None:
    """Queue reading the present version of a document again."""
    version_id = await vaults.current_version_id(session, document_id)
    if version_id:
        await create_job(session, READ_JOB, subject_id=version_id, vault_id=vault_id, document_id=document_id)
