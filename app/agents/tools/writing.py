"""What is written into a vault as a new document when the person allows it: a letter, or a dossier of cited pages."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field, StringConstraints

from app.agents.tools.registry import Tool, ToolContext, ToolResult, register
from app.agents.tools.search import MOST_PAGE_CHARACTERS
from app.core.pdf import A4, BOLD, REGULAR, new_canvas
from app.core.schemas import Clean, RequestModel, ShortText, Whole
from app.vault import service as vaults
from app.vault.errors import VaultNotFound
from app.vault.schemas.documents import DocumentCreate

MOST_PAGES: Final = 40
MARGIN: Final = 56.0
LINE: Final = 14.0
SIZE: Final = 9.5
Body = Annotated[str, StringConstraints(min_length=1, max_length=20_000), Clean]


class DraftLetter(RequestModel):
    """A letter, as it is to be kept; nothing is sent to anybody."""

    vault_id: UUID
    title: ShortText = Field(description="What the document is called.")
    recipient: ShortText
    subject: ShortText
    body: Body


class CitedPage(RequestModel):
    """A page of a document."""

    document_id: UUID
    page: Whole = Field(ge=1, le=1_000_000)


class ExportDossier(RequestModel):
    """A PDF of pages that belong together, each with where it comes from."""

    vault_id: UUID = Field(description="Where it is put.")
    title: ShortText
    pages: Annotated[list[CitedPage], Field(min_length=1, max_length=MOST_PAGES)]


async def draft_letter(context: ToolContext, data: DraftLetter) -> ToolResult:
    """Keep a letter as a text document. Raises `VaultNotFound`, `RoleTooLow`, limits."""
    text = f"{data.recipient}\n\n{data.subject}\n\n{data.body}\n"
    return await _kept(context, data.vault_id, data.title, f"{_file_name(data.title)}.txt", text.encode())


async def export_dossier(context: ToolContext, data: ExportDossier) -> ToolResult:
    """Print pages into one PDF document. Raises `VaultNotFound`, `PageNotFound`, `RoleTooLow`, limits."""
    from app.rag import service  # noqa: PLC0415  brings NumPy
    from app.rag.errors import PageNotFound  # noqa: PLC0415

    printed = []
    async with context.session() as session:
        for each in data.pages:
            document = await vaults.read_document(session, context.principal, each.document_id)
            if not context.may_see(document.vault_id):
                raise PageNotFound
            page = await service.read_page(session, context.principal, each.document_id, each.page)
            printed.append((f"{document.title}, page {page.page}", page.text[:MOST_PAGE_CHARACTERS]))
    content = await asyncio.to_thread(_printed, data.title, printed)
    return await _kept(context, data.vault_id, data.title, f"{_file_name(data.title)}.pdf", content)


async def _kept(context: ToolContext, vault_id: UUID, title: str, name: str, content: bytes) -> ToolResult:
    if not context.may_see(vault_id):
        raise VaultNotFound

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    async with vaults.stored_file(pieces(), name) as file, context.session() as session:
        made = await vaults.create_document(
            session, context.principal, DocumentCreate(vault_id=vault_id, title=title), file
        )
    return ToolResult(f"Kept as the document {made.id}.", {"document_id": str(made.id), "bytes": len(content)})


def _file_name(title: str) -> str:
    return "".join(each if each.isalnum() or each in " -_" else "_" for each in title)[:80].strip() or "document"


def _printed(title: str, pages: list[tuple[str, str]]) -> bytes:
    """A PDF with the pages one after the other, each under where it comes from."""
    from reportlab.lib.utils import simpleSplit  # noqa: PLC0415  takes half a second, and few processes print

    canvas, buffer = new_canvas(title)
    for source, text in pages:
        lines = [
            part for line in text.splitlines() for part in simpleSplit(line, REGULAR, SIZE, A4[0] - 2 * MARGIN) or [""]
        ]
        _print(canvas, title, source, lines)
    canvas.save()
    return buffer.getvalue()


def _print(canvas: Any, title: str, source: str, lines: list[str]) -> None:
    room = int((A4[1] - 2 * MARGIN) / LINE) - 3
    for begin in range(0, max(len(lines), 1), room):
        canvas.setFont(BOLD, SIZE)
        canvas.drawString(MARGIN, A4[1] - MARGIN, source)
        canvas.setFont(REGULAR, SIZE)
        for at, line in enumerate(lines[begin : begin + room], 2):
            canvas.drawString(MARGIN, A4[1] - MARGIN - at * LINE, line)
        canvas.drawString(MARGIN, MARGIN / 2, title)
        canvas.showPage()


register(
    Tool(
        "draft_letter",
        "Keep a letter that you have written as a document; it is sent to nobody. The person is asked first.",
        DraftLetter,
        "write",
        draft_letter,
        "vault:write",
    )
)
register(
    Tool(
        "export_dossier",
        "Put pages of documents into one PDF document, each with its source. The person is asked first.",
        ExportDossier,
        "write",
        export_dossier,
        "vault:write",
    )
)
