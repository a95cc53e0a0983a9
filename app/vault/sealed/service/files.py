"""Files of sealed vaults: chunks that clients have sealed, each kept as a blob; what they make, sealed items say."""

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.blobs import BlobMissing
from app.core.clock import new_id
from app.core.logging import get_log
from app.db.runtime import current
from app.jobs.service import create_job
from app.sealed.encoding import digest
from app.sealed.files import CHUNK_OVERHEAD_BYTES, LARGEST_CHUNK, SMALLEST_CHUNK
from app.vault.errors import ContentDamaged, LimitReached
from app.vault.sealed import checking
from app.vault.sealed.errors import ChunkExists, SealedFileNotFound, SealedTooLarge
from app.vault.sealed.models import chunks, heads
from app.vault.sealed.service.access import head_of, require_sealed
from app.vault.service.content import discard
from app.vault.service.documents import DELETE_BLOBS
from app.vault.service.paying import count_version

MOST_BYTES: Final = LARGEST_CHUNK + CHUNK_OVERHEAD_BYTES
NAMES_AT_ONCE: Final = 500

log = get_log(__name__)


async def put_chunk(
    session: AsyncSession, principal: Principal, vault_id: UUID, file_id: UUID, number: int, body: AsyncIterator[bytes]
) -> None:
    """Keep one chunk of a file, whole or not at all; the same one again changes nothing.

    Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`, `SealedTooLarge`, `UnknownSuite`, `SealedInvalid`,
    `ChunkExists`, `LimitReached`, `PlanLimitReached`.
    """
    await require_sealed(session, principal, vault_id, "write")
    if number * SMALLEST_CHUNK > current().settings.max_upload_bytes:
        raise SealedTooLarge("No file may have so many chunks")
    content = await _gathered(body)
    checking.check_chunk(content)
    checking.require(len(content) >= CHUNK_OVERHEAD_BYTES)
    place = {"vault_id": vault_id, "file_id": file_id, "number": number}
    if await _is_there(session, place, content):
        return
    blob_name = uuid4().hex
    await current().blobs.put(blob_name, _once(content))  # before others are kept waiting
    try:
        head = await head_of(session, vault_id, lock=True)
        if await _is_there(session, place, content):
            await discard([blob_name])
            return
        await _insert(session, principal, head, place, content, blob_name)
    except BaseException:
        await discard([blob_name])
        raise


async def _is_there(session: AsyncSession, place: dict[str, Any], content: bytes) -> bool:
    present = await session.scalar(select(chunks.c.digest).filter_by(**place))
    if present is not None and present != digest(content):
        raise ChunkExists
    return present is not None


async def _insert(
    session: AsyncSession, principal: Principal, head: Any, place: dict[str, Any], content: bytes, blob_name: str
) -> None:
    size, chunk_id, vault_id = head["size"] + len(content), new_id(), head["vault_id"]
    if size > current().settings.max_sealed_bytes:
        raise LimitReached("The vault holds as much as it may")
    about = {"id": chunk_id, "size": len(content), "digest": digest(content), "blob_name": blob_name}
    await session.execute(insert(chunks).values(**place, **about, written_by=principal.user_id))
    await session.execute(update(heads).where(heads.c.vault_id == vault_id).values(size=size))
    await count_version(session, vault_id, chunk_id, len(content))


async def read_chunk(session: AsyncSession, principal: Principal, vault_id: UUID, file_id: UUID, number: int) -> bytes:
    """One chunk. Raises `VaultNotFound`, `VaultNotSealed`, `SealedFileNotFound`, `ContentDamaged`."""
    await require_sealed(session, principal, vault_id, "read")
    place = {"vault_id": vault_id, "file_id": file_id, "number": number}
    row = (await session.execute(select(chunks).filter_by(**place))).mappings().one_or_none()
    if row is None:
        raise SealedFileNotFound
    return await chunk_content(row["blob_name"], row["size"], row["digest"])


async def chunk_content(blob_name: str, size: int, expected: bytes) -> bytes:
    """What a blob holds. Raises `ContentDamaged` for something else than was put there."""
    try:
        content = await current().blobs.get(blob_name, 0, size)
    except BlobMissing:
        content = b""
    if digest(content) != expected:
        log.error("chunk damaged", blob=blob_name)
        raise ContentDamaged
    return content


async def delete_file(session: AsyncSession, principal: Principal, vault_id: UUID, file_id: UUID) -> None:
    """Destroy all chunks of a file. Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`, `SealedFileNotFound`."""
    await require_sealed(session, principal, vault_id, "write")
    head = await head_of(session, vault_id, lock=True)
    gone = delete(chunks).where(chunks.c.vault_id == vault_id, chunks.c.file_id == file_id)
    rows = (await session.execute(gone.returning(chunks.c.blob_name, chunks.c.size))).all()
    if not rows:
        raise SealedFileNotFound
    size = head["size"] - sum(row.size for row in rows)
    await session.execute(update(heads).where(heads.c.vault_id == vault_id).values(size=size))
    ids = {"subject_id": file_id, "vault_id": vault_id, "user_id": principal.user_id}
    for begin in range(0, len(rows), NAMES_AT_ONCE):
        names = ",".join(row.blob_name for row in rows[begin:][:NAMES_AT_ONCE])
        await create_job(session, DELETE_BLOBS, **ids, names=names)
    await audit.record(session, principal, vault_id, "vault.sealed_file_deleted", file_id)


async def _gathered(body: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for piece in body:
        content += piece
        if len(content) > MOST_BYTES:
            raise SealedTooLarge(f"A chunk has at most {MOST_BYTES} bytes")
    return bytes(content)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
