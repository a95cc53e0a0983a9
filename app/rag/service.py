"""Searching and answering: the only way to passages, for every face of the product.

What may be searched is decided by which indexes the principal may open; ids in requests only narrow that.
"""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.config import Settings
from app.core.logging import get_log
from app.db.runtime import current
from app.jobs.service import create_job
from app.rag import extractive
from app.rag.asked import Asked
from app.rag.chunking import chunk_pages
from app.rag.document import Page, Source
from app.rag.embedder import EmbeddingFailed
from app.rag.engine import QUESTION_SECONDS, embedder_breaker, embedder_of
from app.rag.errors import NotReadYet, PageNotFound
from app.rag.fields.shapes import FieldKind, decode
from app.rag.memory import reserve
from app.rag.models import PAGE, Artifact, ShardRow
from app.rag.opening import open_scope, read_pages
from app.rag.pgvector.comparing import compare
from app.rag.ranking import Hit, ask, find, rank
from app.rag.schemas import FieldList, FieldRead, PageRead, ReadingState
from app.rag.scope import Scope
from app.rag.serving import CONTENTS, IS_FIELDS
from app.rag.shard import build_shard
from app.rag.shelving import open_shelves
from app.rag.steps import Contents
from app.vault import service as vaults

WARM_UP_AFTER_SECONDS = 0.5

log = get_log(__name__)


async def search(
    session: AsyncSession, principal: Principal, query: str, limit: int, vault_ids: Sequence[UUID] | None = None
) -> list[Hit]:
    """The best passages of the documents that the principal may read. Raises `VaultNotFound`.

    Commits: no connection is held while the processor works, which takes tens of milliseconds.
    """
    scope = await open_scope(session, principal, vault_ids)
    await session.commit()
    asked = await asyncio.to_thread(_ask, current().settings, scope, query, limit)
    elsewhere = await compare(session, asked)
    if elsewhere:
        await session.commit()
    found = await asyncio.to_thread(find, asked, limit, elsewhere)
    pages = await read_pages(session, found.pages if found else ())
    await session.commit()
    return await asyncio.to_thread(rank, found, pages.texts, limit, fields=pages.fields)


def _ask(settings: Settings, scope: Scope, query: str, limit: int) -> Asked | None:
    """By words alone where no document has vectors of the present embedder, and while its endpoint does not answer."""
    embedder = embedder_of(settings, seconds=QUESTION_SECONDS)
    comparable = embedder is not None and any(shelf.model_id == embedder.model_id for shelf in scope.shelves)
    if comparable and embedder_breaker.allows():
        try:
            asked = ask(scope, query, None, limit, embedder=embedder)
        except EmbeddingFailed:
            embedder_breaker.failed()
            log.warning("embedder unavailable: searching by words alone")
        else:
            embedder_breaker.succeeded()
            return asked
    return ask(scope, query, None, limit)


def warm_up(settings: Settings) -> None:
    """Load what the first question needs (models, stemmers) in the background, after the start."""
    timer = threading.Timer(WARM_UP_AFTER_SECONDS, warm_up_now, [settings])
    timer.daemon = True
    timer.start()


def warm_up_now(settings: Settings) -> None:
    """As `warm_up`, here and now."""
    reserve(settings.shard_reserve_bytes).touch()
    embedder = embedder_of(settings) if settings.embedder == "builtin" else None
    text = "The insurance ends on 1 March 2026."
    source, pages = Source(new_id(), new_id(), new_id(), "Insurance", "en"), [Page(1, text)]
    vector = embedder.embed_query(text) if embedder else None
    vectors = None if vector is None else np.stack([vector, vector])
    shard = build_shard(source, pages, chunk_pages(pages), vectors, embedder.model_id if embedder else None)
    found = find(ask(Scope(open_shelves([shard])), text, vector, 1, embedder=embedder), 1)
    extractive.answer(text, rank(found, {(source.version_id, 1): text}, 1))


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


async def read_fields(
    session: AsyncSession, principal: Principal, document_id: UUID, kind: FieldKind | None = None
) -> FieldList:
    """The fields of the version that is searched, in the order of the document. Raises `NotReadYet`."""
    state = await read_state(session, principal, document_id)
    of_version = Artifact.version_id == state.version_id, Artifact.ordinal != CONTENTS, ShardRow.id == state.version_id
    statement = select(Artifact.id, Artifact.vault_id, Artifact.ordinal, Artifact.body).join(ShardRow, IS_FIELDS)
    rows = (await session.execute(statement.where(*of_version).order_by(Artifact.ordinal))).all()
    found = [field for row in rows for field in decode(row.ordinal, await _opened_page(session, row))]
    shown = [FieldRead.model_validate(field) for field in found if kind in (None, field.kind)]
    return FieldList(document_id=document_id, version_id=state.version_id, items=shown)


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
        await create_job(session, vaults.READ_JOB, subject_id=version_id, vault_id=vault_id, document_id=document_id)
