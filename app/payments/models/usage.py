"""What a family uses of its plan's limits: one counter for each meter, and what it is made of."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt


class UsageCounter(Base):
    """How much of a meter is used: now (`period` empty) or within a month (`2026-11`)."""

    __tablename__ = "payments_usage_counters"
    __table_args__ = (CheckConstraint("used >= 0", name="used"),)

    family_id: Mapped[UUID] = mapped_column(ForeignKey("payments_families.id"), primary_key=True)
    meter: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)


class UsageEntry(Base):
    """One thing that was counted, once: the sum of entries that were not given back is the counter."""

    __tablename__ = "payments_usage_entries"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_payments_usage_entries_person", "user_id", postgresql_where=text("returned_at IS NULL")),
        Index("ix_payments_usage_entries_family", "family_id", "meter", "period"),
    )

    meter: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    family_id: Mapped[UUID] = mapped_column(ForeignKey("payments_families.id"))
    user_id: Mapped[UUID | None]
    """Whose it is: it goes with them when they join or leave a family."""
    period: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    returned_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
