"""Shapes of invoices and payments; amounts are minor units."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.schemas import Page, ResponseModel


class InvoiceRead(ResponseModel):
    """An invoice."""

    id: UUID
    subscription_id: UUID | None
    provider_number: str | None
    status: str = Field(description="draft, open, paid, void or uncollectible.")
    reason: str | None
    currency: str
    subtotal_cents: int
    discount_cents: int
    tax_cents: int
    total_cents: int
    due_cents: int
    paid_cents: int
    issued_at: datetime
    paid_at: datetime | None


class InvoiceLineRead(ResponseModel):
    """What it was for; the amount is before discount and tax."""

    description: str
    quantity: int | None
    amount_cents: int
    discount_cents: int
    tax_cents: int
    is_proration: bool
    period_start: datetime
    period_end: datetime


class InvoiceDetail(InvoiceRead):
    """An invoice with its lines."""

    lines: list[InvoiceLineRead]


class InvoicePage(Page):
    """Invoices, newest first."""

    items: list[InvoiceRead]


class PaymentRead(ResponseModel):
    """A payment; `failure_code` says why it did not work."""

    id: UUID
    invoice_id: UUID | None
    status: str
    currency: str
    amount_cents: int
    received_cents: int
    refunded_cents: int
    is_disputed: bool
    failure_code: str | None
    paid_at: datetime | None
    created_at: datetime


class PaymentPage(Page):
    """Payments, newest first."""

    items: list[PaymentRead]
