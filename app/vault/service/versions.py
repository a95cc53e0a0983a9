"""Versions of documents: stored files get their rows, and their reading is queued."""

from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.crypto import owner_digest
from app.db.keys import KeyRing
from app.db.runtime import current
from app.jobs.service import create_job
from app.vault.cells import open_body, ring_of, seal_body, tag_digests
from app.vault.errors import LimitReached, StaleRevision
from app.vault.models import document_versions, documents
from app.vault.policy import require
from app.vault.schemas.documents import DocumentAccepted, DocumentCreate, DocumentRead, DocumentVersionRead
from app.vault.service.content import StoredFile
from app.vault.service.documents import CURRENT, opened, visible_document, writable_document
from app.vault.service.listing import FIRST_PAGE, Filters
from app.vault.service.paying import count_document, count_version
from app.vault.service.room import require_below

READ_JOB: Final = "rag.ingest"


async def create_document(
    session: AsyncSession, principal: Principal, data: DocumentCreate, file: StoredFile
) -> DocumentAccepted:
    """Name a stored file as a new document and queue its reading.

    Raises `VaultNotFound`, `RoleTooLow`, `LimitReached`, `PlanLimitReached`.
    """
    await require_room(session, principal, data.vault_id)
    ring = await ring_of(session, data.vault_id)
    document_id = new_id()
    title = data.title or PurePath(file.name).stem
    values = {
        "id": document_id,
        "vault_id": data.vault_id,
        "current_version_id": file.version_id,
        "body": seal_body(ring, documents, document_id, {"title": title, "tags": data.tags}),
        "tag_digests": tag_digests(ring, data.tags),
        "written_by": principal.user_id,
    }
    duplicate_of = await _duplicate(session, ring, data.vault_id, file)
    await session.execute(insert(documents).values(values))
    await count_document(session, data.vault_id, document_id)  # before the bytes, in the order of their deletion
    job_id = await _add_version(session, principal, ring, data.vault_id, document_id, 1, file)
    ids = {"version_id": file.version_id, "job_id": job_id}
    await audit.record(session, principal, data.vault_id, "vault.document_created", document_id, **ids)
    return _accepted(document_id, data.vault_id, 1, job_id, title, file, duplicate_of)


async def require_room(session: AsyncSession, principal: Principal, vault_id: UUID) -> None:
    """See that the principal may put another document there. Raises `VaultNotFound`, `RoleTooLow`, `LimitReached`."""
    await require(session, principal, vault_id, "write")
    held = select(func.count()).select_from(documents).where(documents.c.vault_id == vault_id)
    most = current().settings.documents_per_vault
    await require_below(session, held, most, vault_id, "The vault holds as many documents as it may; purge some")


async def require_version_room(
    session: AsyncSession, principal: Principal, document_id: UUID, *, if_match: str | None
) -> DocumentRead:
    """The document, if the principal may give it another version.

    Raises `DocumentNotFound`, `RoleTooLow`, `StaleRevision`.
    """
    row = await writable_document(session, principal, document_id, if_match)
    return await opened(session, row)


async def add_version(
    session: AsyncSession, principal: Principal, document_id: UUID, file: StoredFile, *, if_match: str | None
) -> DocumentAccepted:
    """Make a stored file the new content of a document.

    Raises `DocumentNotFound`, `RoleTooLow`, `StaleRevision`, `LimitReached`, `PlanLimitReached`.
    """
    row = await writable_document(session, principal, document_id, if_match)
    held = select(func.count()).select_from(document_versions).where(document_versions.c.document_id == document_id)
    if (await session.scalar(held) or 0) >= current().settings.versions_per_document:
        raise LimitReached("The document has as many versions as it may; delete old ones")
    ring = await ring_of(session, row["vault_id"], row["body"])
    changed = (
        update(documents)
        .where(documents.c.id == document_id, documents.c.revision == row["revision"], documents.c.trashed_at.is_(None))
        .values(current_version_id=file.version_id, revision=row["revision"] + 1, updated_at=func.now())
        .returning(documents.c.id)
    )
    if await session.scalar(changed) is None:
        raise StaleRevision
    number = row["number"] + 1
    job_id = await _add_version(session, principal, ring, row["vault_id"], document_id, number, file)
    title = open_body(ring, documents, document_id, row["body"])["title"]
    ids = {"version_id": file.version_id, "number": number}
    await audit.record(session, principal, row["vault_id"], "vault.document_version_added", document_id, **ids)
    return _accepted(document_id, row["vault_id"], number, job_id, title, file, None)


async def _add_version(
    session: AsyncSession,
    principal: Principal,
    ring: KeyRing,
    vault_id: UUID,
    document_id: UUID,
    number: int,
    file: StoredFile,
) -> UUID:
    user_id, version_id = principal.user_id, file.version_id
    ids = {"subject_id": version_id, "vault_id": vault_id, "user_id": user_id, "document_id": document_id}
    job_id = await create_job(session, READ_JOB, **ids)
    content = {
        "key": file.key.hex(),
        "sha256": file.sha256.hex(),
        "name": file.name,
        "size": file.size,
        "media_type": file.media_type,
        "chunk_bytes": file.chunk_bytes,
    }
    values = {
        "id": version_id,
        "vault_id": vault_id,
        "document_id": document_id,
        "number": number,
        "job_id": job_id,
        "media_type": file.media_type,
        "size": file.size,
        "chunk_bytes": file.chunk_bytes,
        "blob_name": file.blob_name,
        "content_digest": owner_digest(ring.current, "content", file.sha256),
        "body": seal_body(ring, document_versions, version_id, content),
        "written_by": user_id,
    }
    await session.execute(insert(document_versions).values(values))
    await count_version(session, vault_id, version_id, file.size)
    return job_id


async def _duplicate(session: AsyncSession, ring: KeyRing, vault_id: UUID, file: StoredFile) -> UUID | None:
    """The oldest document of the vault whose current version has the same content."""
    digests = [owner_digest(key, "content", file.sha256) for key in ring.by_id.values()]
    equal = document_versions.c.vault_id == vault_id, document_versions.c.content_digest.in_(digests)
    statement = select(documents.c.id).join(document_versions, CURRENT).where(*equal, documents.c.trashed_at.is_(None))
    found: UUID | None = await session.scalar(statement.order_by(documents.c.id).limit(1))
    return found


def _accepted(
    document_id: UUID,
    vault_id: UUID,
    number: int,
    job_id: UUID,
    title: str,
    file: StoredFile,
    duplicate_of: UUID | None,
) -> DocumentAccepted:
    return DocumentAccepted(
        id=document_id,
        vault_id=vault_id,
        version_id=file.version_id,
        number=number,
        job_id=job_id,
        title=title,
        name=file.name,
        size=file.size,
        media_type=file.media_type,
        sha256=file.sha256.hex(),
        duplicate_of=duplicate_of,
    )


async def list_document_versions(
    session: AsyncSession, principal: Principal, document_id: UUID, filters: Filters
) -> tuple[list[DocumentVersionRead], UUID | None]:
    """One page of versions, newest first; and the version that the next page continues after.

    Raises `DocumentNotFound`.
    """
    document = await visible_document(session, principal, document_id)
    statement = (
        select(document_versions)
        .where(document_versions.c.document_id == document_id, document_versions.c.id < (filters.before or FIRST_PAGE))
        .order_by(document_versions.c.id.desc())
        .limit(filters.limit + 1)
    )
    rows = (await session.execute(statement)).mappings().all()
    ring = await ring_of(session, document["vault_id"], *(row["body"] for row in rows))
    shown = [_version(ring, row) for row in rows[: filters.limit]]
    return shown, rows[filters.limit - 1]["id"] if len(rows) > filters.limit else None


def _version(ring: KeyRing, row: Any) -> DocumentVersionRead:
    content = open_body(ring, document_versions, row["id"], row["body"])
    return DocumentVersionRead(
        id=row["id"],
        number=row["number"],
        name=content["name"],
        size=content["size"],
        media_type=content["media_type"],
        sha256=content["sha256"],
        job_id=row["job_id"],
        written_by=row["written_by"],
        created_at=row["created_at"],
    )
