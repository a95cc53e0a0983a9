"""Built-in reminders: the monthly review, old passwords, keys that expire, invitations that nobody answers."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import utc_now
from app.core.config import Settings
from app.db.session import session_scope
from app.notifications import tasks as notification_tasks
from app.notifications.hours import Preferences
from app.reminders import service, tasks
from app.reminders.service.standing import next_review
from tests.conftest import drain_jobs
from tests.factories import auth, make_item, make_member, make_user
from tests.notifications.smtp import Mailbox, changed_settings, text_of
from tests.reminders.people import DAY, inbox, make_home, make_reminder
from tests.vault.conftest import rows_of

pytestmark = pytest.mark.anyio
alone = pytest.mark.usefixtures("own_database")  # what runs over everybody
SETTINGS = "/v1/notifications/settings"


def first_of_next_month(now: datetime) -> datetime:
    return next_review(Preferences(zone="UTC"), now)


async def stand(settings: Settings, now: datetime) -> None:
    await tasks.stand(now)
    await drain_jobs(settings)


async def told(client: httpx.AsyncClient, user, kind: str) -> list[dict]:
    answer = await client.get("/v1/notifications", params={"limit": 100}, headers=auth(user))
    return [each for each in answer.json()["items"] if each["kind"] == kind]


@alone
async def test_once_a_month_people_are_told_what_expires_and_what_is_incomplete(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    home, idle = await make_home(), await make_home()
    soon = utc_now().date() + 20 * DAY
    await make_item(home.owner, home.vault, title="Astrid's passport", fields={"expires_on": str(soon)})
    await make_reminder(client, home, title="In a year", due_on=str(soon + 365 * DAY))
    await drain_jobs(settings)
    now = utc_now()
    await stand(settings, now)
    assert await told(client, home.owner, "review") == []

    first = first_of_next_month(now)
    await stand(settings, first)
    await stand(settings, first + timedelta(hours=1))
    await notification_tasks.deliver_due(first + timedelta(hours=2))
    await drain_jobs(settings)

    [review] = await told(client, home.owner, "review")
    assert review["lines"][0].startswith("Astrid's passport ")
    assert review["lines"][1].startswith("Astrid's passport lacks ")
    assert not any("In a year" in line for line in review["lines"])
    [letter] = mailbox.sent_to(home.owner.email)
    assert letter["Subject"] == "Your monthly review"
    assert "Astrid's passport lacks" in text_of(letter)
    assert await told(client, idle.owner, "review") == []  # all is well
    await stand(settings, first_of_next_month(first))
    assert len(await told(client, home.owner, "review")) == 2


@alone
async def test_who_has_switched_it_off_is_not_told(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    await make_item(home.owner, home.vault, fields={})
    off = {"channels": {"review": [], "password": [], "invitation": []}}
    assert (await client.patch(SETTINGS, json=off, headers=home.headers)).status_code == 200
    await stand(settings, utc_now())
    await stand(settings, first_of_next_month(utc_now()))
    await stand(settings, utc_now() + 400 * DAY)

    assert await inbox(client, home.owner) == []


@alone
async def test_an_old_password_is_mentioned_until_it_is_a_new_one(client: httpx.AsyncClient, settings: Settings):
    user = await make_user()
    await stand(settings, utc_now())
    await stand(settings, utc_now() + 364 * DAY)
    assert await told(client, user, "password") == []
    await stand(settings, utc_now() + 366 * DAY)
    await stand(settings, utc_now() + 367 * DAY)
    assert len(await told(client, user, "password")) == 1
    await stand(settings, utc_now() + 547 * DAY)
    assert len(await told(client, user, "password")) == 2

    async with session_scope() as session:
        await service.note_password(session, user.id, utc_now() + 600 * DAY)
    await stand(settings, utc_now() + 900 * DAY)
    assert len(await told(client, user, "password")) == 2


async def test_a_changed_password_is_counted_from_its_event(client: httpx.AsyncClient, settings: Settings):
    user = await make_user()
    body = {"current_password": user.password, "new_password": "nine clouds and a staple gun"}
    changed = await client.post("/v1/auth/password", json=body, headers=auth(user))
    assert changed.status_code in (200, 204), changed.text
    await drain_jobs(settings)

    [row] = await rows_of("SELECT password_since FROM reminder_standing WHERE user_id = :id", id=user.id)
    assert utc_now() - row.password_since < timedelta(minutes=10)


@alone
async def test_who_has_no_password_is_not_told_of_it_and_the_age_is_a_setting(
    client: httpx.AsyncClient, settings: Settings
):
    stranger, user = await make_user(), await make_user()
    async with session_scope() as session:
        statement = text("UPDATE auth_users SET password_hash = NULL WHERE id = :id")
        await session.execute(statement, {"id": stranger.id})
    await stand(settings, utc_now())
    with changed_settings(password_age_days=1_000):
        await stand(settings, utc_now() + 500 * DAY)
        assert await told(client, user, "password") == []
        await stand(settings, utc_now() + 1_001 * DAY)
    assert len(await told(client, user, "password")) == 1
    assert await told(client, stranger, "password") == []


async def make_key(client: httpx.AsyncClient, user, days: int) -> None:
    body = {"name": "Script", "scopes": ["profile"], "expires_in_days": days}
    made = await client.post("/v1/auth/api-keys", json=body, headers=auth(user))
    assert made.status_code == 201, made.text


@alone
async def test_a_key_that_expires_is_mentioned_twice_and_a_short_one_once(
    client: httpx.AsyncClient, settings: Settings
):
    user, other = await make_user(), await make_user()
    await make_key(client, user, 60)
    await make_key(client, other, 7)
    for days in (1, 40, 47, 48, 58, 59, 61):
        await stand(settings, utc_now() + days * DAY)
    assert len(await told(client, user, "api_key")) == 2
    assert await told(client, other, "api_key") == []
    key = await make_user()
    await make_key(client, key, 7)
    await stand(settings, utc_now() + 6 * DAY)
    assert len(await told(client, key, "api_key")) == 1


@alone
async def test_an_invitation_that_nobody_answers_is_mentioned_to_both(client: httpx.AsyncClient, settings: Settings):
    home, guest = await make_home(), await make_user()
    admin = await make_member(home.vault, role="admin")
    path = f"/v1/vault/vaults/{home.vault.id}/invitations"
    for email, person in ((guest.email, home.owner), (f"{uuid4().hex}@example.org", admin)):
        answer = await client.post(path, json={"email": email}, headers=auth(person))
        assert answer.status_code == 201, answer.text
    await stand(settings, utc_now())
    assert await inbox(client, guest) == []
    async with session_scope() as session:
        older = text("UPDATE vault_invitations SET created_at = created_at - interval '25 hours' WHERE vault_id = :id")
        await session.execute(older, {"id": home.vault.id})
    async with session_scope() as session:
        demoted = text("UPDATE vault_members SET role = 'viewer' WHERE user_id = :id")
        await session.execute(demoted, {"id": admin.id})
    for _ in range(2):
        await stand(settings, utc_now())

    [asking] = await told(client, home.owner, "invitation")
    [asked] = await told(client, guest, "invitation")
    assert guest.email in asking["text"]
    assert (asked["vault_id"], home.vault.name in asked["text"]) == (None, False)
    assert await told(client, admin, "invitation") == []


def test_a_review_is_on_the_first_morning_of_a_month():
    zone = Preferences(zone="America/New_York")

    assert next_review(zone, datetime(2026, 12, 31, 20, tzinfo=UTC)) == datetime(2027, 1, 1, 14, tzinfo=UTC)
    assert next_review(zone, datetime(2027, 1, 1, 2, tzinfo=UTC)) == datetime(2027, 1, 1, 14, tzinfo=UTC)
    assert next_review(zone, datetime(2027, 1, 31, 14, tzinfo=UTC)) == datetime(2027, 2, 1, 14, tzinfo=UTC)
