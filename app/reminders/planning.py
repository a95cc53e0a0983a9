"""Whom to tell of what at a moment: pure, so that clocks, downtimes and changes can be played through."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from app.notifications.hours import Preferences
from app.reminders.schedule import Schedule

LATE: Final = timedelta(hours=1)
SLACK: Final = timedelta(days=2)  # zones are less than two days apart

Key = tuple[datetime, int]
"""Which occurrence, by its moment, and how many days before; of what was put off, -1, -2, …"""


@dataclass(frozen=True, slots=True)
class Telling:
    """An occurrence of which a person is told at a moment, `lead` days before it."""

    occurs_on: date
    occurs_at: datetime
    lead: int
    at: datetime

    @property
    def key(self) -> Key:
        """What makes it the only one for a person."""
        return self.occurs_at, self.lead


@dataclass(frozen=True, slots=True)
class PutOff:
    """A person wants to be told again of an occurrence at a moment; `count` is how often they have said so."""

    occurs_on: date
    until: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a reminder: occurrences before `open_on` are done, tellings up to `armed_at` are past."""

    schedule: Schedule
    open_on: date
    leads: tuple[int, ...]
    armed_at: datetime

    def _tellings(self, lead: int, since: datetime, person: Preferences) -> Iterator[Telling]:
        """Those with one lead whose moment is after `since`, in order."""
        first = max(self.open_on, since.date() - SLACK + timedelta(days=lead))
        for day in self.schedule.days(first):
            at = self.schedule.told_at(day, lead, person)
            if at > since:
                yield Telling(day, self.schedule.moment(day), lead, at)

    def due(self, since: datetime, until: datetime, person: Preferences) -> list[Telling]:
        """Those whose moment is after `since`, and not after `until`."""
        begin = max(since, self.armed_at)
        return [
            telling
            for lead in self.leads
            for telling in takewhile(lambda each: each.at <= until, self._tellings(lead, begin, person))
        ]

    def next_at(self, after: datetime, person: Preferences, put_off: PutOff | None) -> datetime | None:
        """When somebody has to be looked at again."""
        if put_off and put_off.occurs_on >= self.open_on and put_off.until > after:
            return put_off.until
        begin = max(after, self.armed_at)
        first = (next(self._tellings(lead, begin, person), None) for lead in self.leads)
        return min((telling.at for telling in first if telling), default=None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person is told now, if anything, and of what they need not be told any more."""

    told: Telling | None
    passed: list[Telling]
    late: bool


def decide(
    plan: Plan,
    person: Preferences,
    put_off: PutOff | None,
    known: Collection[Key],
    now: datetime,
    useful: timedelta,
) -> Decision:
    """Of all that has come due, one thing is told: the nearest ahead, or else the last; `known` are past ones.

    What is older than `useful` is left out. Who has put it off is told at that time, of that only.
    """
    waiting = put_off if put_off and put_off.occurs_on >= plan.open_on else None
    if waiting and waiting.until > now:
        return Decision(None, [], late=False)
    due = [each for each in plan.due(now - useful, now, person) if each.key not in known]
    if waiting:
        again = Telling(waiting.occurs_on, plan.schedule.moment(waiting.occurs_on), -waiting.count, waiting.until)
        if again.key not in known:
            return Decision(again, due, late=now - again.at > LATE)
    if not due:
        return Decision(None, [], late=False)
    today = now.astimezone(ZoneInfo(plan.schedule.zone or person.zone)).date()
    ahead = [each for each in due if each.occurs_on >= today]
    told = min(ahead, key=_nearest) if ahead else max(due, key=_latest)
    return Decision(told, [each for each in due if each != told], late=now - told.at > LATE)


def _nearest(telling: Telling) -> tuple[date, int]:
    return telling.occurs_on, telling.lead


def _latest(telling: Telling) -> tuple[date, int]:
    return telling.occurs_on, -telling.lead
