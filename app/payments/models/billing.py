"""What the provider holds of a family, as last fetched. A row is as the provider's object was at `provider_seen_at`.

`provider_seen_at` is taken before the fetch; an apply with an older one than the row's changes nothing.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id
from app.payments.models.families import FamilyId

SUBSCRIPTION_STATES = ("pending", "trialing", "active", "grace", "suspended", "ended")
Cents = Annotated[int, mapped_column(BigInteger)]


class BillingCustomer(Base):
    """A family at a provider."""

    __tablename__ = "payments_customers"
    __table_args__ = (
        UniqueConstraint("provider", "provider_id"),
        UniqueConstraint("family_id", "provider", "livemode"),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    provider: Mapped[str]
    provider_id: Mapped[str]
    livemode: Mapped[bool]
    created_at: Mapped[CreatedAt]


class BillingSubscription(Base):
    """A subscription. `state` is ours, derived from the provider's word; `ended` is terminal (a trigger sees to it)."""

    __tablename__ = "payments_subscriptions"
    __table_args__ = (
        CheckConstraint(f"state IN {SUBSCRIPTION_STATES}", name="state"),
        CheckConstraint("seats >= 0", name="seats"),
        UniqueConstraint("provider", "provider_id"),
        Index("ix_payments_subscriptions_live", "family_id", postgresql_where=text("state <> 'ended'")),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    provider: Mapped[str]
    provider_id: Mapped[str]
    plan_version_id: Mapped[UUID] = mapped_column(ForeignKey("payments_plan_versions.id"))
    state: Mapped[str]
    provider_status: Mapped[str]
    interval: Mapped[str]
    seats: Mapped[int] = mapped_column(server_default=text("0"))
    """Seats bought besides those of the plan."""
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    trial_end: Mapped[datetime | None]
    cancel_at_period_end: Mapped[bool]
    is_paused: Mapped[bool]
    grace_until: Mapped[datetime | None]
    planned_plan_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_plan_versions.id"))
    planned_interval: Mapped[str | None]
    planned_seats: Mapped[int | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    provider_seen_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class Invoice(Base):
    """An invoice."""

    __tablename__ = "payments_invoices"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'open', 'paid', 'void', 'uncollectible')", name="status"),
        UniqueConstraint("provider", "provider_id"),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_subscriptions.id"), index=True)
    provider: Mapped[str]
    provider_id: Mapped[str]
    provider_number: Mapped[str | None]
    status: Mapped[str]
    reason: Mapped[str | None]
    currency: Mapped[str]
    subtotal_cents: Mapped[Cents]
    discount_cents: Mapped[Cents]
    tax_cents: Mapped[Cents]
    total_cents: Mapped[Cents]
    due_cents: Mapped[Cents]
    paid_cents: Mapped[Cents]
    issued_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    provider_seen_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class BilledLine(Base):
    """One line of an invoice: what it was for and for which time; amounts are before discount and tax."""

    __tablename__ = "payments_invoice_lines"
    __table_args__ = (UniqueConstraint("invoice_id", "provider_id"),)

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("payments_invoices.id"))
    provider_id: Mapped[str]
    position: Mapped[int]
    description: Mapped[str]
    lookup_key: Mapped[str | None]
    quantity: Mapped[int | None]
    amount_cents: Mapped[Cents]
    discount_cents: Mapped[Cents]
    tax_cents: Mapped[Cents]
    is_proration: Mapped[bool]
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]


class Payment(Base):
    """A payment. What is given back never passes what was received (a constraint)."""

    __tablename__ = "payments_payments"
    __table_args__ = (
        CheckConstraint("refunded_cents BETWEEN 0 AND received_cents", name="refunded"),
        CheckConstraint("refunding_cents BETWEEN 0 AND received_cents", name="refunding"),
        UniqueConstraint("provider", "provider_id"),
        Index("ix_payments_payments_charge", "provider", "charge_id", unique=True),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    invoice_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_invoices.id"), index=True)
    credits_price_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_prices.id"))
    provider: Mapped[str]
    provider_id: Mapped[str]
    charge_id: Mapped[str | None]
    status: Mapped[str]
    currency: Mapped[str]
    amount_cents: Mapped[Cents]
    received_cents: Mapped[Cents]
    refunded_cents: Mapped[Cents] = mapped_column(server_default=text("0"))
    refunding_cents: Mapped[Cents] = mapped_column(server_default=text("0"))
    """Asked of the provider and not yet seen there: reserved, so that nobody gives it back twice."""
    is_disputed: Mapped[bool] = mapped_column(server_default=text("false"))
    failure_code: Mapped[str | None]
    card_country: Mapped[str | None]
    card_digest: Mapped[bytes | None]
    paid_at: Mapped[datetime | None]
    provider_seen_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class Refund(Base):
    """Money given back."""

    __tablename__ = "payments_refunds"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount"),
        UniqueConstraint("provider", "provider_id"),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments_payments.id"), index=True)
    operation_id: Mapped[UUID | None]
    provider: Mapped[str]
    provider_id: Mapped[str]
    status: Mapped[str]
    currency: Mapped[str]
    amount_cents: Mapped[Cents]
    reason: Mapped[str | None]
    provider_seen_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class Dispute(Base):
    """A payment that the card's holder disputes, until it is won, lost or withdrawn."""

    __tablename__ = "payments_disputes"
    __table_args__ = (UniqueConstraint("provider", "provider_id"),)

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments_payments.id"), index=True)
    provider: Mapped[str]
    provider_id: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str]
    currency: Mapped[str]
    amount_cents: Mapped[Cents]
    evidence_due_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    provider_seen_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
