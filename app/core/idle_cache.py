"""What a process keeps opened for the next request: bounded in bytes, and forgotten when nobody asks for it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from app.core.metrics import cache_requests

IDLE_SECONDS = 900.0

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class IdleCache(Generic[K, V]):
    """Values by key, the least used forgotten first; whoever asks must have decided about access.

    One that nobody has asked for in `idle_seconds` is dropped, whether or not another is asked for: what was deleted,
    superseded or no longer shared does not stay in memory. `empty` is what is kept of an unknown key.
    """

    def __init__(
        self,
        most_bytes: int,
        weigh: Callable[[V], int],
        empty: V,
        idle_seconds: float = IDLE_SECONDS,
        *,
        name: str = "idle",
    ) -> None:
        self._hit, self._missed = (cache_requests.labels(name, outcome) for outcome in ("hit", "miss"))
        self._most_bytes = most_bytes
        self._weigh = weigh
        self._empty = empty
        self._idle_seconds = idle_seconds
        self._kept: OrderedDict[K, tuple[float, V, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._sweeper: threading.Timer | None = None

    @property
    def nbytes(self) -> int:
        """Memory of what is held."""
        return self._bytes

    def get(self, key: K) -> V:
        """What is kept under a key; it may be out of date."""
        with self._lock:
            entry = self._kept.get(key)
            (self._missed if entry is None else self._hit).inc()
            if entry is None:
                return self._empty
            self._kept[key] = (time.monotonic(), *entry[1:])
            self._kept.move_to_end(key)
            return entry[1]

    def put(self, key: K, value: V) -> None:
        """Keep this in the place of what was kept; what is empty or larger than the whole cache is not kept."""
        with self._lock:
            self._drop(key)
            nbytes = self._weigh(value)
            if not value or nbytes > self._most_bytes:
                return
            self._kept[key] = (time.monotonic(), value, nbytes)
            self._bytes += nbytes
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))
            self._sweep_later()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _drop(self, key: K) -> None:
        entry = self._kept.pop(key, None)
        if entry:
            self._bytes -= entry[2]

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Timer(self._idle_seconds / 2, self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep(self) -> None:
        """Drop what is idle; the order of use is the order of the entries."""
        with self._lock:
            self._sweeper = None
            idle_since = time.monotonic() - self._idle_seconds
            while self._kept and next(iter(self._kept.values()))[0] < idle_since:
                self._drop(next(iter(self._kept)))
            if self._kept:
                self._sweep_later()
