"""Requests that come by way of RapidAPI: its proxy names the consumer, and a shared secret says that it is the proxy.

https://docs.rapidapi.com/docs/additional-request-headers and …/custom-usage: without a secret that is right the headers
say nothing, and a request with a wrong one is refused. A token of ours beside them decides by itself who is asking.
"""

import hmac
import re
import time
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.limits import CONSUMER, WINDOW_SECONDS, Rate, RateExceeded
from app.api.problems import render_error
from app.core.config import Settings
from app.core.errors import AppError, Unauthorized, Unavailable
from app.core.logging import get_log
from app.payments.services import consumers
from app.payments.services.consumers import Consumer

SECRET: Final = b"x-rapidapi-proxy-secret"
USER: Final = b"x-rapidapi-user"
SUBSCRIPTION: Final = b"x-rapidapi-subscription"
BILLING: Final = b"x-rapidapi-billing"
QUOTA: Final = "credits"
NAME: Final = re.compile(rb"[\x21-\x7e]{1,200}")
TIER: Final = re.compile(rb"[A-Za-z0-9_-]{1,40}")
MOST_WINDOWS: Final = 100_000
AWAY: Final = (DBAPIError, PoolTimeout, OSError)  # the database, for a while

log = get_log(__name__)


class NotTheProxy(Unauthorized):
    """The secret of the marketplace's proxy is wrong, or it names nobody."""

    title = "This does not come from the marketplace"


class Marketplace:
    """ASGI middleware that lets the consumers of a marketplace in, counts them, and tells it of their credits."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        secrets = settings.rapidapi_secrets.get_secret_value().split(",")
        self._secrets = [each.strip().encode() for each in secrets if each.strip()]
        self._used: dict[UUID, int] = {}
        self._window = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" and self._secrets else {}
        if SECRET not in headers:
            await self.app(scope, receive, send)
            return
        try:
            consumer = await self._admit(headers)
        except AppError as error:
            await render_error(Request(scope), error)(scope, receive, send)
            return
        except AWAY:
            await render_error(Request(scope), Unavailable(headers={"Retry-After": "2"}))(scope, receive, send)
            return
        if consumer is None:
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})[CONSUMER] = consumer.principal
        await self.app(scope, receive, self._telling(consumer, send))

    async def _admit(self, headers: dict[bytes, bytes]) -> Consumer | None:
        """Who is asking; None if a token says so. Raises `NotTheProxy`, `RateExceeded`."""
        matches = [hmac.compare_digest(headers[SECRET], secret) for secret in self._secrets]  # all of them, always
        if not any(matches):
            raise NotTheProxy
        if b"authorization" in headers:
            return None
        name, tier = headers.get(USER, b""), headers.get(SUBSCRIPTION, b"BASIC")
        if not NAME.fullmatch(name) or not TIER.fullmatch(tier):
            raise NotTheProxy
        consumer = await consumers.find_consumer(name.decode("ascii"), tier.decode("ascii"))
        self._count(consumer)
        return consumer

    def _count(self, consumer: Consumer) -> None:
        """Hold a consumer to the requests a minute of their plan, in each process for itself. Raises `RateExceeded`."""
        now = time.time()
        window = int(now // WINDOW_SECONDS)
        if window != self._window or len(self._used) > MOST_WINDOWS:
            self._window, self._used = window, {}
        used = self._used[consumer.family_id] = self._used.get(consumer.family_id, 0) + 1
        if consumer.per_minute is not None and used > consumer.per_minute:
            rate = Rate(consumer.per_minute, used, int((window + 1) * WINDOW_SECONDS - now) + 1)
            told = {name.decode(): value.decode() for name, value in rate.headers}
            raise RateExceeded(headers={**told, "Retry-After": str(rate.resets_in)})

    def _telling(self, consumer: Consumer, send: Send) -> Send:
        async def send_with_billing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *await _billing(consumer)]
            await send(message)

        return send_with_billing


async def _billing(consumer: Consumer) -> list[tuple[bytes, bytes]]:
    """What was used since the last answer. While the database is away nothing is told, and the next answer tells it."""
    try:
        credits = await consumers.count(consumer)
    except AWAY as error:
        log.warning("request of a consumer not counted", error=type(error).__name__)
        return []
    return [(BILLING, f"{QUOTA}={credits}".encode())]
