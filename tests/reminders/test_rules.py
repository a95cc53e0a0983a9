"""Rules fall on the same days as in other programs, and on the days that people mean."""

import os
from datetime import date, datetime, timedelta
from itertools import islice, takewhile

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from app.reminders.errors import InvalidSchedule
from app.reminders.rules import WEEKDAYS, Rule, parse_rule, settled

EXAMPLES = int(os.environ.get("LIFEVAULT_TEST_RULES", "50"))  # the long run: LIFEVAULT_TEST_RULES=20000
DAY = timedelta(days=1)

days = st.dates(date(1996, 1, 1), date(2040, 12, 31))
weekdays = st.sampled_from(WEEKDAYS)
ordinal_days = st.builds(lambda number, day: f"{number}{day}", st.sampled_from([1, 2, 4, 5, -1, -2]), weekdays)


def listed(values, most=3):
    return st.lists(values, min_size=1, max_size=most, unique=True).map(lambda each: ",".join(map(str, each)))


@st.composite
def rules(draw) -> str:
    """Rules in all the forms that are offered, most of which fall on some day."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 7))}")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"BYMONTH={draw(listed(st.integers(1, 12)))}")
    chosen = draw(st.sampled_from(["", "month days", "weekdays", "ordinals"]))
    if chosen == "month days" and frequency != "WEEKLY":
        parts.append(f"BYMONTHDAY={draw(listed(st.integers(1, 31) | st.integers(-31, -1)))}")
    if chosen == "weekdays":
        parts.append(f"BYDAY={draw(listed(weekdays))}")
    if chosen == "ordinals" and frequency in ("MONTHLY", "YEARLY"):
        parts.append(f"BYDAY={draw(listed(ordinal_days))}")
    if len(parts) > 2 and frequency in ("MONTHLY", "YEARLY") and draw(st.booleans()) and "BY" in parts[-1]:
        parts.append(f"BYSETPOS={draw(listed(st.sampled_from([1, 2, -1, -2])))}")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"WKST={draw(weekdays)}")
    ending = draw(st.sampled_from(["", "", "COUNT", "UNTIL"]))
    if ending == "COUNT":
        parts.append(f"COUNT={draw(st.integers(1, 40))}")
    if ending == "UNTIL":
        parts.append(f"UNTIL={draw(days):%Y%m%d}")
    return ";".join(parts)


def by_dateutil(text: str, start: date, last: date) -> list[date]:
    """What dateutil makes of it; the end is given to it, as it would look for days until the year 9999."""
    until = [part for part in text.split(";") if part.startswith("UNTIL=")]
    bound = min([last, *(datetime.strptime(part[6:], "%Y%m%d").date() for part in until)])  # noqa: DTZ007
    kept = ";".join(part for part in text.split(";") if not part.startswith("UNTIL="))
    found = rrulestr(
        f"{kept};UNTIL={bound:%Y%m%d}" if "COUNT" not in kept else kept,
        dtstart=datetime.combine(start, datetime.min.time()),
    )
    return [each.date() for each in takewhile(lambda each: each.date() <= bound, found)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(rules(), days)
@example("FREQ=MONTHLY", date(2024, 1, 31))
@example("FREQ=YEARLY", date(2024, 2, 29))
@example("FREQ=YEARLY;BYMONTH=1,4,7,10", date(2024, 1, 31))
@example("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", date(1997, 8, 5))
@example("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO", date(1997, 8, 5))
@example("FREQ=YEARLY;BYDAY=1MO,-1FR", date(2024, 6, 1))
@example("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", date(1997, 9, 2))
def test_a_rule_falls_on_the_days_that_dateutil_finds(text: str, start: date):
    try:
        rule, first = settled(parse_rule(text), start)
    except InvalidSchedule:
        assume(False)
    last = first + timedelta(days=366 * 9)
    ours = list(takewhile(lambda day: day <= last, rule.days(first)))

    assert ours == by_dateutil(str(rule), first, last)
    assert parse_rule(str(rule)) == rule
    assert ours[0] == first >= start


@settings(max_examples=EXAMPLES, deadline=None)
@given(rules(), days, st.integers(-400, 4_000))
def test_it_makes_no_difference_where_one_begins_to_look(text: str, start: date, ahead: int):
    try:
        rule, first = settled(parse_rule(text), start)
    except InvalidSchedule:
        assume(False)
    since = first + ahead * DAY

    expected = [day for day in islice(rule.days(first), 400) if day >= since][:5]
    found = list(islice(rule.days(first, since), 5))

    assert found[: len(expected)] == expected


MONTHS = {
    date(2024, 1, 31): ["01-31", "02-29", "03-31", "04-30", "05-31"],
    date(2023, 1, 30): ["01-30", "02-28", "03-30", "04-30", "05-30"],
    date(2023, 1, 29): ["01-29", "02-28", "03-29", "04-29", "05-29"],
    date(2023, 1, 28): ["01-28", "02-28", "03-28", "04-28", "05-28"],
}


@pytest.mark.parametrize(("start", "expected"), MONTHS.items())
def test_the_end_of_a_month_stays_the_end_of_the_month(start: date, expected: list[str]):
    rule, first = settled(parse_rule("FREQ=MONTHLY"), start)

    assert [f"{day:%m-%d}" for day in islice(rule.days(first), 5)] == expected


def test_a_leap_day_is_kept_every_year():
    rule, first = settled(parse_rule("FREQ=YEARLY"), date(2096, 2, 29))

    assert [str(day) for day in islice(rule.days(first), 10)][3:9] == [
        *("2099-02-28", "2100-02-28", "2101-02-28", "2102-02-28", "2103-02-28", "2104-02-29")
    ]


def test_who_says_it_plainly_gets_months_with_a_31st_only():
    rule, first = settled(parse_rule("FREQ=MONTHLY;BYMONTHDAY=31"), date(2024, 1, 31))

    assert [f"{day:%m-%d}" for day in islice(rule.days(first), 4)] == ["01-31", "03-31", "05-31", "07-31"]


@pytest.mark.parametrize("start", [date(2024, 1, 31), date(2024, 3, 29), date(2023, 12, 30)])
@pytest.mark.parametrize("interval", [1, 2, 3, 12])
def test_months_are_counted_as_on_a_calendar(start: date, interval: int):
    """A model of its own: add months, and take the last day where there is no such day."""
    rule, first = settled(parse_rule(f"FREQ=MONTHLY;INTERVAL={interval}"), start)

    for number, day in enumerate(islice(rule.days(first), 60)):
        months = start.year * 12 + start.month - 1 + number * interval
        later = date(months // 12 + (months % 12 == 11), (months + 1) % 12 + 1, 1)
        last = (later - DAY).day
        assert day == date(months // 12, months % 12 + 1, min(start.day, last))


REFUSED = [
    *("", "FREQ=HOURLY", "FREQ=DAILY;FREQ=DAILY", "INTERVAL=2", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=1000"),
    *("FREQ=DAILY;COUNT=2;UNTIL=20310101", "FREQ=WEEKLY;BYMONTHDAY=3", "FREQ=WEEKLY;BYDAY=1MO", "FREQ=DAILY;BYHOUR=3"),
    *("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1", "FREQ=MONTHLY;BYSETPOS=1", "FREQ=MONTHLY;BYDAY=6MO", "FREQ=MONTHLY;BYDAY=XX"),
    *("FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=3", "FREQ=YEARLY;BYWEEKNO=3", "FREQ=YEARLY;BYMONTH=13", "FREQ=DAILY;UNTIL=x"),
    *(
        "FREQ=DAILY;UNTIL=20311301",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;",
        "FREQ=DAILY;BYMONTH=",
        "FREQ=DAILY;COUNT=-1",
    ),
    *("FREQ=DAILY;UNTIL=20230101", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6"),
    *(
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTHDAY=٣",
    ),
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_rule_or_falls_on_no_day_is_refused(text: str):
    with pytest.raises(InvalidSchedule):
        settled(parse_rule(text), date(2024, 1, 31))


@settings(max_examples=EXAMPLES, deadline=None)
@given(rules() | st.text(alphabet="FREQ=DAILYWKMONTHUBSP;,-0123456789", max_size=60), days)
def test_whatever_is_written_is_a_rule_or_refused(text: str, start: date):
    try:
        rule, first = settled(parse_rule(text), start)
    except InvalidSchedule:
        return
    assert isinstance(rule, Rule)
    assert next(rule.days(first)) == first
