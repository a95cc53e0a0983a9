"""An exchange of all keys, killed anywhere: every vault stays readable, and the exchange goes on from where it was."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from app.db.runtime import Runtime
from app.sealed.client import SealedClient
from app.sealed.encoding import digest
from app.sealed.errors import WrongPassword
from app.sealed.http import HttpTransport
from app.sealed.names import state_name
from app.sealed.pins import Pins
from tests import ROOT
from tests.vault.sealed.conftest import People
from tests.vault.sealed.home import Person, in_thread, let_in, make_person, password, sender

KILLS = int(os.environ.get("LIFEVAULT_TEST_KILLS", "2"))  # the long run: LIFEVAULT_TEST_KILLS=100
SEED = int(os.environ.get("LIFEVAULT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
STATEMENTS = 165  # about as many as an exchange of these keys takes


@dataclass
class Doomed:
    """The process that forks one child for each attempt."""

    process: asyncio.subprocess.Process

    async def rotate(self, person: Person, now: str, new: str, statements: int) -> int:
        """The signal by which the attempt ended, 0 if it went through."""
        told = {
            "token": person.user.access_token,
            "account": str(person.id),
            "pins": person.sealed.pins.to_bytes().hex(),
            "password": now,
            "new_password": new,
            "statements": statements,
        }
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(told).encode() + b"\n")
        await self.process.stdin.drain()
        return int(await asyncio.wait_for(self.process.stdout.readline(), 120))


@pytest.fixture
async def doomed(runtime: Runtime) -> AsyncIterator[Doomed]:
    settings = runtime.settings.model_dump(mode="json")
    for name in type(runtime.settings).model_fields:
        value = getattr(runtime.settings, name)
        settings[name] = value.get_secret_value() if hasattr(value, "get_secret_value") else settings[name]
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    arguments = sys.executable, "-m", "tests.vault.sealed.killed"
    process = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, **pipes)
    assert process.stdin
    process.stdin.write(json.dumps(settings).encode() + b"\n")
    yield Doomed(process)
    process.stdin.close()
    await process.wait()


@pytest.mark.slow
async def test_an_exchange_of_keys_that_is_killed_loses_nothing_and_goes_on(people: People, doomed: Doomed):
    chance = random.Random(SEED)
    person, bob = await make_person(people.client, "Hana"), people.bob
    vault = await in_thread(person.sealed.create_vault)
    for number in range(3):
        await in_thread(vault.items.put, {"number": str(number)})
    shared = await let_in(people.client, person, bob, vault, "editor")
    present, killed = password("Hana"), 0
    for round_number in range(KILLS):
        new = f"password of round {round_number}"
        share = STATEMENTS * (round_number + chance.random()) / KILLS
        ended = await doomed.rotate(person, present, new, max(1, int(share)))
        killed += ended == signal.SIGKILL
        assert ended in (0, signal.SIGKILL), f"seed {SEED}"
        present = await opened_again(people, person, present, new)
        after = await in_thread(person.sealed.open_vault, vault.id)
        assert await in_thread(after.verify) == 3, f"seed {SEED}"
        assert await in_thread(shared.verify) == 3, f"seed {SEED}"
        await in_thread(person.sealed.finish_rotation)
        assert not person.sealed.rotation_pending
        assert await in_thread((await person.open(vault.id)).verify) == 3, f"seed {SEED}"
    assert killed, f"seed {SEED}: nothing was killed"


async def opened_again(people: People, person: Person, before: str, new: str) -> str:
    """Another device, by the password that the present state was made with; which one that is."""
    transport = HttpTransport(sender(people.client, person.user))
    unchanged = digest(await in_thread(transport.get, state_name(person.id))) == digest(person.sealed.account.envelope)
    now, other = (before, new) if unchanged else (new, before)
    pins = Pins.from_bytes(person.sealed.pins.to_bytes())
    person.sealed = await in_thread(SealedClient.unlock, transport, person.id, now, pins)
    with pytest.raises(WrongPassword):
        await in_thread(SealedClient.unlock, transport, person.id, other, pins)
    return now
