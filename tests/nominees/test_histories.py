"""Random histories of a plan on the real database: whoever does what when, at the same moment too, the rules hold.

`LIFEVAULT_TEST_SCHEDULES` is the number of histories.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar
from uuid import UUID

import orjson
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
from sqlalchemy import insert, text

from app.auth.principal import RELEASED, Principal
from app.core.clock import new_id
from app.core.errors import AppError
from app.db.runtime import Runtime, current
from app.db.session import Actor, session_scope
from app.nominees import service
from app.nominees.models import nominees, proofs
from app.nominees.schemas.plans import LegacyPlanCreate
from app.nominees.service.advancing import advance_case
from app.nominees.service.guests import Guest
from app.vault.cells import seal_body
from app.vault.schemas.vaults import VaultRead
from app.vault.service import Filters
from tests.factories import TestUser, make_item, make_user, make_vault, principal_of
from tests.nominees.conftest import rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
SCHEDULES = int(os.environ.get("LIFEVAULT_TEST_SCHEDULES", "12"))
Result = TypeVar("Result")
DAY = timedelta(days=1)
BEFORE = ("suspected", "reminding", "confirming", "waiting")


class World:
    """One owner, a vault, two nominees and a trusted person; each history has a plan of its own."""

    owner: TestUser
    vault: VaultRead
    people: list[UUID]

    @classmethod
    async def make(cls) -> "World":
        world = cls()
        world.owner = await make_user(name="Ada")
        world.vault = await make_vault(world.owner)
        await make_item(world.owner, world.vault)
        async with session_scope(Actor.user(world.owner.id)) as session:
            ring = await current().keys.ring(session, world.owner.id)
            world.people = [new_id() for _ in range(3)]
            for number, nominee_id in enumerate(world.people):
                content = {"name": f"N{number}", "email": f"{nominee_id}@example.org", "phone": None, "relation": ""}
                values = {
                    "id": nominee_id,
                    "user_id": world.owner.id,
                    "email_digest": nominee_id.bytes,
                    "state": "accepted",
                    "body": seal_body(ring, nominees, nominee_id, content),
                }
                await session.execute(insert(nominees).values(values))
        return world

    def guest(self, number: int) -> Guest:
        nominee_id = self.people[number]
        principal = Principal(nominee_id, frozenset({RELEASED}), nominee_id=nominee_id)
        return Guest(principal, new_id(), nominee_id, self.owner.id)

    @property
    def actor(self) -> Actor:
        return Actor.user(self.owner.id)

    async def letters(self) -> list[tuple[str, dict[str, str]]]:
        """All letters that wait, taken out as if they were sent: template and context."""
        async with session_scope() as session:
            statement = "DELETE FROM notifications_mails WHERE owner_id = :id RETURNING id, body"
            rows = (await session.execute(text(statement), {"id": self.owner.id})).all()
            ring = await current().keys.ring(session, self.owner.id, *(row.body for row in rows))
            opened = [orjson.loads(ring.open("notifications_mails", row.id, "body", row.body)) for row in rows]
        return [(each["template"], each["context"]) for each in opened]

    async def seen(self, at: datetime) -> None:
        await rows_of("UPDATE auth_users SET last_seen_at = :at WHERE id = :id RETURNING id", at=at, id=self.owner.id)
        statement = (
            "UPDATE auth_sessions SET last_seen_at = :at, authenticated_at = now() WHERE user_id = :id RETURNING id"
        )
        await rows_of(statement, at=at, id=self.owner.id)


class Histories(RuleBasedStateMachine):
    """Everything is done to the product; what must hold is read from its tables."""

    do: Callable[[Awaitable[Any]], Any]
    world: World

    @initialize(
        inactivity=st.sampled_from([None, 30]),
        confirmer=st.booleans(),
        silent=st.booleans(),
        attest=st.integers(0, 2),
        reminder=st.integers(1, 20),
        waiting=st.integers(1, 20),
        stages=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    )
    def begin(self, inactivity, confirmer, silent, attest, reminder, waiting, stages) -> None:
        self.now = datetime.now(UTC)
        gifts = [{"kind": "vault", "nominee_id": self.world.people[n], "vault_id": self.world.vault.id} for n in (0, 1)]
        self.values = {
            "title": "A plan",
            "inactivity_days": inactivity,
            "confirmer_id": self.world.people[2] if confirmer else None,
            "goes_on_if_silent": silent,
            "attestations_needed": attest,
            "reminder_days": reminder,
            "waiting_days": waiting,
            "cooldown_days": 10,
            "access_days": 30,
            "stages": [{"after_days": days, "gifts": gifts} for days in stages],
        }
        self.stage_days = [sum(stages[: n + 1]) for n in range(len(stages))]
        self.stop_links: list[str] = []
        self.confirm_links: list[str] = []
        self.warned: dict[UUID, list[datetime]] = {}
        self.checked: list[Any] = []
        self.plan_id = self.do(self._begin())

    async def _begin(self) -> UUID:
        await self.world.seen(self.now)
        async with session_scope(self.world.actor) as session:
            principal = principal_of(self.world.owner)
            plan = await service.create_plan(session, principal, LegacyPlanCreate.model_validate(self.values))
            await service.arm_plan(session, principal, plan.id, self.now)
        return plan.id

    def teardown(self) -> None:
        if not hasattr(self, "plan_id"):
            return
        self.do(self._there_is_a_way_on())
        self.do(rows_of("DELETE FROM legacy_plans WHERE id = :id RETURNING id", id=self.plan_id))
        self.do(self.world.letters())

    async def _there_is_a_way_on(self) -> None:
        for _ in range(20):
            case = await self._open_case()
            if case is None:
                return
            await self.world.letters()
            assert await advance_case(case.id, self.world.owner.id, max(self.now, case.due_at)) or case.state in BEFORE
            self.now = max(self.now, case.due_at)
        raise AssertionError(f"never closed: {case}")

    async def _open_case(self) -> Any:
        found = await rows_of("SELECT * FROM legacy_cases WHERE plan_id = :id AND state <> 'closed'", id=self.plan_id)
        return found[0] if found else None

    async def _deliver(self) -> None:
        for template, context in await self.world.letters():
            case = await self._open_case()
            if template == "legacy_confirm":
                self.confirm_links.append(context["token"])
            elif template in (
                "legacy_suspected",
                "legacy_reminder",
                "legacy_confirming",
                "legacy_waiting",
                "legacy_released",
            ):
                self.stop_links.append(context["token"])
                if case and template == "legacy_reminder":
                    self.warned.setdefault(case.id, []).append(self.now)

    async def _sweep(self) -> None:
        await service.advance_due(self.now)
        await service.suspect_inactive(self.now)

    @rule(hours=st.integers(1, 24 * 15))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.do(self._sweep())

    @rule(times=st.integers(1, 4))
    def time_passes_to_what_is_due(self, times: int) -> None:
        for _ in range(times):
            case = self.do(self._open_case())
            if case:
                self.do(self._deliver())
                self.now = max(self.now, case.due_at)
                self.do(self._sweep())
                self.everything_holds()

    @rule()
    def letters_are_delivered(self) -> None:
        self.do(self._deliver())

    @rule(number=st.integers(0, 2))
    def a_nominee_asks(self, number: int) -> None:
        async def ask() -> None:
            async with session_scope(Actor.nominee(self.world.people[number])) as session:
                await service.ask(session, self.world.guest(number), self.plan_id, self.now)

        before = self.do(self._open_case())
        try:
            self.do(ask())
        except AppError as error:
            assert number == 2 or (before and before.state == "stopped"), error  # noqa: PT017

    @rule(chance=st.integers(0, 3))
    def the_owner_is_there(self, chance: int) -> None:
        if chance == 0:
            self.do(self.world.seen(self.now))

    @rule(chance=st.integers(0, 9), number=st.integers(0, 9))
    def the_owner_stops_it(self, chance: int, number: int) -> None:
        if chance > 1:
            return
        case = self.do(self._open_case())
        self.do(self._stop(case, self.stop_links[number % len(self.stop_links)] if chance and self.stop_links else ""))

    async def _stop(self, case: Any, token: str) -> None:
        with suppress(AppError):
            if token:
                await service.stop_by_link(token, self.now)
            elif case:
                async with session_scope(self.world.actor) as session:
                    await service.stop_case(session, principal_of(self.world.owner), case.id, self.now)
                assert (await self._open_case()).state == "stopped"

    @rule(agree=st.sampled_from([True] * 5 + [False]), by_link=st.booleans())
    def the_trusted_person_speaks(self, agree: bool, by_link: bool) -> None:
        async def speak() -> None:
            case = await self._open_case()
            if by_link and self.confirm_links:
                await service.confirm_by_link(self.confirm_links.pop(), agree=agree, now=self.now)
            elif case:
                async with session_scope(Actor.nominee(self.world.people[2])) as session:
                    await service.confirm(session, self.world.guest(2), case.id, agree=agree, now=self.now)

        with suppress(AppError):
            self.do(speak())

    @rule(number=st.integers(0, 2))
    def somebody_attests(self, number: int) -> None:
        async def attest() -> None:
            case = await self._open_case()
            if case is None:
                return
            await self._bring_proof(case.id, number)
            async with session_scope(Actor.nominee(self.world.people[number])) as session:
                await service.attest(session, self.world.guest(number), case.id, "", self.now)

        with suppress(AppError):
            self.do(attest())

    async def _bring_proof(self, case_id: UUID, number: int) -> None:
        if await rows_of("SELECT 1 FROM legacy_proofs WHERE case_id = :id", id=case_id):
            return
        async with session_scope(self.world.actor) as session:
            ring, proof_id = await current().keys.ring(session, self.world.owner.id), new_id()
            content = {"key": "00" * 32, "name": "c.pdf", "sha256": "00" * 32, "chunk_bytes": 65_536}
            ids = {"id": proof_id, "user_id": self.world.owner.id, "case_id": case_id, "blob_name": proof_id.hex}
            body = seal_body(ring, proofs, proof_id, content)
            values = {"nominee_id": self.world.people[number], "media_type": "application/pdf", "size": 1, "body": body}
            await session.execute(insert(proofs).values(**ids, **values))

    @precondition(lambda self: self.do(self._open_case()))
    @rule(workers=st.integers(1, 3), chance=st.integers(0, 5))
    def the_veto_and_the_schedule_meet(self, workers: int, chance: int) -> None:
        """The owner stops it in the moment in which it is due, while several workers look at it."""

        async def race() -> None:
            case = await self._open_case()
            self.now = max(self.now, case.due_at)
            await self._deliver()
            sweeps = [advance_case(case.id, self.world.owner.id, self.now) for _ in range(workers)]
            was_stopped = case.state == "stopped"
            await asyncio.gather(self._stop(case, self.stop_links[-1] if self.stop_links else ""), *sweeps)
            after = (await rows_of("SELECT state FROM legacy_cases WHERE id = :id", id=case.id))[0].state
            of_case = await rows_of("SELECT 1 FROM nominee_links WHERE subject_id = :id AND kind = 'stop'", id=case.id)
            assert after in ("stopped", "closed") or (not was_stopped and not of_case)

        if chance == 0:  # now and then, so that some histories get to their end
            self.do(race())

    @invariant()
    def everything_holds(self) -> None:
        if hasattr(self, "plan_id"):
            self.do(self._check())

    async def _check(self) -> None:
        cases = await rows_of("SELECT * FROM legacy_cases WHERE plan_id = :id ORDER BY opened_at", id=self.plan_id)
        assert sum(case.state != "closed" for case in cases) <= 1
        for case in cases:
            await self._check_case(case)
        states = [(case.id, case.state, case.stages) for case in cases]
        if states != self.checked:
            self.checked = states
            is_open = any(case.state == "released" and case.stages for case in cases)
            assert {n: await self._can_read(n) for n in (0, 2)} == {0: is_open, 2: False}

    async def _check_case(self, case: Any) -> None:
        log = await rows_of("SELECT kind, at FROM legacy_case_events WHERE case_id = :id ORDER BY ordinal", id=case.id)
        released = await rows_of("SELECT released_at FROM legacy_releases WHERE case_id = :id", id=case.id)
        kinds = [event.kind for event in log]
        assert kinds[0] == "suspected"
        assert (case.due_at is None) == (case.state == "closed")
        assert len(released) == kinds.count("released") == (case.released_at is not None)
        if "stopped" in kinds:
            assert not {"released", "stage_released", "waiting"} & set(kinds[kinds.index("stopped") + 1 :])
        if not released:
            assert case.stages == 0
            return
        at = {event.kind: event.at for event in log}
        reminders = [event.at for event in log if event.kind == "reminded"]
        third = timedelta(days=self.values["reminder_days"]) / 3
        assert len(reminders) == 3
        assert reminders[0] >= case.opened_at + DAY
        assert all(later - earlier >= third for earlier, later in pairwise(reminders))
        assert at["waiting"] >= reminders[-1] + third
        assert case.released_at >= at["waiting"] + timedelta(days=self.values["waiting_days"])
        assert kinds.count("attested") >= self.values["attestations_needed"]
        if self.values["confirmer_id"] and not self.values["goes_on_if_silent"]:
            assert "confirmed" in kinds
        assert len(self.warned.get(case.id, [])) >= 3  # no release before the letters have gone out
        stages = [event.at for event in log if event.kind == "stage_released"]
        for days, stage_at in zip(self.stage_days, stages, strict=False):
            assert stage_at >= case.released_at + timedelta(days=days)

    async def _can_read(self, number: int) -> bool:
        guest = self.world.guest(number)
        try:
            async with session_scope(guest.principal.actor) as session:
                items, _ = await service.list_items(session, guest, self.world.vault.id, Filters())
        except AppError:
            return False
        return len(items) == 1


async def test_no_history_releases_early_or_after_a_veto_or_gets_stuck(runtime: Runtime):
    loop = asyncio.get_running_loop()
    world = await World.make()

    def do(work: Awaitable[Result]) -> Result:
        async def awaited() -> Result:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), loop).result()

    machine = type("Machine", (Histories,), {"do": staticmethod(do), "world": world})
    chosen = settings(
        max_examples=SCHEDULES,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=chosen)
