"""Commands to the provider as rows: written before they are sent, settled when their outcome is known."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import KEY_OF_BODY, SEALED_BY, Base, CreatedAt, Id
from app.payments.models.families import FamilyId

OPERATION_STATES = ("created", "sent", "succeeded", "failed", "unknown")
CHECKOUT_STATES = ("open", "complete", "expired")


class ProviderOperation(Base):
    """One command; its id is the provider's Idempotency-Key (`lv:<id>`), so that repeating it is harmless.

    `request` holds what is needed to send it again: ids, amounts, choices; what a person wrote stands sealed in `body`,
    and only until the outcome is known. `sent` with a `lease_until` in the past is a process that died; `unknown` is an
    answer that did not come. Both are resolved by the same key within 24 hours and by a look-up (`lv_op`) after, never
    by a new key. A `succeeded` one without `followed_at` has an effect of ours that is still to come.
    """

    __tablename__ = "payments_operations"
    __table_args__ = (
        CheckConstraint(f"state IN {OPERATION_STATES}", name="state"),
        CheckConstraint("(body IS NULL) >= (owner_id IS NULL)", name="owner"),
        UniqueConstraint("kind", "subject", "attempt"),
        UniqueConstraint("cause", "kind", "subject"),
        Index(
            "ix_payments_operations_unsettled",
            "lease_until",
            postgresql_where=text("state IN ('created', 'sent', 'unknown')"),
        ),
        Index(
            "ix_payments_operations_unfollowed",
            "lease_until",
            postgresql_where=text("state = 'succeeded' AND followed_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    kind: Mapped[str]
    subject: Mapped[str]
    """What it is about, such as the id of a payment; with `attempt` a natural key."""
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    provider: Mapped[str]
    request: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="created")
    provider_id: Mapped[str | None]
    error_code: Mapped[str | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    lease_until: Mapped[datetime] = mapped_column(server_default=text("now()"))
    first_sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    followed_at: Mapped[datetime | None]
    cause: Mapped[UUID | None]
    """The request with an Idempotency-Key that wants it: repetitions find it again."""
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_users.id", ondelete="SET NULL"), index=True)
    body: Mapped[bytes | None] = mapped_column(info={SEALED_BY: "owner_id"})
    key_id: Mapped[UUID | None] = mapped_column(
        Computed(KEY_OF_BODY, persisted=True), ForeignKey("data_keys.id"), index=True
    )
    created_at: Mapped[CreatedAt]


class Checkout(Base):
    """A hosted checkout. A family has one open checkout for each purpose: an older one is expired first."""

    __tablename__ = "payments_checkouts"
    __table_args__ = (
        CheckConstraint("purpose IN ('plan', 'credits', 'card')", name="purpose"),
        CheckConstraint(f"state IN {CHECKOUT_STATES}", name="state"),
        UniqueConstraint("provider", "provider_id"),
        Index(
            "ix_payments_checkouts_open", "family_id", "purpose", unique=True, postgresql_where=text("state = 'open'")
        ),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    operation_id: Mapped[UUID] = mapped_column(unique=True)
    purpose: Mapped[str]
    price_id: Mapped[UUID | None]
    coupon_id: Mapped[UUID | None]
    provider: Mapped[str]
    provider_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="open")
    expires_at: Mapped[datetime | None]
    provider_seen_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
