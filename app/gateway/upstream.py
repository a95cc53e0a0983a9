"""One service behind the gateway: its connections, its breaker, and how it is called."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from app.core.breaker import Breaker
from app.core.logging import get_log
from app.core.outside import tls
from app.core.routing import SAFE_METHODS, Service
from app.gateway import measures
from app.gateway.errors import ServiceResting, ServiceTimeout, ServiceUnreachable
from app.gateway.headers import Headers
from app.gateway.identity import Signer

if TYPE_CHECKING:
    from app.core.errors import AppError

IDLE_SECONDS: Final = 20.0  # less than what servers usually keep a connection open
FAILING: Final = frozenset({502, 503, 504})

log = get_log(__name__)

Body = Callable[[], AsyncIterator[bytes]]


class _Stream(httpx.AsyncByteStream):
    """The body of a request as it comes."""

    def __init__(self, body: Body | None) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body is not None:
            async for part in self._body():
                if part:  # an empty chunk would end the body
                    yield part


class Upstream:
    """Calls a service at its own base URL, whatever was asked for; no redirects, no proxies, no cookies."""

    def __init__(self, name: str, service: Service, signer: Signer | None) -> None:
        self.name = name
        self.service = service
        self.signer = signer
        self.unused = asyncio.Event()
        """Set while no request is on its way to it."""
        self.unused.set()
        self._users = 0
        self.breaker = Breaker(f"gateway {name}", failures=service.failures, pause_seconds=service.pause_seconds)
        parts = urlsplit(service.url)
        self.base_path = parts.path.encode("ascii")
        self.host = parts.netloc.encode("idna" if not parts.netloc.isascii() else "ascii")
        self._url = httpx.URL(f"{parts.scheme}://{parts.netloc}/")
        self._transport = httpx.AsyncHTTPTransport(
            verify=tls() if parts.scheme == "https" else False,
            trust_env=False,
            limits=httpx.Limits(
                max_connections=service.connections,
                max_keepalive_connections=service.connections,
                keepalive_expiry=IDLE_SECONDS,
            ),
        )

    async def close(self) -> None:
        """Close its connections."""
        self.breaker.forget()
        await self._transport.aclose()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep it from being closed meanwhile."""
        self._users += 1
        self.unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self.unused.set()

    def check_breaker(self) -> None:
        """Raises `ServiceResting`."""
        if not self.breaker.allows():
            raise ServiceResting(headers={"Retry-After": self._retry_after()})

    async def call(self, method: str, target: bytes, headers: Headers, body: Body | None) -> httpx.Response:
        """The answer, with its body still to be read; the caller closes it.

        A safe method without a body is tried again when there was no answer. Raises `ServiceResting`,
        `ServiceUnreachable`, `ServiceTimeout`, and what reading the body raises.
        """
        self.check_breaker()
        tries = 1 + (self.service.retries if method in SAFE_METHODS and body is None else 0)
        while True:
            tries -= 1
            try:
                return await self._try(method, target, headers, body)
            except (ServiceUnreachable, ServiceTimeout) as error:
                if not tries or isinstance(error, ServiceTimeout) or not self.breaker.closed:
                    raise

    async def _try(self, method: str, target: bytes, headers: Headers, body: Body | None) -> httpx.Response:
        seconds = self.service.silence_seconds
        request = httpx.Request(
            method,
            self._url,
            headers=[(b"host", self.host), *headers],
            stream=_Stream(body),
            extensions={
                "target": self.base_path + target,
                "timeout": {
                    "connect": self.service.connect_seconds,
                    "pool": self.service.connect_seconds,
                    "read": seconds,
                    "write": seconds,
                },
            },
        )
        started = time.perf_counter()
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.PoolTimeout:
            raise ServiceResting(headers={"Retry-After": "1"}) from None  # busy, which is no failure
        except httpx.HTTPError as error:
            raise self.failed(error) from None
        measures.head_seconds.labels(self.name).observe(time.perf_counter() - started)
        if response.status_code in FAILING:
            self.breaker.failed()
        else:
            self.breaker.succeeded()
        return response

    def failed(self, error: Exception) -> "AppError":
        """Count a failure; what the client is told of it."""
        self.breaker.failed()
        log.warning("service failed", service=self.name, error=type(error).__name__)
        headers = {"Retry-After": self._retry_after()}
        if isinstance(error, httpx.TimeoutException | TimeoutError | asyncio.TimeoutError):
            return ServiceTimeout(headers=headers)
        return ServiceUnreachable(headers=headers)

    def _retry_after(self) -> str:
        return str(max(1, math.ceil(self.breaker.seconds_left)))
