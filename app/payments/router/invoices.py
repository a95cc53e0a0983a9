"""Routes of invoices and payments."""

from uuid import UUID

from fastapi import Response

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.payments.errors import InvoiceNotFound, InvoiceNotOpen, NotThePayer
from app.payments.router.access import Reader, Writer
from app.payments.router.outgoing import PAYING, PENDING, let_go, pending
from app.payments.schemas.invoices import (
    InvoiceDetail,
    InvoiceLineRead,
    InvoicePage,
    InvoiceRead,
    PaymentPage,
    PaymentRead,
)
from app.payments.services import invoices

router = Router()


@router.get("/invoices", responses=problems(NotThePayer, InvalidCursor))
async def list_invoices(
    principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> InvoicePage:
    """List the invoices of your subscription, newest first. Only for the person who pays."""
    await let_go(session)
    rows = await invoices.list_invoices(principal, parse_cursor(cursor), limit + 1)
    return InvoicePage(
        items=[InvoiceRead.model_validate(row) for row in rows[:limit]],
        next_cursor=cursor_of(rows[limit - 1].id) if len(rows) > limit else None,
    )


@router.get("/invoices/{invoice_id}", responses=problems(NotThePayer, InvoiceNotFound))
async def read_invoice(invoice_id: UUID, principal: Reader, session: SessionDep) -> InvoiceDetail:
    """Read an invoice with its lines."""
    await let_go(session)
    return await _detail(principal, invoice_id)


async def _detail(principal: Principal, invoice_id: UUID) -> InvoiceDetail:
    invoice, lines = await invoices.read_invoice(principal, invoice_id)
    shown = InvoiceRead.model_validate(invoice).model_dump()
    return InvoiceDetail(**shown, lines=[InvoiceLineRead.model_validate(line) for line in lines])


@router.post(
    "/invoices/{invoice_id}/pay",
    response_model=InvoiceDetail,
    responses={**PENDING, **problems(InvoiceNotFound, InvoiceNotOpen, *PAYING)},
)
@idempotent(required=True)
async def pay_invoice(invoice_id: UUID, principal: Writer, cause: UUID) -> InvoiceDetail | Response:
    """Try now to pay an open invoice with the default card."""
    outcome = await invoices.pay_invoice(principal, invoice_id, cause)
    return pending(outcome) or await _detail(principal, invoice_id)


@router.get("/payments", responses=problems(NotThePayer, InvalidCursor))
async def list_payments(
    principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> PaymentPage:
    """List what was paid, or could not be, newest first. Only for the person who pays."""
    await let_go(session)
    rows = await invoices.list_payments(principal, parse_cursor(cursor), limit + 1)
    return PaymentPage(
        items=[PaymentRead.model_validate(row) for row in rows[:limit]],
        next_cursor=cursor_of(rows[limit - 1].id) if len(rows) > limit else None,
    )
