"""The provider `stripe`, over the official SDK. Imported when it is first needed: the SDK is heavy, and an extra."""

import logging
from collections.abc import Mapping
from typing import Any

import httpx
import stripe

from app.core.config import Settings
from app.payments.providers.caller import Answer, Method, Params
from app.payments.providers.connection import failed_by, timeouts, trusted
from app.payments.providers.shaped import StripeShaped
from app.payments.providers.signatures import WebhookRules
from app.payments.providers.wire import API_VERSION


class Connections(stripe.HTTPClient):
    """The SDK's way to the network. Its own for httpx uses what httpx has deprecated, and hides the timeouts."""

    name = "httpx"

    def __init__(self, client: httpx.AsyncClient) -> None:
        super().__init__()
        self._http = client

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send once. Raises `APIConnectionError`, caused by what httpx says."""
        try:
            answer = await self._http.request(method, url, headers=dict(headers), content=post_data)
        except httpx.RequestError as error:
            raise stripe.APIConnectionError("not answered") from error  # type: ignore[no-untyped-call]
        return answer.content, answer.status_code, answer.headers

    async def close_async(self) -> None:
        """Close connections."""
        await self._http.aclose()


class StripeTransport:
    """Requests to Stripe by the SDK, which is not let to repeat any: it would tell of the last try only."""

    def __init__(self, client: stripe.StripeClient, connections: Connections) -> None:
        self._client = client
        self._connections = connections

    async def send(self, method: Method, path: str, params: Params, key: str | None) -> Answer:
        """Send once. Raises `NotSent`, `NoAnswer`."""
        options: dict[str, Any] = {"idempotency_key": key} if key else {}
        try:
            response = await self._client.raw_request_async(method, path, **params, **options)
        except stripe.APIConnectionError as error:
            raise failed_by(error.__cause__) from None
        except stripe.StripeError as error:
            return Answer(error.http_status or 0, _body(error))
        except UnicodeDecodeError:  # from the SDK's own log of a body that is no text
            return Answer(0, None)
        return Answer(response.code, response.data)

    async def close(self) -> None:
        """Close connections."""
        await self._connections.close_async()


def _body(error: stripe.StripeError) -> object:
    """The decoded body; of an answer that is no JSON the SDK gives the headers in its place."""
    return error.json_body if isinstance(error.json_body, dict) and "error" in error.json_body else None


class StripeProvider(StripeShaped):
    """Stripe itself."""

    name = "stripe"


def open_stripe(settings: Settings, webhooks: WebhookRules) -> StripeProvider:
    """A provider for the event loop that runs now: its connections can't be used in another one."""
    stripe.enable_telemetry = False
    logging.getLogger("stripe").setLevel(logging.WARNING)  # below, it writes bodies, which have names in them
    connections = Connections(httpx.AsyncClient(timeout=timeouts(settings), verify=trusted()))
    client = stripe.StripeClient(
        settings.stripe_api_key.get_secret_value(),
        stripe_account=settings.stripe_account or None,
        stripe_version=API_VERSION,
        base_addresses={"api": settings.stripe_url},
        max_network_retries=0,
        http_client=connections,
    )
    return StripeProvider(StripeTransport(client, connections), webhooks, retries=settings.payment_retries)
