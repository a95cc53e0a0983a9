"""A provider whose API is shaped like Stripe's; all of it but how requests travel and which clock it goes by."""

from datetime import datetime

from app.core.clock import utc_now
from app.payments.providers.books import Books
from app.payments.providers.caller import Transport
from app.payments.providers.money import Money
from app.payments.providers.port import EventHint
from app.payments.providers.signatures import WebhookRules, read_webhook
from app.payments.providers.subscriptions import Subscriptions


class StripeShaped(Subscriptions, Money, Books):
    """The port, over a transport. Bound to one event loop, as its transport is."""

    name: str

    def __init__(self, transport: Transport, webhooks: WebhookRules, *, retries: int) -> None:
        super().__init__(transport, livemode=webhooks.livemode, retries=retries)
        self._webhooks = webhooks

    async def now(self) -> datetime:
        """See the port."""
        return utc_now()

    def read_webhook(self, payload: bytes, signature: str, now: datetime) -> EventHint:
        """See the port."""
        return read_webhook(payload, signature, now, self._webhooks)

    async def close(self) -> None:
        """See the port."""
        await self._transport.close()
