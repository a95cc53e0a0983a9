"""Periods of billing. The day of the anchor is kept: 31 January, 28 February, 31 March."""

import calendar
from datetime import UTC, datetime

DAY = 86_400
HOUR = 3_600
SECONDS = {"day": DAY, "week": 7 * DAY}


def add_months(moment: int, months: int) -> int:
    """The same day and time so many months later, or the last day of a month that is too short."""
    start = datetime.fromtimestamp(moment, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def add_intervals(anchor: int, interval: str, count: int) -> int:
    """`count` intervals after the anchor."""
    if interval in SECONDS:
        return anchor + count * SECONDS[interval]
    return add_months(anchor, count * (12 if interval == "year" else 1))


def period_end(anchor: int, interval: str, count: int, start: int) -> int:
    """The end of the period that begins at `start`: the first step of the anchor after it."""
    steps = max(1, int((start - anchor) / _longest(interval, count)))
    while (end := add_intervals(anchor, interval, steps * count)) <= start:
        steps += 1
    return end


def _longest(interval: str, count: int) -> int:
    return count * {"day": DAY, "week": 7 * DAY, "month": 31 * DAY, "year": 366 * DAY}[interval]


def day_text(moment: int) -> str:
    """A date for a person, as in `1 Mar 2027`."""
    date = datetime.fromtimestamp(moment, UTC)
    return f"{date.day} {date:%b %Y}"
