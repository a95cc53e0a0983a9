"""Uploads in parts: what has arrived is kept, whatever happens to the connection or to this process.

The row says how many bytes are kept. A part is stored first; then one transaction names it and moves the row on from
where the part begins, so that of two requests that send the same bytes one is refused. The last part makes the file a
version of a document; where that was interrupted, a sweep does it.
"""

import base64
import hmac
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.errors import AppError
from app.core.logging import get_log
from app.db.keys import KeysDestroyed
from app.db.runtime import current
from app.db.session import session_scope
from app.jobs.service import create_job
from app.vault.cells import open_body, ring_of, seal_body
from app.vault.errors import FileTooLarge, StaleRevision, UploadInterrupted
from app.vault.file_errors import ChecksumMismatch, OffsetMismatch, UploadNotFound
from app.vault.models.files import upload_parts, uploads
from app.vault.policy import require
from app.vault.schemas.documents import DocumentAccepted, DocumentCreate
from app.vault.schemas.uploads import UploadMetadata, UploadRead
from app.vault.service.content import clean_name, discard, stored_file
from app.vault.service.documents import DELETE_BLOBS
from app.vault.service.parts import Incoming, Part, add_parts, joined, parts_of, store_part
from app.vault.service.room import require_below
from app.vault.service.versions import add_version, create_document, require_room, require_version_room

ROWS_AT_ONCE: Final = 200
LEFT_ALONE: Final = timedelta(minutes=2)
"""After this time without a byte, a whole file that is no document yet was left by a process that died."""

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request must add up to."""

    algorithm: str
    digest: bytes

    def matches(self, incoming: Incoming) -> bool:
        """Whether they do."""
        return hmac.compare_digest(incoming.digests[self.algorithm].digest(), self.digest)

    @classmethod
    def parse(cls, header: str) -> "Checksum | None":
        """From `Upload-Checksum`; None for one that is not understood."""
        algorithm, _, encoded = header.partition(" ")
        try:
            return cls(algorithm, base64.b64decode(encoded, validate=True)) if algorithm in ("sha1", "sha256") else None
        except ValueError:
            return None


async def create_upload(
    session: AsyncSession, principal: Principal, length: int, data: UploadMetadata, metadata: str
) -> UploadRead:
    """Begin an upload of `length` bytes into a vault, or to a document as its new version.

    Raises `FileTooLarge`, `VaultNotFound`, `DocumentNotFound`, `RoleTooLow`, `LimitReached`.
    """
    settings = current().settings
    if length > settings.max_upload_bytes:
        raise FileTooLarge(f"A file may have {settings.max_upload_bytes} bytes")
    vault_id = await _vault_for(session, principal, data)
    open_ones = select(func.count()).select_from(uploads).where(uploads.c.user_id == principal.user_id, _UNFINISHED)
    refusal = "Finish or delete some of the uploads that you have begun"
    await require_below(session, open_ones, settings.uploads_per_user, principal.user_id, refusal)
    ring, upload_id = await ring_of(session, vault_id), new_id()
    content = {"name": clean_name(data.filename), "title": data.title, "tags": data.tags, "metadata": metadata}
    values = {
        "id": upload_id,
        "vault_id": vault_id,
        "user_id": principal.user_id,
        "target_id": data.document_id,
        "length": length,
        "body": seal_body(ring, uploads, upload_id, content),
        "expires_at": func.now() + timedelta(seconds=settings.upload_seconds),
    }
    made = await session.execute(insert(uploads).values(values).returning(uploads))
    return _shown(made.mappings().one(), content)


_UNFINISHED: Final = uploads.c.document_id.is_(None)


async def _vault_for(session: AsyncSession, principal: Principal, data: UploadMetadata) -> UUID:
    if data.document_id:
        document = await require_version_room(session, principal, data.document_id, if_match=None)
        return document.vault_id
    assert data.vault_id is not None  # noqa: S101  the router has seen to it
    await require_room(session, principal, data.vault_id)
    return data.vault_id


async def read_upload(session: AsyncSession, principal: Principal, upload_id: UUID) -> UploadRead:
    """An upload of one's own. Raises `UploadNotFound`."""
    row, content = await _opened(session, principal, upload_id)
    return _shown(row, content)


async def append(
    session: AsyncSession,
    principal: Principal,
    upload_id: UUID,
    offset: int,
    content: AsyncIterator[bytes],
    checksum: Checksum | None = None,
) -> UploadRead:
    """Keep the bytes that come, part by part as they come; with a checksum all of them or none.

    Commits: no connection is held while bytes arrive, and what is told to be kept is. After the last byte the upload
    is a version of a document. Raises `UploadNotFound`, `RoleTooLow`, `OffsetMismatch`, `FileTooLarge`,
    `ChecksumMismatch`, `UploadInterrupted`, and what making a document raises.
    """
    row, _ = await _opened(session, principal, upload_id)
    if row["received"] != offset:
        raise OffsetMismatch(headers={"Upload-Offset": str(row["received"])})
    await session.commit()
    incoming = Incoming(content, row["length"] - offset)
    waiting: list[Part] = []
    try:
        while await incoming.more():
            waiting.append(await store_part(incoming, offset + incoming.taken))
            if checksum is None:
                await _keep(session, row, waiting)
                waiting = []
        if checksum and not (checksum.matches(incoming) and not incoming.ended_early):
            raise ChecksumMismatch
        if waiting:
            await _keep(session, row, waiting)
            waiting = []
    finally:
        await discard([part.blob_name for part in waiting])
    if incoming.ended_early:
        raise UploadInterrupted
    if offset + incoming.taken == row["length"]:
        return await finish_upload(session, principal, upload_id)
    return await read_upload(session, principal, upload_id)


async def _keep(session: AsyncSession, row: Any, parts: Sequence[Part]) -> None:
    """Name stored parts and move on behind them. Commits. Raises `OffsetMismatch`."""
    end = parts[-1].start + parts[-1].file.size
    at_start = uploads.c.id == row["id"], uploads.c.received == parts[0].start
    later = func.now() + timedelta(seconds=current().settings.upload_seconds)
    moved = update(uploads).where(*at_start).values(received=end, updated_at=func.now(), expires_at=later)
    if await session.scalar(moved.returning(uploads.c.id)) is None:
        raise OffsetMismatch
    await add_parts(session, await ring_of(session, row["vault_id"]), row["vault_id"], row["id"], parts)
    await session.commit()


class _Outrun(Exception):
    """Somebody else has just made the document."""


async def finish_upload(session: AsyncSession, principal: Principal, upload_id: UUID) -> UploadRead:
    """Make the whole file a document, or the new version of one, unless it is one already. Commits.

    Raises `UploadNotFound`, `VaultNotFound`, `DocumentNotFound`, `RoleTooLow`, `LimitReached`, `PlanLimitReached`,
    `ContentDamaged`.
    """
    row, content = await _opened(session, principal, upload_id)
    if row["document_id"] or row["received"] < row["length"]:
        return _shown(row, content)
    parts = await parts_of(session, await ring_of(session, row["vault_id"]), upload_id)
    await _require_room(session, principal, row)
    await session.commit()
    try:
        async with stored_file(joined(parts), content["name"]) as file:
            accepted = await _accept(session, principal, row, content, file)
            await _settle(session, principal, row, accepted)
            await session.commit()  # the file stays only if its rows do
    except (_Outrun, StaleRevision):
        await session.rollback()
        row, content = await _opened(session, principal, upload_id)
        if row["document_id"] is None:
            raise OffsetMismatch("Another request is finishing this upload") from None
        return _shown(row, content)
    return await read_upload(session, principal, upload_id)


async def _require_room(session: AsyncSession, principal: Principal, row: Any) -> None:
    """Refuse before the parts are put together what would be refused after."""
    if row["target_id"]:
        await require_version_room(session, principal, row["target_id"], if_match=None)
    else:
        await require_room(session, principal, row["vault_id"])


async def _accept(session: AsyncSession, principal: Principal, row: Any, content: Any, file: Any) -> DocumentAccepted:
    if row["target_id"]:
        return await add_version(session, principal, row["target_id"], file, if_match=None)
    data = DocumentCreate(vault_id=row["vault_id"], title=content["title"], tags=content["tags"])
    return await create_document(session, principal, data, file)


async def _settle(session: AsyncSession, principal: Principal, row: Any, accepted: DocumentAccepted) -> None:
    """Say which document it became, once, and let the parts go. Raises `_Outrun`."""
    values = {"document_id": accepted.id, "version_id": accepted.version_id, "job_id": accepted.job_id}
    done = update(uploads).where(uploads.c.id == row["id"], _UNFINISHED).values(**values, updated_at=func.now())
    if await session.scalar(done.returning(uploads.c.id)) is None:
        raise _Outrun
    gone = delete(upload_parts).where(upload_parts.c.upload_id == row["id"]).returning(upload_parts.c.blob_name)
    names = (await session.scalars(gone)).all()
    await _delete_later(session, row, names, principal.user_id)


async def delete_upload(session: AsyncSession, principal: Principal, upload_id: UUID) -> None:
    """End an upload and delete what came of it; a document that it has become stays. Raises `UploadNotFound`."""
    row, _ = await _opened(session, principal, upload_id)
    names = (await session.scalars(_blob_names(upload_id))).all()
    await session.execute(delete(uploads).where(uploads.c.id == upload_id))
    await _delete_later(session, row, names, principal.user_id)


async def purge_uploads(session: AsyncSession, now: datetime) -> int:
    """Delete what was not finished in time, with its parts; returns how many. For the system."""
    due = select(uploads).where(uploads.c.expires_at < now).limit(ROWS_AT_ONCE).with_for_update(skip_locked=True)
    rows = (await session.execute(due)).mappings().all()
    for row in rows:
        names = (await session.scalars(_blob_names(row["id"]))).all()
        await session.execute(delete(uploads).where(uploads.c.id == row["id"]))
        await _delete_later(session, row, names, None)
    return len(rows)


async def finish_left(now: datetime) -> int:
    """Make documents of whole files whose process died before it did; returns how many."""
    whole = uploads.c.received == uploads.c.length, uploads.c.updated_at < now - LEFT_ALONE, _UNFINISHED
    async with session_scope() as session:
        left = (await session.execute(select(uploads.c.id, uploads.c.user_id).where(*whole).limit(ROWS_AT_ONCE))).all()
    finished = 0
    for upload_id, user_id in left:
        principal = Principal(user_id, frozenset({"vault:write"}))
        try:
            async with session_scope(principal.actor) as session:
                finished += (await finish_upload(session, principal, upload_id)).document_id is not None
        except (AppError, KeysDestroyed) as error:
            log.info("upload not finished", upload_id=str(upload_id), error=type(error).__name__)
    return finished


def _blob_names(upload_id: UUID) -> Any:
    return select(upload_parts.c.blob_name).where(upload_parts.c.upload_id == upload_id)


async def _delete_later(session: AsyncSession, row: Any, names: Sequence[str], user_id: UUID | None) -> None:
    if names:
        ids = {"subject_id": row["id"], "vault_id": row["vault_id"], "user_id": user_id}
        await create_job(session, DELETE_BLOBS, **ids, names=",".join(names))


async def _opened(session: AsyncSession, principal: Principal, upload_id: UUID) -> tuple[Any, Any]:
    """The row and what is sealed in it. Raises `UploadNotFound`, `VaultNotFound`, `RoleTooLow`."""
    mine = uploads.c.id == upload_id, uploads.c.user_id == principal.user_id, uploads.c.expires_at > func.now()
    row = (await session.execute(select(uploads).where(*mine))).mappings().one_or_none()
    if row is None:
        raise UploadNotFound
    await require(session, principal, row["vault_id"], "write")
    ring = await ring_of(session, row["vault_id"], row["body"])
    return row, open_body(ring, uploads, upload_id, row["body"])


def _shown(row: Any, content: Any) -> UploadRead:
    return UploadRead(
        id=row["id"],
        vault_id=row["vault_id"],
        name=content["name"],
        length=row["length"],
        offset=row["received"],
        metadata=content["metadata"],
        document_id=row["document_id"],
        version_id=row["version_id"],
        job_id=row["job_id"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
    )
