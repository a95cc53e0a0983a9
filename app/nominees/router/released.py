"""Routes of nominees who read what was released to them. Each read is logged for the owner."""

from uuid import UUID

from fastapi import Response
from starlette.responses import StreamingResponse

from app.api.deps import SessionDep
from app.api.pages import InvalidCursor
from app.api.problems import problems
from app.api.routes import Router
from app.nominees import service
from app.nominees.errors import NothingReleased
from app.nominees.router.access import A_FILE, GuestDep
from app.nominees.schemas.keys import ServerSheetList
from app.nominees.schemas.visits import Released
from app.vault.errors import ContentDamaged, DocumentNotFound, ItemNotFound, VaultNotFound
from app.vault.router.downloads import streamed
from app.vault.router.queries import Pages, next_cursor
from app.vault.schemas.documents import DocumentPage, DocumentRead
from app.vault.schemas.items import ItemPage, ItemRead

router = Router(prefix="/visit/released")
NOTHING = (NothingReleased, VaultNotFound, ContentDamaged)


@router.get("", responses=problems(ContentDamaged))
async def read_released(guest: GuestDep, session: SessionDep) -> Released:
    """See what is released to you, what its owner says to you, and until when you can read it."""
    return await service.read_released(session, guest)


@router.get("/vaults/{vault_id}/items", responses=problems(*NOTHING, InvalidCursor))
async def list_released_items(vault_id: UUID, query: Pages, guest: GuestDep, session: SessionDep) -> ItemPage:
    """List the records of a vault that are released to you, newest first."""
    items, last = await service.list_items(session, guest, vault_id, query.filters())
    return ItemPage(items=items, next_cursor=next_cursor(last))


@router.get("/vaults/{vault_id}/items/{item_id}", responses=problems(*NOTHING, ItemNotFound))
async def read_released_item(vault_id: UUID, item_id: UUID, guest: GuestDep, session: SessionDep) -> ItemRead:
    """Read a record that is released to you."""
    return await service.read_item(session, guest, vault_id, item_id)


@router.get("/vaults/{vault_id}/documents", responses=problems(*NOTHING, InvalidCursor))
async def list_released_documents(vault_id: UUID, query: Pages, guest: GuestDep, session: SessionDep) -> DocumentPage:
    """List the documents of a vault that are released to you, newest first."""
    documents, last = await service.list_documents(session, guest, vault_id, query.filters())
    return DocumentPage(items=documents, next_cursor=next_cursor(last))


@router.get("/vaults/{vault_id}/documents/{document_id}", responses=problems(*NOTHING, DocumentNotFound))
async def read_released_document(
    vault_id: UUID, document_id: UUID, guest: GuestDep, session: SessionDep
) -> DocumentRead:
    """Read what is known of a document that is released to you."""
    return await service.read_document(session, guest, vault_id, document_id)


@router.get(
    "/vaults/{vault_id}/documents/{document_id}/content",
    response_class=StreamingResponse,
    responses={200: A_FILE, **problems(*NOTHING, DocumentNotFound)},
)
async def read_released_content(vault_id: UUID, document_id: UUID, guest: GuestDep, session: SessionDep) -> Response:
    """Download a document that is released to you."""
    return await streamed(await service.open_document(session, guest, vault_id, document_id))


@router.get("/server-sheets", responses=problems(NothingReleased))
async def list_server_sheets(guest: GuestDep, session: SessionDep) -> ServerSheetList:
    """Get the server's part of the legacy keys of which you hold a sheet, if a plan that is released gives it.

    Together with enough nominees' sheets it opens sealed vaults and exports.
    """
    return ServerSheetList(items=await service.read_server_sheets(session, guest))
