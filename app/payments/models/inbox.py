"""What providers told us: that something happened, not what; the state itself is fetched."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id

UNHANDLED = text("handled_at IS NULL AND dead_at IS NULL")


class InboxEvent(Base):
    """One event; the row is the job. Its payload is not kept: it may name people, and would only be a hint."""

    __tablename__ = "payments_inbox"
    __table_args__ = (
        UniqueConstraint("provider", "account", "event_id"),
        Index("ix_payments_inbox_due", "next_try_at", postgresql_where=UNHANDLED),
        Index("ix_payments_inbox_dead", "dead_at", postgresql_where=text("dead_at IS NOT NULL")),
    )

    id: Mapped[Id]
    provider: Mapped[str]
    account: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    object_id: Mapped[str]
    happened_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_error: Mapped[str | None]
    handled_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]
    received_at: Mapped[CreatedAt]
