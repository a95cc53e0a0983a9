"""Reminders as a calendar (iCalendar, RFC 5545 and RFC 7986), written so that every calendar reads the same days."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from app.core.clock import on_wall
from app.reminders.schedule import Schedule
from app.reminders.zones import timezone_lines

LONGEST_LINE: Final = 75  # octets, RFC 5545 §3.1
REFRESH: Final = "PT6H"
AHEAD_YEARS: Final = 15
UNIVERSAL: Final = ("UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Universal", "Etc/Universal", "Etc/Zulu")
ONE_DAY: Final = timedelta(days=1)
DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Entry:
    """A reminder in a calendar; `remind_at` is the minute of whole days at which it rings, `skipped` are days done."""

    id: UUID
    revision: int
    created_at: datetime
    updated_at: datetime
    summary: str
    schedule: Schedule
    leads: tuple[int, ...]
    remind_at: int
    skipped: tuple[date, ...] = ()


def write_calendar(entries: Iterable[Entry], host: str, year: int) -> bytes:
    """A calendar; `host` makes ids unique in the world, `year` is the present one."""
    listed = list(entries)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//LifeVault//Reminders//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        "NAME:LifeVault",
        "X-WR-CALNAME:LifeVault",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        f"X-PUBLISHED-TTL:{REFRESH}",
        *_zones(listed, year),
    ]
    for entry in listed:
        lines += _event(entry, host)
    lines.append("END:VCALENDAR")
    return b"".join(piece for line in lines for piece in _folded(line))


def _zones(entries: list[Entry], year: int) -> Iterator[str]:
    """Every zone that is named, from its first use on."""
    first: dict[str, int] = {}
    for entry in entries:
        zone = entry.schedule.zone
        if zone and zone not in UNIVERSAL:
            first[zone] = min(first.get(zone, year), entry.schedule.starts_on.year)
    for zone, start in sorted(first.items()):
        yield from timezone_lines(zone, start - 1, max(year, start) + AHEAD_YEARS)


def _event(entry: Entry, host: str) -> list[str]:
    schedule = entry.schedule
    rule = [f"RRULE:{_rule(schedule)}"] if schedule.rule else []
    skipped = [_times("EXDATE", schedule, entry.skipped)] if entry.skipped else []
    whole_day = schedule.minute_of_day is None
    end = _times("DTEND", schedule, (schedule.starts_on + ONE_DAY,)) if whole_day else "DURATION:PT15M"
    return [
        "BEGIN:VEVENT",
        f"UID:{entry.id}@{host}",
        f"DTSTAMP:{_utc(entry.updated_at)}",
        f"CREATED:{_utc(entry.created_at)}",
        f"LAST-MODIFIED:{_utc(entry.updated_at)}",
        f"SEQUENCE:{entry.revision - 1}",
        f"SUMMARY:{_escaped(entry.summary)}",
        _times("DTSTART", schedule, (schedule.starts_on,)),
        end,
        *rule,
        *skipped,
        "CLASS:PRIVATE",
        "TRANSP:TRANSPARENT",
        *(line for lead in entry.leads for line in _alarm(entry, lead)),
        "END:VEVENT",
    ]


def _rule(schedule: Schedule) -> str:
    """The rule; its end is a day where the start is one, otherwise a moment in UTC (RFC 5545 §3.3.10)."""
    rule, minute, zone = schedule.rule, schedule.minute_of_day, schedule.zone
    assert rule is not None  # noqa: S101
    if rule.until is None or minute is None or zone is None:
        return str(rule)
    return f"{replace(rule, until=None)};UNTIL={_utc(on_wall(rule.until, minute, zone))}"


def _times(name: str, schedule: Schedule, days: tuple[date, ...]) -> str:
    """Days, or times on the wall of a zone."""
    minute, zone = schedule.minute_of_day, schedule.zone
    if minute is None or zone is None:
        return f"{name};VALUE=DATE:{','.join(f'{day:%Y%m%d}' for day in days)}"
    clock = f"T{minute // 60:02}{minute % 60:02}00"
    if zone in UNIVERSAL:
        return f"{name}:{','.join(f'{day:%Y%m%d}{clock}Z' for day in days)}"
    return f"{name};TZID={zone}:{','.join(f'{day:%Y%m%d}{clock}' for day in days)}"


def _alarm(entry: Entry, lead: int) -> list[str]:
    """A bell so many days before; of a whole day, which begins at midnight, at the person's time for reminders."""
    minutes = (entry.remind_at if entry.schedule.minute_of_day is None else 0) - lead * DAY_MINUTES
    return [
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_escaped(entry.summary)}",
        f"TRIGGER:{_duration(minutes)}",
        "END:VALARM",
    ]


def _duration(minutes: int) -> str:
    sign, minutes = "-" if minutes < 0 else "", abs(minutes)
    days, rest = divmod(minutes, DAY_MINUTES)
    hours, minutes = divmod(rest, 60)
    clock = f"{f'{hours}H' if hours else ''}{f'{minutes}M' if minutes else ''}"
    if not days and not clock:
        return "PT0S"
    return f"{sign}P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _escaped(text: str) -> str:
    """A text in one line (RFC 5545 §3.3.11)."""
    plain = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join(plain.splitlines())


def _folded(line: str) -> Iterator[bytes]:
    """A line in pieces of 75 octets, none of which cuts a letter in two (RFC 5545 §3.1)."""
    piece = b""
    for letter in line:
        encoded = letter.encode()
        if len(piece) + len(encoded) > LONGEST_LINE:
            yield piece + b"\r\n"
            piece = b" "
        piece += encoded
    yield piece + b"\r\n"
