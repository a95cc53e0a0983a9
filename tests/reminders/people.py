"""People, vaults and reminders for the tests of reminders, and a clock to move."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from app.core.clock import utc_now
from app.db.session import session_scope
from app.notifications import tasks as notification_tasks
from app.reminders import tasks
from app.vault.schemas.vaults import VaultRead
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_user, make_vault

REMINDERS = "/v1/reminders"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Home:
    """A person and their vault."""

    owner: TestUser
    vault: VaultRead

    @property
    def headers(self) -> dict[str, str]:
        return auth(self.owner)


async def make_home(**person: Any) -> Home:
    owner = await make_user(**person)
    return Home(owner, await make_vault(owner))


async def make_reminder(client: httpx.AsyncClient, home: Home, **values: Any) -> dict[str, Any]:
    """A reminder of the home's vault, due in a while; with `vault_id=None` of the owner alone."""
    body = {
        "vault_id": str(home.vault.id),
        "title": "Renew the permit",
        "due_on": str(in_days(40)),
        "leads": [30, 7, 1],
    }
    body = {name: value for name, value in {**body, **values}.items() if value is not None}
    made = await client.post(REMINDERS, json=body, headers=home.headers)
    assert made.status_code == 201, made.text
    read: dict[str, Any] = made.json()
    return read


def in_days(days: int) -> date:
    return utc_now().date() + days * DAY


def at(days: int, clock: str = "09:00") -> datetime:
    """A moment some days from now, by UTC."""
    hours, minutes = clock.split(":")
    return utc_now().replace(hour=int(hours), minute=int(minutes), second=0, microsecond=0) + days * DAY


async def age(reminder_id: str | UUID, days: int) -> None:
    """Make a reminder one that was set some days ago, so that what lies before today is not past for it."""
    async with session_scope() as session:
        earlier = "make_interval(days => :days)"
        changes = f"armed_at = armed_at - {earlier}, next_at = now() - {earlier}"
        statement = text(f"UPDATE reminders SET {changes} WHERE id = :id")
        await session.execute(statement, {"days": days, "id": UUID(str(reminder_id))})


async def sweep(settings: Any, now: datetime) -> None:
    """Tell what is due at a moment, and send it."""
    await tasks.send_due(now)
    await notification_tasks.deliver_due(now + timedelta(minutes=5))
    await drain_jobs(settings)


async def inbox(client: httpx.AsyncClient, user: TestUser) -> list[str]:
    """The titles of what a person was told, oldest first."""
    answer = await client.get("/v1/notifications", params={"limit": 100}, headers=auth(user))
    assert answer.status_code == 200, answer.text
    return [each["title"] for each in reversed(answer.json()["items"])]
