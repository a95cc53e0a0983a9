"""Two real workers tell what is due while they are killed at any moment: everybody is told everything, once."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson
import psutil
import pytest
from celery import Celery
from sqlalchemy import text

from app.core.config import Settings
from app.db.runtime import Runtime, current
from app.db.session import Actor, session_scope
from app.reminders import service
from app.reminders.schemas import ReminderCreate
from app.vault.schemas.vaults import VaultRead
from tests import ROOT
from tests.factories import TestUser, make_member, make_user, make_vault, principal_of
from tests.vault.conftest import rows_of
from tests.vault.test_rotation import environment_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KILLS = int(os.environ.get("LIFEVAULT_TEST_KILLS", "5"))  # the long run: LIFEVAULT_TEST_KILLS=100
SEED = int(os.environ.get("LIFEVAULT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
REMINDERS = 45  # one letter holds 50
ROUNDS = 1_200  # of a tenth of a second, for a busy machine
PAUSE_SECONDS = (0.05, 0.4)


async def make_due(vault: VaultRead, owner: TestUser) -> list[str]:
    """Reminders that are due today for everybody in the vault; returns their titles."""
    titles = [f"Paper {number}" for number in range(REMINDERS)]
    async with session_scope(Actor.user(owner.id)) as session:
        today = await session.scalar(text("SELECT current_date"))
        for title in titles:
            data = ReminderCreate(vault_id=vault.id, title=title, due_on=today, leads=[0, 1])
            await service.create_reminder(session, principal_of(owner), data)
    async with session_scope() as session:
        await session.execute(text("UPDATE reminders SET armed_at = armed_at - interval '3 days'"))
        people = "SELECT user_id, 'UTC', 0, '{}', 'off', 0, 1, 'full' FROM vault_members"
        columns = "user_id, zone, remind_at, channels, digest, digest_at, digest_weekday, titles"
        await session.execute(text(f"INSERT INTO notifications_preferences ({columns}) {people}"))
    return titles


@contextmanager
def workers(settings: Settings, redis_url: str, log: Path) -> Iterator[list[psutil.Process]]:
    """Two workers of two processes each, as `lifevault up` starts one."""
    environment = environment_of(settings) | {"LIFEVAULT_REDIS_URL": redis_url, "LIFEVAULT_ENVIRONMENT": "test"}
    command = [sys.executable, "-m", "celery", "-A", "app.worker", "worker", "--concurrency", "2"]
    options = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with log.open("ab") as output:
        started = [
            subprocess.Popen(
                [*command, *options, "-n", f"w{number}@test"], cwd=ROOT, env=environment, stdout=output, stderr=output
            )
            for number in range(2)
        ]
    try:
        yield [psutil.Process(each.pid) for each in started]
    finally:
        for each in started:
            each.send_signal(signal.SIGTERM)
        for each in started:
            try:
                each.wait(30)
            except subprocess.TimeoutExpired:
                for child in psutil.Process(each.pid).children(recursive=True):
                    child.kill()
                each.kill()
                each.wait()


async def told(user: TestUser) -> Counter[str]:
    """What stands in the letters to a person: how often each thing is said."""
    rows = await rows_of("SELECT id, body FROM notifications_mails WHERE owner_id = :user", user=user.id)
    said: Counter[str] = Counter()
    async with session_scope() as session:
        ring = await current().keys.ring(session, user.id, *(bytes(row.body) for row in rows))
    for row in rows:
        context = orjson.loads(ring.open("notifications_mails", row.id, "body", bytes(row.body)))["context"]
        said.update(entry["title"] for entry in context.get("entries", [context]))
    return said


async def test_everybody_is_told_once_while_workers_are_killed(own_database: Runtime, valkey: str, tmp_path: Path):
    owner = await make_user()
    vault = await make_vault(owner)
    people = [owner, *[await make_member(vault) for _ in range(2)]]
    titles = await make_due(vault, owner)
    redis_url = f"{valkey.rpartition('/')[0]}/7"
    queue = Celery(broker=redis_url)
    chance, killed = random.Random(SEED), Counter[str]()
    log = tmp_path / "workers.log"

    with workers(own_database.settings, redis_url, log) as parents:
        for _ in range(ROUNDS):
            for name in ("reminders.send_due", "notifications.deliver_due"):
                await asyncio.to_thread(queue.send_task, "tasks.run_periodic", [name], queue="lifevault")
            await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
            alive = [child for parent in parents for child in parent.children()] if await has_begun() else []
            if killed.total() < KILLS and alive:
                with suppress(psutil.NoSuchProcess):
                    victim = chance.choice(alive)
                    victim.kill()
                    killed[victim.name()] += 1
            elif await is_over():
                break
    queue.close()

    assert killed.total() == KILLS, f"seed {SEED}: {log.read_text()[-4_000:]}"
    expected = {f"{title} is due today": 1 for title in titles}
    for person in people:
        assert await told(person) == expected, f"seed {SEED}"
        sent = "SELECT count(*) AS number FROM reminder_sent WHERE user_id = :user AND sent"
        [row] = await rows_of(sent, user=person.id)
        assert row.number == REMINDERS


async def has_begun() -> bool:
    """Whether anybody was told of anything; what was told need not wait for company."""
    async with session_scope() as session:
        await session.execute(text("UPDATE notifications_messages SET mail_at = now() WHERE mail_at > now()"))
        return bool(await session.scalar(text("SELECT EXISTS (SELECT FROM reminder_sent)")))


async def is_over() -> bool:
    """Whether nobody is to be told of anything any more."""
    open_rows = "SELECT id FROM reminders WHERE next_at <= now() LIMIT 1"
    unsent = "SELECT id FROM notifications_messages WHERE mail_at IS NOT NULL LIMIT 1"
    return not [*await rows_of(open_rows), *await rows_of(unsent)]
