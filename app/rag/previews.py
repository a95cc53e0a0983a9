"""Pictures of pages: drawn by the limited process when somebody looks, kept sealed for a while."""

import asyncio
import io
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.blobs import BlobMissing
from app.core.clock import new_id
from app.core.crypto import SealBroken, new_secret
from app.core.etags import etag
from app.core.logging import get_log
from app.core.sniff import PDF
from app.core.streams import SealedFile, open_range, seal_stream
from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.rag.errors import NoPreview, PageNotFound
from app.rag.models import Preview
from app.rag.parsing import Limits, Unreadable, show_page
from app.vault import service as vaults
from app.vault.service import VersionContent

WIDTHS: Final = (160, 320, 640, 1000, 1600)
DRAWN: Final = frozenset({PDF, "image/png", "image/jpeg", "image/gif", "image/webp", "image/tiff"})
DRAWN_AT_ONCE: Final = 2
SECONDS: Final = 20
KEEP: Final = timedelta(days=30)
ROWS_AT_ONCE: Final = 500
MADE_BY: Final = "1"
"""Counts the ways in which pictures were made, so that clients ask again for those of an older one."""

log = get_log(__name__)
_gates: WeakKeyDictionary[AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that the principal may see."""

    content: VersionContent
    page: int
    width: int

    @property
    def etag(self) -> str:
        """The same for the same picture; it tells nothing that a path does not."""
        return etag(f"{self.content.version_id}-{self.page}-{self.width}-{MADE_BY}")


async def find(
    session: AsyncSession, principal: Principal, document_id: UUID, page: int, width: int, number: int | None
) -> Wanted:
    """What is asked for, in one of the `WIDTHS`. Raises `DocumentNotFound`, `VersionNotFound`, `NoPreview`."""
    content = await vaults.open_document(session, principal, document_id, number)
    if content.media_type not in DRAWN:
        raise NoPreview("Pictures are made of PDF, PNG, JPEG, GIF, WebP and TIFF")
    return Wanted(content, page, next(each for each in WIDTHS if each >= width))


async def draw(session: AsyncSession, principal: Principal, wanted: Wanted) -> bytes:
    """The picture as PNG, from what is kept or newly made. Commits: no connection is held while it is made.

    Raises `PageNotFound`, `NoPreview`, `ContentDamaged`.
    """
    await vaults.record_download(session, principal, wanted.content, whole=False)
    kept = await _kept(session, wanted)
    if kept is not None:
        return kept
    await session.commit()
    async with _gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(DRAWN_AT_ONCE)):
        picture = await _drawn(wanted)
    try:
        await _keep(session, wanted, picture)
    except IntegrityError:  # the document was purged meanwhile
        raise PageNotFound from None
    return picture


async def _drawn(wanted: Wanted) -> bytes:
    settings, content = current().settings, wanted.content
    limits = Limits(
        max_bytes=settings.max_upload_bytes,
        max_seconds=SECONDS,
        max_cpu_seconds=SECONDS,
        max_memory_bytes=settings.ingest_max_memory_bytes,
    )
    try:
        width, height, pixels = await show_page(
            content.chunks(), media_type=content.media_type, page=wanted.page, width=wanted.width, limits=limits
        )
    except Unreadable as error:
        if error.reason == "no_page":
            raise PageNotFound from None
        raise NoPreview(error.detail) from None
    return await asyncio.to_thread(_png, width, height, pixels)


def _png(width: int, height: int, pixels: bytes) -> bytes:
    """Written here, from pixels alone: what the limited process says can't be anything but a picture."""
    from PIL import Image  # noqa: PLC0415  heavy, and only for this

    output = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(output, "PNG")
    return output.getvalue()


async def _kept(session: AsyncSession, wanted: Wanted) -> bytes | None:
    content = wanted.content
    same = Preview.version_id == content.version_id, Preview.page == wanted.page, Preview.width == wanted.width
    row = (await session.execute(select(Preview.id, Preview.blob_name, Preview.body).where(*same))).one_or_none()
    if row is None:
        return None
    ring = await current().keys.ring(session, content.vault_id, row.body)
    about = orjson.loads(ring.open("rag_previews", row.id, "body", row.body))
    file = SealedFile(row.id, bytes.fromhex(about["key"]), about["size"], about["chunk_bytes"])

    async def fetch(start: int, end: int) -> bytes:
        return await current().blobs.get(row.blob_name, start, end)

    try:
        return b"".join([chunk async for chunk in open_range(file, fetch, 0, file.size)])
    except (SealBroken, BlobMissing) as error:
        log.error("picture damaged", version_id=str(content.version_id), error=type(error).__name__)
        async with acting_for(session, Actor.vault(content.vault_id)):
            await session.execute(delete(Preview).where(Preview.id == row.id))
        return None


async def _keep(session: AsyncSession, wanted: Wanted, picture: bytes) -> None:
    """Store a picture, unless somebody else was faster. Raises `IntegrityError`."""
    content, row_id, key, blob_name = wanted.content, new_id(), new_secret(), uuid4().hex
    chunk_bytes = current().settings.upload_chunk_bytes
    await current().blobs.put(blob_name, seal_stream(row_id, key, _once(picture), chunk_bytes))
    about = {"key": key.hex(), "size": len(picture), "chunk_bytes": chunk_bytes}
    named = False
    try:
        ring = await current().keys.ring(session, content.vault_id)
        values: dict[str, Any] = {
            "id": row_id,
            "vault_id": content.vault_id,
            "document_id": content.document_id,
            "version_id": content.version_id,
            "page": wanted.page,
            "width": wanted.width,
            "blob_name": blob_name,
            "body": ring.seal("rag_previews", row_id, "body", orjson.dumps(about)),
        }
        async with acting_for(session, Actor.vault(content.vault_id)):  # whoever may read may have it drawn
            put = insert(Preview).values(values).on_conflict_do_nothing().returning(Preview.id)
            named = await session.scalar(put) is not None
        await session.commit()
    finally:
        if not named:
            await current().blobs.delete(blob_name)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def sweep(now: datetime) -> int:
    """Delete pictures that were made long ago; returns how many."""
    old = select(Preview.id).where(Preview.created_at < now - KEEP).limit(ROWS_AT_ONCE)
    async with session_scope() as session:
        gone = delete(Preview).where(Preview.id.in_(old)).returning(Preview.blob_name)
        names = (await session.scalars(gone)).all()
    await vaults.delete_blobs(list(names))
    return len(names)
