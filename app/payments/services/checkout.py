"""Hosted checkouts: for a plan, for a pack of credits, for another card. One of each kind is open at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.payments.errors import CheckoutNotFound, OperationRunning, SubscriptionExists, UrlNotAllowed
from app.payments.models import BillingSubscription, Checkout, Coupon, Price
from app.payments.providers.port import CheckoutMode, CheckoutRequest, Line, Missing, Provider, Refused
from app.payments.providers.registry import current_provider, needed_provider
from app.payments.schemas.checkout import CheckoutCreate, CheckoutRead
from app.payments.services import buyers, catalogue, coupons, families, operations, risk, trials
from app.payments.services.commands import HANDLERS, Command, Handler, Order, Outcome
from app.payments.services.reaching import reaching
from app.payments.services.sync import sync_checkout

CREATE: Final = "checkout.create"
EXPIRE: Final = "checkout.expire"
LIVE: Final = ("trialing", "active", "grace", "suspended")
MODES: Final[Mapping[str, CheckoutMode]] = {"plan": "subscription", "credits": "payment", "card": "setup"}


@dataclass(frozen=True, slots=True)
class Basket:
    """What is to be bought, by whom, as the catalogue has it; never what a client says about prices."""

    family_id: UUID
    purpose: str
    lines: tuple[tuple[Price, int], ...] = ()
    trial_days: int = 0
    coupon: Coupon | None = None

    @property
    def currency(self) -> str:
        """Of all its prices."""
        return self.lines[0][0].currency if self.lines else catalogue.CURRENCY


async def create_checkout(principal: Principal, data: CheckoutCreate, cause: UUID) -> Outcome:
    """Begin to buy a plan or credits. Other checkouts for the same purpose are closed first.

    Raises `PaymentsOff`, `NotThePayer`, `PriceNotFound`, `TooManySeats`, `SubscriptionExists`, the errors of coupons,
    `UrlNotAllowed`, `VerifyEmailFirst`, and what `operations.execute` raises.
    """
    urls = return_urls(data.success_url, data.cancel_url)
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    provider = needed_provider()
    if done := await operations.resume(provider, family_id, CREATE, cause):
        return done
    async with session_scope(principal.actor) as session:
        await risk.require_trust(session, principal, family_id)
    async with session_scope(Actor.family(family_id)) as session:
        basket = await _basket(session, family_id, data)
    return await open_checkout(provider, principal, basket, urls, cause)


async def _basket(session: AsyncSession, family_id: UUID, data: CheckoutCreate) -> Basket:
    price = await catalogue.find_price(session, data.price_id) if data.price_id else None
    if price is not None and price.kind == "credits":
        coupon = await coupons.find_coupon(session, data.coupon, price, None) if data.coupon else None
        return Basket(family_id, "credits", ((price, 1),), coupon=coupon)
    if price is not None:
        offer = await catalogue.offer_of_price(session, price)
        offer = await catalogue.offer(session, offer.plan.code, offer.interval, data.seats)
    else:
        offer = await catalogue.offer(session, data.plan or "", data.interval or "", data.seats)
    if await live_subscription(session, family_id):
        raise SubscriptionExists
    coupon = (
        await coupons.find_coupon(session, data.coupon, offer.lines[0][0], offer.plan.code) if data.coupon else None
    )
    days = 0 if await trials.has_had_trial(session, family_id) else offer.plan.trial_days
    return Basket(family_id, "plan", tuple(offer.lines), days, coupon)


async def live_subscription(session: AsyncSession, family_id: UUID) -> BillingSubscription | None:
    """The subscription of a family that runs or waits for money."""
    mine = BillingSubscription.family_id == family_id, BillingSubscription.state.in_(LIVE)
    newest = select(BillingSubscription).where(*mine).order_by(BillingSubscription.started_at.desc()).limit(1)
    return (await session.scalars(newest)).one_or_none()


async def open_checkout(
    provider: Provider, principal: Principal, basket: Basket, urls: Mapping[str, str], cause: UUID
) -> Outcome:
    """Open the provider's page for a basket. Raises `SubscriptionExists` if an earlier one was paid in the meantime."""
    await _close_open(provider, basket.family_id, basket.purpose)
    customer_id = await buyers.customer_of(provider, basket.family_id)
    lines = await catalogue.lines_at(provider, basket.lines)
    coupon_id = await coupons.at_provider(provider, basket.coupon) if basket.coupon else None
    request = {
        "customer_id": customer_id,
        "purpose": basket.purpose,
        "lines": [[line.price_id, line.quantity] for line in lines],
        "currency": basket.currency,
        "trial_days": basket.trial_days,
        "coupon": coupon_id,
        "coupon_id": str(basket.coupon.id) if basket.coupon else None,
    }

    async def prepare(session: AsyncSession, operation_id: UUID) -> None:
        await _reserve(session, provider, basket, operation_id)

    subject = f"{basket.family_id}:{basket.purpose}"
    order = Order(basket.family_id, CREATE, subject, request, cause, principal.user_id, urls, prepare)
    return await operations.execute(provider, order)


async def _reserve(session: AsyncSession, provider: Provider, basket: Basket, operation_id: UUID) -> None:
    if basket.purpose == "plan" and await live_subscription(session, basket.family_id):
        raise SubscriptionExists
    row = upsert(Checkout).values(
        id=new_id(),
        family_id=basket.family_id,
        operation_id=operation_id,
        purpose=basket.purpose,
        price_id=basket.lines[0][0].id if basket.lines else None,
        coupon_id=basket.coupon.id if basket.coupon else None,
        provider=provider.name,
    )
    if await session.scalar(row.on_conflict_do_nothing().returning(Checkout.id)) is None:
        raise OperationRunning(headers=operations.RETRY_AFTER)
    if basket.coupon:
        await coupons.reserve(session, basket.coupon.id, basket.family_id)


async def _close_open(provider: Provider, family_id: UUID, purpose: str) -> None:
    """Expire what is open for the same purpose; one that was paid meanwhile is taken over instead."""
    async with session_scope(Actor.family(family_id)) as session:
        still = Checkout.family_id == family_id, Checkout.purpose == purpose, Checkout.state == "open"
        known = await session.scalar(select(Checkout.provider_id).where(*still, Checkout.provider == provider.name))
    if known is None:
        return
    outcome = await operations.execute(provider, Order(family_id, EXPIRE, known))
    if outcome.state != "succeeded":
        raise OperationRunning(operation_id=str(outcome.operation_id), headers=operations.RETRY_AFTER)


async def read_checkout(
    principal: Principal, checkout_id: UUID | None = None, operation_id: UUID | None = None
) -> CheckoutRead:
    """A checkout of the payer's family as it stands now, by its id or its command.

    Raises `CheckoutNotFound`, `NotThePayer`, `ProviderUnreachable`.
    """
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    which = Checkout.id == checkout_id if checkout_id else Checkout.operation_id == operation_id
    row = await _row(family_id, which)
    provider, url = current_provider(), None
    if row.state == "open" and row.provider_id and provider and provider.name == row.provider:
        with reaching():
            state = await provider.fetch_checkout(row.provider_id)
            if state.status != "open":
                await sync_checkout(provider, row.provider_id)
        row, url = await _row(family_id, which), state.url
    return CheckoutRead(
        id=row.id, purpose=row.purpose, state=row.state, price_id=row.price_id, url=url, expires_at=row.expires_at
    )


async def _row(family_id: UUID, which: Any) -> Checkout:
    async with session_scope(Actor.family(family_id)) as session:
        row = (await session.scalars(select(Checkout).where(Checkout.family_id == family_id, which))).one_or_none()
    if row is None:
        raise CheckoutNotFound
    return row


def return_urls(success_url: str | None, cancel_url: str | None) -> dict[str, str]:
    """Where the person goes after the checkout. Raises `UrlNotAllowed`."""
    home = current().settings.public_url.rstrip("/")
    done = success_url or f"{home}/v1/payments/checkout/done"
    urls = {"success_url": done, "cancel_url": cancel_url or success_url or done}
    for url in urls.values():
        require_own(url)
    return urls


def require_own(url: str) -> None:
    """See that an address is one of this installation. Raises `UrlNotAllowed`."""
    settings = current().settings
    allowed = {_origin(each) for each in (settings.public_url, *settings.payment_return_origins)}
    if _origin(url) not in allowed:
        raise UrlNotAllowed


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlNotAllowed from None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or "\\" in url or not parts.hostname:
        raise UrlNotAllowed
    return parts.scheme, f"{parts.hostname}:{port or (443 if parts.scheme == 'https' else 80)}"


async def _create(provider: Provider, command: Command) -> str | None:
    request = command.request
    checkout = CheckoutRequest(
        mode=MODES[request["purpose"]],
        customer_id=request["customer_id"],
        client_reference=str(command.family_id),
        success_url=command.secret["success_url"],
        cancel_url=command.secret["cancel_url"],
        currency=request["currency"],
        lines=[Line(price_id, quantity) for price_id, quantity in request["lines"]],
        trial_days=request["trial_days"],
        coupon_id=request["coupon"],
        metadata={"lv_purpose": request["purpose"]},
    )
    return (await provider.create_checkout(command.operation, checkout)).id


async def _keep(session: AsyncSession, command: Command, provider_id: str | None) -> None:
    mine = update(Checkout).where(Checkout.operation_id == command.id)
    await session.execute(mine.values(provider_id=provider_id))


async def _drop(session: AsyncSession, command: Command) -> None:
    """A checkout that never came to be is over, and its coupon is free again."""
    mine = Checkout.operation_id == command.id, Checkout.state == "open"
    gone = update(Checkout).where(*mine).values(state="expired").returning(Checkout.coupon_id)
    coupon_id = await session.scalar(gone)
    if coupon_id:
        await coupons.release(session, coupon_id, command.family_id)


async def _follow(provider: Provider, _: Command, provider_id: str | None) -> None:
    await sync_checkout(provider, provider_id or "")


async def _expire(provider: Provider, command: Command) -> str | None:
    """Close it, unless it is closed: then it is as well."""
    try:
        await provider.expire_checkout(command.operation, command.subject)
    except (Refused, Missing):
        if (await provider.fetch_checkout(command.subject)).status == "open":
            raise
    return command.subject


HANDLERS[CREATE] = Handler(_create, find="checkout", done=_keep, undo=_drop, follow=_follow)
HANDLERS[EXPIRE] = Handler(_expire, follow=_follow)
