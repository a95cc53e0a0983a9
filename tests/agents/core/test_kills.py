"""Runs go on while their workers are killed at any moment: none is lost, none hangs, and every effect happens once.

`LIFEVAULT_TEST_AGENT_RUNS` is the number of runs, a tenth as many workers are killed; the long run takes 200.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from celery import Celery
from pydantic import SecretStr

from app.db.runtime import Runtime
from app.db.session import session_scope
from app.jobs import service as jobs
from tests import ROOT
from tests.agents.core.model import Model, Says, asks, serve
from tests.agents.core.people import START
from tests.conftest import application
from tests.factories import auth, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import rows_of
from tests.vault.test_rotation import environment_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

RUNS = int(os.environ.get("LIFEVAULT_TEST_AGENT_RUNS", "4"))
KILLS = max(RUNS // 10, 1)
SEED = int(os.environ.get("LIFEVAULT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
WORKERS = 2 if RUNS >= 50 else 1  # each takes seconds to import what models need
LEASE_SECONDS = 5
ROUNDS = 6_000  # of a fifth of a second, for a busy machine
AT_ONCE = 12
STUCK_SECONDS = 60
OPEN = "SELECT count(*) AS number FROM agent_runs WHERE ended_at IS NULL AND state <> 'waiting'"


@dataclass
class Worker:
    """A worker with a process for its work, started again whenever it was killed."""

    name: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", "app.worker", "worker", "--concurrency", "1"]
        options = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-n", f"{self.name}@test"]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, *options], cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )

    def keep(self) -> None:
        """Start it again if it has died, as its supervisor does."""
        if self.process is not None and self.process.poll() is not None:
            self.start()

    def kill(self, chance: random.Random) -> bool:
        """Kill the process that does the work, or the worker with it; whether there was any."""
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            if children and chance.random() < 0.2:
                self.end()
            elif children:
                chance.choice(children).kill()
            return bool(children)
        return False

    def end(self) -> None:
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def workers(environment: dict[str, str], log: Path) -> Iterator[list[Worker]]:
    started = [Worker(f"w{number}", environment, log) for number in range(WORKERS)]
    for each in started:
        each.start()
    try:
        yield started
    finally:
        for each in started:
            each.end()


def script(chance: random.Random) -> Any:
    """A model that makes the record that it is asked for, and says that it did."""

    def says(body: dict[str, Any]) -> Says:
        last = body["messages"][-1]
        delay = chance.uniform(0, 0.4)
        if last["role"] == "user":
            vault_id, _, title = last["content"].partition(" ")
            asked = asks("create_item", {"vault_id": vault_id, "type": "passport", "title": title})
            return Says(calls=asked.calls, delay=delay)
        return Says("It is noted.", delay=delay)

    return says


async def relay(queue: Celery) -> None:
    """Send what is due to the queue, as the scheduler does."""
    async with session_scope() as session:
        await jobs.expand_events(session)
    async with session_scope() as session:
        due = await jobs.claim_due(session, 50)
    for job_id in due:
        await asyncio.to_thread(queue.send_task, "jobs.run", [str(job_id)], queue="lifevault")


async def allow(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """Give leave for everything that is asked for."""
    pending = await client.get("/v1/agents/approvals?state=pending&limit=100", headers=headers)
    for each in pending.json()["items"]:
        path = f"/v1/agents/approvals/{each['id']}/decision"
        await client.post(path, json={"approve": True}, headers=headers)


async def test_every_effect_of_a_run_happens_once_however_often_its_worker_is_killed(
    own_database: Runtime, valkey: str, tmp_path: Path
):
    redis_url, chance = f"{valkey.rpartition('/')[0]}/8", random.Random(SEED)
    with serve() as model, changed_settings(**limits(model)) as runtime:
        owner = await make_user()
        vault, headers = await make_vault(owner), auth(owner)
        titles = [f"Passport {number}" for number in range(RUNS)]
        waiting, queue, killed = list(titles), Celery(broker=redis_url), 0
        model.script = script(chance)
        transport = httpx.ASGITransport(application(runtime.settings), raise_app_exceptions=False)
        base = environment_of(runtime.settings) | worker_settings(model, redis_url)
        async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
            with workers(base, tmp_path / "workers.log") as working:
                for _ in range(ROUNDS):
                    (unended,) = await rows_of(OPEN)
                    for title in waiting[: max(AT_ONCE - unended.number, 0)]:
                        body = {"message": f"{vault.id} {title}", "background": True}
                        assert (await client.post(START, json=body, headers=headers)).status_code == 201
                        waiting.remove(title)
                    for each in working:
                        each.keep()
                    await relay(queue)
                    await allow(client, headers)
                    (ended,) = await rows_of("SELECT count(*) AS number FROM agent_runs WHERE ended_at IS NOT NULL")
                    if ended.number == RUNS:
                        break
                    if killed < KILLS and ended.number >= killed * RUNS // KILLS / 2:
                        killed += chance.choice(working).kill(chance)
                    await asyncio.sleep(chance.uniform(0.1, 0.3))
            queue.close()
            items = []
            cursor: str | None = ""
            while cursor is not None:
                path = f"/v1/vault/items?limit=100{f'&cursor={cursor}' if cursor else ''}"
                page = (await client.get(path, headers=headers)).json()
                items += [item["title"] for item in page["items"]]
                cursor = page["next_cursor"]

    case = f"seed {SEED}, {killed} killed: {(tmp_path / 'workers.log').read_text()[-3_000:]}"
    states = await rows_of("SELECT state, reason, steps, count(*) AS number FROM agent_runs GROUP BY 1, 2, 3")
    assert [(row.state, row.reason, row.steps, row.number) for row in states] == [("succeeded", None, 2, RUNS)], case
    assert Counter(items) == Counter(titles), case
    approvals = await rows_of("SELECT state, count(*) AS number FROM agent_approvals GROUP BY 1")
    assert [(row.state, row.number) for row in approvals] == [("consumed", RUNS)], case
    calls = await rows_of("SELECT step, count(*) AS number FROM agent_model_calls GROUP BY 1 ORDER BY 1")
    assert [(row.step, row.number) for row in calls] == [(1, RUNS), (2, RUNS)], case
    assert killed == KILLS, case
    quiet = await longest_silence()
    assert quiet < STUCK_SECONDS or RUNS < 200, f"{quiet} s: {case}"  # short runs are for machines that are busy


async def longest_silence() -> float:
    """The longest time in seconds between two events of one run."""
    gaps = "SELECT created_at - lag(created_at) OVER (PARTITION BY run_id ORDER BY ordinal) AS gap FROM agent_events"
    (row,) = await rows_of(f"SELECT extract(epoch FROM max(gap)) AS seconds FROM ({gaps}) AS gaps")
    return float(row.seconds)


def limits(model: Model) -> dict[str, Any]:
    """Of this process, which starts the runs."""
    key = SecretStr(model.key)
    known = {"model_url": model.url, "model_name": "scripted", "model_api_key": key}
    return {**known, "agent_runs_at_once": 10_000}


def worker_settings(model: Model, redis_url: str) -> dict[str, str]:
    return {
        "LIFEVAULT_REDIS_URL": redis_url,
        "LIFEVAULT_ENVIRONMENT": "test",
        "LIFEVAULT_MODEL_URL": model.url,
        "LIFEVAULT_MODEL_NAME": "scripted",
        "LIFEVAULT_MODEL_API_KEY": model.key,
        "LIFEVAULT_AGENT_FALLS_BACK": "false",
        "LIFEVAULT_JOB_LEASE_SECONDS": str(LEASE_SECONDS),
        "LIFEVAULT_JOB_MAX_ATTEMPTS": "50",
        "PYTHONPATH": str(ROOT),
    }
