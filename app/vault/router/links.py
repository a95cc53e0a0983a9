"""Routes of links between records, documents and people."""

from uuid import UUID

from fastapi import Response

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import InvalidCursor
from app.api.problems import problems
from app.api.routes import Router
from app.vault import service
from app.vault.errors import (
    AlreadyLinked,
    ContentDamaged,
    DocumentNotFound,
    ItemNotFound,
    LimitReached,
    LinkedToItself,
    LinkNotFound,
    RoleTooLow,
)
from app.vault.relations import BY_NAME
from app.vault.router.access import LOCATION, Reader, Writer
from app.vault.router.queries import Pages, next_cursor
from app.vault.schemas.links import (
    DocumentRef,
    ItemRef,
    LinkCreate,
    LinkPage,
    LinkRead,
    RelationList,
    RelationRead,
)

ENDS = (ItemNotFound, DocumentNotFound, RoleTooLow, LinkedToItself, AlreadyLinked, LimitReached)

router = Router()


@router.get("/relations")
async def list_relations(_: Reader) -> RelationList:
    """List how two things can be related, each by what it is called from either end."""
    return RelationList(
        items=[RelationRead(name=each.name, inverse=each.inverse, label=each.label) for each in BY_NAME.values()]
    )


@router.post("/links", status_code=201, responses={201: {"headers": LOCATION}, **problems(*ENDS)})
@idempotent()
async def create_link(data: LinkCreate, principal: Writer, session: SessionDep, response: Response) -> LinkRead:
    """Relate two records or documents; people are records of the type `contact`.

    You may write where the source is and read where the target is. Whoever sees both sees the link, from either end.
    """
    link = await service.create_link(session, principal, data)
    response.headers["Location"] = f"/v1/vault/links/{link.id}"
    return link


@router.get("/links/{link_id}", responses=problems(LinkNotFound, ContentDamaged))
async def read_link(link_id: UUID, principal: Reader, session: SessionDep) -> LinkRead:
    """Read a link."""
    return await service.read_link(session, principal, link_id)


@router.delete("/links/{link_id}", status_code=204, responses=problems(LinkNotFound, RoleTooLow))
async def delete_link(link_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Take a link away; what it linked stays."""
    await service.delete_link(session, principal, link_id)


@router.get("/items/{item_id}/links", responses=problems(ItemNotFound, InvalidCursor, ContentDamaged))
async def list_item_links(item_id: UUID, query: Pages, principal: Reader, session: SessionDep) -> LinkPage:
    """List how a record is related to others, newest first; the record is the source of each."""
    links, last = await service.list_links(session, principal, ItemRef(item_id=item_id), query.filters())
    return LinkPage(items=links, next_cursor=next_cursor(last))


@router.get("/documents/{document_id}/links", responses=problems(DocumentNotFound, InvalidCursor, ContentDamaged))
async def list_document_links(document_id: UUID, query: Pages, principal: Reader, session: SessionDep) -> LinkPage:
    """List how a document is related to records and other documents, newest first; it is the source of each."""
    thing = DocumentRef(document_id=document_id)
    links, last = await service.list_links(session, principal, thing, query.filters())
    return LinkPage(items=links, next_cursor=next_cursor(last))
