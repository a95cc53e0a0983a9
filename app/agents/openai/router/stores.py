"""Vaults as vector stores."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query

from app.agents.openai.errors import FileElsewhere
from app.agents.openai.router.access import After, Asker, Most, Reader, Writer
from app.agents.openai.schemas.stores import (
    FileCounts,
    FoundPage,
    FoundRead,
    FoundText,
    StoreCreate,
    StoreFault,
    StoreFileCreate,
    StoreFileList,
    StoreFileRead,
    StoreList,
    StoreRead,
    StoreSearch,
    ends,
)
from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.jobs import service as jobs
from app.rag.counts import Count, count_documents
from app.vault import service as vaults
from app.vault.errors import ContentDamaged, DocumentNotFound, LimitReached, VaultNotFound, VaultSealed
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.vaults import VaultCreate, VaultRead

router = Router(prefix="/vector_stores")
STATUS: dict[str, Any] = {"queued": "in_progress", "running": "in_progress", "failed": "failed"}
Order = Annotated[Literal["desc"], Query(description="The newest first; there is no other order.")]


@router.get("")
async def list_vector_stores(
    principal: Reader,
    session: SessionDep,
    limit: Most = 20,
    after: After = None,
    order: Order = "desc",  # noqa: ARG001  another one is refused
) -> StoreList:
    """List your vaults, newest first."""
    rows, last = await vaults.list_vaults(session, principal, vaults.Filters(limit=limit, before=after, readable=True))
    counts = await count_documents(session, principal, [row.id for row in rows])
    data = [_store(row, counts.get(row.id)) for row in rows]
    return StoreList(object="list", data=data, has_more=last is not None, **ends(data))


@router.post("", responses=problems(LimitReached))
@idempotent()
async def create_vector_store(data: StoreCreate, principal: Writer, session: SessionDep) -> StoreRead:
    """Make a personal vault."""
    return _store(await vaults.create_vault(session, principal, VaultCreate(name=data.name)), None)


@router.get("/{vector_store_id}", responses=problems(VaultNotFound, VaultSealed))
async def read_vector_store(vector_store_id: UUID, principal: Reader, session: SessionDep) -> StoreRead:
    """Read a vault."""
    await vaults.require_vaults(session, principal, [vector_store_id])
    vault = await vaults.read_vault(session, principal, vector_store_id)
    counts = await count_documents(session, principal, [vault.id])
    return _store(vault, counts.get(vault.id))


@router.post("/{vector_store_id}/search", responses=problems(VaultNotFound, VaultSealed))
async def search_vector_store(
    vector_store_id: UUID, data: StoreSearch, principal: Asker, session: SessionDep
) -> FoundPage:
    """Find passages in a vault; each tells its page and the characters that it is made of."""
    from app.rag import service  # noqa: PLC0415  brings NumPy

    hits = await service.search(session, principal, data.text, data.max_num_results, [vector_store_id])
    least = (data.ranking_options.score_threshold if data.ranking_options else None) or 0.0
    found = [
        FoundRead(
            file_id=hit.document_id,
            filename=hit.title,
            score=hit.score,
            attributes={"page": hit.page, "start": hit.start, "end": hit.end, "version_id": str(hit.version_id)},
            content=[FoundText(type="text", text=hit.text)],
        )
        for hit in hits
        if hit.score >= least
    ]
    kind: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    return FoundPage(object=kind, search_query=[data.text], data=found, has_more=False, next_page=None)


@router.get("/{vector_store_id}/files", responses=problems(VaultNotFound, VaultSealed, ContentDamaged))
async def list_vector_store_files(
    vector_store_id: UUID,
    principal: Reader,
    session: SessionDep,
    limit: Most = 20,
    after: After = None,
    order: Order = "desc",  # noqa: ARG001  another one is refused
) -> StoreFileList:
    """List the documents of a vault, newest first."""
    filters = vaults.Filters(limit=limit, before=after, vault_id=vector_store_id)
    rows, last = await vaults.list_documents(session, principal, filters)
    states = await jobs.job_states(session, [row.job_id for row in rows])
    data = [_store_file(row, states.get(row.job_id)) for row in rows]
    return StoreFileList(object="list", data=data, has_more=last is not None, **ends(data))


@router.post("/{vector_store_id}/files", responses=problems(DocumentNotFound, FileElsewhere))
async def create_vector_store_file(
    vector_store_id: UUID, data: StoreFileCreate, principal: Writer, session: SessionDep
) -> StoreFileRead:
    """Find a document in the vault that it was uploaded to: here, a file is in one vault from the start."""
    found = await _in_store(session, principal, vector_store_id, data.file_id)
    if found is None:
        raise FileElsewhere
    return found


@router.get("/{vector_store_id}/files/{file_id}", responses=problems(DocumentNotFound))
async def read_vector_store_file(
    vector_store_id: UUID, file_id: UUID, principal: Reader, session: SessionDep
) -> StoreFileRead:
    """See whether a document of a vault can be searched."""
    found = await _in_store(session, principal, vector_store_id, file_id)
    if found is None:
        raise DocumentNotFound
    return found


async def _in_store(
    session: SessionDep, principal: Principal, vector_store_id: UUID, file_id: UUID
) -> StoreFileRead | None:
    document = await vaults.read_document(session, principal, file_id)
    if document.vault_id != vector_store_id:
        return None
    states = await jobs.job_states(session, [document.job_id])
    return _store_file(document, states.get(document.job_id))


def _store(vault: VaultRead, count: Count | None) -> StoreRead:
    total, done = (count.documents, count.searchable) if count else (0, 0)
    return StoreRead(
        id=vault.id,
        object="vector_store",
        created_at=int(vault.created_at.timestamp()),
        last_active_at=int(vault.updated_at.timestamp()),
        name=vault.name,
        status="completed" if done == total else "in_progress",
        usage_bytes=0,
        file_counts=FileCounts(in_progress=total - done, completed=done, failed=0, cancelled=0, total=total),
        metadata={},
    )


def _store_file(document: DocumentRead, state: str | None) -> StoreFileRead:
    status = STATUS.get(state or "", "completed")
    fault = StoreFault(code="invalid_file", message="It could not be read.") if status == "failed" else None
    return StoreFileRead(
        id=document.id,
        object="vector_store.file",
        created_at=int(document.created_at.timestamp()),
        vector_store_id=document.vault_id,
        status=status,
        last_error=fault,
        usage_bytes=document.size,
        attributes={"title": document.title, "media_type": document.media_type},
    )
