"""E-mails on their way."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Computed, ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import SEALED_BY, Base, CreatedAt, Id

KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"


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
