"""The books: double entry, only ever added to, balanced by the database itself (see the migration)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id


class LedgerTransaction(Base):
    """One fact about money; `(kind, reference)` makes it the same fact when it is told twice.

    A correction is a new transaction that names the old one in `corrects`.
    """

    __tablename__ = "payments_ledger_transactions"
    __table_args__ = (
        UniqueConstraint("kind", "reference"),
        Index("ix_payments_ledger_transactions_occurred", "occurred_at", "id"),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    reference: Mapped[str]
    family_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_families.id"), index=True)
    occurred_at: Mapped[datetime]
    corrects: Mapped[UUID | None] = mapped_column(ForeignKey("payments_ledger_transactions.id"))
    posted_in: Mapped[int] = mapped_column(BigInteger)
    """The database's transaction, set by a trigger: no leg is added in a later one."""
    created_at: Mapped[CreatedAt]


class LedgerLeg(Base):
    """One side: debit is positive, credit negative; all legs of a transaction sum to 0 in each currency."""

    __tablename__ = "payments_ledger_legs"
    __table_args__ = (
        CheckConstraint("amount_cents <> 0", name="amount"),
        Index("ix_payments_ledger_legs_account", "account", "subject"),
    )

    transaction_id: Mapped[UUID] = mapped_column(ForeignKey("payments_ledger_transactions.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str]
    subject: Mapped[str]
    currency: Mapped[str]
    amount_cents: Mapped[int] = mapped_column(BigInteger)


class Recognition(Base):
    """How far the revenue of a paid invoice is recognised in the ledger; `is_done` after the last day of its lines."""

    __tablename__ = "payments_recognitions"
    __table_args__ = (Index("ix_payments_recognitions_open", "invoice_id", postgresql_where=text("NOT is_done")),)

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("payments_invoices.id"), primary_key=True)
    through_on: Mapped[date]
    is_done: Mapped[bool]
