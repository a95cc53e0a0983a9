"""Documents: a title, tags, and a file in one or more versions."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.blob_rows import blobs_of
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.statements import Statement
from app.jobs.service import create_job
from app.vault.cells import open_body, ring_of, rings_of, seal_body, tag_digests
from app.vault.errors import DocumentNotFound, RoleTooLow, StaleRevision
from app.vault.etags import check_revision
from app.vault.models import document_versions, documents, members
from app.vault.policy import USER, allows, open_to_members
from app.vault.schemas.documents import DocumentRead, DocumentUpdate
from app.vault.service.listing import Filters, Listing, find
from app.vault.service.trash import DOCUMENT, purge, restore, trash

DELETE_BLOBS: Final = "vault.delete_blobs"

OWN_COLUMNS: Final = (
    documents.c.id,
    documents.c.vault_id,
    documents.c.body,
    documents.c.revision,
    documents.c.created_at,
    documents.c.updated_at,
    documents.c.trashed_at,
)
VERSION_COLUMNS: Final = (
    document_versions.c.id.label("version_id"),
    document_versions.c.number,
    document_versions.c.job_id,
    document_versions.c.body.label("version_body"),
)
CURRENT: Final = document_versions.c.id == documents.c.current_version_id
LISTING: Final = Listing(documents, select(*OWN_COLUMNS, *VERSION_COLUMNS).join(document_versions, CURRENT))
READ: Final = Statement(
    select(*OWN_COLUMNS, *VERSION_COLUMNS, members.c.role)
    .select_from(open_to_members(documents).join(document_versions, CURRENT))
    .where(documents.c.id == bindparam("document_id"), members.c.user_id == USER, documents.c.trashed_at.is_(None))
)


async def read_document(session: AsyncSession, principal: Principal, document_id: UUID) -> DocumentRead:
    """A document that is not in the trash. Raises `DocumentNotFound`."""
    return await opened(session, await visible_document(session, principal, document_id))


async def visible_document(session: AsyncSession, principal: Principal, document_id: UUID) -> Any:
    """The row of a document that the principal may read, its version and their `role`. Raises `DocumentNotFound`."""
    row = await READ.first(session, document_id=document_id, user_id=principal.user_id)
    if row is None:
        raise DocumentNotFound
    return row


async def writable_document(
    session: AsyncSession, principal: Principal, document_id: UUID, if_match: str | None
) -> Any:
    """The row of a document that the principal may change, with its current version.

    Raises `DocumentNotFound`, `RoleTooLow`, `StaleRevision`.
    """
    row = await visible_document(session, principal, document_id)
    if not allows(row["role"], "write"):
        raise RoleTooLow
    check_revision(if_match, row["revision"])
    return row


async def list_documents(
    session: AsyncSession, principal: Principal, filters: Filters
) -> tuple[list[DocumentRead], UUID | None]:
    """One page of documents, newest first; and the document that the next page continues after.

    Raises `VaultNotFound`.
    """
    found = await find(session, principal, LISTING, filters)
    return [_opened(found.rings[row["vault_id"]], row) for row in found.rows], found.last


async def documents_by_id(
    session: AsyncSession, principal: Principal, document_ids: Collection[UUID]
) -> list[DocumentRead]:
    """Those of these documents that the principal may read and that are not in the trash."""
    if not document_ids:
        return []
    mine = members.c.user_id == principal.user_id, documents.c.id.in_(document_ids), documents.c.trashed_at.is_(None)
    joined = open_to_members(documents).join(document_versions, CURRENT)
    statement = select(*OWN_COLUMNS, *VERSION_COLUMNS).select_from(joined).where(*mine)
    rows = (await session.execute(statement)).mappings().all()
    rings = await rings_of(session, rows)
    return [_opened(rings[row["vault_id"]], row) for row in rows]


async def opened(session: AsyncSession, row: Any) -> DocumentRead:
    """A row of a document with its version, as it is shown. Raises `ContentDamaged`."""
    return _opened(await ring_of(session, row["vault_id"], row["body"], row["version_body"]), row)


def _opened(ring: KeyRing, row: Any) -> DocumentRead:
    content = open_body(ring, documents, row["id"], row["body"])
    version = open_body(ring, document_versions, row["version_id"], row["version_body"])
    return DocumentRead(
        id=row["id"],
        vault_id=row["vault_id"],
        title=content["title"],
        tags=content["tags"],
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        trashed_at=row["trashed_at"],
        version_id=row["version_id"],
        number=row["number"],
        name=version["name"],
        size=version["size"],
        media_type=version["media_type"],
        sha256=version["sha256"],
        job_id=row["job_id"],
    )


async def update_document(
    session: AsyncSession, principal: Principal, document_id: UUID, data: DocumentUpdate, *, if_match: str | None
) -> DocumentRead:
    """Change title or tags.

    Raises `DocumentNotFound`, `RoleTooLow`, `StaleRevision`. Emits `vault.document_renamed`.
    """
    row = await writable_document(session, principal, document_id, if_match)
    ring = await ring_of(session, row["vault_id"], row["body"], row["version_body"])
    before = open_body(ring, documents, document_id, row["body"])
    content: dict[str, Any] = {
        "title": before["title"] if data.title is None else data.title,
        "tags": before["tags"] if data.tags is None else data.tags,
    }
    values = {
        "body": seal_body(ring, documents, document_id, content),
        "tag_digests": tag_digests(ring, content["tags"]),
        "revision": row["revision"] + 1,
        "updated_at": func.now(),
    }
    same = documents.c.id == document_id, documents.c.revision == row["revision"], documents.c.trashed_at.is_(None)
    changed = update(documents).where(*same).values(values).returning(documents.c.updated_at)
    updated_at = await session.scalar(changed)
    if updated_at is None:
        raise StaleRevision
    if content["title"] != before["title"]:
        await emit(session, "vault.document_renamed", document_id=document_id, vault_id=row["vault_id"])
    revision = row["revision"] + 1
    await audit.record(session, principal, row["vault_id"], "vault.document_updated", document_id, revision=revision)
    shown = {**row, "body": values["body"], "revision": revision, "updated_at": updated_at}
    return _opened(ring, shown)


async def trash_document(session: AsyncSession, principal: Principal, document_id: UUID) -> None:
    """Hide a document. Raises `DocumentNotFound`, `RoleTooLow`. Emits `vault.document_trashed`."""
    vault_id = await trash(session, principal, DOCUMENT, document_id)
    await emit(session, "vault.document_trashed", document_id=document_id, vault_id=vault_id)


async def restore_document(session: AsyncSession, principal: Principal, document_id: UUID) -> DocumentRead:
    """Take a document out of the trash. Raises `DocumentNotFound`, `RoleTooLow`, `NotInTrash`."""
    await restore(session, principal, DOCUMENT, document_id)
    return await read_document(session, principal, document_id)


async def purge_document(session: AsyncSession, principal: Principal, document_id: UUID) -> None:
    """Destroy a document that is in the trash; its files follow after the commit.

    Raises `DocumentNotFound`, `RoleTooLow`, `NotInTrash`. Emits `vault.document_purged`.
    """
    blob_names = await blobs_of(session, document_id=document_id)
    vault_id = await purge(session, principal, DOCUMENT, document_id)
    await forget_document(session, vault_id, document_id, blob_names, principal.user_id)


async def forget_document(
    session: AsyncSession, vault_id: UUID, document_id: UUID, blob_names: list[str], user_id: UUID | None = None
) -> None:
    """What follows when the rows of a document are gone: its files go, and others are told."""
    names = ",".join(blob_names)
    await create_job(session, DELETE_BLOBS, subject_id=document_id, vault_id=vault_id, user_id=user_id, names=names)
    await emit(session, "vault.document_purged", document_id=document_id, vault_id=vault_id)


async def document_titles(session: AsyncSession, document_ids: list[UUID]) -> dict[UUID, str]:
    """The titles of those documents whose rows the session may see."""
    columns = documents.c.id, documents.c.vault_id, documents.c.body
    rows = (await session.execute(select(*columns).where(documents.c.id.in_(document_ids)))).mappings().all()
    rings = await rings_of(session, rows)
    opened = ((row["id"], open_body(rings[row["vault_id"]], documents, row["id"], row["body"])) for row in rows)
    return {document_id: content["title"] for document_id, content in opened}


async def current_version_id(session: AsyncSession, document_id: UUID) -> UUID | None:
    """The version of a document that counts, for whoever may see its row; None if there is no such document."""
    statement = select(documents.c.current_version_id).where(documents.c.id == document_id)
    found: UUID | None = await session.scalar(statement)
    return found
