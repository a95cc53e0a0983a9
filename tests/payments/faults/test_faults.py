"""Random histories under faults and kills: afterwards the books are the provider's, to the cent.

The long run: `LIFEVAULT_TEST_FAULT_SEEDS=50 pytest tests/payments/faults`.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from tests.payments.faults.books import violations
from tests.payments.faults.world import World, ask, new_person
from tests.payments.simulator import Simulator, new_simulator
from tests.stack import Stack
from tests.system.test_kills import victims

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("LIFEVAULT_TEST_FAULT_SEEDS", "1"))
FIRST_SEED = int(os.environ.get("LIFEVAULT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
PEOPLE = 3
ACTS = 8
QUIET_SECONDS = 300
FAULTS = {
    "loss": 0.15,
    "duplicate": 0.35,
    "reorder": 0.5,
    "drop_answers": 0.05,
    "fail_answers": 0.03,
    "rate_limit": 0.02,
    "delay_seconds": 1,
}


@pytest.fixture(scope="module")
def world(make_stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    simulator = new_simulator(tmp_path_factory.mktemp("books") / "books.sqlite")
    yield furnished(make_stack, simulator)
    simulator.stop()


def furnished(make_stack: Callable[..., Stack], simulator: Simulator, *, tells: bool = True) -> World:
    """The product and its provider, which tells it what happens by webhooks."""
    operator_email = "operator@family.example"
    stack = make_stack(
        LIFEVAULT_PAYMENT_PROVIDER="sim",
        LIFEVAULT_SIM_URL=simulator.url,
        LIFEVAULT_SIM_KEY=simulator.key,
        LIFEVAULT_PAYMENT_WEBHOOK_SECRETS=simulator.webhook_secret,
        LIFEVAULT_OPERATORS=operator_email,
        LIFEVAULT_PASSWORD_STRENGTH="0",
    )
    return asyncio.run(_furnished(stack, simulator, operator_email, tells=tells))


async def _furnished(stack: Stack, simulator: Simulator, operator_email: str, *, tells: bool) -> World:
    simulator.environment["LIFEVAULT_PUBLIC_URL"] = stack.url
    await asyncio.to_thread(simulator.start)
    if tells:
        url = f"{stack.url}/v1/payments/webhooks/sim"
        await simulator.control("/webhook", {"url": url, "secret": simulator.webhook_secret})
    operator = await asyncio.to_thread(new_person, stack, operator_email)
    await ask(stack, "UPDATE auth_users SET email_verified_at = now()")
    packs = await ask(stack, "SELECT id FROM payments_prices WHERE kind = 'credits'")
    return World(stack, simulator, operator, [str(row["id"]) for row in packs])


async def kill_some(world: World, chance: random.Random, stop: asyncio.Event) -> int:
    """Kill API and workers now and then, and one in four times also what is still starting again."""
    killed = 0
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), chance.uniform(1.5, 4))
            break
        with suppress(psutil.NoSuchProcess):
            if chance.random() < 0.75:  # on a slow machine nothing would ever be up
                await asyncio.to_thread(world.stack.wait_ready)
            alive = [each for each in victims(world.stack) if "postgres" not in each.name()]
            if alive:
                chance.choice(alive).send_signal(signal.SIGKILL)
                killed += 1
    return killed


async def play(world: World, seed: int) -> None:
    """One random history."""
    people = [await asyncio.to_thread(new_person, world.stack) for _ in range(PEOPLE)]
    await ask(world.stack, "UPDATE auth_users SET email_verified_at = now()")
    await world.simulator.control("/faults", {**FAULTS, "seed": seed})
    stop = asyncio.Event()
    killing = asyncio.create_task(kill_some(world, random.Random(seed + 1), stop))

    async def live(number: int) -> None:
        own = random.Random(seed * 31 + number)
        for _ in range(ACTS):
            await world.act(people[number], own)
            if own.random() < 0.25:
                await world.tell("/clock", {"advance_seconds": own.randrange(86_400, 20 * 86_400)})

    await asyncio.gather(*(live(number) for number in range(PEOPLE)))
    stop.set()
    world.done["kills"] += await killing
    await world.simulator.control("/faults", method="DELETE")


async def reconcile(world: World, until: float) -> None:
    """Have the books compared from the beginning, and wait for the end of it."""
    asked = await world.post(world.operator, "/admin/reconciliations", {"depth": "deep"}, QUIET_SECONDS)
    assert asked is not None
    while await world.get(world.operator, f"/admin/reconciliations/{asked.json()['id']}") is None:
        assert time.monotonic() < until, "the comparison did not end"
        await asyncio.sleep(0.1)


async def settle(world: World) -> list[str]:
    """Let everything come to rest; what does not hold after that."""
    until = time.monotonic() + QUIET_SECONDS
    wrong = ["it was never looked"]
    while wrong and time.monotonic() < until:
        await asyncio.to_thread(world.stack.wait_ready)
        await world.simulator.control("/deliveries/flush", {"seconds": 5})
        await ask(world.stack, "UPDATE payments_inbox SET next_try_at = now() WHERE handled_at IS NULL")
        await ask(world.stack, "UPDATE payments_operations SET lease_until = now() WHERE state = 'created'")
        await reconcile(world, until)
        wrong = await violations(world)
        if wrong:
            await asyncio.sleep(2)
    return wrong


@pytest.mark.parametrize("number", range(SEEDS))
def test_after_any_history_the_books_are_the_providers(world: World, number: int):
    seed = FIRST_SEED + number

    async def run() -> list[str]:
        await play(world, seed)
        return await settle(world)

    assert asyncio.run(run()) == [], f"seed {seed} after {world.done}"
    print(f"seed {seed}: {dict(world.done)}")  # noqa: T201  what this history was
    assert world.done["kills"] > 0
