"""Who is told when: played through by the clock, over its changes, downtimes, and what people put off."""

import os
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.notifications.hours import Preferences
from app.reminders.planning import Plan, PutOff, decide
from app.reminders.schedule import make_schedule

EXAMPLES = int(os.environ.get("LIFEVAULT_TEST_RULES", "50"))
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
USEFUL = timedelta(days=30)
SECOND = timedelta(seconds=1)
BERLIN = Preferences(zone="Europe/Berlin")

zones = st.sampled_from(ZONES)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 3 * 365 * 86_400).map(lambda seconds: BEGIN + timedelta(seconds=seconds))
repeats = st.sampled_from(
    [None, "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY", "FREQ=MONTHLY;INTERVAL=3", "FREQ=YEARLY"]
)


@st.composite
def plans(draw) -> tuple[Plan, Preferences]:
    armed_at = draw(moments)
    day = armed_at.date() + timedelta(days=draw(st.integers(-40, 200)))
    timed = draw(st.booleans())
    minute, zone = (draw(st.integers(0, 1439)), draw(zones)) if timed else (None, None)
    schedule = make_schedule(day, minute, zone, draw(repeats))
    leads = tuple(draw(st.lists(st.integers(0, 90), min_size=1, max_size=4, unique=True)))
    person = Preferences(zone=draw(zones), remind_at=draw(st.integers(0, 1439)))
    return Plan(schedule, schedule.starts_on, leads, armed_at), person


@settings(max_examples=EXAMPLES, deadline=None)
@given(plans(), st.lists(st.integers(60, 50 * 86_400), min_size=1, max_size=12))
def test_however_often_it_is_looked_at_nobody_is_told_twice_and_nobody_is_flooded(case, pauses: list[int]):
    plan, person = case
    known = set()
    now = plan.armed_at
    for pause in pauses:
        before, now = now, now + timedelta(seconds=pause)
        decision = decide(plan, person, None, known, now, USEFUL)
        tellings = [*([decision.told] if decision.told else []), *decision.passed]
        assert {each.key for each in tellings}.isdisjoint(known)
        assert len({each.key for each in tellings}) == len(tellings)
        assert all(max(plan.armed_at, now - USEFUL) < each.at <= now for each in tellings)
        assert all(each.at > before for each in tellings)  # what was due before was seen to then
        assert bool(decision.passed) <= bool(decision.told)
        known |= {each.key for each in tellings}
        again = decide(plan, person, None, known, now, USEFUL)
        assert (again.told, again.passed) == (None, [])


@settings(max_examples=max(EXAMPLES // 2, 10), deadline=None)
@given(plans())
def test_who_looks_when_it_is_time_misses_nothing_and_comes_never_in_vain(case):
    plan, person = case
    known, now, rounds = set(), plan.armed_at, 0
    due = plan.due(plan.armed_at, plan.armed_at + timedelta(days=50), person)
    while (at := plan.next_at(now, person, None)) and at <= plan.armed_at + timedelta(days=50):
        rounds += 1
        assert at > now
        assert decide(plan, person, None, known, at - SECOND, USEFUL).told is None
        decision = decide(plan, person, None, known, at, USEFUL)
        assert decision.told is not None
        assert all(each.at == at for each in (decision.told, *decision.passed))
        assert not decision.late
        known |= {each.key for each in (decision.told, *decision.passed)}
        now = at

    assert known == {each.key for each in due}
    assert rounds == len({each.at for each in due})


@settings(max_examples=EXAMPLES, deadline=None)
@given(plans(), st.integers(1, 60 * 86_400))
def test_who_puts_it_off_is_told_then_once_and_not_before(case, seconds: int):
    plan, person = case
    until = plan.armed_at + timedelta(seconds=seconds)
    put_off = PutOff(plan.open_on, until, 1)

    assert decide(plan, person, put_off, set(), until - SECOND, USEFUL).told is None
    assert plan.next_at(plan.armed_at, person, put_off) == until
    decision = decide(plan, person, put_off, set(), until, USEFUL)
    assert decision.told is not None
    assert (decision.told.lead, decision.told.occurs_on) == (-1, plan.open_on)
    known = {each.key for each in (decision.told, *decision.passed)}
    assert decide(plan, person, put_off, known, until, USEFUL).told is None


def plan_of(day: date, *leads: int, rrule: str | None = None, armed_at: datetime | None = None) -> Plan:
    schedule = make_schedule(day, None, None, rrule)
    return Plan(schedule, schedule.starts_on, leads, armed_at or datetime(2026, 1, 1, tzinfo=UTC))


def test_people_in_other_zones_are_told_on_their_own_mornings():
    plan = plan_of(date(2026, 6, 1), 0)
    told = {zone: plan.next_at(datetime(2026, 5, 1, tzinfo=UTC), Preferences(zone=zone), None) for zone in ZONES}

    for zone, moment in told.items():
        assert moment is not None
        wall = moment.astimezone(ZoneInfo(zone))
        assert (wall.date(), wall.hour, wall.minute) == (date(2026, 6, 1), 9, 0)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
@pytest.mark.parametrize("minute", [0, 60, 90, 120, 125, 150, 179, 180, 239])
def test_when_the_clocks_change_it_is_told_once(day: date, minute: int):
    schedule = make_schedule(day - timedelta(days=2), minute, "Europe/Berlin", "FREQ=DAILY")
    plan = Plan(schedule, schedule.starts_on, (0,), datetime(2026, 1, 1, tzinfo=UTC))
    now, told = plan.schedule.moment(schedule.starts_on) - timedelta(hours=1), []
    known: set = set()
    while now < plan.schedule.moment(day + timedelta(days=2)):
        now += timedelta(minutes=15)
        decision = decide(plan, BERLIN, None, known, now, USEFUL)
        if decision.told:
            known |= {each.key for each in (decision.told, *decision.passed)}
            told.append(decision.told.occurs_on)
    assert told == [day + timedelta(days=ahead) for ahead in (-2, -1, 0, 1, 2)]


def test_after_a_downtime_one_thing_is_told_and_the_rest_is_past():
    plan = plan_of(date(2026, 6, 1), 60, 30, 7, 1)

    decision = decide(plan, BERLIN, None, set(), datetime(2026, 5, 26, tzinfo=UTC), USEFUL)

    assert decision.told is not None
    assert (decision.told.lead, [each.lead for each in decision.passed]) == (7, [30])  # 60 is of no use any more
    assert decision.late


def test_of_many_missed_days_the_last_is_told_and_of_what_is_ahead_the_nearest():
    daily = plan_of(date(2026, 6, 1), 0, rrule="FREQ=DAILY")
    decision = decide(daily, BERLIN, None, set(), datetime(2026, 6, 20, 6, tzinfo=UTC), USEFUL)
    assert decision.told is not None
    assert (decision.told.occurs_on, len(decision.passed)) == (date(2026, 6, 19), 18)

    weekly = plan_of(date(2026, 6, 1), 7, 0, rrule="FREQ=WEEKLY")
    decision = decide(weekly, BERLIN, None, set(), datetime(2026, 6, 8, 12, tzinfo=UTC), USEFUL)
    assert decision.told is not None
    assert (decision.told.occurs_on, decision.told.lead) == (date(2026, 6, 8), 0)


def test_what_lies_before_it_was_set_is_not_told():
    plan = plan_of(date(2026, 6, 1), 60, 30, 7, armed_at=datetime(2026, 5, 20, tzinfo=UTC))

    assert decide(plan, BERLIN, None, set(), datetime(2026, 5, 20, 1, tzinfo=UTC), USEFUL).told is None
    assert plan.next_at(datetime(2026, 5, 20, tzinfo=UTC), BERLIN, None) == datetime(2026, 5, 25, 7, tzinfo=UTC)


def test_what_was_done_early_is_not_told():
    plan = plan_of(date(2026, 6, 1), 3, rrule="FREQ=MONTHLY")
    done = Plan(plan.schedule, date(2026, 7, 1), plan.leads, plan.armed_at)

    assert decide(done, BERLIN, None, set(), datetime(2026, 6, 5, tzinfo=UTC), USEFUL).told is None
    assert done.next_at(datetime(2026, 5, 1, tzinfo=UTC), BERLIN, None) == datetime(2026, 6, 28, 7, tzinfo=UTC)
