"""Reading a document version: pages → chunks → vectors → one sealed shard; every step is kept, so a crash costs little.

Each step is an upsert under the job's lease, and publishing is one transaction: the older version answers until then.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.core.config import Settings
from app.db.outbox import emit
from app.db.runtime import current
from app.jobs.errors import JobFailed
from app.jobs.service import JobRun
from app.rag.chunking import chunk_pages
from app.rag.document import Page, Source
from app.rag.embedder import Embedder, EmbeddingFailed
from app.rag.engine import PIPELINE, embedder_of
from app.rag.errors import ModelUnavailable
from app.rag.models import PAGE, VECTORS, Artifact, ShardRow
from app.rag.parsing import Limits, PageEvent, Unreadable, read_pages
from app.rag.shard import build_shard, passages_to_embed
from app.rag.text import guess_language
from app.vault import service as vaults
from app.vault.errors import DocumentNotFound
from app.vault.service import VersionContent

PAGES_AT_ONCE = 16
TEXTS_AT_ONCE = 64


async def ingest(run: JobRun) -> None:
    """Read the document version that the job is about and publish its index.

    Raises `JobFailed` for files that can't be read, however often.
    """
    version_id, vault_id = required(run.subject_id), required(run.vault_id)
    try:
        async with run.scope() as session:
            content = await vaults.open_version(session, version_id)
        pages = await _read(run, content)
    except DocumentNotFound:
        raise JobFailed("document-gone", "The document was deleted before it was read.") from None
    except Unreadable as error:
        await _forget(run, version_id)
        raise JobFailed(f"file-{error.reason.replace('_', '-')}", error.detail or error.title) from None
    language = guess_language(" ".join(page.text[:2_000] for page in pages[:5]))
    source = Source(content.document_id, version_id, vault_id, content.title, language)
    chunks = await asyncio.to_thread(chunk_pages, pages)
    embedder = embedder_of(current().settings)
    vectors = await _embed(run, embedder, version_id, passages_to_embed(source, chunks)) if embedder else None
    await run.progress("indexing", len(pages), len(pages))
    model_id = embedder.model_id if embedder else None
    shard = await asyncio.to_thread(build_shard, source, pages, chunks, vectors, model_id)
    async with run.scope() as session:
        await _publish(session, source, shard, model_id, len(pages), len(chunks))
        await run.finish(session)


def required(value: UUID | None) -> UUID:
    """Raises `JobFailed` for a job without it."""
    if value is None:
        raise JobFailed("malformed", "The job does not say what it is about.")
    return value


async def _read(run: JobRun, content: VersionContent) -> list[Page]:
    """All pages of a version; those that an earlier try has read are not read again. Raises `Unreadable`."""
    kept = await _kept_pages(run, content.version_id)
    events = read_pages(
        content.chunks(),
        media_type=content.media_type,
        name=content.name,
        limits=limits_of(current().settings),
        skip=kept.keys(),
    )
    fresh: list[PageEvent] = []
    async with aclosing(events):
        async for event in events:
            fresh.append(event)
            kept[event.number] = event.text
            if len(fresh) >= PAGES_AT_ONCE:
                await _keep_pages(run, content.version_id, fresh)
                await run.progress("reading", len(kept), event.total)
                fresh = []
    if fresh:
        await _keep_pages(run, content.version_id, fresh)
        await run.progress("reading", len(kept), fresh[-1].total)
    return [Page(number, text) for number, text in sorted(kept.items())]


def limits_of(settings: Settings) -> Limits:
    """What reading one file may cost."""
    return Limits(
        max_bytes=settings.max_upload_bytes,
        max_pages=settings.ingest_max_pages,
        max_chars=settings.ingest_max_chars,
        max_seconds=settings.ingest_max_seconds,
        max_cpu_seconds=settings.ingest_max_seconds,
        max_memory_bytes=settings.ingest_max_memory_bytes,
        ocr_max_pages=settings.ocr_max_pages,
        ocr_languages=tuple(settings.ocr_languages.split("+")),
    )


async def _kept_pages(run: JobRun, version_id: UUID) -> dict[int, str]:
    steps = await _kept(run, version_id, PAGE, PIPELINE)
    return {number: content.decode() for number, content in steps.items()}


async def _keep_pages(run: JobRun, version_id: UUID, events: Sequence[PageEvent]) -> None:
    await _keep(run, version_id, PAGE, PIPELINE, {event.number: event.text.encode() for event in events})


async def _embed(run: JobRun, embedder: Embedder, version_id: UUID, texts: Sequence[str]) -> NDArray[np.float16]:
    """One row for each text, batch by batch; batches of an earlier try are taken as they are."""
    pipeline = f"{PIPELINE}/{embedder.model_id}"
    kept = await _kept(run, version_id, VECTORS, pipeline)
    batches = []
    for ordinal, begin in enumerate(range(0, len(texts), TEXTS_AT_ONCE)):
        if ordinal not in kept:
            vectors = await _vectors(embedder, texts[begin : begin + TEXTS_AT_ONCE])
            kept[ordinal] = vectors.astype(np.float16).tobytes()
            await _keep(run, version_id, VECTORS, pipeline, {ordinal: kept[ordinal]})
        batches.append(np.frombuffer(kept[ordinal], np.float16).reshape(-1, embedder.dimensions))
        await run.progress("embedding", min(begin + TEXTS_AT_ONCE, len(texts)), len(texts))
    return np.concatenate(batches)


async def _vectors(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Raises `ModelUnavailable`, so that the job is tried again later."""
    try:
        return await asyncio.to_thread(embedder.embed_passages, texts)
    except EmbeddingFailed:
        raise ModelUnavailable from None


async def _kept(run: JobRun, version_id: UUID, stage: str, pipeline: str) -> dict[int, bytes]:
    """What earlier tries have kept of a stage, by ordinal."""
    mine = Artifact.version_id == version_id, Artifact.stage == stage, Artifact.pipeline == pipeline
    async with run.scope() as session:
        rows = (await session.execute(select(Artifact.id, Artifact.ordinal, Artifact.body).where(*mine))).all()
        ring = await current().keys.ring(session, required(run.vault_id))
    return {row.ordinal: ring.open("rag_artifacts", row.id, "body", row.body) for row in rows}


async def _keep(run: JobRun, version_id: UUID, stage: str, pipeline: str, contents: dict[int, bytes]) -> None:
    """Seal the results of a stage and write them, once."""
    vault_id = required(run.vault_id)
    async with run.scope() as session:
        ring = await current().keys.ring(session, vault_id)
        rows = []
        for ordinal, content in contents.items():
            row_id = new_id()
            sealed = ring.seal("rag_artifacts", row_id, "body", content)
            rows.append({"id": row_id, "ordinal": ordinal, "body": sealed})
        shared = {"version_id": version_id, "vault_id": vault_id, "stage": stage, "pipeline": pipeline}
        await session.execute(insert(Artifact).on_conflict_do_nothing(), [row | shared for row in rows])


async def _forget(run: JobRun, version_id: UUID) -> None:
    async with run.scope() as session:
        await session.execute(delete(Artifact).where(Artifact.version_id == version_id))


async def _publish(
    session: AsyncSession, source: Source, shard: bytes, model_id: str | None, pages: int, chunks: int
) -> None:
    """Put the new shard in the place of the old one and drop what only earlier versions or tries needed."""
    if await vaults.current_version_id(session, source.document_id) != source.version_id:
        return  # a newer version was stored in the meantime; its own job publishes
    ring = await current().keys.ring(session, source.vault_id)
    values = {
        "id": source.version_id,
        "vault_id": source.vault_id,
        "revision": new_id(),
        "pipeline": PIPELINE,
        "model_id": model_id,
        "pages": pages,
        "chunks": chunks,
        "body": ring.seal("rag_shards", source.version_id, "body", shard),
    }
    statement = insert(ShardRow).values(document_id=source.document_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["document_id"], set_=values))
    others = vaults.version_ids(source.document_id)
    not_needed = (Artifact.stage == VECTORS) | (Artifact.version_id != source.version_id)
    await session.execute(delete(Artifact).where(Artifact.version_id.in_(others), not_needed))
    await emit(session, "rag.document_indexed", document_id=source.document_id)
