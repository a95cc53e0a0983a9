"""Routes of documents."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from app.api.conditional import LISTED, NOT_MODIFIED, TAGGED, IfNoneMatch, unless_same
from app.api.deps import SessionDep
from app.api.pages import InvalidCursor
from app.api.problems import problems
from app.api.routes import Router
from app.vault import service
from app.vault.errors import (
    ContentDamaged,
    DocumentNotFound,
    NotInTrash,
    RoleTooLow,
    StaleRevision,
    VaultNotFound,
    VaultSealed,
    VersionNotFound,
)
from app.vault.file_errors import CurrentVersionStays
from app.vault.router.access import IfMatch, Reader, Writer, tag, unless_known
from app.vault.router.queries import DocumentFilters, Pages, next_cursor
from app.vault.schemas.documents import (
    DocumentPage,
    DocumentRead,
    DocumentUpdate,
    DocumentVersionPage,
    PruneRule,
    VersionsPruned,
)

router = Router(prefix="/documents")


@router.get(
    "",
    response_model=DocumentPage,
    responses={**LISTED, **problems(VaultNotFound, VaultSealed, InvalidCursor, ContentDamaged)},
)
async def list_documents(
    query: DocumentFilters, principal: Reader, session: SessionDep, if_none_match: IfNoneMatch = None
) -> Response:
    """List the documents of one vault, or of all of yours, newest first. New ones don't shift the pages."""
    documents, last = await service.list_documents(session, principal, query.filters())
    return unless_same(DocumentPage(items=documents, next_cursor=next_cursor(last)), if_none_match)


@router.get(
    "/{document_id}",
    response_model=DocumentRead,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(DocumentNotFound, ContentDamaged)},
)
async def read_document(
    document_id: UUID, principal: Reader, session: SessionDep, response: Response, if_none_match: IfNoneMatch = None
) -> DocumentRead | Response:
    """Read what is known of a document; its file is at …/content, how far its reading is at /v1/jobs/{job_id}."""
    document = await service.read_document(session, principal, document_id)
    return unless_known(document, document.revision, response, if_none_match)


@router.patch(
    "/{document_id}",
    responses={200: TAGGED, **problems(DocumentNotFound, RoleTooLow, StaleRevision, ContentDamaged)},
)
async def update_document(
    document_id: UUID,
    data: DocumentUpdate,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> DocumentRead:
    """Change the title or the tags. With If-Match it is changed only if nobody else did before."""
    document = await service.update_document(session, principal, document_id, data, if_match=if_match)
    tag(response, document.revision)
    return document


@router.delete("/{document_id}", status_code=204, responses=problems(DocumentNotFound, RoleTooLow))
async def delete_document(document_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Put a document into the trash: it is no longer found. It is purged after some time (30 days by default)."""
    await service.trash_document(session, principal, document_id)


@router.post("/{document_id}/restore", responses={200: TAGGED, **problems(DocumentNotFound, RoleTooLow, NotInTrash)})
async def restore_document(
    document_id: UUID, principal: Writer, session: SessionDep, response: Response
) -> DocumentRead:
    """Take a document out of the trash."""
    document = await service.restore_document(session, principal, document_id)
    tag(response, document.revision)
    return document


@router.post("/{document_id}/purge", status_code=204, responses=problems(DocumentNotFound, RoleTooLow, NotInTrash))
async def purge_document(document_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Destroy a document that is in the trash, with all its versions. This can't be undone."""
    await service.purge_document(session, principal, document_id)


@router.get("/{document_id}/versions", responses=problems(DocumentNotFound, InvalidCursor, ContentDamaged))
async def list_document_versions(
    document_id: UUID, query: Pages, principal: Reader, session: SessionDep
) -> DocumentVersionPage:
    """List the files that a document has had, newest first."""
    versions, last = await service.list_document_versions(session, principal, document_id, query.filters())
    return DocumentVersionPage(items=versions, next_cursor=next_cursor(last))


@router.delete(
    "/{document_id}/versions/{number:int}",
    status_code=204,
    responses=problems(DocumentNotFound, VersionNotFound, RoleTooLow, CurrentVersionStays),
)
async def delete_document_version(
    document_id: UUID, number: Annotated[int, Path(ge=1, le=2**31 - 1)], principal: Writer, session: SessionDep
) -> None:
    """Destroy an earlier version with its file. This can't be undone."""
    await service.delete_version(session, principal, document_id, number)


@router.post("/{document_id}/versions/prune", responses=problems(DocumentNotFound, RoleTooLow))
async def prune_document_versions(
    document_id: UUID, data: PruneRule, principal: Writer, session: SessionDep
) -> VersionsPruned:
    """Destroy the earlier versions that a rule does not keep. This can't be undone."""
    return VersionsPruned(deleted=await service.prune_versions(session, principal, document_id, data))
