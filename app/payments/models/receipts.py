"""Numbers of receipts, without gaps: taken in the transaction that needs one (a sequence would leave gaps)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id
from app.payments.models.families import FamilyId


class ReceiptSeries(Base):
    """A series of numbers; `last` is the newest one given."""

    __tablename__ = "payments_receipt_series"

    code: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class Receipt(Base):
    """The number of a paid invoice, or of a payment without one; given once."""

    __tablename__ = "payments_receipts"
    __table_args__ = (
        CheckConstraint("(invoice_id IS NULL) <> (payment_id IS NULL)", name="subject"),
        CheckConstraint("number > 0", name="number"),
        UniqueConstraint("series", "number"),
        UniqueConstraint("invoice_id"),
        UniqueConstraint("payment_id"),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    series: Mapped[str] = mapped_column(ForeignKey("payments_receipt_series.code"))
    number: Mapped[int]
    invoice_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_invoices.id"))
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_payments.id"))
    paid_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
