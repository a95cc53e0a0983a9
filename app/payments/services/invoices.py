"""Invoices and payments of a family, as last fetched; paying one that is open."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from app.auth.principal import Principal
from app.db.session import Actor, session_scope
from app.payments.errors import InvoiceNotFound, InvoiceNotOpen
from app.payments.models import BilledLine, Invoice, Payment
from app.payments.providers.port import Provider, Refused
from app.payments.providers.registry import needed_provider
from app.payments.services import families, operations
from app.payments.services.commands import HANDLERS, Command, Handler, Order, Outcome
from app.payments.services.sync import sync_invoice

PAY: Final = "invoice.pay"


async def list_invoices(principal: Principal, after: UUID | None, limit: int) -> Sequence[Invoice]:
    """The payer's invoices, newest first. Raises `NotThePayer`."""
    return await _newest(principal, Invoice, after, limit)


async def list_payments(principal: Principal, after: UUID | None, limit: int) -> Sequence[Payment]:
    """The payer's payments, newest first. Raises `NotThePayer`."""
    return await _newest(principal, Payment, after, limit)


async def _newest(principal: Principal, model: Any, after: UUID | None, limit: int) -> Sequence[Any]:
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    rows = select(model).where(model.family_id == family_id).order_by(model.id.desc()).limit(limit)
    async with session_scope(Actor.family(family_id)) as session:
        return (await session.scalars(rows.where(model.id < after) if after else rows)).all()


async def read_invoice(principal: Principal, invoice_id: UUID) -> tuple[Invoice, Sequence[BilledLine]]:
    """An invoice and its lines. Raises `InvoiceNotFound`, `NotThePayer`."""
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    async with session_scope(Actor.family(family_id)) as session:
        mine = select(Invoice).where(Invoice.id == invoice_id, Invoice.family_id == family_id)
        invoice = (await session.scalars(mine)).one_or_none()
        if invoice is None:
            raise InvoiceNotFound
        lines = select(BilledLine).where(BilledLine.invoice_id == invoice_id).order_by(BilledLine.position)
        return invoice, (await session.scalars(lines)).all()


async def pay_invoice(principal: Principal, invoice_id: UUID, cause: UUID) -> Outcome:
    """Try to collect an open invoice now, with the default card.

    Raises `InvoiceNotFound`, `InvoiceNotOpen`, `PaymentsOff`, and what `operations.execute` raises.
    """
    invoice, _ = await read_invoice(principal, invoice_id)
    provider = needed_provider()
    if done := await operations.resume(provider, invoice.family_id, PAY, cause):
        return done
    if invoice.status != "open":
        raise InvoiceNotOpen
    return await operations.execute(provider, Order(invoice.family_id, PAY, invoice.provider_id, {}, cause))


async def _pay(provider: Provider, command: Command) -> str | None:
    """Pay it, unless it is paid: then it is as well."""
    try:
        return (await provider.pay_invoice(command.operation, command.subject)).id
    except Refused:
        if (await provider.fetch_invoice(command.subject)).status != "paid":
            raise
        return command.subject


async def _follow(provider: Provider, command: Command, _: str | None) -> None:
    await sync_invoice(provider, command.subject)


HANDLERS[PAY] = Handler(_pay, follow=_follow)
