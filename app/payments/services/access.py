"""What a family may do now: one pure function of plan, subscription and time, and the question that feeds it.

Nothing here is about reading: what somebody has stored they can always read, export and leave to others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.statements import Row, Statement
from app.payments.models.billing import BilledLine, BillingSubscription, Invoice
from app.payments.models.catalog import Plan, PlanVersion
from app.payments.models.families import Family
from app.payments.policy import as_family
from app.payments.schemas.plans import Reason, State
from app.payments.services.clock import NOW

STATES: Final[tuple[State, ...]] = ("none", "pending", "trialing", "active", "grace", "suspended", "ended")
FREE: Final = "free"

Limits = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """A version of a plan: its limits, None for no limit."""

    code: str
    version_id: UUID
    rank: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """What a subscription says about access."""

    id: UUID
    state: State
    plan: PlanFacts
    seats: int
    period_start: datetime
    period_end: datetime
    trial_end: datetime | None
    grace_until: datetime | None
    is_paused: bool
    paid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Access:
    """What a family may do. `until` is when this may change by itself; None if by an event only."""

    plan_code: str
    plan_version_id: UUID
    state: State
    limits: Limits
    may_write: bool
    """Whether new things may be put in, within the limits."""
    may_use_ai: bool
    until: datetime | None
    reason: Reason
    subscription_id: UUID | None = None
    """The subscription that gives the plan; None for the free plan and for a granted one."""
    credits_from: datetime | None = None
    """The start of the subscription's period: its months of credits are counted from here."""


def derive(subscription: SubscriptionFacts | None, granted: PlanFacts | None, free: PlanFacts, now: datetime) -> Access:
    """The ladder: everything while it is paid, on trial or in grace; then nothing new is taken in until it is paid or
    ended; a plan that ended is the free one. What goes over the limits of a plan stays: only more is refused.
    """
    bought = _bought(subscription, free, now) if subscription else None
    if granted and (bought is None or not _is_full(bought) or granted.rank > _rank(subscription)):
        state = bought.state if bought else "none"
        return _access(granted, state, "granted", None)
    return bought or _access(free, "none", "free", None)


def _bought(subscription: SubscriptionFacts, free: PlanFacts, now: datetime) -> Access:
    state = subscription.state
    if state == "grace" and not (subscription.grace_until and now < subscription.grace_until):
        state = "suspended"
    if state == "suspended":
        return _access(free, state, "unpaid", None, is_open=False)
    if state == "pending":
        return _access(free, state, "not_paid_yet", None)
    if state in ("trialing", "active", "grace"):
        return _live(subscription, state, free, now)
    return _access(free, "ended", "ended", None)


def _live(subscription: SubscriptionFacts, state: State, free: PlanFacts, now: datetime) -> Access:
    reason: Reason = "trial" if state == "trialing" else "grace" if state == "grace" else "subscribed"
    until = {"trialing": subscription.trial_end, "grace": subscription.grace_until}.get(state, subscription.period_end)
    if subscription.is_paused:
        if subscription.paid_until is None or subscription.paid_until <= now:
            return _access(free, state, "paused", None)
        until = subscription.paid_until
    limits = _with_seats(subscription.plan.limits, subscription.seats)
    access = _access(subscription.plan, state, reason, until, limits=limits)
    return replace(access, subscription_id=subscription.id, credits_from=subscription.period_start)


def _with_seats(limits: Limits, more: int) -> Limits:
    seats = limits.get("seats")
    return limits if seats is None else {**limits, "seats": seats + more}


def _access(
    plan: PlanFacts,
    state: State,
    reason: Reason,
    until: datetime | None,
    *,
    is_open: bool = True,
    limits: Limits | None = None,
) -> Access:
    frozen = MappingProxyType(dict(limits or plan.limits))
    return Access(plan.code, plan.version_id, state, frozen, is_open, is_open, until, reason)


def _is_full(access: Access) -> bool:
    return access.subscription_id is not None


def _rank(subscription: SubscriptionFacts | None) -> int:
    return subscription.plan.rank if subscription else -1


def _question() -> Select[Any]:
    """One row: the family's newest live subscription (else its newest), the granted plan, the free plan, the time."""
    mine = BillingSubscription.family_id == bindparam("family_id")
    newest = (
        select(BillingSubscription.id)
        .where(mine)
        .order_by((BillingSubscription.state == "ended"), BillingSubscription.started_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    free_version = (
        select(PlanVersion.id)
        .where(PlanVersion.plan_code == FREE)
        .order_by(PlanVersion.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    paid_until = (
        select(func.max(BilledLine.period_end))
        .join(Invoice, Invoice.id == BilledLine.invoice_id)
        .where(Invoice.subscription_id == BillingSubscription.id, Invoice.status == "paid")
        .scalar_subquery()
    )
    bought, granted, free = aliased(PlanVersion), aliased(PlanVersion), aliased(PlanVersion)
    bought_plan, granted_plan = aliased(Plan), aliased(Plan)
    return (
        select(
            NOW.label("now"),
            BillingSubscription.id.label("subscription_id"),
            BillingSubscription.state,
            BillingSubscription.seats,
            BillingSubscription.period_start,
            BillingSubscription.period_end,
            BillingSubscription.trial_end,
            BillingSubscription.grace_until,
            BillingSubscription.is_paused,
            case((BillingSubscription.is_paused, paid_until)).label("paid_until"),
            bought.id.label("bought_id"),
            bought.plan_code.label("bought_code"),
            bought.limits.label("bought_limits"),
            bought_plan.rank.label("bought_rank"),
            granted.id.label("granted_id"),
            granted.plan_code.label("granted_code"),
            granted.limits.label("granted_limits"),
            granted_plan.rank.label("granted_rank"),
            free.id.label("free_id"),
            free.limits.label("free_limits"),
        )
        .select_from(Family)
        .join(free, free.id == free_version)
        .outerjoin(BillingSubscription, and_(BillingSubscription.id == newest, mine))
        .outerjoin(bought, bought.id == BillingSubscription.plan_version_id)
        .outerjoin(bought_plan, bought_plan.code == bought.plan_code)
        .outerjoin(granted, granted.id == Family.granted_plan_version_id)
        .outerjoin(granted_plan, granted_plan.code == granted.plan_code)
        .where(Family.id == bindparam("family_id"))
    )


_FACTS: Final = Statement(_question())


async def access_of(session: AsyncSession, family_id: UUID) -> Access:
    """What a family may do now. Raises `LookupError` if there is no such family."""
    return (await access_at(session, family_id))[0]


async def access_at(session: AsyncSession, family_id: UUID) -> tuple[Access, datetime]:
    """What a family may do now, and the time that this is about."""
    async with as_family(session, family_id):
        row = await _FACTS.first(session, family_id=family_id)
    if row is None:
        raise LookupError("no such family")
    free = PlanFacts(FREE, row["free_id"], 0, row["free_limits"])
    return derive(_subscription(row), _plan(row, "granted"), free, row["now"]), row["now"]


def _plan(row: Row, prefix: str) -> PlanFacts | None:
    if row[f"{prefix}_id"] is None:
        return None
    return PlanFacts(*(row[f"{prefix}_{name}"] for name in ("code", "id", "rank", "limits")))


def _subscription(row: Row) -> SubscriptionFacts | None:
    plan = _plan(row, "bought")
    if plan is None:
        return None
    names = ("seats", "period_start", "period_end", "trial_end", "grace_until", "is_paused", "paid_until")
    return SubscriptionFacts(
        id=row["subscription_id"], state=row["state"], plan=plan, **{name: row[name] for name in names}
    )
