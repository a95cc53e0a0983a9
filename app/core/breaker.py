"""Keeps a service that does not answer from costing every request its time."""

import threading
import time
from contextlib import suppress
from typing import Final

from prometheus_client import Gauge

FAILURES = 3
PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 300.0

is_open: Final = Gauge(
    "lifevault_breaker_open",
    "Whether calls of a service are held back as it fails, in any process.",
    ["service"],
    multiprocess_mode="livemax",
)
_all: Final[dict[str, list["Breaker"]]] = {}


class Breaker:
    """Closed until `failures` calls in a row have failed; then one call a pause is let through until one succeeds.

    Safe to share between threads and tasks; a call that was let through and never reports back does no harm. Breakers
    live as long as the process, or until `forget`; `service` is what /metrics calls them, and /health/ready while they
    are open.
    """

    def __init__(self, service: str, *, failures: int = FAILURES, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._service = service
        self._most_failures = failures
        self._pause_seconds = pause_seconds
        self._failures = 0
        self._open_until = 0.0
        self._lock = threading.Lock()
        _all.setdefault(service, []).append(self)
        self._show()

    @property
    def closed(self) -> bool:
        """Whether every call is let through."""
        return self._failures < self._most_failures

    @property
    def seconds_left(self) -> float:
        """How long calls are held back from now on; 0 if they are not."""
        return 0.0 if self.closed else max(0.0, self._open_until - time.monotonic())

    def allows(self) -> bool:
        """Whether to try a call now."""
        if self.closed:
            return True
        with self._lock:
            if self.closed:
                return True
            now = time.monotonic()
            if now < self._open_until:
                return False
            self._open_until = now + self._pause_seconds  # this one call finds out; others wait for what it reports
            return True

    def succeeded(self) -> None:
        """Report a call that was answered."""
        if self._failures:
            with self._lock:
                self._failures = 0
            self._show()

    def failed(self, asked_pause: float | None = None) -> None:
        """Report a call that was not; a service that asked for a pause of so many seconds is left alone at once."""
        with self._lock:
            self._failures = self._failures + 1 if asked_pause is None else self._most_failures
            self._open_until = time.monotonic() + min(asked_pause or self._pause_seconds, LONGEST_PAUSE_SECONDS)
        self._show()

    def forget(self) -> None:
        """Leave the service out of what is shown: nobody calls it any more."""
        with suppress(ValueError, KeyError):
            _all[self._service].remove(self)
            if not _all[self._service]:
                del _all[self._service]
        self._show()

    def _show(self) -> None:
        is_open.labels(self._service).set(not states().get(self._service, True))


def states() -> dict[str, bool]:
    """Each service that this process has a breaker for, and whether all its calls are let through."""
    return {service: all(breaker.closed for breaker in breakers) for service, breakers in _all.items()}
