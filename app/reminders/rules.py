"""Repeats: rules of RFC 5545 §3.3.10 over whole days, in the parts that all calendars agree about.

Not python-dateutil's: for a rule that no day fits, such as FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30, it goes through all days
until the year 9999. Here the search is bounded. The tests compare both, and two programs that read calendars.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count as numbers
from typing import Final, Literal

from app.reminders.errors import InvalidSchedule

Frequency = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
FREQUENCIES: Final[dict[str, Frequency]] = {
    "DAILY": "DAILY",
    "WEEKLY": "WEEKLY",
    "MONTHLY": "MONTHLY",
    "YEARLY": "YEARLY",
}
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PARTS: Final = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST")
DAY: Final = timedelta(days=1)
WEEK: Final = 7
MOST: Final = 999  # of an interval or a count
MOST_PERIODS: Final[dict[Frequency, int]] = {"DAILY": 4_000, "WEEKLY": 1_500, "MONTHLY": 1_500, "YEARLY": 120}
LAST_YEAR: Final = 2_400
SHORTEST_MONTH: Final = 28
COMMON_YEAR: Final = 2023  # any without a 29 February


@dataclass(frozen=True, slots=True)
class Rule:
    """Which days, of those from a first one on; `until` is the last that may be. Days of the week count from 0."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: date | None = None
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    """(0, 4): every Friday; (-1, 4): the last."""
    positions: tuple[int, ...] = ()
    week_start: int = 0

    def __str__(self) -> str:
        parts = {
            "FREQ": self.frequency,
            "INTERVAL": str(self.interval) if self.interval > 1 else "",
            "COUNT": str(self.count or ""),
            "UNTIL": f"{self.until:%Y%m%d}" if self.until else "",
            "BYMONTH": ",".join(map(str, self.months)),
            "BYMONTHDAY": ",".join(map(str, self.month_days)),
            "BYDAY": ",".join(f"{ordinal or ''}{WEEKDAYS[day]}" for ordinal, day in self.weekdays),
            "BYSETPOS": ",".join(map(str, self.positions)),
            "WKST": WEEKDAYS[self.week_start] if self.week_start else "",
        }
        return ";".join(f"{name}={value}" for name, value in parts.items() if value)

    def days(self, start: date, since: date = date.min) -> Iterator[date]:
        """The days from `since` on, in order; they end where no day is found within a long time."""
        skipped = 0 if self.count else self._period_of(start, since)
        found = idle = 0
        for number in numbers(skipped):
            idle += 1
            for day in self._chosen(start, number):
                if day < start:
                    continue
                found += 1
                if (self.until and day > self.until) or (self.count and found > self.count):
                    return
                idle = 0
                if day >= since:
                    yield day
            if idle > MOST_PERIODS[self.frequency] or self._begins(start, number).year > LAST_YEAR:
                return

    def _period_of(self, start: date, since: date) -> int:
        """The number of a period that holds `since`, or of the one before."""
        if since <= start:
            return 0
        apart = {
            "DAILY": (since - start).days,
            "WEEKLY": (since - start).days // WEEK,
            "MONTHLY": (since.year - start.year) * 12 + since.month - start.month,
            "YEARLY": since.year - start.year,
        }
        return max(apart[self.frequency] // self.interval - 1, 0)

    def _begins(self, start: date, number: int) -> date:
        """The first day of a period: a day, a week, a month or a year. After `LAST_YEAR` any."""
        steps = number * self.interval
        if self.frequency == "DAILY":
            return start + steps * DAY
        if self.frequency == "WEEKLY":
            return start + (WEEK * steps - (start.weekday() - self.week_start) % WEEK) * DAY
        if self.frequency == "MONTHLY":
            months = start.year * 12 + start.month - 1 + steps
            return date(min(months // 12, LAST_YEAR + 1), months % 12 + 1, 1)
        return date(min(start.year + steps, LAST_YEAR + 1), 1, 1)

    def _chosen(self, start: date, number: int) -> list[date]:
        """The days of one period, those before the start among them: positions count from its beginning."""
        days = sorted(self._fitting(start, self._begins(start, number)))
        if not self.positions:
            return days
        indexes = {position - 1 if position > 0 else len(days) + position for position in self.positions}
        return [day for index, day in enumerate(days) if index in indexes]

    def _fitting(self, start: date, first: date) -> list[date]:
        if self.frequency == "YEARLY":
            return self._in_year(start, first.year)
        if self.frequency == "MONTHLY":
            return self._in_month(start, first.year, first.month) if self._has_month(first) else []
        if self.frequency == "WEEKLY":
            wanted = {day for _, day in self.weekdays} or {start.weekday()}
            week = [first + ahead * DAY for ahead in range(WEEK)]
            return [day for day in week if day.weekday() in wanted and self._has_month(day)]
        return [first] if self._has_month(first) and self._is_limited_to(first) else []

    def _in_year(self, start: date, year: int) -> list[date]:
        if self.weekdays and not self.month_days and not self.months:
            return _weekdays(self.weekdays, date(year, 1, 1), date(year, 12, 31))
        every = range(1, 13) if self.month_days else (start.month,)
        return [day for month in self.months or every for day in self._in_month(start, year, month)]

    def _in_month(self, start: date, year: int, month: int) -> list[date]:
        length = monthrange(year, month)[1]
        if self.weekdays and not self.month_days:
            return _weekdays(self.weekdays, date(year, month, 1), date(year, month, length))
        numbers = {day if day > 0 else length + 1 + day for day in self.month_days or (start.day,)}
        days = [date(year, month, number) for number in numbers if 1 <= number <= length]
        return [day for day in days if not self.weekdays or (0, day.weekday()) in self.weekdays]

    def _has_month(self, day: date) -> bool:
        return not self.months or day.month in self.months

    def _is_limited_to(self, day: date) -> bool:
        left = day.day - monthrange(day.year, day.month)[1] - 1
        in_days = not self.month_days or day.day in self.month_days or left in self.month_days
        return in_days and (not self.weekdays or (0, day.weekday()) in self.weekdays)


def _weekdays(wanted: tuple[tuple[int, int], ...], first: date, last: date) -> list[date]:
    """Days of the week between two days: every one of a kind, or the nth, from the end if it is negative."""
    found: set[date] = set()
    for ordinal, weekday in wanted:
        day = first + (weekday - first.weekday()) % WEEK * DAY
        days = [day + ahead * WEEK * DAY for ahead in range((last - day).days // WEEK + 1)]
        if not ordinal:
            found.update(days)
        elif abs(ordinal) <= len(days):
            found.add(days[ordinal - 1 if ordinal > 0 else ordinal])
    return list(found)


def parse_rule(text: str) -> Rule:
    """A rule as it is written in calendars. Raises `InvalidSchedule` for what is none, or none that we offer."""
    values = _parts(text)
    frequency = FREQUENCIES.get(values.get("FREQ", ""))
    if frequency is None:
        raise InvalidSchedule("A rule needs FREQ: DAILY, WEEKLY, MONTHLY or YEARLY")
    rule = Rule(
        frequency,
        interval=_number(values.get("INTERVAL", "1"), 1, MOST),
        count=_number(values["COUNT"], 1, MOST) if "COUNT" in values else None,
        until=_until(values["UNTIL"]) if "UNTIL" in values else None,
        months=_numbers(values.get("BYMONTH", ""), 1, 12),
        month_days=_numbers(values.get("BYMONTHDAY", ""), -31, 31),
        weekdays=tuple(sorted({_weekday(each) for each in values["BYDAY"].split(",")})) if "BYDAY" in values else (),
        positions=_numbers(values.get("BYSETPOS", ""), -31, 31),
        week_start=_weekday(values["WKST"])[1] if "WKST" in values else 0,
    )
    _refuse_unclear(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in text.upper().removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name not in PARTS or name in values or not value:
            raise InvalidSchedule(f"A rule is made of {', '.join(PARTS)}, each at most once, joined by ;")
        values[name] = value
    return values


def _number(text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,3}", text) or not least <= int(text) <= most or not int(text):
        raise InvalidSchedule(f"Numbers of a rule are from {least} to {most}, and not 0")
    return int(text)


def _numbers(text: str, least: int, most: int) -> tuple[int, ...]:
    return tuple(sorted({_number(each, least, most) for each in text.split(",")})) if text else ()


def _weekday(text: str) -> tuple[int, int]:
    ordinal, name = text[:-2], text[-2:]
    if name not in WEEKDAYS:
        raise InvalidSchedule(f"Days of the week are {', '.join(WEEKDAYS)}")
    return _number(ordinal, -5, 5) if ordinal else 0, WEEKDAYS.index(name)


def _until(text: str) -> date:
    """A day, or the day of a time; the time itself does not count, as there is one occurrence a day at most."""
    if not re.fullmatch(r"[0-9]{8}(T[0-9]{6}Z?)?", text):
        raise InvalidSchedule("UNTIL is a day like 20310531")
    try:
        return date.fromisoformat(text[:8])
    except ValueError:
        raise InvalidSchedule("UNTIL is a day like 20310531") from None


def _refuse_unclear(rule: Rule) -> None:
    """See that no two calendars read the rule in two ways, or by RFC 5545 must not. Raises `InvalidSchedule`."""
    narrow = rule.frequency in ("DAILY", "WEEKLY")
    ordinals = any(ordinal for ordinal, _ in rule.weekdays)
    refusals = {
        "COUNT and UNTIL exclude each other": rule.count is not None and rule.until is not None,
        "BYMONTHDAY does not go with FREQ=WEEKLY": rule.frequency == "WEEKLY" and bool(rule.month_days),
        "A numbered day of the week goes with FREQ=MONTHLY or YEARLY": narrow and ordinals,
        "A numbered day of the week does not go with BYMONTHDAY": ordinals and bool(rule.month_days),
        "BYSETPOS goes with FREQ=MONTHLY or YEARLY": narrow and bool(rule.positions),
        "BYSETPOS needs BYMONTH, BYMONTHDAY or BYDAY": bool(rule.positions)
        and not (rule.months or rule.month_days or rule.weekdays),
    }
    for refusal, applies in refusals.items():
        if applies:
            raise InvalidSchedule(refusal)


def settled(rule: Rule, start: date) -> tuple[Rule, date]:
    """The rule, and the first day that it falls on, from `start` on. Raises `InvalidSchedule` if there is none.

    A day that not every month or year has becomes the last one that there is, said so that every calendar knows it.
    """
    clear = _without_gaps(rule, start)
    first = next(clear.days(start), None)
    if first is None:
        raise InvalidSchedule("The rule falls on no day, or on none for a very long time")
    return clear, first


def _without_gaps(rule: Rule, start: date) -> Rule:
    """RFC 5545 leaves out months without a 31st, and years without a 29 February; people mean the last day."""
    if start.day <= SHORTEST_MONTH or rule.month_days or rule.weekdays or rule.positions:
        return rule
    days = tuple(range(SHORTEST_MONTH, start.day + 1))
    months = rule.months or (start.month,)
    if rule.frequency == "YEARLY" and any(start.day > monthrange(COMMON_YEAR, month)[1] for month in months):
        if len(months) == 1:
            return replace(rule, months=months, month_days=days, positions=(-1,))
        if rule.interval == 1:
            return replace(rule, frequency="MONTHLY", month_days=days, positions=(-1,))
    return replace(rule, month_days=days, positions=(-1,)) if rule.frequency == "MONTHLY" else rule
