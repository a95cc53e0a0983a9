"""Tables of the shared layer: data keys and the outbox."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id


class DataKeyRow(Base):
    """A data key of a vault or a user, wrapped by a root key; deleting the row destroys what it sealed."""

    __tablename__ = "data_keys"
    __table_args__ = (
        UniqueConstraint("owner_id", "version"),
        CheckConstraint("purpose IN ('vault', 'user')", name="purpose"),
    )

    id: Mapped[Id]
    purpose: Mapped[str]
    owner_id: Mapped[UUID]
    version: Mapped[int]
    root_version: Mapped[int]
    wrapped: Mapped[bytes]
    retired_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class OutboxEvent(Base):
    """Something that happened, written in the transaction that caused it; `payload` holds ids only."""

    __tablename__ = "outbox_events"
    __table_args__ = (Index(None, "created_at"),)

    id: Mapped[Id]
    event: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[CreatedAt]
