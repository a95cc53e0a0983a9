"""What people are told, how they want to be told, and what is on its way: e-mails and push messages."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import Computed, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import KEY_OF_BODY, SEALED_BY, Base, CreatedAt, Id, KeyId, UpdatedAt

UserId = Annotated[UUID, mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), index=True)]
SealedBody = Annotated[bytes, mapped_column(info={SEALED_BY: "user_id"})]


class Mail(Base):
    """An e-mail to be sent at `due_at`; `body` holds address, template and context, sealed under the owner's data key.

    The row goes when the mail is sent or given up, and with the owner's key.
    """

    __tablename__ = "notifications_mails"

    id: Mapped[Id]
    owner_id: Mapped[UUID]
    body: Mapped[bytes] = mapped_column(info={SEALED_BY: "owner_id"})
    key_id: Mapped[UUID] = mapped_column(
        Computed(KEY_OF_BODY, persisted=True), ForeignKey("data_keys.id", ondelete="CASCADE"), index=True
    )
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    created_at: Mapped[CreatedAt]


class PreferenceRow(Base):
    """How a person wants to be told; who has no row has the defaults. `channels` holds ways by kind."""

    __tablename__ = "notifications_preferences"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), primary_key=True)
    zone: Mapped[str]
    remind_at: Mapped[int]
    quiet_from: Mapped[int | None]
    quiet_until: Mapped[int | None]
    channels: Mapped[dict[str, Any]]
    digest: Mapped[str]
    digest_at: Mapped[int]
    digest_weekday: Mapped[int]
    titles: Mapped[str]
    updated_at: Mapped[UpdatedAt]


class Message(Base):
    """Something that a person is told; `body` holds the words. `cause` makes it the only one of its kind.

    `mail_at` and `push_at`: when it is to go that way; null if it has, or need not. `vault_id` and `subject_id` say
    what it is about.
    """

    __tablename__ = "notifications_messages"
    __table_args__ = (
        UniqueConstraint("user_id", "cause"),
        Index("ix_notifications_messages_page", "user_id", "id", postgresql_where=text("in_inbox")),
        Index("ix_notifications_messages_mail_at", "mail_at", postgresql_where=text("mail_at IS NOT NULL")),
        Index("ix_notifications_messages_push_at", "push_at", postgresql_where=text("push_at IS NOT NULL")),
        Index(None, "vault_id"),
        Index(None, "created_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    kind: Mapped[str]
    cause: Mapped[str]
    vault_id: Mapped[UUID | None]
    subject_id: Mapped[UUID | None]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    in_inbox: Mapped[bool]
    mail_at: Mapped[datetime | None]
    push_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class PushSubscription(Base):
    """A browser that shows what a person is told; `body` holds its endpoint, its keys and what it is called."""

    __tablename__ = "notifications_push_subscriptions"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    endpoint_digest: Mapped[bytes] = mapped_column(unique=True)
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Push(Base):
    """A push message on its way to one browser, as `Mail` is one to an address; `body` holds its payload."""

    __tablename__ = "notifications_pushes"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    subscription_id: Mapped[UUID] = mapped_column(
        ForeignKey("notifications_push_subscriptions.id", ondelete="CASCADE"), index=True
    )
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    created_at: Mapped[CreatedAt]
