"""Reading a document version: pages → chunks → fields → vectors → one sealed shard; a crash costs little.

Each step is kept, under the job's lease, and publishing is one transaction: the older version answers until then.
Several jobs may read one version at once: the pages that were stored first count for all.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import IntegrityError

from app.core.config import Settings
from app.core.logging import get_log
from app.db.keys import KeysDestroyed
from app.db.runtime import current
from app.jobs.errors import JobFailed
from app.jobs.service import JobRun
from app.rag.chunking import chunk_pages
from app.rag.document import Chunk, Page, Source
from app.rag.embedder import Embedder, EmbeddingFailed
from app.rag.engine import embedder_of
from app.rag.errors import ModelUnavailable
from app.rag.fields.extract import extract
from app.rag.parsing import Limits, PageEvent, Unreadable, read_pages
from app.rag.pipelines import PIPELINE
from app.rag.progress import Progress
from app.rag.publishing import Index, Outdated, publish, what_is_wanted
from app.rag.shard import build_shard, passages_to_embed
from app.rag.steps import Contents, Steps
from app.rag.text import guess_language
from app.vault import service as vaults
from app.vault.errors import ContentDamaged, DocumentNotFound
from app.vault.service import VersionContent

PAGES_AT_ONCE = 16
TEXTS_AT_ONCE = 64
KEEP_SECONDS = 2.0
"""Pages that take long, such as pictures, are kept and shown one by one."""

log = get_log(__name__)


async def ingest(run: JobRun) -> None:
    """Read the document version that the job is about and publish its index, if that is still wanted.

    Raises `JobFailed` for files that can't be read, however often.
    """
    version_id, vault_id = required(run.subject_id), required(run.vault_id)
    steps = Steps(run, vault_id, version_id, PIPELINE)
    try:
        await _ingest(run, steps)
    except (DocumentNotFound, KeysDestroyed):
        raise _gone() from None
    except Unreadable as error:
        if error.reason == "killed" and run.attempt < current().settings.job_max_attempts:
            raise  # nothing is known of the file: it is tried again, from the page where it was
        await steps.forget()
        raise JobFailed(f"file-{error.reason.replace('_', '-')}", error.detail or error.title) from None
    except (IntegrityError, ContentDamaged) as error:
        await _require_version(run, version_id)
        if isinstance(error, IntegrityError):
            raise
        await steps.forget()
        raise JobFailed("content-damaged", "What is stored of the file is damaged. Upload it again.") from None


def required(value: UUID | None) -> UUID:
    """Raises `JobFailed` for a job without it."""
    if value is None:
        raise JobFailed("malformed", "The job does not say what it is about.")
    return value


def _gone() -> JobFailed:
    return JobFailed("document-gone", "The document was deleted before it was read.")


async def _require_version(run: JobRun, version_id: UUID) -> None:
    """Raises `JobFailed` if the version was deleted in the meantime, and its rows and files with it."""
    try:
        async with run.scope() as session:
            await vaults.open_version(session, version_id)
    except (DocumentNotFound, KeysDestroyed):
        raise _gone() from None


async def _ingest(run: JobRun, steps: Steps) -> None:
    progress = Progress(run)
    embedder = embedder_of(current().settings)
    while True:
        async with run.scope() as session:
            content = await vaults.open_version(session, steps.version_id)
            wanted = await what_is_wanted(session, run, content, embedder.model_id if embedder else None)
        reading = _Reading(steps, content, progress, embedder, run.attempt)
        if wanted != "index":
            if wanted == "fields":
                await reading.renew_fields()
            await steps.forget()
            return
        index = await reading.index()
        try:
            async with run.scope() as session:
                await publish(session, index)
                await run.finish(session)
            return
        except Outdated:
            continue  # a newer version or another title came in the meantime


@dataclass(frozen=True, slots=True)
class _Reading:
    """One pass from the stored file to its index."""

    steps: Steps
    content: VersionContent
    progress: Progress
    embedder: Embedder | None
    attempt: int

    async def index(self) -> Index:
        """The index. Raises `Unreadable`, `ModelUnavailable`."""
        contents, pages = await self._pages()
        content, language = self.content, language_of(pages)
        source = Source(content.document_id, content.version_id, content.vault_id, content.title, language)
        chunks = await asyncio.to_thread(chunk_pages, pages)
        await self._keep_fields(pages, language)
        vectors = await self._vectors(source, chunks)
        model_id = self.embedder.model_id if self.embedder and vectors is not None else None
        await self.progress.show("indexing")
        shard = await asyncio.to_thread(build_shard, source, pages, chunks, vectors, model_id)
        return Index(source, shard, model_id, contents.total, len(chunks))

    async def renew_fields(self) -> None:
        """Look for fields in pages that were read before. Raises `Unreadable`."""
        _, pages = await self._pages()
        await self._keep_fields(pages, language_of(pages))

    async def _keep_fields(self, pages: Sequence[Page], language: str) -> None:
        await self.progress.show("fields")
        await self.steps.keep_fields(await asyncio.to_thread(extract, pages, language))

    async def _pages(self) -> tuple[Contents, list[Page]]:
        """All pages as they are stored; those that an earlier try has read are not read again. Raises `Unreadable`."""
        await self.progress.show("reading")
        contents, kept = await self.steps.pages()
        if not contents.complete:
            await self._read(contents, frozenset(kept))
            contents, kept = await self.steps.pages()
        if not any(text.strip() for text in kept.values()):
            raise Unreadable("no_ocr" if contents.unread else "no_text")
        return contents, [Page(number, text) for number, text in sorted(kept.items())]

    async def _read(self, contents: Contents, done: frozenset[int]) -> None:
        content, batch, kept_at = self.content, list[PageEvent](), time.monotonic()
        limits = limits_of(current().settings)
        source = content.chunks()
        events = read_pages(source, media_type=content.media_type, name=content.name, limits=limits, skip=done)
        async with aclosing(events):
            async for event in events:
                batch.append(event)
                done = done | {event.number}
                if len(batch) >= PAGES_AT_ONCE or time.monotonic() - kept_at >= KEEP_SECONDS:
                    contents = contents.extended(batch)
                    await self.steps.keep_pages(batch, contents)
                    await self.progress.show("reading", len(done), event.total)
                    batch, kept_at = [], time.monotonic()
        contents = contents.extended(batch)
        total = max(contents.total, len(done))
        await self.steps.keep_pages(batch, replace(contents, total=total, complete=True))
        await self.progress.show("reading", 1, 1)

    async def _vectors(self, source: Source, chunks: Sequence[Chunk]) -> NDArray[np.float16] | None:
        """One row for each text to embed; None without an embedder, or with one that fails to the last try.

        A document without vectors is found by its words, and is given vectors later (see `renewal`). Raises
        `ModelUnavailable`, so that the job is tried again.
        """
        if self.embedder is None:
            return None
        try:
            return await self._embedded(self.embedder, passages_to_embed(source, chunks))
        except EmbeddingFailed:
            if self.attempt < current().settings.job_max_attempts:
                raise ModelUnavailable from None
            log.warning("indexed by words alone", version_id=str(source.version_id))
            return None

    async def _embedded(self, embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float16]:
        """Batch by batch; batches of an earlier try are taken as they are. Raises `EmbeddingFailed`."""
        key = await self.steps.vectors_key(embedder.model_id, texts)
        kept = await self.steps.vectors(key)
        batches = []
        for number, begin in enumerate(range(0, len(texts), TEXTS_AT_ONCE)):
            if number not in kept:
                vectors = await asyncio.to_thread(embedder.embed_passages, texts[begin : begin + TEXTS_AT_ONCE])
                kept[number] = vectors.astype(np.float16).tobytes()
                await self.steps.keep_vectors(key, number, kept[number])
            batches.append(np.frombuffer(kept[number], np.float16).reshape(-1, embedder.dimensions))
            await self.progress.show("embedding", min(begin + TEXTS_AT_ONCE, len(texts)), len(texts))
        return np.concatenate(batches)


def language_of(pages: Sequence[Page]) -> str:
    """What a document is written in, told by its first pages."""
    return guess_language(" ".join(page.text[:2_000] for page in pages[:5]))


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
