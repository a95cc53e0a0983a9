"""Receipts."""

from datetime import datetime
from uuid import UUID

from app.core.schemas import Page, ResponseModel


class ReceiptRead(ResponseModel):
    """Something that was paid; amounts are minor units. Numbers have no gaps within a year."""

    id: UUID
    number: str
    paid_at: datetime
    paid_cents: int
    currency: str
    invoice_id: UUID | None
    payment_id: UUID | None


class ReceiptPage(Page):
    """One page of receipts."""

    items: list[ReceiptRead]
