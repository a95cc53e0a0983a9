"""Time zones for calendars (VTIMEZONE, RFC 5545 §3.6.5), from the database that Python reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
LOCAL: Final = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class _Change:
    """The clocks go from one offset to another; `onset` is on the wall as it was before."""

    onset: str
    before: timedelta
    after: timedelta
    name: str
    summer: bool


@lru_cache(maxsize=64)
def timezone_lines(zone: str, first_year: int, last_year: int) -> tuple[str, ...]:
    """The lines of a zone, exact from the first to the last of these years."""
    grouped: dict[tuple[timedelta, timedelta, str, bool], list[str]] = {}
    for change in _changes(ZoneInfo(zone), first_year, last_year):
        grouped.setdefault((change.before, change.after, change.name, change.summer), []).append(change.onset)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone}"]
    for (before, after, name, summer), onsets in grouped.items():
        part = "DAYLIGHT" if summer else "STANDARD"
        lines += [f"BEGIN:{part}", f"DTSTART:{onsets[0]}"]
        lines += [f"RDATE:{','.join(onsets[1:])}"] if onsets[1:] else []
        lines += [f"TZOFFSETFROM:{_offset(before)}", f"TZOFFSETTO:{_offset(after)}", f"TZNAME:{name}", f"END:{part}"]
    return (*lines, "END:VTIMEZONE")


def _changes(zone: ZoneInfo, first_year: int, last_year: int) -> Iterator[_Change]:
    """What the clocks show at the beginning, and each time that they change."""
    moment, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    yield _change(zone, moment, moment)
    while moment < end:
        following = moment + DAY
        if _state(zone, moment) != _state(zone, following):
            yield _change(zone, moment, _first_after(zone, moment, following))
        moment = following


def _state(zone: ZoneInfo, moment: datetime) -> tuple[timedelta, str]:
    wall = moment.astimezone(zone)
    return wall.utcoffset() or timedelta(), wall.tzname() or ""


def _first_after(zone: ZoneInfo, early: datetime, late: datetime) -> datetime:
    """The first second of what is so at the later moment."""
    while late - early > SECOND:
        middle = early + (late - early) // SECOND // 2 * SECOND
        early, late = (early, middle) if _state(zone, middle) != _state(zone, early) else (middle, late)
    return late


def _change(zone: ZoneInfo, early: datetime, late: datetime) -> _Change:
    before, (after, name) = _state(zone, early)[0], _state(zone, late)
    onset = (late + before).strftime(LOCAL)
    return _Change(onset, before, after, name, bool(late.astimezone(zone).dst()))


def _offset(offset: timedelta) -> str:
    """+0530; seconds only where there are any, as before 1900."""
    seconds = int(offset.total_seconds())
    sign, seconds = "-" if seconds < 0 else "+", abs(seconds)
    rest = f"{seconds % 60:02}" if seconds % 60 else ""
    return f"{sign}{seconds // 3600:02}{seconds // 60 % 60:02}{rest}"
