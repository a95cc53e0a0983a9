"""What a command about a subscription has changed."""

from app.payments.providers.port import Provider
from app.payments.services.sync import sync_invoice, sync_subscription


async def follow_subscription(provider: Provider, subscription_id: str) -> None:
    """Fetch a subscription as it is now, with the invoice that a change has made. Raises `ProviderError`."""
    state = await provider.fetch_subscription(subscription_id)
    await sync_subscription(provider, subscription_id)
    if state.latest_invoice_id:
        await sync_invoice(provider, state.latest_invoice_id)
