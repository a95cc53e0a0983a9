"""Resources of MCP: documents and their pages, framed as data. Import it lazily."""

from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from app.agents.framing import framed
from app.agents.mcp.callers import caller_of
from app.agents.tools.registry import ToolContext, run_reading
from app.api.pages import InvalidCursor, cursor_of, parse_cursor
from app.auth.principal import Principal
from app.core.errors import AppError
from app.db.session import session_scope
from app.vault import service as vaults

DOCUMENT: Final = "lifevault://documents/{document_id}"
PAGE: Final = "lifevault://documents/{document_id}/pages/{page}"
AT_ONCE: Final = 50
MOST_PAGES: Final = 50
MISSING: Final = "There is no such document or page"


async def list_resources(context: Any, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    """The caller's documents, newest first."""
    principal = caller_of(context)
    _require(principal)
    try:
        before = parse_cursor(params.cursor if params else None)
    except InvalidCursor as error:
        raise MCPError(types.INVALID_PARAMS, error.title) from None
    async with session_scope(principal.actor) as session:
        filters = vaults.Filters(limit=AT_ONCE, before=before)
        found, last = await vaults.list_documents(session, principal, filters)
    shown = [
        types.Resource(
            uri=DOCUMENT.format(document_id=each.id),
            name=each.title,
            mime_type=each.media_type,
            size=each.size,
        )
        for each in found
    ]
    return types.ListResourcesResult(resources=shown, next_cursor=cursor_of(last) if last else None)


async def list_templates(_: Any, __: Any) -> types.ListResourceTemplatesResult:
    """How documents and pages are addressed."""
    document = types.ResourceTemplate(name="document", uri_template=DOCUMENT, mime_type="text/plain")
    page = types.ResourceTemplate(name="page", uri_template=PAGE, mime_type="text/plain")
    return types.ListResourceTemplatesResult(resource_templates=[document, page])


async def read_resource(context: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    """The text of a page, or of the first pages of a document, each framed as data."""
    principal = caller_of(context)
    _require(principal)
    try:
        document_id, page = _place(params.uri)
        numbers = [page] if page else await _pages(principal, document_id)
        contents = [await _page(principal, document_id, number) for number in numbers]
    except (ValidationError, ValueError, AppError):
        raise MCPError(types.INVALID_PARAMS, MISSING) from None
    return types.ReadResourceResult(contents=[*contents])


def _require(principal: Principal) -> None:
    if "vault:read" not in principal.scopes:
        raise MCPError(types.INVALID_REQUEST, "The token lacks the scope vault:read")


def _place(uri: str) -> tuple[UUID, int | None]:
    """The document and the page of an address. Raises `ValueError`."""
    parts = urlsplit(uri)
    place = parts.path.strip("/").split("/")
    if (parts.scheme, parts.netloc) != ("lifevault", "documents") or len(place) not in (1, 3):
        raise ValueError
    if len(place) == 1:
        return UUID(place[0]), None
    if place[1] != "pages" or not place[2].isascii() or not place[2].isdigit():
        raise ValueError
    return UUID(place[0]), int(place[2])


async def _pages(principal: Principal, document_id: UUID) -> list[int]:
    from app.rag import service  # noqa: PLC0415  brings NumPy

    async with session_scope(principal.actor) as session:
        state = await service.read_state(session, principal, document_id)
    return list(range(1, min(state.pages, MOST_PAGES) + 1))


async def _page(principal: Principal, document_id: UUID, page: int) -> types.TextResourceContents:
    arguments = {"document_id": str(document_id), "page": page}
    result = await run_reading(ToolContext(principal), "read_page", arguments)
    uri = PAGE.format(document_id=document_id, page=page)
    return types.TextResourceContents(uri=uri, mime_type="text/plain", text=framed(result, 1))
