"""What can be bought: plans in versions that never change, prices, coupons, trials."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id
from app.payments.models.families import FamilyId

PRICE_KINDS = ("plan", "seat", "credits")
INTERVALS = ("month", "year", "once")


class Plan(Base):
    """A plan; `rank` orders them, so that a change is an upgrade or a downgrade."""

    __tablename__ = "payments_plans"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    rank: Mapped[int] = mapped_column(unique=True)
    trial_days: Mapped[int] = mapped_column(server_default=text("0"))


class PlanVersion(Base):
    """The limits of a plan at one time, immutable (a trigger sees to it); subscribers keep theirs. Null is no limit."""

    __tablename__ = "payments_plan_versions"
    __table_args__ = (UniqueConstraint("plan_code", "version"),)

    id: Mapped[Id]
    plan_code: Mapped[str] = mapped_column(ForeignKey("payments_plans.code"))
    version: Mapped[int]
    limits: Mapped[dict[str, Any]]
    created_at: Mapped[CreatedAt]


class Price(Base):
    """What a plan version, a further seat or a pack of credits costs; immutable. `lookup_key` names it at providers."""

    __tablename__ = "payments_prices"
    __table_args__ = (
        CheckConstraint(f"kind IN {PRICE_KINDS}", name="kind"),
        CheckConstraint(f"interval IN {INTERVALS}", name="interval"),
        CheckConstraint("amount_cents > 0", name="amount"),
        CheckConstraint("(kind = 'credits') = (credits IS NOT NULL)", name="credits"),
        CheckConstraint("(kind = 'credits') = (interval = 'once')", name="once"),
        CheckConstraint("(kind = 'credits') = (plan_version_id IS NULL)", name="plan"),
        UniqueConstraint("plan_version_id", "kind", "interval", "currency"),
    )

    id: Mapped[Id]
    lookup_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    plan_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_plan_versions.id"))
    interval: Mapped[str]
    currency: Mapped[str]
    amount_cents: Mapped[int]
    credits: Mapped[int | None]
    is_offered: Mapped[bool] = mapped_column(server_default=text("true"))


class ProviderPrice(Base):
    """A price's id at a provider, learned when it is first needed."""

    __tablename__ = "payments_provider_prices"
    __table_args__ = (UniqueConstraint("provider", "provider_id"),)

    price_id: Mapped[UUID] = mapped_column(ForeignKey("payments_prices.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    provider_id: Mapped[str]


class Coupon(Base):
    """A discount by code. The counter never passes the cap, whoever asks at once (a constraint)."""

    __tablename__ = "payments_coupons"
    __table_args__ = (
        CheckConstraint("(percent IS NULL) <> (amount_cents IS NULL)", name="value"),
        CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
        CheckConstraint("amount_cents > 0", name="amount"),
        CheckConstraint("(amount_cents IS NULL) = (currency IS NULL)", name="currency"),
        CheckConstraint("used >= 0 AND (max_uses IS NULL OR used <= max_uses)", name="cap"),
    )

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    percent: Mapped[int | None]
    amount_cents: Mapped[int | None]
    currency: Mapped[str | None]
    months: Mapped[int | None]
    """How long it counts: None once, 0 for ever."""
    max_uses: Mapped[int | None]
    used: Mapped[int] = mapped_column(server_default=text("0"))
    plan_code: Mapped[str | None] = mapped_column(ForeignKey("payments_plans.code"))
    expires_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class CouponUse(Base):
    """A family has a coupon once; released again if the checkout comes to nothing."""

    __tablename__ = "payments_coupon_uses"
    __table_args__ = (UniqueConstraint("coupon_id", "family_id"),)

    id: Mapped[Id]
    coupon_id: Mapped[UUID] = mapped_column(ForeignKey("payments_coupons.id"))
    family_id: Mapped[FamilyId]
    created_at: Mapped[CreatedAt]


class Trial(Base):
    """A family has one trial, and so has a card (its fingerprint as a keyed digest, known after the checkout)."""

    __tablename__ = "payments_trials"
    __table_args__ = (
        UniqueConstraint("family_id"),
        Index("ix_payments_trials_card", "card_digest", unique=True, postgresql_where=text("card_digest IS NOT NULL")),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    card_digest: Mapped[bytes | None]
    created_at: Mapped[CreatedAt]
