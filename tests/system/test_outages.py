"""What people notice while a part is away: nothing of Redis and of restarts, an honest 503 of the database."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from app.cli.embedded.running import read_record
from tests.stack import Person, Stack

pytestmark = pytest.mark.slow

RESTARTS = int(os.environ.get("LIFEVAULT_TEST_RESTARTS", "2"))  # the long run: LIFEVAULT_TEST_RESTARTS=20
CALLERS = 4
PAUSE_SECONDS = 0.03
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def person(stack: Stack) -> Person:
    return stack.person()


@dataclass
class Load:
    """People who read and write all the time, each request on a connection of its own."""

    stack: Stack
    person: Person
    outcomes: Counter[str] = field(default_factory=Counter)
    created: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        headers = {**self.person.client.headers, "Connection": "close"}
        with httpx.Client(base_url=self.stack.url, timeout=WAIT_SECONDS, headers=headers) as client:
            turn = 0
            while not self._stop.is_set():
                turn += 1
                try:
                    answer = self.ask(client, f"Paper {number} {turn}") if turn % 3 == 0 else client.get("/v1/auth/me")
                    self.outcomes[str(answer.status_code)] += 1
                except httpx.TransportError as error:
                    self.outcomes[type(error).__name__] += 1
                self._stop.wait(PAUSE_SECONDS)

    def ask(self, client: httpx.Client, title: str) -> httpx.Response:
        item = {"vault_id": self.person.vault_id, "type": "secure_note", "title": title, "fields": {}}
        answer = client.post("/v1/vault/items", json=item)
        if answer.status_code == 201:
            self.created.append(answer.json()["id"])
        return answer

    def wait_for(self, more: int) -> None:
        """Let so many more requests be answered."""
        until, target = time.monotonic() + WAIT_SECONDS, self.outcomes.total() + more
        while self.outcomes.total() < target:
            assert time.monotonic() < until, self.outcomes
            time.sleep(0.01)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            self.wait_for(20)
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()


def child(stack: Stack, name: str) -> psutil.Process:
    record = read_record(stack.folder)
    assert record is not None
    found = next(mark.find() for mark in record.children if mark.name == name)
    assert found is not None
    return found


def frozen(process: psutil.Process) -> list[psutil.Process]:
    """Stop a process and then its children: one that is stopped makes no further ones."""
    process.suspend()
    stopped = [process]
    while more := [each for each in process.children(recursive=True) if each not in stopped]:
        for each in more:
            each.suspend()
        stopped += more
    return stopped


def parts(stack: Stack) -> dict[str, str]:
    found: dict[str, str] = httpx.get(f"{stack.url}/health/ready", timeout=WAIT_SECONDS).json()["parts"]
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_nobody_notices_that_redis_is_away(stack: Stack, person: Person):
    with Load(stack, person).running() as load:
        valkey = child(stack, "valkey")
        valkey.suspend()  # worse than dead: it takes connections and never answers
        load.wait_for(20)
        sign_in = {"username": person.email, "password": person.password}
        signed_in = httpx.post(f"{stack.url}/v1/auth/token", data=sign_in, timeout=WAIT_SECONDS)
        assert parts(stack)["queue"] == "down"
        load.wait_for(20)
        valkey.resume()
        wait_until(lambda: parts(stack)["queue"] == "ok")
        valkey.kill()  # and dead: the supervisor brings it back
        load.wait_for(20)
        wait_until(lambda: parts(stack)["queue"] == "ok")
        load.wait_for(20)

    assert signed_in.status_code == 200
    assert set(load.outcomes) == {"200", "201"}


def test_while_the_database_is_away_everybody_is_told_to_come_back_and_can(stack: Stack, person: Person):
    with Load(stack, person).running() as load:
        stopped = frozen(child(stack, "postgres"))
        wait_until(lambda: load.outcomes["503"] > 20)
        away = person.client.get("/v1/vault/vaults", timeout=WAIT_SECONDS)
        live = httpx.get(f"{stack.url}/health/live", timeout=WAIT_SECONDS)
        assert parts(stack)["database"] == "down"
        for process in stopped:
            process.resume()
        stack.wait_ready()
        back = person.client.get("/v1/vault/vaults")
        child(stack, "postgres").send_signal(signal.SIGQUIT)  # at once, as in a crash
        load.wait_for(20)
        stack.wait_ready()

    assert (away.status_code, away.headers["content-type"]) == (503, "application/problem+json")
    assert int(away.headers["retry-after"]) >= 1
    assert live.status_code == 200
    assert back.status_code == 200
    assert set(load.outcomes) <= {"200", "201", "503"}
    kept = [person.client.get(f"/v1/vault/items/{each}").status_code for each in load.created]
    assert set(kept) == {200}


def test_a_restart_of_the_api_cuts_nobody_off(stack: Stack, person: Person):
    with Load(stack, person).running() as load:
        for _ in range(RESTARTS):
            api = child(stack, "api")
            api.terminate()
            wait_until(lambda gone=api.pid: child_id(stack, "api") not in (gone, 0))
            load.wait_for(20)

    assert set(load.outcomes) == {"200", "201"}, load.outcomes


def child_id(stack: Stack, name: str) -> int:
    """The process id of a child; 0 while it is being started again."""
    record = read_record(stack.folder)
    found = next((mark.find() for mark in record.children if mark.name == name), None) if record else None
    return found.pid if found else 0
