"""A shop at the simulator for tests: people do what they do in a browser, banks do what banks do, time passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import new_id
from app.payments.providers.port import (
    CheckoutRequest,
    CheckoutState,
    DisputeState,
    EventHint,
    Interval,
    InvoiceState,
    Line,
    Operation,
    PaymentState,
    PriceSpec,
    Provider,
    SubscriptionState,
)

FAMILY = UUID("018f5b7e-0000-7000-8000-000000000001")
DAY = timedelta(days=1)
SUCCESS, CANCEL = "https://lifevault.test/done", "https://lifevault.test/back"


def op() -> Operation:
    return Operation(new_id())


@dataclass
class Shop:
    """`provider` is what is tested; `control` is the simulator's own side door."""

    provider: Provider
    control: httpx.AsyncClient

    async def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.control.request(method, path, json=body or None)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    async def customer(self, name: str = "Ana", email: str = "ana@example.test") -> str:
        return await self.provider.create_customer(op(), family_id=FAMILY, email=email, name=name)

    async def price(self, cents: int = 500, interval: Interval = "month", key: str | None = None) -> str:
        name = key or f"{interval}-{cents}"
        return await self.provider.ensure_price(PriceSpec(name, f"Plan {name}", "eur", cents, interval))

    async def checkout(
        self, customer_id: str, *lines: Line, operation: Operation | None = None, **changes: Any
    ) -> CheckoutState:
        values = {"mode": "subscription", "customer_id": customer_id, "client_reference": str(FAMILY), "lines": lines}
        urls = {"success_url": SUCCESS, "cancel_url": CANCEL, "currency": "eur"}
        return await self.provider.create_checkout(
            operation or op(), CheckoutRequest(**{**values, **urls, "metadata": {}, **changes})
        )

    async def complete(self, checkout_id: str, card: str = "pm_card_visa") -> CheckoutState:
        await self.ask("POST", f"/_sim/checkout/{checkout_id}/complete", payment_method=card)
        return await self.provider.fetch_checkout(checkout_id)

    async def subscribe(
        self, *lines: Line, customer_id: str | None = None, card: str = "pm_card_visa", **changes: Any
    ) -> SubscriptionState:
        lines = lines or (Line(await self.price()),)
        made = await self.checkout(customer_id or await self.customer(), *lines, **changes)
        done = await self.complete(made.id, card)
        assert done.subscription_id
        return await self.provider.fetch_subscription(done.subscription_id)

    async def pay(self, cents: int = 1_000, customer_id: str | None = None, card: str = "pm_card_visa") -> PaymentState:
        price = await self.price(cents, "once")
        made = await self.checkout(customer_id or await self.customer(), Line(price), mode="payment")
        done = await self.complete(made.id, card)
        assert done.payment_id
        return await self.provider.fetch_payment(done.payment_id)

    async def advance(self, step: timedelta) -> None:
        await self.ask("POST", "/_sim/clock", advance_seconds=int(step.total_seconds()))

    async def advance_to(self, time: datetime, beyond: timedelta = timedelta(0)) -> None:
        await self.ask("POST", "/_sim/clock", to=int((time + beyond).timestamp()))

    async def faults(self, **faults: Any) -> None:
        await self.ask("POST", "/_sim/faults", **faults)

    async def now(self) -> datetime:
        clock = await self.ask("GET", "/_sim/clock")
        return datetime.fromtimestamp(clock["now"]).astimezone()

    async def rules(self, **rules: Any) -> None:
        await self.ask("POST", "/_sim/rules", **rules)

    async def challenge(self, payment_id: str, *, passes: bool) -> None:
        outcome = "succeed" if passes else "fail"
        await self.ask("POST", f"/_sim/intents/{payment_id}/authenticate", outcome=outcome)

    async def dispute(self, charge_id: str) -> DisputeState:
        made = await self.ask("POST", "/_sim/disputes", charge=charge_id)
        return await self.provider.fetch_dispute(made["id"])

    async def settle(self, dispute_id: str, *, won: bool) -> None:
        await self.ask("POST", f"/_sim/disputes/{dispute_id}/settle", outcome="won" if won else "lost")

    async def invoice_of(self, state: SubscriptionState) -> InvoiceState:
        assert state.latest_invoice_id
        return await self.provider.fetch_invoice(state.latest_invoice_id)

    async def events(self, since: datetime | None = None) -> Sequence[EventHint]:
        return [each async for each in self.provider.list_events(since or datetime.fromtimestamp(0).astimezone())]


def at_once(state: SubscriptionState) -> list[tuple[str, int]]:
    """What is subscribed to, in order of the items."""
    return [(each.price_id, each.quantity) for each in state.items]
