"""Time and ids."""

import os
import threading
import time
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

_lock = threading.Lock()
_last = 0


def utc_now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


def on_wall(day: date, minute_of_day: int, zone: str) -> datetime:
    """The moment of a time on the wall: one that the clocks skip is later, of one that comes twice it is the first."""
    wall = datetime.combine(day, time_of_day(minute_of_day // 60, minute_of_day % 60), ZoneInfo(zone))
    return wall.astimezone(UTC)


def is_zone(name: str) -> bool:
    """Whether there is a time zone of this name (IANA)."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562 §5.7, 12 bits of sub-millisecond order): ids of one process sort by creation."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() * 4096 // 1_000_000)
        stamp = _last
    milliseconds, fraction = stamp >> 12, stamp & 0xFFF
    random = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def first_id_at(at: datetime) -> UUID:
    """The least UUIDv7 of a millisecond: rows with ids from here on were made then or later."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62)
