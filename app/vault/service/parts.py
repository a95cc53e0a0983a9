"""Parts of uploads: bytes sealed while they arrive, a blob with a key of its own for every few MiB.

A part is never continued, so no key seals two texts: what a killed process had not told the database of is sent again
by the client, into another part.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.blobs import BlobMissing
from app.core.clock import new_id
from app.core.crypto import SealBroken, new_secret
from app.core.streams import SealedFile, open_range, seal_stream
from app.db.keys import KeyRing
from app.db.runtime import current
from app.vault.cells import open_body, seal_body
from app.vault.errors import ContentDamaged, FileTooLarge, UploadInterrupted
from app.vault.models.files import upload_parts

PART_BYTES: Final = 4 * 1024 * 1024
PART_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of an upload from `start` on, in a blob that no row names yet."""

    file: SealedFile
    start: int
    blob_name: str

    def row(self, ring: KeyRing, vault_id: UUID, upload_id: UUID) -> dict[str, Any]:
        """The row that names it."""
        content = {"key": self.file.key.hex(), "chunk_bytes": self.file.chunk_bytes}
        return {
            "id": self.file.id,
            "vault_id": vault_id,
            "upload_id": upload_id,
            "start": self.start,
            "size": self.file.size,
            "blob_name": self.blob_name,
            "body": seal_body(ring, upload_parts, self.file.id, content),
        }


class Incoming:
    """The body of a request, cut into parts; `ended_early` when the client went away before its end."""

    def __init__(self, content: AsyncIterator[bytes], most: int) -> None:
        self._content = content
        self._left = most
        self._piece: bytes = b""
        self.ended_early = False
        self.taken = 0
        self.digests = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha1", "sha256")}

    async def more(self) -> bool:
        """Whether there are bytes left. Raises `FileTooLarge` if they are more than there may be."""
        if not self._piece:
            try:
                self._piece = await anext(self._content, b"")
            except UploadInterrupted:
                self.ended_early = True
                self._content = _nothing()
        if len(self._piece) > self._left:
            raise FileTooLarge("More bytes came than Upload-Length said")
        return bool(self._piece)

    async def take(self) -> AsyncIterator[bytes]:
        """The bytes of the next part: some MiB, or what came within some seconds."""
        loop = asyncio.get_running_loop()
        until, room = loop.time() + PART_SECONDS, PART_BYTES
        while room and loop.time() < until and await self.more():
            piece, self._piece = self._piece[:room], self._piece[room:]
            room -= len(piece)
            self._left -= len(piece)
            self.taken += len(piece)
            for digest in self.digests.values():
                digest.update(piece)
            yield piece


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


async def store_part(incoming: Incoming, start: int) -> Part:
    """Store the next part of what comes. Raises `FileTooLarge`; then nothing of the part stays."""
    part_id, key, blob_name = new_id(), new_secret(), uuid4().hex
    before, chunk_bytes = incoming.taken, current().settings.upload_chunk_bytes
    try:
        await current().blobs.put(blob_name, seal_stream(part_id, key, incoming.take(), chunk_bytes))
    except BaseException:
        await current().blobs.delete(blob_name)
        raise
    return Part(SealedFile(part_id, key, incoming.taken - before, chunk_bytes), start, blob_name)


async def add_parts(
    session: AsyncSession, ring: KeyRing, vault_id: UUID, upload_id: UUID, parts: Sequence[Part]
) -> None:
    """Name parts that are stored."""
    await session.execute(insert(upload_parts), [part.row(ring, vault_id, upload_id) for part in parts])


async def parts_of(session: AsyncSession, ring: KeyRing, upload_id: UUID) -> list[Part]:
    """The parts of an upload in their order."""
    statement = select(upload_parts).where(upload_parts.c.upload_id == upload_id).order_by(upload_parts.c.start)
    return [_opened(ring, row) for row in (await session.execute(statement)).mappings()]


def _opened(ring: KeyRing, row: Any) -> Part:
    content = open_body(ring, upload_parts, row["id"], row["body"])
    file = SealedFile(row["id"], bytes.fromhex(content["key"]), row["size"], content["chunk_bytes"])
    return Part(file, row["start"], row["blob_name"])


async def joined(parts: Sequence[Part]) -> AsyncIterator[bytes]:
    """What the parts hold, one after the other. Raises `ContentDamaged`."""
    expected = 0
    for part in parts:
        if part.start != expected:
            raise ContentDamaged
        expected += part.file.size
        try:
            async for chunk in open_range(part.file, _fetch_from(part.blob_name), 0, part.file.size):
                yield chunk
        except (SealBroken, BlobMissing):
            raise ContentDamaged from None


def _fetch_from(blob_name: str) -> Any:
    async def fetch(start: int, end: int) -> bytes:
        return await current().blobs.get(blob_name, start, end)

    return fetch
