"""What consumers of a marketplace used, month by month."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class ConsumerMonth(Base):
    """Requests of one consumer in a month (`2026-11`, UTC), and the credits that the marketplace was told of in it."""

    __tablename__ = "payments_consumer_months"
    __table_args__ = (
        CheckConstraint("requests >= 0 AND credits >= 0", name="counted"),
        Index("ix_payments_consumer_months_month", "month"),
    )

    family_id: Mapped[UUID] = mapped_column(ForeignKey("payments_families.id"), primary_key=True)
    month: Mapped[str] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    credits: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
