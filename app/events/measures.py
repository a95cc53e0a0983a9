"""Who follows, what they are told, and why they stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Gauge

streams: Final = Gauge(
    "lifevault_event_streams", "Connections that follow events.", ["transport"], multiprocess_mode="livesum"
)
told: Final = Counter("lifevault_event_changes_total", "Changes that were told.", ["transport"])
ends: Final = Counter("lifevault_event_stream_ends_total", "Connections that ended.", ["transport", "reason"])
is_listening: Final = Gauge(
    "lifevault_event_listening", "Processes that the database notifies of changes.", multiprocess_mode="livesum"
)


@dataclass
class End:
    """Why a connection ended."""

    reason: str = "gone"


@contextmanager
def counted(transport: str) -> Iterator[End]:
    """Within, somebody follows; they say how it ended."""
    end = End()
    streams.labels(transport).inc()
    try:
        yield end
    finally:
        streams.labels(transport).dec()
        ends.labels(transport, end.reason).inc()
