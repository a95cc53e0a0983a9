"""Credits over any history: against a model that knows only sums, and under many workers at once."""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from app.cli.embedded.postgres import PostgresUrls
from app.core.clock import new_id
from app.db.engine import asyncpg_url
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.payments.services import credits
from app.payments.services.lots import withdrawn_of
from tests.payments.books.conftest import audit_of, rows_of
from tests.payments.books.test_credits import bare_family, grant, take_back

pytestmark = pytest.mark.slow

Result = TypeVar("Result")
LONG = timedelta(days=300)
HOLDS = int(os.environ.get("LIFEVAULT_TEST_HOLDS", "1600"))  # the long run: 20000
HISTORIES = int(os.environ.get("LIFEVAULT_TEST_HISTORIES", "8"))  # the long run: 60


class Histories(RuleBasedStateMachine):
    """Every step is done to the database and to a model of a few sums; afterwards both must say the same."""

    do: Callable[[Awaitable[Any]], Any]

    def __init__(self) -> None:
        super().__init__()
        self.family_id: UUID = self.do(bare_family())
        self.lots: dict[UUID, tuple[int, int]] = {}
        self.holds: dict[UUID, int] = {}
        self.used = 0
        self.has_ended = False

    @rule(amount=st.integers(1, 200), priority=st.integers(0, 2), days=st.integers(1, 400))
    def grant_credits(self, amount: int, priority: int, days: int) -> None:
        payment = new_id()
        values = {"priority": priority, "lasts": timedelta(days=days), "payment_id": payment}
        assert self.do(grant(self.family_id, amount, **values))
        self.lots[payment] = amount, 0

    @precondition(lambda self: self.lots)
    @rule(data=st.data(), back=st.integers(0, 1_000))
    def money_goes_back_or_returns(self, data: st.DataObject, back: int) -> None:
        payment = data.draw(st.sampled_from(sorted(self.lots)))
        self.do(take_back(self.family_id, payment, back))
        self.lots[payment] = self.lots[payment][0], withdrawn_of(self.lots[payment][0], back, 1_000)

    @rule(amount=st.integers(1, 120))
    def hold_some(self, amount: int) -> None:
        held = self.do(self._hold(amount))
        expected = min(amount, self.expected()[0]) if not self.expected()[1] else 0
        if not self.has_ended:
            assert held.amount == expected
        if held.amount:
            self.holds[held.id] = held.amount

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), amount=st.integers(0, 150))
    def settle_one(self, data: st.DataObject, amount: int) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.holds)))
        available = self.do(self._balance())[0]
        self.do(self._settle(hold_id, amount))
        self.used += min(amount, self.holds.pop(hold_id) + available)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release_one(self, data: st.DataObject) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.holds)))
        self.do(self._release(hold_id))
        del self.holds[hold_id]

    @precondition(lambda self: self.lots)
    @rule(data=st.data())
    def time_of_one_is_over(self, data: st.DataObject) -> None:
        self.has_ended = True
        self.do(self._end(data.draw(st.sampled_from(sorted(self.lots)))))

    @invariant()
    def nothing_is_lost_or_made(self) -> None:
        available, held, debt = self.do(self._balance())
        proof = self.do(audit_of(self.family_id))
        assert proof.used == self.used
        assert held == sum(self.holds.values())
        assert proof.granted == sum(granted for granted, _ in self.lots.values())
        assert not (debt and available)
        if not self.has_ended:
            assert (available, debt) == self.expected()

    def expected(self) -> tuple[int, int]:
        """What is left of everything whose money is here, or how much is missing."""
        here = sum(granted - withdrawn for granted, withdrawn in self.lots.values())
        left = here - self.used - sum(self.holds.values())
        return max(0, left), max(0, -left)

    async def _hold(self, amount: int) -> credits.Hold:
        async with session_scope() as session:
            return await credits.hold(session, self.family_id, key=uuid4().hex, amount=amount, seconds=600)

    async def _settle(self, hold_id: UUID, amount: int) -> None:
        async with session_scope() as session:
            await credits.settle(session, hold_id, amount)

    async def _release(self, hold_id: UUID) -> None:
        async with session_scope() as session:
            await credits.release(session, hold_id)

    async def _balance(self) -> tuple[int, int, int]:
        async with session_scope() as session:
            found = await credits.balance(session, self.family_id)
        return found.available, found.held, found.debt

    async def _end(self, payment: UUID) -> None:
        over = "UPDATE payments_credit_lots SET expires_at = now() WHERE payment_id = :id RETURNING id"
        look = "UPDATE payments_credit_accounts SET attend_at = '-infinity' WHERE family_id = :id RETURNING family_id"
        await rows_of(over, id=payment)
        await rows_of(look, id=self.family_id)


async def run_histories(examples: int, steps: int) -> None:
    loop = asyncio.get_running_loop()

    def do(work: Awaitable[Result]) -> Result:
        async def awaited() -> Result:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), loop).result()

    machine = type("Machine", (Histories,), {"do": staticmethod(do)})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=chosen)


async def test_any_history_of_credits_ends_as_the_sums_say(runtime: Runtime):
    await run_histories(examples=12, steps=12)


async def test_any_long_history_of_credits_ends_as_the_sums_say(runtime: Runtime):
    await run_histories(examples=HISTORIES, steps=30)


HOLD = "SELECT id, amount FROM payments_hold_credits($1, $2, $3, $4, 600)"
SETTLE = "SELECT payments_settle_credits($1, $2)"
RELEASE = "SELECT payments_release_credits($1)"


async def worker(url: str, families: list[UUID], rounds: int, seed: int, took: list[float]) -> None:
    """Holds, then settles, releases, or forgets, each in a transaction of its own on a connection of its own."""
    chance = random.Random(seed)
    connection = await asyncpg.connect(url)
    try:
        for number in range(rounds):
            family = chance.choice(families)
            hold_id, amount = uuid4(), chance.randint(1, 5)
            begun = time.perf_counter()
            rows = await within(connection, family, HOLD, family, hold_id, f"{seed}:{number}", amount)
            took.append(time.perf_counter() - begun)
            fate = chance.random()
            if rows and fate < 0.6:
                await within(connection, family, SETTLE, hold_id, chance.randint(0, 7))
            elif rows and fate < 0.9:
                await within(connection, family, RELEASE, hold_id)
    finally:
        await connection.close()


async def within(connection: Any, family: UUID, statement: str, *arguments: Any) -> Any:
    await connection.execute(f"BEGIN; SELECT set_config('app.principal', 'family:{family}', true)")
    rows = await connection.fetch(statement, *arguments)
    await connection.execute("COMMIT")
    return rows


async def under_load(postgres: PostgresUrls, families: list[UUID], workers: int, holds: int) -> list[float]:
    took: list[float] = []
    url = asyncpg_url(postgres.app)
    rounds = holds // workers
    await asyncio.gather(*(worker(url, families, rounds, seed, took) for seed in range(workers)))
    for family_id in families:
        row = await audit_of(family_id)
        assert row.used + row.held + row.expired + row.available + row.taken_back == row.granted
        assert min(row.available, row.held, row.used) >= 0
    return took


async def stocked(count: int, each: int) -> list[UUID]:
    """Families with credits in several lots."""
    families = [await bare_family() for _ in range(count)]
    for family_id in families:
        for part in (each // 2, each // 3, each - each // 2 - each // 3):
            await grant(family_id, part, lasts=LONG)
        async with session_scope() as session:
            await credits.balance(session, family_id)
    return families


async def test_many_workers_share_the_credits_of_one_family_exactly(runtime: Runtime, postgres: PostgresUrls):
    families = await stocked(1, 900)

    await under_load(postgres, families, workers=16, holds=800)


@pytest.mark.parametrize("count", [1, 8], ids=["one family", "eight families"])
async def test_sixty_four_workers_and_many_holds_lose_nothing(
    runtime: Runtime, postgres: PostgresUrls, count: int, capsys: pytest.CaptureFixture[str]
):
    families = await stocked(count, HOLDS * 12 // 5 // count)

    took = await under_load(postgres, families, workers=64, holds=HOLDS)

    quantiles = statistics.quantiles(took, n=100)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(took)} holds by 64 workers on {count}: median {quantiles[49] * 1e3:.1f} ms, "
            f"p99 {quantiles[98] * 1e3:.1f} ms, {os.cpu_count()} processors"
        )


async def test_all_balances_can_be_rebuilt_from_what_happened(runtime: Runtime, postgres: PostgresUrls):
    (family_id,) = await stocked(1, 300)
    await under_load(postgres, [family_id], workers=4, holds=80)

    rebuilt = await rows_of(
        "SELECT l.id, l.granted - l.expired - l.taken_back - l.repaid - coalesce(sum(u.amount), 0) AS remaining, "
        "l.remaining AS present FROM payments_credit_lots l LEFT JOIN payments_credit_uses u ON u.lot_id = l.id "
        "WHERE l.family_id = :id GROUP BY l.id",
        id=family_id,
    )
    assert len(rebuilt) == 3
    assert [row for row in rebuilt if row.remaining != row.present] == []
    (account,) = await rows_of(
        "SELECT available, held FROM payments_credit_accounts WHERE family_id = :id", id=family_id
    )
    (held,) = await rows_of(
        "SELECT coalesce(sum(amount), 0) AS held FROM payments_credit_holds WHERE family_id = :id AND state = 'held'",
        id=family_id,
    )
    assert (account.held, account.available) == (held.held, sum(row.remaining for row in rebuilt) - held.held)
