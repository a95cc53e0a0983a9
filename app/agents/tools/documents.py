"""Whole documents: summed up in their own words, and two of them side by side. All of it is quoted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.agents.tools.registry import Quote, Tool, ToolContext, ToolResult, register
from app.core.schemas import RequestModel
from app.rag.schemas import FieldRead, PageRead
from app.vault import service as vaults
from app.vault.errors import DocumentNotFound
from app.vault.schemas.documents import DocumentRead

MOST_PAGES = 12
QUOTES_PER_PAGE = 4
MOST_ROWS = 40
MOST_QUOTE_CHARACTERS = 600


class SummariseDocument(RequestModel):
    """A document."""

    document_id: UUID


class ComparePolicies(RequestModel):
    """Two documents of the same sort, such as the policies of two years."""

    document_ids: Annotated[list[UUID], Field(min_length=2, max_length=2)]


async def summarise_document(context: ToolContext, data: SummariseDocument) -> ToolResult:
    """The statements of its first pages that say most: those with dates, amounts and numbers, and each page's first."""
    from app.rag import service  # noqa: PLC0415  brings NumPy

    document = await _in_scope(context, data.document_id)
    async with context.session() as session:
        state = await service.read_state(session, context.principal, data.document_id)
        fields = (await service.read_fields(session, context.principal, data.document_id)).items
        last = min(state.pages, MOST_PAGES)
        pages = [
            await service.read_page(session, context.principal, data.document_id, number)
            for number in range(1, last + 1)
            if number not in state.pages_unread
        ]
    quotes = [
        _quote(document, page, place)
        for page in pages
        for place in _telling(page.text, [(each.start, each.end) for each in fields if each.page == page.page])
    ]
    return ToolResult("", {"title": document.title, "pages": state.pages, "pages_told": len(pages)}, quotes)


def _telling(text: str, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The statements of a page to quote, in their order."""
    from app.rag.segments import statements  # noqa: PLC0415  brings stemmers

    spans = statements(text)
    held = {span: sum(span[0] <= start and end <= span[1] for start, end in places) for span in spans}
    best = sorted(spans, key=lambda span: (-held[span], span))[: QUOTES_PER_PAGE - 1]
    chosen = sorted({*spans[:1], *(span for span in best if held[span])})
    return [(start, min(end, start + MOST_QUOTE_CHARACTERS)) for start, end in chosen]


@dataclass(frozen=True)
class _Side:
    """One of two documents: the first field of each kind and role, and the statement in which it stands."""

    title: str
    values: dict[str, str]
    quotes: dict[str, Quote]


async def compare_policies(context: ToolContext, data: ComparePolicies) -> ToolResult:
    """What both say of the same thing, the same or not, and what only one says."""
    first, second = [await _side(context, document_id) for document_id in data.document_ids]
    titles = [first.title, second.title]
    names = list(dict.fromkeys([*first.values, *second.values]))[:MOST_ROWS]
    if not names:
        return ToolResult("Neither says anything that can be compared.", {"titles": titles, "rows": []})
    rows = [{"what": name, "first": first.values.get(name), "second": second.values.get(name)} for name in names]
    lines = [f"- {row['what']}: {row['first'] or 'nothing'} | {row['second'] or 'nothing'}" for row in rows]
    quotes = [side.quotes[name] for name in names for side in (first, second) if name in side.quotes]
    quotes = [quote for at, quote in enumerate(quotes) if quote not in quotes[:at]]
    return ToolResult("\n".join([" | ".join(titles), *lines]), {"titles": titles, "rows": rows}, quotes)


async def _side(context: ToolContext, document_id: UUID) -> _Side:
    from app.rag import service  # noqa: PLC0415  brings NumPy

    document = await _in_scope(context, document_id)
    side = _Side(document.title, {}, {})
    async with context.session() as session:
        listed = await service.read_fields(session, context.principal, document_id)
        pages: dict[int, PageRead] = {}
        for field in listed.items:
            name = f"{field.kind.value} {field.role}"
            if field.role == "other" or name in side.values or field.page > MOST_PAGES:
                continue
            if field.page not in pages:
                pages[field.page] = await service.read_page(session, context.principal, document_id, field.page)
            side.values[name] = f"{field.value} {field.currency or ''}".rstrip()
            side.quotes[name] = _quote(document, pages[field.page], _around(pages[field.page].text, field))
    return side


def _around(text: str, field: FieldRead) -> tuple[int, int]:
    """The statement that holds a field, or the field alone."""
    from app.rag.segments import statements  # noqa: PLC0415  brings stemmers

    whole = (span for span in statements(text) if span[0] <= field.start and field.end <= span[1])
    found = next(whole, (field.start, field.end))
    return found if found[1] - found[0] <= MOST_QUOTE_CHARACTERS else (field.start, field.end)


def _quote(document: DocumentRead, page: PageRead, place: tuple[int, int]) -> Quote:
    start, end = place
    return Quote(
        document_id=page.document_id,
        version_id=page.version_id,
        vault_id=document.vault_id,
        title=document.title,
        page=page.page,
        start=start,
        end=end,
        quote=page.text[start:end],
    )


async def _in_scope(context: ToolContext, document_id: UUID) -> DocumentRead:
    async with context.session() as session:
        document = await vaults.read_document(session, context.principal, document_id)
    if not context.may_see(document.vault_id):
        raise DocumentNotFound
    return document


register(
    Tool(
        "summarise_document",
        "Give the telling statements of a document as numbered passages, to be summed up and cited.",
        SummariseDocument,
        "read",
        summarise_document,
    )
)
register(
    Tool(
        "compare_policies",
        "Compare two documents, such as two policies: dates, amounts, numbers and names side by side.",
        ComparePolicies,
        "read",
        compare_policies,
    )
)
