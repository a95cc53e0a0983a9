"""Saved cards: they stand at the provider, and are shown as it has them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.auth.principal import Principal
from app.db.session import Actor, session_scope
from app.payments.errors import CardNotFound, LastCard, OperationRunning
from app.payments.providers.port import Card, Missing, Provider, Refused
from app.payments.providers.registry import current_provider, needed_provider
from app.payments.services import buyers, families, operations
from app.payments.services.checkout import Basket, live_subscription, open_checkout, return_urls
from app.payments.services.commands import HANDLERS, Command, Handler, Order, Outcome
from app.payments.services.reaching import reaching

DEFAULT: Final = "card.default"
REMOVE: Final = "card.remove"


async def list_cards(principal: Principal) -> Sequence[Card]:
    """The payer's cards; none before the first payment. Raises `NotThePayer`, `ProviderUnreachable`."""
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    return await _cards(current_provider(), family_id)


async def _cards(provider: Provider | None, family_id: UUID) -> Sequence[Card]:
    if provider is None:
        return []
    async with session_scope(Actor.family(family_id)) as session:
        customer_id = await buyers.find_customer(session, provider, family_id)
    if customer_id is None:
        return []
    with reaching():
        return await provider.list_cards(customer_id)


async def add_card(principal: Principal, success_url: str | None, cancel_url: str | None, cause: UUID) -> Outcome:
    """Open a page where a card is added. Raises `UrlNotAllowed`, `PaymentsOff`, and as `operations.execute`."""
    urls = return_urls(success_url, cancel_url)
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    provider = needed_provider()
    if done := await operations.resume(provider, family_id, "checkout.create", cause):
        return done
    return await open_checkout(provider, principal, Basket(family_id, "card"), urls, cause)


async def set_default(principal: Principal, card_id: str) -> None:
    """Pay with this card from now on. Raises `CardNotFound`, `OperationRunning`, and as `operations.execute`."""
    provider, family_id, cards = await _mine(principal)
    _one(cards, card_id)
    await _settled(provider, family_id, DEFAULT, card_id)


async def remove(principal: Principal, card_id: str) -> None:
    """Forget a card; another one is paid with from now on. Raises `LastCard` and as `set_default`."""
    provider, family_id, cards = await _mine(principal)
    card = _one(cards, card_id)
    others = [each for each in cards if each.id != card_id]
    async with session_scope(Actor.family(family_id)) as session:
        subscription = await live_subscription(session, family_id)
    if subscription and not subscription.cancel_at_period_end and not others:
        raise LastCard
    if card.is_default and others:
        await _settled(provider, family_id, DEFAULT, others[0].id)
    await _settled(provider, family_id, REMOVE, card_id)


async def _mine(principal: Principal) -> tuple[Provider, UUID, Sequence[Card]]:
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    provider = current_provider()
    cards = await _cards(provider, family_id)
    if provider is None or not cards:
        raise CardNotFound
    return provider, family_id, cards


def _one(cards: Sequence[Card], card_id: str) -> Card:
    for card in cards:
        if card.id == card_id:
            return card
    raise CardNotFound


async def _settled(provider: Provider, family_id: UUID, kind: str, card_id: str) -> None:
    async with session_scope(Actor.family(family_id)) as session:
        customer_id = await buyers.find_customer(session, provider, family_id)
    subject = card_id if kind == REMOVE else customer_id or ""
    request = {"customer_id": customer_id, "card_id": card_id}
    outcome = await operations.execute(provider, Order(family_id, kind, subject, request))
    if outcome.state != "succeeded":
        raise OperationRunning(operation_id=str(outcome.operation_id), headers=operations.RETRY_AFTER)


async def _send_default(provider: Provider, command: Command) -> str | None:
    customer_id, card_id = command.request["customer_id"], command.request["card_id"]
    await provider.set_default_card(command.operation, customer_id, card_id)
    return str(card_id)


async def _send_remove(provider: Provider, command: Command) -> str | None:
    """Remove it, unless it is gone."""
    try:
        await provider.remove_card(command.operation, command.subject)
    except (Refused, Missing):
        cards = await provider.list_cards(command.request["customer_id"])
        if command.subject in {card.id for card in cards}:
            raise
    return command.subject


HANDLERS[DEFAULT] = Handler(_send_default)
HANDLERS[REMOVE] = Handler(_send_remove)
