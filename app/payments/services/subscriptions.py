"""What a payer does with their subscription: see what a change costs, change, cancel, resume, pause.

What becomes more takes effect and is charged now, to the cent what the preview said for the same moment; what becomes
less takes effect at the end of the period, and nothing is given back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.session import Actor, session_scope
from app.payments.errors import (
    CancellationPending,
    NoSubscription,
    NothingToChange,
    PreviewTooOld,
    SubscriptionNotPaid,
    SubscriptionPaused,
)
from app.payments.models import BillingSubscription, Plan, PlanVersion
from app.payments.providers.port import Line, Preview, Provider
from app.payments.providers.registry import needed_provider
from app.payments.services import catalogue, families, operations
from app.payments.services.catalogue import Offer
from app.payments.services.checkout import live_subscription
from app.payments.services.commands import HANDLERS, Command, Handler, Order, Outcome
from app.payments.services.following import follow_subscription
from app.payments.services.reaching import reaching

CHANGE: Final = "subscription.change"
PLAN: Final = "subscription.plan"
CANCEL: Final = "subscription.cancel"
RESUME: Final = "subscription.resume"
PAUSE: Final = "subscription.pause"
UNPLAN: Final = "subscription.unplan"
END: Final = "subscription.end"
PREVIEW_VALID: Final = timedelta(minutes=15)
CLOCKS_DIFFER: Final = timedelta(seconds=60)
LENGTHS: Final = {"month": 1, "year": 12}

Effect = Literal["now", "period_end"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a subscription is to become."""

    plan: str
    interval: str
    seats: int


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a subscription, and when it takes effect."""

    family_id: UUID
    subscription: BillingSubscription
    offer: Offer
    effect: Effect


@dataclass(frozen=True, slots=True)
class Quote:
    """What a change costs: at once (`preview`, None at the end of the period), and with each renewal."""

    change: Change
    preview: Preview | None
    valid_until: datetime


async def preview_change(principal: Principal, wanted: Wanted) -> Quote:
    """What a change would cost. The same `at` is charged the same within 15 minutes.

    Raises `PaymentsOff`, `NotThePayer`, `NoSubscription`, `NothingToChange`, `PriceNotFound`, `TooManySeats`,
    `SubscriptionNotPaid`, `SubscriptionPaused`, `CancellationPending`, `ProviderUnreachable`, `ProviderRefused`.
    """
    change = await _change(principal, wanted)
    provider = needed_provider()
    with reaching():
        at = (await provider.now()).replace(microsecond=0)
    if change.effect == "period_end":
        return Quote(change, None, at + PREVIEW_VALID)
    lines = await catalogue.lines_at(provider, change.offer.lines)
    with reaching():
        preview = await provider.preview_change(change.subscription.provider_id, lines, at)
    return Quote(change, preview, at + PREVIEW_VALID)


async def change(principal: Principal, wanted: Wanted, at: datetime | None, cause: UUID) -> Outcome:
    """Change a subscription; `at` is the moment of the preview that was accepted.

    Raises as `preview_change`, `PreviewTooOld`, and what `operations.execute` raises.
    """
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    provider = needed_provider()
    for kind in (CHANGE, PLAN):
        if done := await operations.resume(provider, family_id, kind, cause):
            return done
    change = await _change(principal, wanted)
    moment = await _moment(provider, at)
    lines = await catalogue.lines_at(provider, change.offer.lines)
    request = {"lines": [[line.price_id, line.quantity] for line in lines]}
    if change.effect == "now":
        request["at"] = moment.isoformat()  # type: ignore[assignment]
    kind = CHANGE if change.effect == "now" else PLAN
    order = Order(change.family_id, kind, change.subscription.provider_id, request, cause)
    return await operations.execute(provider, order)


async def _moment(provider: Provider, at: datetime | None) -> datetime:
    with reaching():
        now = await provider.now()
    if at is not None and not now - PREVIEW_VALID <= at <= now + CLOCKS_DIFFER:
        raise PreviewTooOld
    return (at or now).replace(microsecond=0)


async def _change(principal: Principal, wanted: Wanted) -> Change:
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    async with session_scope(Actor.family(family_id)) as session:
        subscription = await _running(session, family_id)
        version = (
            await session.scalars(select(PlanVersion).where(PlanVersion.id == subscription.plan_version_id))
        ).one()
        kept = version.id if version.plan_code == wanted.plan else None
        offer = await catalogue.offer(session, wanted.plan, wanted.interval, wanted.seats, version_id=kept)
        now = (await session.scalars(select(Plan).where(Plan.code == version.plan_code))).one()
    return Change(family_id, subscription, offer, effect_of(now.rank, subscription, offer))


async def _running(session: AsyncSession, family_id: UUID) -> BillingSubscription:
    subscription = await live_subscription(session, family_id)
    if subscription is None:
        raise NoSubscription
    if subscription.state in ("grace", "suspended"):
        raise SubscriptionNotPaid
    if subscription.is_paused:
        raise SubscriptionPaused
    if subscription.cancel_at_period_end:
        raise CancellationPending
    return subscription


def effect_of(rank: int, subscription: BillingSubscription, offer: Offer) -> Effect:
    """At once if nothing becomes less, else at the end of the period. Raises `NothingToChange`."""
    length, new_length = LENGTHS[subscription.interval], LENGTHS[offer.interval]
    same_plan = offer.plan.rank == rank
    if same_plan and new_length == length and offer.seats == subscription.seats:
        raise NothingToChange
    less_seats = same_plan and offer.seats < subscription.seats
    return "period_end" if offer.plan.rank < rank or new_length < length or less_seats else "now"


async def cancel(principal: Principal, *, at_period_end: bool, cause: UUID) -> Outcome:
    """End a subscription now, or with its period. Raises `NoSubscription` and as `operations.execute`."""
    return await _command(principal, CANCEL, cause, {"at_period_end": at_period_end})


async def resume(principal: Principal, cause: UUID) -> Outcome:
    """Take back a cancellation, or end a pause. Raises `NothingToChange`, `NoSubscription`, as `operations.execute`."""
    return await _command(principal, RESUME, cause)


async def pause(principal: Principal, cause: UUID) -> Outcome:
    """Let nothing be collected until it is resumed. Raises as `resume`."""
    return await _command(principal, PAUSE, cause)


async def unplan(principal: Principal, cause: UUID) -> Outcome:
    """Drop the change that is planned. Raises `NothingToChange`, `NoSubscription`, and as `operations.execute`."""
    return await _command(principal, UNPLAN, cause)


async def _command(principal: Principal, kind: str, cause: UUID, request: Mapping[str, Any] | None = None) -> Outcome:
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    provider = needed_provider()
    if done := await operations.resume(provider, family_id, kind, cause):
        return done
    async with session_scope(Actor.family(family_id)) as session:
        subscription = await live_subscription(session, family_id)
    if subscription is None:
        raise NoSubscription
    if not _changes_something(kind, subscription, request or {}):
        raise NothingToChange
    return await operations.execute(provider, Order(family_id, kind, subscription.provider_id, request or {}, cause))


def _changes_something(kind: str, subscription: BillingSubscription, request: Mapping[str, Any]) -> bool:
    return {
        CANCEL: not (request.get("at_period_end") and subscription.cancel_at_period_end),
        RESUME: subscription.cancel_at_period_end or subscription.is_paused,
        PAUSE: not subscription.is_paused,
        UNPLAN: subscription.planned_plan_version_id is not None,
    }[kind]


async def end_for_family(provider: Provider, family_id: UUID) -> None:
    """End what a family is subscribed to, at once, for somebody who leaves for good; it is sent until it arrives.

    Raises as `operations.execute`.
    """
    async with session_scope(Actor.family(family_id)) as session:
        subscription = await live_subscription(session, family_id)
    if subscription is not None:
        request = {"at_period_end": False}
        await operations.execute(provider, Order(family_id, END, subscription.provider_id, request))


def _lines(command: Command) -> Sequence[Line]:
    return [Line(price_id, quantity) for price_id, quantity in command.request["lines"]]


async def _send_change(provider: Provider, command: Command) -> str | None:
    at = datetime.fromisoformat(command.request["at"])
    return (await provider.change_subscription(command.operation, command.subject, _lines(command), at)).id


async def _look_at_lines(provider: Provider, command: Command) -> str | None:
    """Whether it has become what was wanted, for a change that nobody has heard of for a day."""
    state = await provider.fetch_subscription(command.subject)
    are = sorted((item.price_id, item.quantity) for item in state.items)
    return state.id if are == sorted((line.price_id, line.quantity) for line in _lines(command)) else None


async def _send_plan(provider: Provider, command: Command) -> str | None:
    return (await provider.schedule_change(command.operation, command.subject, _lines(command))).id


async def _send_cancel(provider: Provider, command: Command) -> str | None:
    at_period_end: bool = command.request["at_period_end"]
    state = await provider.cancel_subscription(command.operation, command.subject, at_period_end=at_period_end)
    return state.id


async def _send_resume(provider: Provider, command: Command) -> str | None:
    return (await provider.resume_subscription(command.operation, command.subject)).id


async def _send_pause(provider: Provider, command: Command) -> str | None:
    return (await provider.pause_subscription(command.operation, command.subject)).id


async def _send_unplan(provider: Provider, command: Command) -> str | None:
    return (await provider.unschedule_change(command.operation, command.subject)).id


async def _follow(provider: Provider, command: Command, _: str | None) -> None:
    await follow_subscription(provider, command.subject)


HANDLERS[CHANGE] = Handler(_send_change, look=_look_at_lines, follow=_follow)
HANDLERS[PLAN] = Handler(_send_plan, follow=_follow)
HANDLERS[CANCEL] = Handler(_send_cancel, follow=_follow)
HANDLERS[END] = Handler(_send_cancel, follow=_follow, insists=True)
HANDLERS[RESUME] = Handler(_send_resume, follow=_follow)
HANDLERS[PAUSE] = Handler(_send_pause, follow=_follow)
HANDLERS[UNPLAN] = Handler(_send_unplan, follow=_follow)
