"""The state machine of releases, over random histories: never early, never after a veto, never stuck.

`LIFEVAULT_TEST_SCHEDULES` is the number of histories.
"""

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.nominees import machine
from app.nominees.machine import BEFORE_RELEASE, REMINDERS, TRANSITIONS, Case, NotPossible, Rules

START = datetime(2031, 1, 1, tzinfo=UTC)
SCHEDULES = int(os.environ.get("LIFEVAULT_TEST_SCHEDULES", "150"))
DAY = timedelta(days=1)

rules = st.builds(
    Rules,
    reminder_days=st.integers(1, 30),
    has_confirmer=st.booleans(),
    confirmation_days=st.integers(1, 40),
    goes_on_if_silent=st.booleans(),
    attestations_needed=st.integers(0, 3),
    waiting_days=st.integers(1, 40),
    stage_days=st.lists(st.integers(0, 60), min_size=1, max_size=4).map(lambda days: tuple(sorted(days))),
    access_days=st.integers(1, 90),
    cooldown_days=st.integers(1, 60),
)


class Histories(RuleBasedStateMachine):
    """Whatever happens, in whatever order, at whatever distance; the server may be away for long."""

    @initialize(trigger=st.sampled_from(["inactive", "asked"]), rules=rules)
    def begin(self, trigger: str, rules: Rules) -> None:
        self.now = START
        self.case: Case = machine.open_case(trigger, rules, self.now)
        self.seen = START - timedelta(days=400)
        self.states = ["suspected"]
        self.reminded: list[datetime] = []
        self.vetoed_at: datetime | None = None
        self.waiting_since: datetime | None = None
        self.words: set[str] = set()
        self.attested = 0

    def take(self, after: Case) -> None:
        before = self.case
        if after.state != before.state:
            assert after.state in TRANSITIONS[before.state]
            self.states.append(after.state)
            assert after.entered_at == self.now
        if after.reminders > before.reminders:
            assert after.reminders == before.reminders + 1
            self.reminded.append(self.now)
        if after.state == "waiting" and before.state != "waiting":
            self.waiting_since = self.now
        if after.state == "stopped":
            self.vetoed_at = self.vetoed_at or self.now
        self.case = after

    @rule(hours=st.integers(1, 24 * 40))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.take(machine.advance(self.case, self.now, self.seen))

    @rule()
    def the_schedule_looks_again(self) -> None:
        self.take(machine.advance(self.case, self.now, self.seen))

    @rule()
    def time_passes_to_just_before_it_is_due(self) -> None:
        if self.case.due_at and self.case.due_at > self.now + timedelta(seconds=1):
            self.now = self.case.due_at - timedelta(seconds=1)
            before = self.case
            self.take(machine.advance(self.case, self.now, self.seen))
            assert self.case == before or self.case.ending == "owner_seen"

    @rule()
    def time_passes_to_when_it_is_due(self) -> None:
        if self.case.due_at:
            self.now = max(self.now, self.case.due_at)
            before = self.case
            self.take(machine.advance(self.case, self.now, self.seen))
            assert self.case != before

    @precondition(lambda self: self.case.state in BEFORE_RELEASE)
    @rule(chance=st.integers(0, 5))
    def the_owner_is_back(self, chance: int) -> None:
        if chance == 0:
            self.now += timedelta(minutes=1)
            self.seen = self.now

    @rule(chance=st.integers(0, 7))
    def the_owner_stops_it(self, chance: int) -> None:
        if chance:
            return
        possible = "stopped" in TRANSITIONS[self.case.state]
        try:
            self.take(machine.stop(self.case, self.now))
        except NotPossible:
            assert not possible
        else:
            assert possible
            assert (self.case.state, self.case.ending) == ("stopped", "owner")

    @rule(agrees=st.sampled_from([True, True, True, False]))
    def the_trusted_person_speaks(self, agrees: bool) -> None:
        try:
            self.take(machine.confirm(self.case, self.now, agrees=agrees))
        except NotPossible:
            return
        self.words.add("yes" if agrees else "no")
        assert agrees or self.case.ending == "declined"

    @rule()
    def a_nominee_attests(self) -> None:
        try:
            self.take(machine.attest(self.case, self.now))
        except NotPossible:
            return
        self.attested += 1

    @invariant()
    def nothing_is_early(self) -> None:
        case, rules = self.case, self.case.rules
        if case.released_at is None:
            assert case.stages == 0
            return
        assert len(self.reminded) == REMINDERS
        gaps = [later - earlier for earlier, later in pairwise(self.reminded)]
        assert min(gaps) >= timedelta(days=rules.reminder_days) / 3
        assert self.reminded[0] >= START + DAY
        assert self.waiting_since is not None
        assert self.waiting_since >= self.reminded[-1] + timedelta(days=rules.reminder_days) / 3
        assert case.released_at >= self.waiting_since + timedelta(days=rules.waiting_days)
        assert self.attested >= rules.attestations_needed
        assert not rules.has_confirmer or "yes" in self.words or rules.goes_on_if_silent
        assert "no" not in self.words or case.state in ("stopped", "closed")
        for day in rules.stage_days[: case.stages]:
            assert self.now >= case.released_at + timedelta(days=day)

    @invariant()
    def a_veto_is_the_last_word(self) -> None:
        if self.vetoed_at:
            assert self.case.state in ("stopped", "closed")
            assert self.case.ending != "over"
            assert self.states[-1] in ("stopped", "closed")
            after = self.states[self.states.index("stopped") + 1 :]
            assert after in ([], ["closed"])

    @invariant()
    def each_state_comes_once_and_in_order(self) -> None:
        order = ["suspected", "reminding", "confirming", "waiting", "released", "stopped", "closed"]
        assert self.states == sorted(set(self.states), key=order.index)

    @invariant()
    def there_is_a_way_on(self) -> None:
        case, now = self.case, self.now
        assert (case.due_at is None) == (case.state == "closed")
        assert (case.ending is not None) == (case.state in ("stopped", "closed"))
        for _ in range(16):
            if case.due_at is None:
                break
            now = max(now, case.due_at)
            case = machine.advance(case, now, self.seen)
        assert case.state == "closed"


def test_no_history_releases_early_or_after_a_veto_or_gets_stuck():
    limits = settings(
        max_examples=SCHEDULES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Histories, settings=limits)


def plain(**changes: object) -> Rules:
    values = {
        "reminder_days": 14,
        "has_confirmer": False,
        "confirmation_days": 30,
        "goes_on_if_silent": False,
        "attestations_needed": 0,
        "waiting_days": 14,
        "stage_days": (0,),
        "access_days": 90,
        "cooldown_days": 30,
    }
    return Rules(**(values | changes))  # type: ignore[arg-type]


def when_due(case: Case, times: int = 1) -> Case:
    for _ in range(times):
        assert case.due_at
        case = machine.advance(case, case.due_at)
    return case


def test_without_anybody_s_word_it_takes_a_day_two_weeks_of_reminders_and_the_waiting_period():
    case = when_due(machine.open_case("asked", plain(), START), 5)

    assert case.state == "released"
    assert case.released_at == START + timedelta(days=1 + 14 + 14)


def test_a_server_that_was_away_makes_it_later_and_skips_nothing():
    case = machine.open_case("asked", plain(), START)
    away = START + timedelta(days=300)

    for _ in range(10):
        case = machine.advance(case, away)

    assert (case.state, case.reminders) == ("reminding", 1)


@pytest.mark.parametrize(("goes_on", "state"), [(True, "waiting"), (False, "stopped")])
def test_the_silence_of_the_trusted_person_is_taken_as_the_owner_decided(goes_on, state):
    case = when_due(machine.open_case("asked", plain(has_confirmer=True, goes_on_if_silent=goes_on), START), 4)
    assert case.state == "confirming"

    assert when_due(case).state == state


def test_the_silence_of_those_who_attest_is_never_taken_for_a_yes():
    case = when_due(machine.open_case("asked", plain(attestations_needed=2, goes_on_if_silent=True), START), 4)
    case = machine.attest(case, case.entered_at)

    assert when_due(case).ending == "unconfirmed"


def test_words_that_came_early_count():
    case = machine.attest(machine.open_case("asked", plain(attestations_needed=1), START), START)

    assert when_due(case, 4).state == "waiting"


def test_an_owner_who_is_back_ends_what_began_by_inactivity_and_not_what_was_asked_for():
    later = START + DAY
    for trigger, state in (("inactive", "stopped"), ("asked", "reminding")):
        case = machine.open_case(trigger, plain(), START)
        assert machine.advance(case, later, last_seen=START + timedelta(hours=1)).state == state


def test_a_trusted_person_may_object_until_the_release_and_agree_when_asked_only():
    case = machine.open_case("asked", plain(has_confirmer=True), START)
    with pytest.raises(NotPossible):
        machine.confirm(case, START, agrees=True)
    waiting = machine.confirm(when_due(case, 4), START + 16 * DAY, agrees=True)
    assert waiting.state == "waiting"
    assert machine.confirm(waiting, START + 17 * DAY, agrees=False).ending == "declined"
    released = when_due(waiting)
    with pytest.raises(NotPossible):
        machine.confirm(released, START + 60 * DAY, agrees=False)


def test_the_last_stage_stays_open_for_its_whole_time_even_if_it_came_late():
    case = when_due(machine.open_case("asked", plain(stage_days=(0, 10, 20)), START), 5)
    late = case.released_at + timedelta(days=500)
    case = machine.advance(case, late)

    assert (case.stages, case.ends_at) == (3, late + timedelta(days=90))
