"""When somebody may be disturbed: quiet hours and digests by the clock on their wall."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.core.clock import on_wall
from app.notifications.kinds import DEFAULT_CHANNELS, Channel, Digest, Kind, Titles

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a person wants to be told; times are minutes of their day, days of the week count from 1 (ISO 8601)."""

    zone: str
    remind_at: int = 9 * 60
    quiet_from: int | None = None
    quiet_until: int | None = None
    channels: dict[Kind, tuple[Channel, ...]] | None = None
    digest: Digest = "off"
    digest_at: int = 8 * 60
    digest_weekday: int = 1
    titles: Titles = "full"

    def channels_for(self, kind: Kind) -> tuple[Channel, ...]:
        """The ways that a kind of notification goes; none if it is switched off."""
        chosen = self.channels or {}
        return chosen.get(kind, DEFAULT_CHANNELS[kind])


def after_quiet(preferences: Preferences, moment: datetime) -> datetime:
    """The moment, or the end of the quiet hours that it falls into."""
    start, end = preferences.quiet_from, preferences.quiet_until
    if start is None or end is None or start == end:
        return moment
    wall = moment.astimezone(ZoneInfo(preferences.zone))
    minute = wall.hour * 60 + wall.minute
    across_midnight = start > end
    quiet = minute >= start or minute < end if across_midnight else start <= minute < end
    if not quiet:
        return moment
    day = wall.date() + DAY if across_midnight and minute >= start else wall.date()
    return max(moment, on_wall(day, end, preferences.zone))


def next_digest(preferences: Preferences, moment: datetime) -> datetime:
    """When the first digest after a moment is due; the moment itself for who wants none."""
    if preferences.digest == "off":
        return moment
    day = moment.astimezone(ZoneInfo(preferences.zone)).date()
    while True:
        due = on_wall(day, preferences.digest_at, preferences.zone)
        fits = preferences.digest == "daily" or day.isoweekday() == preferences.digest_weekday
        if fits and due > moment:
            return due
        day += DAY
