"""The table of Idempotency-Keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import new_id
from app.db.base import KEY_OF_BODY, SEALED_BY, Base, CreatedAt


class IdempotencyKey(Base):
    """One request that must have its effect once. What it was is known by a keyed digest, its answer is sealed.

    A `running` one belongs to the run that has its number, until the lease ends; then a repetition goes on with it.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done')", name="state"),
        CheckConstraint("(state = 'done') = (status IS NOT NULL AND body IS NOT NULL)", name="answer"),
        Index(None, "created_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(default=new_id, unique=True)
    fingerprint: Mapped[bytes]
    state: Mapped[str] = mapped_column(server_default=text("'running'"))
    run: Mapped[int] = mapped_column(server_default=text("1"))
    lease_until: Mapped[datetime]
    status: Mapped[int | None]
    body: Mapped[bytes | None] = mapped_column(info={SEALED_BY: "user_id"})
    key_id: Mapped[UUID | None] = mapped_column(
        Computed(KEY_OF_BODY, persisted=True), ForeignKey("data_keys.id"), index=True
    )
    created_at: Mapped[CreatedAt]
