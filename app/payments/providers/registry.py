"""The provider that is switched on; each event loop of a process has one of its own."""

import asyncio
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary, ref

from app.core.breaker import Breaker
from app.core.config import Settings
from app.core.config_problems import is_live_key
from app.db.runtime import Runtime, current, when_closing
from app.payments.errors import PaymentsOff
from app.payments.providers.port import Provider
from app.payments.providers.shaped import StripeShaped
from app.payments.providers.signatures import WebhookRules

_open: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Runtime, Provider]]] = WeakKeyDictionary()
_breakers: Final[dict[str, Breaker]] = {}


def provider_of(settings: Settings) -> StripeShaped:
    """A new provider for the event loop that runs now; close it. Raises `PaymentsOff`.

    Beside a key with which real money moves there is no simulator: nobody is to take the one for the other.
    """
    live = is_live_key(settings.stripe_api_key)
    secrets = [each.strip() for each in settings.payment_webhook_secrets.get_secret_value().split(",")]
    rules = WebhookRules(
        secrets=[each for each in secrets if each],
        livemode=live and settings.payment_provider == "stripe",
        account=settings.stripe_account,
        max_bytes=settings.max_webhook_bytes,
    )
    if settings.payment_provider == "stripe":
        from app.payments.providers.stripe import open_stripe  # noqa: PLC0415  heavy, and an extra

        return open_stripe(settings, rules)
    if settings.payment_provider == "sim" and not live:
        from app.payments.providers.sim import open_sim  # noqa: PLC0415  heavy

        return open_sim(settings, rules)
    raise PaymentsOff


def current_provider() -> Provider | None:
    """The provider of this process and event loop, None if payments are switched off. Closed with the runtime."""
    runtime = current()
    if runtime.settings.payment_provider == "none":
        return None
    loop = asyncio.get_running_loop()
    known = _open.get(loop)
    if known is not None and known[0] is runtime:
        return known[1]
    provider = provider_of(runtime.settings)
    provider.breaker = _breaker(runtime.settings)
    _open[loop] = runtime, provider
    when_closing(runtime, partial(_close_in, ref(loop), provider))
    return provider


def _breaker(settings: Settings) -> Breaker:
    """One for each provider that this process has to do with."""
    url = settings.stripe_url if settings.payment_provider == "stripe" else settings.sim_url
    if url not in _breakers:
        _breakers[url] = Breaker("payments")
    return _breakers[url]


async def _close_in(loop: ref[asyncio.AbstractEventLoop], provider: Provider) -> None:
    """Close a provider if its own event loop is the one that runs; those of others are closed with their loops."""
    if loop() is asyncio.get_running_loop():
        await provider.close()


def needed_provider() -> Provider:
    """The same. Raises `PaymentsOff` if there is none."""
    provider = current_provider()
    if provider is None:
        raise PaymentsOff
    return provider
