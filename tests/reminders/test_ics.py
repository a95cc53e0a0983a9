"""What we write, two other programs read as the same days and times; and nobody writes a line into it."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from uuid import UUID
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream

from app.reminders.errors import InvalidSchedule
from app.reminders.ics import Entry, write_calendar
from app.reminders.schedule import Schedule, make_schedule
from app.reminders.zones import timezone_lines
from tests.reminders.test_rules import rules

EXAMPLES = int(os.environ.get("LIFEVAULT_TEST_RULES", "50"))
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SPAN = timedelta(days=450)
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"]
STARTS = [date(2024, 1, 31), date(2024, 2, 29), date(2026, 3, 28), date(2026, 10, 24), date(2026, 12, 30)]
RULES = [
    *(None, "FREQ=DAILY", "FREQ=DAILY;INTERVAL=10;COUNT=20", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU", "FREQ=MONTHLY"),
    *(
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY",
        "FREQ=DAILY;UNTIL=20270328",
    ),
    *("FREQ=YEARLY;BYMONTH=1,4,7,10", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", "FREQ=MONTHLY;BYMONTHDAY=-1"),
]


def entry(schedule: Schedule, **changes) -> Entry:
    values = {
        "id": UUID(int=7),
        "revision": 3,
        "created_at": NOW,
        "updated_at": NOW,
        "summary": "Astrid's passport expires",
        "schedule": schedule,
        "leads": (30, 1, 0),
        "remind_at": 9 * 60,
    }
    return Entry(**{**values, **changes})


def written(schedule: Schedule, **changes) -> bytes:
    return write_calendar([entry(schedule, **changes)], "vault.example", NOW.year)


def ours(schedule: Schedule, skipped: tuple[date, ...] = ()) -> list[date | datetime]:
    """Our own days, or moments."""
    last = schedule.starts_on + SPAN
    days = [day for day in takewhile(lambda day: day <= last, schedule.days()) if day not in skipped]
    return days if schedule.minute_of_day is None else [schedule.moment(day) for day in days]


def bound(schedule: Schedule) -> date | datetime:
    """The last day or moment that is compared."""
    last = schedule.starts_on + SPAN
    return last if schedule.minute_of_day is None else schedule.moment(last)


def by_recurring_ical_events(content: bytes, schedule: Schedule) -> list[date | datetime]:
    calendar = icalendar.Calendar.from_ical(content)
    first, last = schedule.starts_on - timedelta(days=2), schedule.starts_on + SPAN + timedelta(days=2)
    found = sorted(moment(event.start) for event in recurring_ical_events.of(calendar).between(first, last))
    return [each for each in found if each <= bound(schedule)]


def by_ical(content: bytes, schedule: Schedule) -> list[date | datetime]:
    calendar = IcsCalendarStream.calendar_from_ics(content.decode())
    last = bound(schedule)
    return list(takewhile(lambda each: each <= last, (moment(event.dtstart) for event in calendar.timeline)))


def moment(value: date | datetime) -> date | datetime:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def agree(schedule: Schedule, skipped: tuple[date, ...] = ()) -> None:
    content, expected = written(schedule, skipped=skipped), ours(schedule, skipped)
    for read in (by_recurring_ical_events, by_ical):
        assert read(content, schedule) == expected, read.__name__


@pytest.mark.parametrize("rrule", RULES)
@pytest.mark.parametrize("start", STARTS)
def test_others_read_the_same_days(start: date, rrule: str | None):
    agree(make_schedule(start, None, None, rrule))


@pytest.mark.parametrize("rrule", RULES)
@pytest.mark.parametrize("zone", ZONES)
def test_others_read_the_same_times_over_changes_of_the_clocks(zone: str, rrule: str | None):
    for start, minute in ((date(2026, 3, 27), 150), (date(2026, 10, 23), 150), (date(2024, 1, 31), 1430)):
        agree(make_schedule(start, minute, zone, rrule))


@settings(max_examples=EXAMPLES, deadline=None)
@given(rules(), st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.sampled_from([None, *ZONES]), st.integers(0, 1439))
def test_others_read_whatever_we_write(text: str, start: date, zone: str | None, minute: int):
    try:
        schedule = make_schedule(start, minute if zone else None, zone, text)
    except InvalidSchedule:
        assume(False)
    agree(schedule)


def test_what_was_done_early_is_not_in_it():
    for minute, zone in ((None, None), (540, "Europe/Berlin"), (540, "UTC")):
        schedule = make_schedule(date(2026, 3, 1), minute, zone, "FREQ=WEEKLY;BYDAY=SU")
        agree(schedule, (date(2026, 3, 29), date(2026, 4, 5)))


def test_bells_ring_when_people_are_told():
    whole_day = icalendar.Calendar.from_ical(written(make_schedule(date(2026, 6, 1), None, None, None)))
    timed = icalendar.Calendar.from_ical(written(make_schedule(date(2026, 6, 1), 870, "Europe/Berlin", None)))
    bells = [[alarm["TRIGGER"].dt for alarm in each.walk("VALARM")] for each in (whole_day, timed)]

    assert bells[0] == [timedelta(days=-30, hours=9), timedelta(days=-1, hours=9), timedelta(hours=9)]
    assert bells[1] == [timedelta(days=-30), timedelta(days=-1), timedelta()]


def test_an_event_keeps_its_id_and_counts_its_changes():
    [event] = icalendar.Calendar.from_ical(written(make_schedule(date(2026, 6, 1), None, None, None))).events

    assert event["UID"] == f"{UUID(int=7)}@vault.example"
    assert event["SEQUENCE"] == 2
    assert (event.start, event.end) == (date(2026, 6, 1), date(2026, 6, 2))
    assert event["CLASS"] == "PRIVATE"


TEXTS = [
    *("a, b; c\\d", "one\r\nEND:VEVENT\r\nBEGIN:VEVENT", "two\rSUMMARY:x", "three\nATTACH:http://evil.example/x"),
    *("é" * 200, "\U0001f6c2" * 40, "\u2028next", "x" * 75, "a\x85b", "\\n;,"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_people_write_stays_a_text(text: str):
    content = written(make_schedule(date(2026, 6, 1), None, None, None), summary=text)

    [event] = icalendar.Calendar.from_ical(content).events
    assert str(event["SUMMARY"]) == "\n".join(text.splitlines())
    assert "ATTACH" not in event
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert all(line.decode() is not None for line in lines)  # no letter is cut in two


def offsets(lines: tuple[str, ...]) -> Iterator[tuple[datetime, timedelta]]:
    """What a calendar that reads VTIMEZONE to the letter finds: from which moment which offset holds."""
    for part in "\n".join(lines).split("BEGIN:")[2:]:
        values = dict(line.split(":", 1) for line in part.splitlines() if ":" in line)
        before, after = (utc_offset(values[name]) for name in ("TZOFFSETFROM", "TZOFFSETTO"))
        for onset in [values["DTSTART"], *filter(None, values.get("RDATE", "").split(","))]:
            yield datetime.strptime(onset, "%Y%m%dT%H%M%S").replace(tzinfo=UTC) - before, after


def utc_offset(text: str) -> timedelta:
    sign = -1 if text.startswith("-") else 1
    return sign * timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))


@pytest.mark.parametrize("zone", ZONES[1:])
def test_a_zone_says_when_its_clocks_change(zone: str):
    changes = sorted(offsets(timezone_lines(zone, 2025, 2030)))
    at = datetime(2025, 1, 2, tzinfo=UTC)
    while at < datetime(2030, 12, 31, tzinfo=UTC):
        [*_, (_, offset)] = [change for change in changes if change[0] <= at]
        assert offset == at.astimezone(ZoneInfo(zone)).utcoffset(), at
        at += timedelta(hours=5)
    for moment_of, offset in changes[1:]:
        assert moment_of.astimezone(ZoneInfo(zone)).utcoffset() == offset
        assert (moment_of - timedelta(seconds=1)).astimezone(
            ZoneInfo(zone)
        ).utcoffset() != offset or zone == "Africa/Casablanca"
