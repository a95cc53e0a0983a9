"""What comparing our books with the provider's found."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id


class ReconciliationRun(Base):
    """One comparison. `reached_to`: the provider's time up to which everything was seen; the next one begins there."""

    __tablename__ = "payments_reconciliations"
    __table_args__ = (
        CheckConstraint("depth IN ('light', 'deep')", name="depth"),
        Index("ix_payments_reconciliations_newest", "provider", "reached_to"),
    )

    id: Mapped[Id]
    provider: Mapped[str]
    depth: Mapped[str]
    reached_to: Mapped[datetime]
    compared: Mapped[int]
    events_added: Mapped[int]
    healed: Mapped[int]
    open_differences: Mapped[int]
    finished_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class Difference(Base):
    """Something that is not as the provider has it and could not be healed; closed when it is gone."""

    __tablename__ = "payments_differences"
    __table_args__ = (
        Index(
            "ix_payments_differences_open",
            "provider",
            "kind",
            "reference",
            "field",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(ForeignKey("payments_reconciliations.id"), index=True)
    provider: Mapped[str]
    kind: Mapped[str]
    reference: Mapped[str]
    field: Mapped[str]
    ours: Mapped[str | None]
    theirs: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
