"""The life of a release case, as pure functions: from a case, what happened and the time to the case that follows.

    suspected → reminding → confirming → waiting → released → closed
        └───────────┴────────────┴──────────┴─────────┴──→ stopped → closed

Each period is counted from when the one before it really ended, so a server that was away makes a release later, never
earlier. What a plan says is copied into its case at the start: nothing that happens meanwhile can shorten it. Every
state but the last has a time at which it goes on by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["suspected", "reminding", "confirming", "waiting", "released", "stopped", "closed"]
Trigger: TypeAlias = Literal["inactive", "asked"]
Ending: TypeAlias = Literal["owner", "owner_seen", "declined", "unconfirmed", "over"]

REMINDERS: Final = 3
SUSPECTED_DAYS: Final = 1
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        "suspected": frozenset({"reminding", "stopped"}),
        "reminding": frozenset({"confirming", "waiting", "stopped"}),
        "confirming": frozenset({"waiting", "stopped"}),
        "waiting": frozenset({"released", "stopped"}),
        "released": frozenset({"stopped", "closed"}),
        "stopped": frozenset({"closed"}),
        "closed": frozenset(),
    }
)
BEFORE_RELEASE: Final[tuple[State, ...]] = ("suspected", "reminding", "confirming", "waiting")


class NotPossible(Exception):
    """Something that can't happen in the present state of a case."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan says about time and consent, frozen into a case.

    `stage_days` are the days from the release on for each stage. A trusted person's silence may be taken for a yes
    (`goes_on_if_silent`), that of those who attest never.
    """

    reminder_days: int
    has_confirmer: bool
    confirmation_days: int
    goes_on_if_silent: bool
    attestations_needed: int
    waiting_days: int
    stage_days: tuple[int, ...]
    access_days: int
    cooldown_days: int


@dataclass(frozen=True, slots=True)
class Case:
    """Where a case stands. At `due_at` it goes on by itself; `stages` counts those that were released."""

    trigger: Trigger
    rules: Rules
    state: State
    opened_at: datetime
    entered_at: datetime
    due_at: datetime | None
    reminders: int = 0
    confirmed: bool = False
    attestations: int = 0
    stages: int = 0
    released_at: datetime | None = None
    ends_at: datetime | None = None
    ending: Ending | None = None

    @property
    def is_consented(self) -> bool:
        """Whether everybody whose word is needed has given it."""
        return (self.confirmed or not self.rules.has_confirmer) and self.is_attested

    @property
    def is_attested(self) -> bool:
        """Whether enough people attest."""
        return self.attestations >= self.rules.attestations_needed


def open_case(trigger: Trigger, rules: Rules, now: datetime) -> Case:
    """A case at its beginning."""
    return Case(trigger, rules, "suspected", now, now, now + timedelta(days=SUSPECTED_DAYS))


def advance(case: Case, now: datetime, last_seen: datetime | None = None) -> Case:
    """The case one step further, if it is time; the same case if not. `last_seen` is the owner's last sign of life.

    Whoever only seemed inactive and is back ends the case. One that was asked for goes on in spite of it: a telephone
    may sign in by itself, and the owner has been told how to stop it.
    """
    if case.trigger == "inactive" and case.state in BEFORE_RELEASE and last_seen and last_seen > case.opened_at:
        return _end(case, "owner_seen", now)
    if case.due_at is None or now < case.due_at:
        return case
    match case.state:
        case "suspected":
            return _to(case, "reminding", now, _third(case), reminders=1)
        case "reminding":
            return _remind(case, now)
        case "confirming":
            return _after_silence(case, now)
        case "waiting":
            return _release(case, now)
        case "released":
            return _next_stage(case, now)
        case "stopped":
            return _to(case, "closed", now, None)
        case _:
            return case


def what_happened(before: Case | None, after: Case) -> tuple[str, ...]:
    """What a step was, in words for the log and for letters; nothing if it was none."""
    if before is None:
        return ("suspected",)
    happened: list[str] = [after.state] if after.state != before.state else []
    happened += ["reminded"] * (after.reminders - before.reminders)
    happened += ["confirmed"] * (after.confirmed - before.confirmed)
    happened += ["attested"] * (after.attestations - before.attestations)
    return tuple(happened + ["stage_released"] * (after.stages - before.stages))


def stop(case: Case, now: datetime) -> Case:
    """The owner's veto, which also takes back what was released. Raises `NotPossible` when it is over anyway."""
    if "stopped" not in TRANSITIONS[case.state]:
        raise NotPossible
    return _end(case, "owner", now)


def confirm(case: Case, now: datetime, *, agrees: bool) -> Case:
    """The trusted person's word: a yes when it is asked for, a no until the release. Raises `NotPossible`."""
    if not case.rules.has_confirmer or case.state not in ("confirming", *([] if agrees else ["waiting"])):
        raise NotPossible
    if not agrees:
        return _end(case, "declined", now)
    return _if_consented(replace(case, confirmed=True), now)


def attest(case: Case, now: datetime) -> Case:
    """One person more attests; the caller counts nobody twice. Raises `NotPossible`."""
    if not case.rules.attestations_needed or case.state not in BEFORE_RELEASE:
        raise NotPossible
    return _if_consented(replace(case, attestations=case.attestations + 1), now)


def _third(case: Case) -> timedelta:
    """The time between two reminders, and from the last one until the case goes on."""
    return timedelta(days=case.rules.reminder_days) / REMINDERS


def _remind(case: Case, now: datetime) -> Case:
    if case.reminders < REMINDERS:
        return replace(case, reminders=case.reminders + 1, due_at=now + _third(case))
    if case.is_consented:
        return _wait(case, now)
    return _to(case, "confirming", now, timedelta(days=case.rules.confirmation_days))


def _if_consented(case: Case, now: datetime) -> Case:
    return _wait(case, now) if case.state == "confirming" and case.is_consented else case


def _after_silence(case: Case, now: datetime) -> Case:
    if case.is_attested and case.rules.goes_on_if_silent:
        return _wait(case, now)
    return _end(case, "unconfirmed", now)


def _wait(case: Case, now: datetime) -> Case:
    return _to(case, "waiting", now, timedelta(days=case.rules.waiting_days))


def _release(case: Case, now: datetime) -> Case:
    last = timedelta(days=max(case.rules.stage_days, default=0))
    ends_at = now + last + timedelta(days=case.rules.access_days)
    return _with_stages(_to(case, "released", now, None, released_at=now, ends_at=ends_at), now)


def _next_stage(case: Case, now: datetime) -> Case:
    if case.stages < len(case.rules.stage_days):
        return _with_stages(case, now)
    return _to(case, "closed", now, None, ending="over")


def _with_stages(case: Case, now: datetime) -> Case:
    """All stages whose day has come are released; then the case is due at the next one, or at its end."""
    assert case.released_at  # noqa: S101
    times = [case.released_at + timedelta(days=days) for days in case.rules.stage_days]
    stages = max(case.stages, sum(at <= now for at in times))
    if stages < len(times):
        return replace(case, stages=stages, due_at=times[stages])
    ends_at = now + timedelta(days=case.rules.access_days)  # whoever gets the last stage late has it for as long
    return replace(case, stages=stages, due_at=ends_at, ends_at=ends_at)


def _end(case: Case, ending: Ending, now: datetime) -> Case:
    return _to(case, "stopped", now, timedelta(days=case.rules.cooldown_days), ending=ending)


def _to(case: Case, state: State, now: datetime, lasts: timedelta | None, **changes: object) -> Case:
    if state not in TRANSITIONS[case.state]:
        raise NotPossible
    changed: dict[str, object] = {"state": state, "entered_at": now, "due_at": now + lasts if lasts else None}
    return replace(case, **(changed | changes))  # type: ignore[arg-type]
