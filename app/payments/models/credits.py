"""Credits for the assistant: granted in lots, held before work, used after it, never more than there are.

For each lot, and so for each family: granted = remaining + used + repaid + expired + taken_back (a constraint); and
what remains of all lots is what the account has available plus what it holds (view `payments_credit_audit`).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id
from app.payments.models.families import FamilyId

HOLD_STATES = ("held", "settled", "released")
COUNTS = ("remaining", "used", "repaid", "expired", "taken_back")


class CreditAccount(Base):
    """What a family may use now. `debt`: credits used whose money went back; while there is one, nothing is held.

    From `attend_at` on the account is looked at before anything is held: a lot ends, a month begins, the plan changes.
    """

    __tablename__ = "payments_credit_accounts"
    __table_args__ = (
        CheckConstraint("available >= 0", name="available"),
        CheckConstraint("held >= 0", name="held"),
        CheckConstraint("debt >= 0", name="debt"),
    )

    family_id: Mapped[UUID] = mapped_column(ForeignKey("payments_families.id"), primary_key=True)
    available: Mapped[int] = mapped_column(server_default=text("0"))
    held: Mapped[int] = mapped_column(server_default=text("0"))
    debt: Mapped[int] = mapped_column(server_default=text("0"))
    is_open: Mapped[bool] = mapped_column(server_default=text("true"))
    attend_at: Mapped[datetime] = mapped_column(server_default=text("'-infinity'"))


class CreditLot(Base):
    """Credits from one source, once. `withdrawn`: how many of the granted ones the money that went back stands for."""

    __tablename__ = "payments_credit_lots"
    __table_args__ = (
        CheckConstraint(f"granted > 0 AND granted = {' + '.join(COUNTS)}", name="sum"),
        CheckConstraint(f"LEAST({', '.join(COUNTS)}) >= 0", name="counts"),
        CheckConstraint("withdrawn BETWEEN 0 AND granted", name="withdrawn"),
        UniqueConstraint("source_kind", "source_reference"),
        Index("ix_payments_credit_lots_left", "family_id", postgresql_where=text("remaining > 0")),
        Index("ix_payments_credit_lots_payment", "payment_id", postgresql_where=text("payment_id IS NOT NULL")),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    source_kind: Mapped[str]
    source_reference: Mapped[str]
    payment_id: Mapped[UUID | None]
    priority: Mapped[int]
    expires_at: Mapped[datetime | None]
    granted: Mapped[int]
    remaining: Mapped[int]
    used: Mapped[int] = mapped_column(server_default=text("0"))
    repaid: Mapped[int] = mapped_column(server_default=text("0"))
    expired: Mapped[int] = mapped_column(server_default=text("0"))
    taken_back: Mapped[int] = mapped_column(server_default=text("0"))
    withdrawn: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]


class CreditHold(Base):
    """Credits set aside for one piece of work, until it is settled, released, or silent for too long."""

    __tablename__ = "payments_credit_holds"
    __table_args__ = (
        CheckConstraint(f"state IN {HOLD_STATES}", name="state"),
        CheckConstraint("amount >= 0 AND settled BETWEEN 0 AND amount", name="amount"),
        CheckConstraint("state = 'settled' OR settled = 0", name="settled"),
        UniqueConstraint("family_id", "key"),
        Index("ix_payments_credit_holds_open", "expires_at", postgresql_where=text("state = 'held'")),
    )

    id: Mapped[Id]
    family_id: Mapped[UUID] = mapped_column(ForeignKey("payments_families.id"))
    key: Mapped[str]
    amount: Mapped[int]
    settled: Mapped[int] = mapped_column(server_default=text("0"))
    state: Mapped[str] = mapped_column(server_default="held")
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class CreditUse(Base):
    """What a settled hold took from a lot."""

    __tablename__ = "payments_credit_uses"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    hold_id: Mapped[UUID] = mapped_column(ForeignKey("payments_credit_holds.id"), primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("payments_credit_lots.id"), primary_key=True)
    family_id: Mapped[UUID] = mapped_column(ForeignKey("payments_families.id"), index=True)
    amount: Mapped[int]


class CreditReturn(Base):
    """How much of a payment has gone back, net of what was reinstated; kept for lots that are granted later."""

    __tablename__ = "payments_credit_returns"

    payment_id: Mapped[UUID] = mapped_column(primary_key=True)
    family_id: Mapped[FamilyId]
    back_cents: Mapped[int] = mapped_column(BigInteger)
    received_cents: Mapped[int] = mapped_column(BigInteger)
    movements: Mapped[int]
