"""Receipts."""

from typing import Annotated
from uuid import UUID

from fastapi import Response, Security

from app.api.deps import SessionDep, get_principal
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.payments.errors import NotThePayer, ReceiptNotFound
from app.payments.schemas.receipts import ReceiptPage
from app.payments.services import receipts

Reader = Annotated[Principal, Security(get_principal, scopes=["payments:read"])]
PDF = {
    "description": "The receipt.",
    "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
}

router = Router()


@router.get("/receipts", responses=problems(NotThePayer, InvalidCursor))
async def list_receipts(
    principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> ReceiptPage:
    """List what you paid, newest first."""
    page, last = await receipts.list_receipts(session, principal, limit=limit, after=parse_cursor(cursor))
    return ReceiptPage(items=page, next_cursor=cursor_of(last) if last else None)


@router.get(
    "/receipts/{receipt_id}/pdf",
    response_class=Response,
    responses={200: PDF, **problems(NotThePayer, ReceiptNotFound)},
)
async def print_receipt(receipt_id: UUID, principal: Reader, session: SessionDep) -> Response:
    """A receipt as a PDF; the same bytes each time, as long as nothing of it is given back."""
    number, pdf = await receipts.print_receipt(session, principal, receipt_id)
    return Response(
        pdf, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{number}.pdf"'}
    )
