"""Files of documents: stored as encrypted chunks, read back verified."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.blobs import BlobMissing
from app.core.clock import new_id
from app.core.crypto import SealBroken, new_secret
from app.core.logging import get_log
from app.core.sniff import HEAD_BYTES, sniff
from app.core.streams import SealedFile, open_range, seal_stream
from app.db.acting import acting_for
from app.db.blob_rows import named_blobs
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.vault.cells import open_body, ring_of
from app.vault.errors import ContentDamaged, DocumentNotFound, EmptyFile, FileTooLarge, VersionNotFound
from app.vault.models import document_versions, documents, members
from app.vault.policy import open_to_members

LONGEST_NAME: Final = 200
UNNAMED: Final = "Untitled"

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is in the blob store and that no row names yet; `version_id` is bound into its chunks."""

    version_id: UUID
    blob_name: str
    key: bytes
    chunk_bytes: int
    name: str
    size: int
    sha256: bytes
    media_type: str

    def __repr__(self) -> str:
        return f"StoredFile({self.version_id})"


@dataclass(frozen=True, slots=True)
class VersionContent:
    """One version of a document, ready to be read."""

    document_id: UUID
    version_id: UUID
    vault_id: UUID
    number: int
    title: str
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime
    file: SealedFile
    blob_name: str

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The plaintext bytes [start, end), some hundred KiB at a time. Raises `ContentDamaged`."""
        try:
            async for chunk in open_range(self.file, self._fetch, start, self.size if end is None else end):
                yield chunk
        except (SealBroken, BlobMissing) as error:
            log.error("content damaged", version_id=str(self.version_id), error=type(error).__name__)
            raise ContentDamaged from None

    async def _fetch(self, start: int, end: int) -> bytes:
        return await current().blobs.get(self.blob_name, start, end)


@asynccontextmanager
async def stored_file(
    content: AsyncIterator[bytes], name: str | None, most_bytes: int | None = None
) -> AsyncIterator[StoredFile]:
    """Store a file while it arrives; if the block ends by an exception and no row names the file, it is gone again.

    It may have `most_bytes`, by default as many as the settings allow. Raises `EmptyFile`, `FileTooLarge`.
    """
    settings, blobs = current().settings, current().blobs
    version_id, key, blob_name = new_id(), new_secret(), uuid4().hex
    measured = _Measured(content, most_bytes or settings.max_upload_bytes)
    try:
        await blobs.put(blob_name, seal_stream(version_id, key, measured.pieces(), settings.upload_chunk_bytes))
        clean = clean_name(name)
        yield StoredFile(
            version_id=version_id,
            blob_name=blob_name,
            key=key,
            chunk_bytes=settings.upload_chunk_bytes,
            name=clean,
            size=measured.size,
            sha256=measured.digest.digest(),
            media_type=sniff(bytes(measured.head), clean),
        )
    except BaseException:
        await discard([blob_name])
        raise


async def discard(blob_names: Sequence[str]) -> None:
    """Delete blobs, unless a row names them: a commit may have come through though its answer did not."""
    if not blob_names:
        return
    try:
        async with session_scope() as session:
            named = await named_blobs(session, blob_names)
        for name in set(blob_names) - named:
            await current().blobs.delete(name)
    except (SQLAlchemyError, OSError) as error:
        log.warning("blob left to the sweep", error=type(error).__name__)


class _Measured:
    """Counts, hashes and keeps the head of what flows through."""

    def __init__(self, content: AsyncIterator[bytes], most: int) -> None:
        self._content = content
        self._most = most
        self.size = 0
        self.head = bytearray()
        self.digest = hashlib.sha256()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The same pieces. Raises `FileTooLarge` at the first byte too many, `EmptyFile` at the end of nothing."""
        async for piece in self._content:
            self.size += len(piece)
            if self.size > self._most:
                raise FileTooLarge(f"A file may have {self._most} bytes")
            self.head += piece[: max(HEAD_BYTES - len(self.head), 0)]
            self.digest.update(piece)
            yield piece
        if not self.size:
            raise EmptyFile


def clean_name(name: str | None) -> str:
    """A file name from outside without folders and control characters; it is shown, never used as a path."""
    last = PurePath((name or "").replace("\\", "/")).name
    printable = "".join(letter for letter in last if letter.isprintable()).strip()
    return printable[-LONGEST_NAME:] or UNNAMED


CONTENT: Final = (
    document_versions.c.id,
    document_versions.c.document_id,
    document_versions.c.vault_id,
    document_versions.c.number,
    document_versions.c.blob_name,
    document_versions.c.body,
    document_versions.c.created_at,
    documents.c.body.label("document_body"),
)


async def open_version(session: AsyncSession, version_id: UUID) -> VersionContent:
    """A version, for whoever may see its row: a job acts for its vault. Raises `DocumentNotFound`."""
    statement = select(*CONTENT).join(documents, documents.c.id == document_versions.c.document_id)
    row = (await session.execute(statement.where(document_versions.c.id == version_id))).mappings().one_or_none()
    if row is None:
        raise DocumentNotFound
    return await content_of(session, row)


async def contents_of(session: AsyncSession, document_id: UUID) -> list[VersionContent]:
    """Every version of a document, the current one last, for whoever may see their rows."""
    statement = select(*CONTENT).join(documents, documents.c.id == document_versions.c.document_id)
    rows = await session.execute(statement.where(documents.c.id == document_id).order_by(document_versions.c.number))
    return [await content_of(session, row) for row in rows.mappings().all()]


async def open_document(
    session: AsyncSession, principal: Principal, document_id: UUID, number: int | None = None
) -> VersionContent:
    """The current version of a document, or an earlier one. Raises `DocumentNotFound`, `VersionNotFound`."""
    chosen = (
        document_versions.c.id == documents.c.current_version_id
        if number is None
        else document_versions.c.number == number
    )
    of_document = (document_versions.c.document_id == documents.c.id) & chosen
    statement = (
        select(*CONTENT)
        .select_from(open_to_members(documents).outerjoin(document_versions, of_document))
        .where(documents.c.id == document_id, documents.c.trashed_at.is_(None))
        .where(members.c.user_id == principal.user_id)
    )
    row = (await session.execute(statement)).mappings().one_or_none()
    if row is None:
        raise DocumentNotFound
    if row["id"] is None:
        raise VersionNotFound
    return await content_of(session, row)


async def record_download(session: AsyncSession, principal: Principal, content: VersionContent, *, whole: bool) -> None:
    """Write into the log that somebody takes a file; who reads it range by range is mentioned once in a while."""
    ids: dict[str, UUID | int] = {"version_id": content.version_id, "number": content.number}
    async with acting_for(session, Actor.vault(content.vault_id)):  # a viewer can't look into the log
        write = audit.record if whole else audit.record_lately
        await write(session, principal, content.vault_id, "vault.document_downloaded", content.document_id, **ids)


async def content_of(session: AsyncSession, row: Any) -> VersionContent:
    """A version from its row with `CONTENT`. What the sealed body says counts, not the columns that repeat it."""
    ring = await ring_of(session, row["vault_id"], row["body"], row["document_body"])
    title = open_body(ring, documents, row["document_id"], row["document_body"])["title"]
    version = open_body(ring, document_versions, row["id"], row["body"])
    file = SealedFile(row["id"], bytes.fromhex(version["key"]), version["size"], version["chunk_bytes"])
    return VersionContent(
        document_id=row["document_id"],
        version_id=row["id"],
        vault_id=row["vault_id"],
        number=row["number"],
        title=title,
        name=version["name"],
        media_type=version["media_type"],
        size=version["size"],
        sha256=version["sha256"],
        created_at=row["created_at"],
        file=file,
        blob_name=row["blob_name"],
    )
