"""Short words for what the tests of the simulator do with the official SDK."""

from dataclasses import dataclass
from typing import Any

import stripe

from tests.payments.simulator import Simulator

DAY = 86_400


@dataclass
class Market:
    """A shop at the simulator; `v1` are the services of the SDK."""

    simulator: Simulator
    v1: Any

    async def price(
        self, cents: int = 1_000, interval: str | None = "month", currency: str = "usd", **more: Any
    ) -> Any:
        product = await self.v1.products.create_async({"name": "Plus"})
        recurring = {"recurring": {"interval": interval}} if interval else {}
        params = {"product": product.id, "unit_amount": cents, "currency": currency, **recurring, **more}
        return await self.v1.prices.create_async(params)

    async def customer(self, card: str | None = "pm_card_visa", **more: Any) -> Any:
        customer = await self.v1.customers.create_async({"email": "ana@example.test", **more})
        if card is not None:
            await self.v1.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": card}})
        return customer

    async def subscribe(self, cents: int = 1_000, card: str | None = "pm_card_visa", **more: Any) -> Any:
        price = more.pop("price", None) or await self.price(cents)
        customer = more.pop("customer", None) or await self.customer(card)
        params = {"customer": customer.id, "items": [{"price": price.id}], **more}
        return await self.v1.subscriptions.create_async(params)

    async def swap_card(self, subscription: Any, card: str) -> None:
        settings = {"invoice_settings": {"default_payment_method": card}}
        await self.v1.customers.update_async(subscription.customer, settings)

    async def fetch(self, subscription: Any) -> Any:
        return await self.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})

    async def invoices(self, customer: str) -> list[Any]:
        """Newest first."""
        page = await self.v1.invoices.list_async({"customer": customer, "limit": 100})
        return list(page.data)

    async def events(self, *types: str) -> list[Any]:
        """Of the last thirty days, oldest first."""
        page = await self.v1.events.list_async({"limit": 100, **({"types": list(types)} if types else {})})
        return [event async for event in page.auto_paging_iter()][::-1]

    async def movements(self) -> list[Any]:
        page = await self.v1.balance_transactions.list_async({"limit": 100})
        return [each async for each in page.auto_paging_iter()]

    async def balance(self) -> int:
        """Available and pending together."""
        balance = await self.v1.balance.retrieve_async()
        return sum(each.amount for each in [*balance.available, *balance.pending])

    async def pay(self, cents: int = 1_000, card: str = "pm_card_visa", **more: Any) -> Any:
        params = {"amount": cents, "currency": "usd", "payment_method": card, "confirm": True, **more}
        return await self.v1.payment_intents.create_async(params)


def period(subscription: Any) -> tuple[int, int]:
    """The current period."""
    item = subscription["items"].data[0]
    return item.current_period_start, item.current_period_end


def item_of(subscription: Any) -> Any:
    """The first item."""
    return subscription["items"].data[0]


def market_of(simulator: Simulator, client: stripe.StripeClient) -> Market:
    return Market(simulator, client.v1)
