"""Calls to an API shaped like Stripe's, over any transport: errors told apart, lists paged, tries repeated."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from app.core.breaker import Breaker
from app.payments.providers.failures import NO_SERVICE, NoAnswer, NotSent, failure, no_answer, no_connection
from app.payments.providers.fields import UNEXPECTED, Fields
from app.payments.providers.port import NotReached, OutcomeUnknown, ProviderError

Method = Literal["get", "post", "delete"]
Params = Mapping[str, Any]
PAGE: Final = 100
PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and decoded JSON; None for a body that is no JSON."""

    status: int
    body: object

    @property
    def is_success(self) -> bool:
        """Whether it is a 2xx with a JSON object."""
        return 200 <= self.status < 300 and isinstance(self.body, dict)


class Transport(Protocol):
    """How a request gets to the provider, with the key and the version of the API. Bound to one event loop."""

    async def send(self, method: Method, path: str, params: Params, key: str | None) -> Answer:
        """Send once. Raises `NotSent`, `NoAnswer`."""

    async def close(self) -> None:
        """Close connections."""


@contextmanager
def half_done() -> Iterator[None]:
    """What comes after a step that was done: not to be reached means now that the outcome is unknown."""
    try:
        yield
    except NotReached as error:
        raise OutcomeUnknown(error.code) from None


class Caller:
    """The calls of a provider. A command always has a key, so that repeating it does no harm."""

    def __init__(self, transport: Transport, *, livemode: bool, retries: int) -> None:
        self._transport = transport
        self.livemode = livemode
        """Whether real money moves."""
        self._retries = retries
        self.breaker: Breaker | None = None
        """Holds calls back while the provider fails; whoever keeps the provider for long sets it."""

    async def _read(self, path: str, **params: Any) -> Fields:
        return await self._ask("get", path, params, None)

    async def _post(self, path: str, key: str, params: Params) -> Fields:
        return await self._ask("post", path, params, key)

    async def _delete(self, path: str, key: str) -> Fields:
        return await self._ask("delete", path, {}, key)

    async def _pages(self, path: str, **params: Any) -> AsyncIterator[Fields]:
        """All objects of a list, page by page."""
        after: str | None = None
        while True:
            page = await self._read(path, **params, limit=PAGE, starting_after=after)
            rows = page.rows("data")
            for row in rows:
                yield row
            if not rows or not page.flag("has_more"):
                return
            after = rows[-1].text("id")

    async def _ask(self, method: Method, path: str, params: Params, key: str | None) -> Fields:
        """Ask unless the provider has failed again and again; tell the breaker how it went."""
        if not self.breaker:
            return await self._try(method, path, params, key)
        if not self.breaker.allows():
            raise NotReached("held-back")
        try:
            answer = await self._try(method, path, params, key)
        except ProviderError as error:
            if error.code in NO_SERVICE:
                self.breaker.failed()
            else:
                self.breaker.succeeded()
            raise
        self.breaker.succeeded()
        return answer

    async def _try(self, method: Method, path: str, params: Params, key: str | None) -> Fields:
        """Try, and try again when nothing tells against it. Once unknown stays unknown until an answer comes."""
        unsure: OutcomeUnknown | None = None
        for tries_left in range(self._retries, -1, -1):
            try:
                return await self._ask_once(method, path, params, key)
            except (NotReached, OutcomeUnknown) as error:
                unsure = error if isinstance(error, OutcomeUnknown) else unsure
                if not tries_left:
                    raise unsure or error from None
            await asyncio.sleep(PAUSE_SECONDS * (1 + random.random()))  # noqa: S311  spreads tries, guards nothing
        raise AssertionError

    async def _ask_once(self, method: Method, path: str, params: Params, key: str | None) -> Fields:
        try:
            answer = await self._transport.send(method, path, params, key)
        except NotSent:
            raise no_connection() from None
        except NoAnswer:
            raise no_answer(is_command=key is not None) from None
        if not answer.is_success:
            raise failure(answer.status, answer.body, is_command=key is not None)
        fields = Fields(answer.body, path)
        if fields.has("livemode") and fields.flag("livemode") != self.livemode:
            raise ProviderError(UNEXPECTED, "livemode")
        return fields
