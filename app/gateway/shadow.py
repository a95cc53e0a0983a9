"""Answers of both sides compared: their status and the shape of their JSON. What is in them stays in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from app.core.logging import get_log
from app.gateway import measures
from app.gateway.headers import Headers, value_of

MOST_BYTES: Final = 256 * 1024
MOST_AT_ONCE: Final = 20
LONGEST_SECONDS: Final = 30.0

log = get_log(__name__)


@dataclass
class Seen:
    """What there is to compare of an answer, collected while it passes by; a large or encoded body is left out."""

    status: int = 0
    media_type: str = ""
    ended: bool = False
    _body: bytearray | None = field(default_factory=bytearray)

    def watch(self, status: int, headers: Headers, part: bytes | None) -> None:
        """See the next part of it; None is its end."""
        if not self.status:
            self.status = status
            self.media_type = (value_of(headers, b"content-type") or b"").split(b";")[0].strip().decode("latin-1")
            if value_of(headers, b"content-encoding") not in (None, b"identity"):
                self._body = None
        if part is None:
            self.ended = True
        elif self._body is not None:
            self._body += part
            if len(self._body) > MOST_BYTES:
                self._body = None

    def json(self) -> Any:
        """The body. Raises `ValueError` if it is no JSON, or was left out."""
        if self._body is None or "json" not in self.media_type:
            raise ValueError
        return orjson.loads(bytes(self._body))


def differences(one: Any, other: Any) -> int:
    """How many parts of two JSON values have different shapes: other types, or names that only one has.

    Null fits everything; of lists the first elements are compared.
    """
    if one is None or other is None:
        return 0
    if isinstance(one, dict) and isinstance(other, dict):
        common = one.keys() & other.keys()
        return len(one.keys() ^ other.keys()) + sum(differences(one[name], other[name]) for name in common)
    if isinstance(one, list) and isinstance(other, list):
        return differences(one[0], other[0]) if one and other else 0
    kinds = [type(each) if type(each) is not int else float for each in (one, other)]
    return int(kinds[0] is not kinds[1])


def compared(one: Seen, other: Seen) -> str:
    """The outcome: `same`, `status`, `type`, `shape`, or `uncompared` for bodies that are no small JSON."""
    if one.status != other.status:
        return "status"
    if one.media_type != other.media_type:
        return "type"
    try:
        return "shape" if differences(one.json(), other.json()) else "same"
    except ValueError:
        return "same" if "json" not in one.media_type else "uncompared"


class Shadows:
    """Sends copies to the other side after the answer, a few at a time; what comes on top of these is left out."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, route: str, seen: Seen, ask: Callable[[Seen], Awaitable[None]]) -> None:
        """Ask the other side, in the background; `ask` lets what it collects watch the answer."""
        if len(self._running) >= MOST_AT_ONCE or not seen.ended:
            measures.comparisons.labels(route, "skipped").inc()
            return
        task = asyncio.create_task(self._compare(route, seen, ask))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _compare(self, route: str, seen: Seen, ask: Callable[[Seen], Awaitable[None]]) -> None:
        other = Seen()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await ask(other)
            outcome = compared(seen, other) if other.ended else "failed"
        except Exception as error:  # whatever happens to a copy, nobody must notice
            log.info("copy failed", route=route, error=type(error).__name__)
            outcome = "failed"
        measures.comparisons.labels(route, outcome).inc()
        if outcome not in ("same", "uncompared"):
            log.info("answers differ", route=route, outcome=outcome, status=seen.status, other=other.status)

    async def settle(self) -> None:
        """Wait until every copy has been compared."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def close(self) -> None:
        """Give up what is still being asked."""
        for task in set(self._running):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
