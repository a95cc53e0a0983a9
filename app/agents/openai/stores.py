"""Vaults as vector stores, documents as files."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Security

from app.agents.openai.schemas import (
    FileCounts,
    FileDeleted,
    FileList,
    FileRead,
    FoundPage,
    FoundRead,
    FoundText,
    StoreList,
    StoreRead,
    StoreSearch,
)
from app.api.deps import SessionDep, get_principal
from app.api.problems import problems
from app.auth.principal import Principal
from app.vault import service as vaults
from app.vault.errors import ContentDamaged, DocumentNotFound, RoleTooLow, VaultNotFound
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.vaults import VaultRead
from app.vault.service.listing import Filters

router = APIRouter(tags=["openai"])
Asker = Annotated[Principal, Security(get_principal, scopes=["rag:ask"])]
Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]
Writer = Annotated[Principal, Security(get_principal, scopes=["vault:write"])]
Most = Annotated[int, Query(ge=1, le=100, description="Most entries in one page.")]
After = Annotated[UUID | None, Query(description="`last_id` of the page before.")]


@router.get("/vector_stores")
async def list_vector_stores(
    principal: Reader, session: SessionDep, limit: Most = 20, after: After = None
) -> StoreList:
    """List your vaults."""
    rows, last = await vaults.list_vaults(session, principal, Filters(limit=limit, before=after))
    data = [_store(row) for row in rows]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    return StoreList(object="list", data=data, first_id=ends[0], last_id=ends[1], has_more=last is not None)


@router.get("/vector_stores/{vector_store_id}", responses=problems(VaultNotFound))
async def read_vector_store(vector_store_id: UUID, principal: Reader, session: SessionDep) -> StoreRead:
    """Read a vault."""
    return _store(await vaults.read_vault(session, principal, vector_store_id))


@router.post("/vector_stores/{vector_store_id}/search", responses=problems(VaultNotFound))
async def search_vector_store(
    vector_store_id: UUID, data: StoreSearch, principal: Asker, session: SessionDep
) -> FoundPage:
    """Find passages in a vault."""
    from app.rag import service  # noqa: PLC0415  brings NumPy

    hits = await service.search(session, principal, data.query, data.max_num_results, [vector_store_id])
    found = [
        FoundRead(
            file_id=hit.document_id,
            filename=hit.title,
            score=hit.score,
            attributes={"page": hit.page, "start": hit.start, "end": hit.end},
            content=[FoundText(type="text", text=hit.text)],
        )
        for hit in hits
    ]
    kind = "vector_store.search_results.page"
    return FoundPage(object=kind, search_query=[data.query], data=found, has_more=False, next_page=None)


@router.get("/files", responses=problems(ContentDamaged))
async def list_files(principal: Reader, session: SessionDep, limit: Most = 20, after: After = None) -> FileList:
    """List your documents, newest first."""
    rows, last = await vaults.list_documents(session, principal, Filters(limit=limit, before=after))
    data = [_file(row) for row in rows]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    return FileList(object="list", data=data, first_id=ends[0], last_id=ends[1], has_more=last is not None)


@router.get("/files/{file_id}", responses=problems(DocumentNotFound, ContentDamaged))
async def read_file(file_id: UUID, principal: Reader, session: SessionDep) -> FileRead:
    """Read what is known of a document."""
    return _file(await vaults.read_document(session, principal, file_id))


@router.delete("/files/{file_id}", responses=problems(DocumentNotFound, RoleTooLow))
async def delete_file(file_id: UUID, principal: Writer, session: SessionDep) -> FileDeleted:
    """Put a document into the trash."""
    await vaults.trash_document(session, principal, file_id)
    return FileDeleted(id=file_id, object="file", deleted=True)


def _store(vault: VaultRead) -> StoreRead:
    return StoreRead(
        id=vault.id,
        object="vector_store",
        created_at=int(vault.created_at.timestamp()),
        name=vault.name,
        status="completed",
        usage_bytes=0,
        file_counts=FileCounts(in_progress=0, completed=0, failed=0, cancelled=0, total=0),
    )


def _file(document: DocumentRead) -> FileRead:
    return FileRead(
        id=document.id,
        object="file",
        bytes=document.size,
        created_at=int(document.created_at.timestamp()),
        filename=document.name,
        purpose="assistants",
        status="processed",
    )
