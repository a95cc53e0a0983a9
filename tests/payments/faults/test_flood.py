"""A flood of webhooks while Redis is away: all are taken, none is lost, and the end is what it is in good order.

The long run, of ten seconds at 300 a second: `LIFEVAULT_TEST_EVENTS=3000 pytest tests/payments/faults/test_flood.py`.
"""

import asyncio
import hashlib
import hmac
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.payments.faults.books import theirs, violations
from tests.payments.faults.test_faults import furnished
from tests.payments.faults.world import World, ask, new_person
from tests.payments.simulator import new_simulator
from tests.stack import Stack
from tests.system.test_outages import child

pytestmark = pytest.mark.slow

EVENTS = int(os.environ.get("LIFEVAULT_TEST_EVENTS", "300"))
SENDERS = 16
VERSION = "2026-10-28.endive"
MONTH = 31 * 86_400
SECONDS = 120


@pytest.fixture(scope="module")
def world(make_stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A provider that tells nobody anything, so that its events are all still to come."""
    simulator = new_simulator(tmp_path_factory.mktemp("books") / "books.sqlite")
    yield furnished(make_stack, simulator, tells=False)
    simulator.stop()


async def lived(world: World) -> list[dict[str, Any]]:
    """What the provider has to tell of some months of three families."""
    chance = random.Random(4)
    for number in range(3):
        person = await asyncio.to_thread(new_person, world.stack)
        await ask(world.stack, "UPDATE auth_users SET email_verified_at = now()")
        plan = {"plan": ("plus", "family")[number % 2], "interval": "month"}
        for body in (plan, {"price_id": chance.choice(world.packs)}):
            made = await world.post(person, "/checkout", body)
            assert made is not None
            assert made.status_code == 201, made.text
            statement = "SELECT provider_id FROM payments_checkouts WHERE id = $1"
            [row] = await ask(world.stack, statement, made.json()["id"])
            await world.tell(f"/checkout/{row['provider_id']}/complete", {"payment_method": "pm_card_visa"})
    told = {each["id"]: each for each in await theirs(world, "events")}
    for _ in range(3):  # a provider forgets events after a month
        await world.tell("/clock", {"advance_seconds": MONTH // 2})
        told |= {each["id"]: each for each in await theirs(world, "events")}
    return list(told.values())


def weather() -> dict[str, Any]:
    """Something that the provider tells and that means nothing to us."""
    sky = {"object": {"id": f"sky_{uuid4().hex}", "object": "sky"}}
    told = {"object": "event", "api_version": VERSION, "livemode": False, "created": int(time.time())}
    return {"id": f"evt_{uuid4().hex}", "type": "weather.changed", "data": sky, **told}


def request_of(world: World, event: dict[str, Any]) -> bytes:
    """The request by which the provider tells of it, whole: a client that makes it meanwhile is slower than we are."""
    body = json.dumps(event).encode()
    at = str(int(time.time()))
    digest = hmac.new(world.simulator.webhook_secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    head = (
        f"POST /v1/payments/webhooks/sim HTTP/1.1\r\nHost: 127.0.0.1:{world.stack.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nStripe-Signature: t={at},v1={digest}\r\n\r\n"
    )
    return head.encode() + body


async def flood(world: World, requests: list[bytes]) -> list[int]:
    """The answers to all of these, sent by several at once."""
    waiting, answers = iter(requests), []

    async def send() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.stack.port)
        for each in waiting:
            writer.write(each)
            head = await reader.readuntil(b"\r\n\r\n")
            [length] = re.findall(rb"content-length: (\d+)", head)
            await reader.readexactly(int(length))
            answers.append(int(head.split(b" ", 2)[1]))
        writer.close()

    await asyncio.gather(*(send() for _ in range(SENDERS)))
    return answers


async def settled(world: World) -> list[str]:
    """What does not hold once everything that came was dealt with."""
    until = time.monotonic() + SECONDS
    wrong = ["it was never looked"]
    while wrong and time.monotonic() < until:
        await asyncio.sleep(1)
        await ask(world.stack, "UPDATE payments_inbox SET next_try_at = now() WHERE handled_at IS NULL")
        wrong = await violations(world)
    return wrong


def test_a_flood_of_webhooks_without_redis_is_taken_and_ends_in_good_order(world: World):
    async def run() -> None:
        told = await lived(world)
        events = told * 3 + [weather() for _ in range(max(EVENTS - len(told) * 3, 50))]
        random.Random(5).shuffle(events)
        requests = [request_of(world, each) for each in events]
        valkey = child(world.stack, "valkey")
        valkey.suspend()
        started = time.monotonic()
        try:
            answers = await flood(world, requests)
        finally:
            seconds = time.monotonic() - started
            valkey.resume()
        print(f"{len(answers)} webhooks in {seconds:.1f} s, {len(answers) / seconds:.0f} a second")  # noqa: T201
        [row] = await ask(world.stack, "SELECT count(*) AS n FROM payments_inbox")

        assert answers == [200] * len(events)
        assert row["n"] == len({each["id"] for each in events})
        assert await settled(world) == []

    asyncio.run(run())
