"""When a reminder is due: a day, or a time on the wall of a zone, once or by a rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from itertools import takewhile
from typing import Final, Protocol

from app.core.clock import is_zone, on_wall
from app.notifications.hours import Preferences
from app.reminders.errors import InvalidSchedule
from app.reminders.rules import Rule, parse_rule, settled

FIRST: Final = date(1900, 1, 1)
LAST: Final = date(2200, 12, 31)
FAR: Final = timedelta(days=36_500)


class Scheduled(Protocol):
    """A row with a schedule in it."""

    starts_on: date
    minute_of_day: int | None
    zone: str | None
    rrule: str | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Whole days if it has no minute of the day; times on the wall otherwise, one a day at most."""

    starts_on: date
    minute_of_day: int | None = None
    zone: str | None = None
    rule: Rule | None = None

    def days(self, since: date = date.min) -> Iterator[date]:
        """The days on which it is due, from `since` on, in order."""
        if self.rule is not None:
            yield from self.rule.days(self.starts_on, since)
        elif self.starts_on >= since:
            yield self.starts_on

    def between(self, first: date, last: date) -> list[date]:
        """The days on which it is due, both ends included."""
        return list(takewhile(lambda day: day <= last, self.days(first)))

    def next(self, since: date) -> date | None:
        """The first day on which it is due, not before `since`."""
        return next(self.days(since), None)

    def moment(self, day: date) -> datetime:
        """When it is due on a day; of a whole day its midnight in UTC, which sorts it and says nothing more."""
        if self.minute_of_day is None or self.zone is None:
            return datetime.combine(day, time_of_day(), UTC)
        return on_wall(day, self.minute_of_day, self.zone)

    def told_at(self, day: date, lead: int, preferences: Preferences) -> datetime:
        """When a person is told of it, so many days before: at its own time, or at theirs for such things."""
        if self.minute_of_day is None or self.zone is None:
            return on_wall(day - timedelta(days=lead), preferences.remind_at, preferences.zone)
        return on_wall(day - timedelta(days=lead), self.minute_of_day, self.zone)


def make_schedule(starts_on: date, minute_of_day: int | None, zone: str | None, rrule: str | None) -> Schedule:
    """A schedule that makes sense; it starts on the first day that its rule falls on. Raises `InvalidSchedule`."""
    if not FIRST <= starts_on <= LAST:
        raise InvalidSchedule(f"A due date is from {FIRST} to {LAST}")
    if zone is not None and not is_zone(zone):
        raise InvalidSchedule("There is no time zone of this name")
    if rrule is None:
        return Schedule(starts_on, minute_of_day, zone)
    rule, first = settled(parse_rule(rrule), starts_on)
    if first > LAST:
        raise InvalidSchedule(f"A due date is from {FIRST} to {LAST}")
    return Schedule(first, minute_of_day, zone, rule)


def schedule_of(row: Scheduled) -> Schedule:
    """The schedule that stands in a row."""
    rule = parse_rule(row.rrule) if row.rrule else None
    return Schedule(row.starts_on, row.minute_of_day, row.zone, rule)
