"""Where people's programs are told of events, what they were told, and what came of each try."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id, KeyId, UpdatedAt
from app.notifications.models import SealedBody, UserId

STATES = ("active", "disabled")
MESSAGE_STATES = ("pending", "delivered", "failed")


class WebhookEndpoint(Base):
    """A program that is told; `body` holds its address, its description, and the secrets that sign.

    `reason` says why it is disabled: by its person, because it is gone (410), or because nothing arrived for days.
    """

    __tablename__ = "notifications_webhook_endpoints"
    __table_args__ = (CheckConstraint(f"state IN {STATES}", name="state"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    events: Mapped[list[str]] = mapped_column(ARRAY(String))
    state: Mapped[str]
    reason: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class WebhookMessage(Base):
    """An event for one endpoint, once; `payload` holds ids only. Its id is the same in every try."""

    __tablename__ = "notifications_webhook_messages"
    __table_args__ = (
        CheckConstraint(f"state IN {MESSAGE_STATES}", name="state"),
        UniqueConstraint("endpoint_id", "event_id"),
        Index("ix_notifications_webhook_messages_due", "due_at", postgresql_where=text("state = 'pending'")),
        Index("ix_notifications_webhook_messages_page", "endpoint_id", "id"),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("notifications_webhook_endpoints.id", ondelete="CASCADE"))
    event_id: Mapped[UUID]
    event: Mapped[str]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_at: Mapped[CreatedAt]


class WebhookAttempt(Base):
    """One try: the status that came back, or why none did."""

    __tablename__ = "notifications_webhook_attempts"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("notifications_webhook_messages.id", ondelete="CASCADE"), index=True
    )
    status: Mapped[int | None]
    error: Mapped[str | None]
    milliseconds: Mapped[int]
    created_at: Mapped[CreatedAt]
