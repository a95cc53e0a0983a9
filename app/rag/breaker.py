"""Keeps a service that does not answer from costing every request its time."""

import threading
import time

FAILURES = 3
PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 300.0


class Breaker:
    """Closed until `FAILURES` calls in a row have failed; then one call a pause is let through until one succeeds.

    Safe to share between threads and tasks; a call that was let through and never reports back does no harm.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._open_until = 0.0
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        """Whether every call is let through."""
        return self._failures < FAILURES

    def allows(self) -> bool:
        """Whether to try a call now."""
        with self._lock:
            if self.closed:
                return True
            now = time.monotonic()
            if now < self._open_until:
                return False
            self._open_until = now + PAUSE_SECONDS  # this one call finds out; others wait for what it reports
            return True

    def succeeded(self) -> None:
        """Report a call that was answered."""
        with self._lock:
            self._failures = 0

    def failed(self, asked_pause: float | None = None) -> None:
        """Report a call that was not; a service that asked for a pause of so many seconds is left alone at once."""
        with self._lock:
            self._failures = self._failures + 1 if asked_pause is None else FAILURES
            self._open_until = time.monotonic() + min(asked_pause or PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
