"""The provider `sim`: our own simulator, over plain HTTP. Imported when it is first needed: httpx is heavy."""

import json
from datetime import datetime
from typing import Any

import httpx

from app.core.config import Settings
from app.payments.providers.caller import Answer, Method, Params
from app.payments.providers.connection import failed_by, timeouts, trusted
from app.payments.providers.form import encoded
from app.payments.providers.shaped import StripeShaped
from app.payments.providers.signatures import WebhookRules
from app.payments.providers.wire import API_VERSION


class SimTransport:
    """Requests to the simulator."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, method: Method, path: str, params: Params, key: str | None) -> Answer:
        """Send once. Raises `NotSent`, `NoAnswer`."""
        form: dict[str, Any] = {"data": dict(encoded(params))} if method == "post" else {"params": encoded(params)}
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = await self._client.request(method.upper(), path, headers=headers, **form)
        except httpx.RequestError as error:
            raise failed_by(error) from None
        return Answer(answer.status_code, _decoded(answer.content))

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


class SimProvider(StripeShaped):
    """Moves no money, and goes by a clock that can be moved."""

    name = "sim"

    async def now(self) -> datetime:
        """See the port."""
        return (await self._read("/_sim/clock")).time("now")


def open_sim(settings: Settings, webhooks: WebhookRules) -> SimProvider:
    """A provider for the event loop that runs now. The simulator is near: proxies of the environment are not asked."""
    client = httpx.AsyncClient(
        base_url=settings.sim_url,
        headers={"Authorization": f"Bearer {settings.sim_key.get_secret_value()}", "Stripe-Version": API_VERSION},
        timeout=timeouts(settings),
        verify=trusted(),
        trust_env=False,
    )
    return SimProvider(SimTransport(client), webhooks, retries=settings.payment_retries)
