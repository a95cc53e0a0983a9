"""What people are told, in words."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

VERBS: Final = {
    "expires": ("expires", "expired"),
    "renews": ("renews", "was to renew"),
    "due": ("is due", "was due"),
    "other": ("is due", "was due"),
}


def day_text(day: date) -> str:
    """A day as it is written: 31 May 2031."""
    return f"{day.day} {day:%B} {day.year}"


def distance(day: date, today: date) -> str:
    """How far a day is: today, tomorrow, in 30 days, 2 days ago."""
    days = (day - today).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}
    return near.get(days) or (f"in {days} days" if days > 0 else f"{-days} days ago")


def headline(title: str, kind: str, day: date, today: date) -> str:
    """Astrid's passport expires in 30 days."""
    return f"{title} {verb(kind, day, today)} {distance(day, today)}"


def verb(kind: str, day: date, today: date) -> str:
    """Expires, or expired."""
    present, past = VERBS[kind]
    return past if day < today else present


def sentence(kind: str, day: date, today: date, clock: str, label: str) -> str:
    """It expires on 31 May 2031, in 30 days (Valid until)."""
    when = f"on {day_text(day)}{f' at {clock}' if clock else ''}, {distance(day, today)}"
    return f"It {verb(kind, day, today)} {when}{f' ({label})' if label else ''}."


def discreet(day: date, today: date) -> str:
    """The same for who wants no titles in letters."""
    return f"A reminder {verb('due', day, today)} {distance(day, today)}"


def clock_text(minute_of_day: int | None) -> str:
    """09:30, or nothing for a whole day."""
    return "" if minute_of_day is None else f"{minute_of_day // 60:02}:{minute_of_day % 60:02}"


def today_in(zone: str, now: datetime) -> date:
    """The day that it is in a zone."""
    return now.astimezone(ZoneInfo(zone)).date()
