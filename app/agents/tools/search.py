"""Reading documents: passages and pages, framed as data."""

import asyncio
from typing import Any
from uuid import UUID

from pydantic import Field

from app.agents.tools.registry import Quote, Tool, ToolContext, ToolResult, register
from app.core.schemas import RequestModel, Whole
from app.rag.schemas import Question
from app.vault import service as vaults

MOST_PASSAGES = 8
MOST_PAGE_CHARACTERS = 20_000


class SearchDocuments(RequestModel):
    """What to look for."""

    query: Question = Field(description="What to look for, in a few words or as a question.")
    limit: Whole = Field(default=6, ge=1, le=MOST_PASSAGES)


class ReadPage(RequestModel):
    """A page of a document."""

    document_id: UUID
    page: Whole = Field(default=1, ge=1, le=1_000_000, description="Counts from 1.")


async def search_documents(context: ToolContext, data: SearchDocuments) -> ToolResult:
    """The best passages in scope."""
    from app.rag import extractive, service  # noqa: PLC0415  brings NumPy

    vault_ids = None if context.vault_ids is None else list(context.vault_ids)
    if vault_ids == []:
        return ToolResult("There is no vault in scope.", {"hits": []})
    async with context.session() as session:
        hits = await service.search(session, context.principal, data.query, data.limit, vault_ids)
    quoted = await asyncio.to_thread(extractive.answer, data.query, hits)
    citations = [_quote(hit) for hit in hits]
    best = [_place(citation, hits) for citation in quoted.citations]
    shown = [{"document_id": str(hit.document_id), "title": hit.title, "page": hit.page} for hit in hits]
    return ToolResult("", {"hits": shown, "found": quoted.found}, citations, best)


def _quote(hit: Any) -> Quote:
    return Quote(
        document_id=hit.document_id,
        version_id=hit.version_id,
        vault_id=hit.vault_id,
        title=hit.title,
        page=hit.page,
        start=hit.start,
        end=hit.end,
        quote=hit.text,
    )


def _place(citation: Any, hits: Any) -> tuple[int, int, int]:
    """Which passage a quote is cut out of, and where."""
    for index, hit in enumerate(hits):
        same = (hit.version_id, hit.page) == (citation.version_id, citation.page)
        if same and hit.start <= citation.start and citation.end <= hit.end:
            return index, citation.start - hit.start, citation.end - hit.start
    raise AssertionError("a quote is cut out of a passage")


async def read_page(context: ToolContext, data: ReadPage) -> ToolResult:
    """The text of a page, as one passage."""
    from app.rag import service  # noqa: PLC0415  brings NumPy
    from app.rag.errors import PageNotFound  # noqa: PLC0415

    async with context.session() as session:
        document = await vaults.read_document(session, context.principal, data.document_id)
        if not context.may_see(document.vault_id):
            raise PageNotFound
        page = await service.read_page(session, context.principal, data.document_id, data.page)
    text = page.text[:MOST_PAGE_CHARACTERS]
    quote = Quote(
        document_id=page.document_id,
        version_id=page.version_id,
        vault_id=document.vault_id,
        title=document.title,
        page=page.page,
        start=0,
        end=len(text),
        quote=text,
    )
    return ToolResult("", {"document_id": str(page.document_id), "page": page.page}, [quote])


register(
    Tool(
        "search_documents",
        "Search the person's documents; returns numbered passages, to be cited by their numbers.",
        SearchDocuments,
        "read",
        search_documents,
        "rag:ask",
    )
)
register(
    Tool("read_page", "Read one page of a document, as a numbered passage.", ReadPage, "read", read_page, "vault:read")
)
