"""What people are told: once for each cause, on their ways, at their hours; read, deleted and forgotten by them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.clock import new_id, utc_now
from app.core.config import Settings
from app.db.session import Actor, session_scope
from app.notifications import inbox, tasks
from app.notifications.hours import Preferences, after_quiet, next_digest
from app.notifications.inbox import Notice, notify
from app.notifications.preferences import preferences_of
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_user
from tests.notifications.smtp import Mailbox, changed_settings, html_of, text_of
from tests.vault.conftest import rows_of

pytestmark = pytest.mark.anyio
alone = pytest.mark.usefixtures("own_database")  # what runs over everybody
INBOX = "/v1/notifications"
SETTINGS = f"{INBOX}/settings"
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


async def tell(user: TestUser, now: datetime = NOON, **changes: object) -> bool:
    values = {"kind": "reminder", "cause": f"test:{uuid4()}", "title": "Passport expires", "text": "It expires soon."}
    notice = Notice(**{**values, "discreet": "A reminder is due", **changes})  # type: ignore[arg-type]
    async with session_scope() as session:
        return await notify(session, user.id, notice, await preferences_of(session, user.id), now)


async def deliver(settings: Settings, now: datetime) -> None:
    await tasks.deliver_due(now)
    await drain_jobs(settings)


async def prefer(client: httpx.AsyncClient, user: TestUser, **changes: object) -> dict:
    answer = await client.patch(SETTINGS, json=changes, headers=auth(user))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(client: httpx.AsyncClient, user: TestUser, **query: object) -> list[dict]:
    answer = await client.get(INBOX, params=query, headers=auth(user))
    assert answer.status_code == 200
    return answer.json()["items"]


async def test_preferences_have_defaults_and_are_changed_one_by_one(client: httpx.AsyncClient):
    user = await make_user()
    before = (await client.get(SETTINGS, headers=auth(user))).json()
    assert (before["zone"], before["remind_at"], before["quiet_hours"], before["digest"]) == (
        "UTC",
        "09:00",
        None,
        "off",
    )
    assert before["channels"]["reminder"] == ["inbox", "email", "push"]

    changed = await prefer(client, user, zone="Europe/Berlin", quiet_hours={"start": "22:00", "end": "07:00"})
    assert (changed["zone"], changed["quiet_hours"]) == ("Europe/Berlin", {"start": "22:00", "end": "07:00"})
    changed = await prefer(
        client, user, channels={"reminder": ["push", "inbox", "push"], "review": []}, digest="weekly"
    )
    assert (changed["channels"]["reminder"], changed["channels"]["review"]) == (["inbox", "push"], [])
    assert changed["channels"]["password"] == before["channels"]["password"]
    assert changed["quiet_hours"] is not None
    changed = await prefer(client, user, quiet_hours=None, titles="private", digest_weekday=7, digest_at="18:05")
    assert (changed["quiet_hours"], changed["digest"], changed["digest_at"]) == (None, "weekly", "18:05")
    assert (await client.get(SETTINGS, headers=auth(user))).json() == changed
    assert (await client.get(SETTINGS, headers=auth(await make_user()))).json() == before

    for wrong in (
        {"zone": "Mars/Base"},
        {"zone": ""},
        {"remind_at": "24:00"},
        {"quiet_hours": {"start": "22:00"}},
        {"digest": "hourly"},
        {"digest_weekday": 8},
        {"channels": {"reminder": ["pigeon"]}},
        {"channels": {"news": []}},
        {"colour": "red"},
    ):
        assert (await client.patch(SETTINGS, json=wrong, headers=auth(user))).status_code == 422, wrong


@alone
async def test_a_cause_is_told_once(client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox):
    user = await make_user()
    assert await tell(user, cause="test:same")
    assert not await tell(user, cause="test:same")
    assert await tell(await make_user(), cause="test:same")
    await deliver(settings, NOON + timedelta(minutes=1))
    await deliver(settings, NOON + timedelta(minutes=2))

    assert len(await listed(client, user)) == 1
    assert [letter["Subject"] for letter in mailbox.sent_to(user.email)] == ["Passport expires"]


async def test_an_inbox_is_read_page_by_page_and_counted(client: httpx.AsyncClient):
    user, other = await make_user(), await make_user()
    for number in range(5):
        await tell(user, title=f"Number {number}")
    first = (await client.get(INBOX, params={"limit": 2}, headers=auth(user))).json()
    second = (await client.get(INBOX, params={"limit": 9, "cursor": first["next_cursor"]}, headers=auth(user))).json()
    titles = [each["title"] for each in (*first["items"], *second["items"])]
    assert (titles, second["next_cursor"]) == ([f"Number {number}" for number in (4, 3, 2, 1, 0)], None)

    one = first["items"][0]
    unread = {"unread": 5}
    assert (await client.get(f"{INBOX}/unread", headers=auth(user))).json() == unread
    path = f"{INBOX}/{one['id']}"
    assert (await client.post(f"{path}/read", headers=auth(other))).status_code == 404
    assert (await client.delete(path, headers=auth(other))).status_code == 404
    read = (await client.post(f"{path}/read", headers=auth(user))).json()
    assert read["read_at"] is not None
    assert (await client.post(f"{path}/read", headers=auth(user))).json() == read
    assert len(await listed(client, user, unread=True)) == 4
    assert (await client.post(f"{INBOX}/read", headers=auth(user))).json() == {"unread": 0}
    assert await listed(client, user, unread=True) == []
    assert (await client.delete(path, headers=auth(user))).status_code == 204
    assert (await client.delete(path, headers=auth(user))).status_code == 404
    assert len(await listed(client, user)) == 4
    assert await listed(client, other) == []


@alone
async def test_what_is_deleted_is_not_sent_and_leaves_no_words(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    user = await make_user()
    await tell(user, cause="test:deleted")
    [message] = await listed(client, user)
    [before] = await rows_of("SELECT length(body) AS size FROM notifications_messages WHERE user_id = :u", u=user.id)
    await client.delete(f"{INBOX}/{message['id']}", headers=auth(user))
    await deliver(settings, NOON + timedelta(hours=1))

    assert mailbox.sent_to(user.email) == []
    [after] = await rows_of("SELECT length(body) AS size FROM notifications_messages WHERE user_id = :u", u=user.id)
    assert after.size < before.size
    assert not await tell(user, cause="test:deleted")


@alone
async def test_the_ways_are_the_persons_choice(client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox):
    nothing, mail, silent = await make_user(), await make_user(), await make_user()
    await prefer(client, nothing, channels={"reminder": []})
    await prefer(client, mail, channels={"reminder": ["email"]})
    await prefer(client, silent, channels={"reminder": ["inbox"]})
    told = [await tell(user) for user in (nothing, mail, silent)]
    await deliver(settings, NOON + timedelta(minutes=1))

    assert told == [False, True, True]
    assert [len(await listed(client, user)) for user in (nothing, mail, silent)] == [0, 0, 1]
    assert [len(mailbox.sent_to(user.email)) for user in (nothing, mail, silent)] == [0, 1, 0]
    [row] = await rows_of("SELECT length(body) AS size FROM notifications_messages WHERE user_id = :u", u=mail.id)
    assert row.size < 60  # who wants no inbox leaves no words behind


@alone
async def test_what_comes_at_once_goes_in_one_letter(settings: Settings, mailbox: Mailbox):
    user = await make_user(name="Ada")
    await tell(user, title="First thing", token="t" * 43)
    await tell(user, title="Second thing", lines=["with a line"])
    await deliver(settings, NOON + timedelta(seconds=20))
    assert mailbox.sent_to(user.email) == []
    await deliver(settings, NOON + timedelta(seconds=31))

    [letter] = mailbox.sent_to(user.email)
    assert letter["Subject"] == "2 things need your attention"
    assert "Hello Ada," in text_of(letter)
    for text in ("First thing", "Second thing", "with a line", "links/done?token=" + "t" * 43):
        assert text in text_of(letter)
        assert text in html_of(letter)
    assert html_of(letter).count("<a href=") == 1


@alone
async def test_titles_stay_out_of_letters_for_who_wants_that(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    user = await make_user()
    await prefer(client, user, titles="private")
    await tell(user, lines=["secret line"])
    await deliver(settings, NOON + timedelta(minutes=1))

    [letter] = mailbox.sent_to(user.email)
    assert letter["Subject"] == "A reminder is due"
    assert "Passport" not in str(letter)
    assert "secret" not in str(letter)
    assert [each["title"] for each in await listed(client, user)] == ["Passport expires"]


@alone
async def test_quiet_hours_hold_letters_back_and_not_the_inbox(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    user = await make_user()
    await prefer(client, user, zone="Europe/Berlin", quiet_hours={"start": "22:00", "end": "07:00"})
    night = datetime(2026, 12, 1, 23, tzinfo=UTC)
    await tell(user, now=night)
    await deliver(settings, night + timedelta(hours=6, minutes=59))
    assert (len(await listed(client, user)), mailbox.sent_to(user.email)) == (1, [])
    await deliver(settings, datetime(2026, 12, 2, 6, tzinfo=UTC))
    assert len(mailbox.sent_to(user.email)) == 1


@alone
async def test_a_digest_collects_what_can_wait(client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox):
    user = await make_user()
    await prefer(client, user, digest="daily", digest_at="08:00")
    for number in range(3):
        await tell(user, title=f"Paper {number}", useful_until=NOON + timedelta(days=9))
    await tell(user, title="Urgent", useful_until=NOON + timedelta(hours=12))
    await deliver(settings, NOON + timedelta(minutes=1))
    assert [letter["Subject"] for letter in mailbox.sent_to(user.email)] == ["Urgent"]
    await deliver(settings, datetime(2026, 12, 2, 7, 59, tzinfo=UTC))
    assert len(mailbox.sent_to(user.email)) == 1
    for _ in range(2):
        await deliver(settings, datetime(2026, 12, 2, 8, tzinfo=UTC))
    [_, digest] = mailbox.sent_to(user.email)
    assert digest["Subject"] == "3 things need your attention"


@alone
async def test_a_long_digest_is_cut_and_says_so(settings: Settings, mailbox: Mailbox):
    user = await make_user()
    for number in range(55):
        await tell(user, title=f"Paper {number}")
    await deliver(settings, NOON + timedelta(minutes=1))

    [letter] = mailbox.sent_to(user.email)
    assert letter["Subject"] == "55 things need your attention"
    assert "And 5 more" in text_of(letter)


@alone
async def test_a_vault_that_is_gone_is_not_talked_of(client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox):
    user, vault_id, subject = await make_user(), new_id(), new_id()
    await tell(user, vault_id=vault_id, title="Of the vault")
    await tell(user, subject_id=subject, title="Settled")
    await tell(user, title="Other")
    async with session_scope() as session:
        await inbox.forget_vault(session, vault_id)
        await inbox.forget_subject(session, subject)
    await deliver(settings, NOON + timedelta(minutes=1))

    assert [each["title"] for each in await listed(client, user)] == ["Other", "Settled"]
    assert [letter["Subject"] for letter in mailbox.sent_to(user.email)] == ["Other"]


@alone
async def test_who_is_leaving_gets_no_letters(settings: Settings, mailbox: Mailbox):
    from sqlalchemy import text

    user = await make_user()
    await tell(user)
    async with session_scope() as session:
        leaving = text("UPDATE auth_users SET deletion_at = now() + interval '1 day' WHERE id = :id")
        await session.execute(leaving, {"id": user.id})
    await deliver(settings, NOON + timedelta(minutes=1))

    assert mailbox.sent_to(user.email) == []


async def test_the_inbox_is_purged_after_a_year(client: httpx.AsyncClient):
    user = await make_user()
    await tell(user)
    await tasks.purge(utc_now() + timedelta(days=364))
    assert len(await listed(client, user)) == 1
    with changed_settings(inbox_days=30):
        assert await tasks.purge(utc_now() + timedelta(days=31)) >= 1
    assert await listed(client, user) == []


async def test_row_level_security_keeps_what_people_are_told_apart(client: httpx.AsyncClient):
    from sqlalchemy import select

    from app.notifications.models import Message, PreferenceRow

    user, other = await make_user(), await make_user()
    await tell(user)
    await prefer(client, user, zone="Europe/Berlin")
    for person, seen in ((user, 1), (other, 0)):
        async with session_scope(Actor.user(person.id)) as session:
            for table in (Message, PreferenceRow):
                rows = await session.scalars(select(table).where(table.user_id == user.id))
                assert len(rows.all()) == seen


async def test_scopes_are_needed(client: httpx.AsyncClient):
    reader, profile = await make_user(scope="vault:read"), await make_user(scope="profile")

    assert (await client.get(INBOX, headers=auth(reader))).status_code == 200
    assert (await client.get(SETTINGS, headers=auth(reader))).status_code == 403
    assert (await client.get(INBOX, headers=auth(profile))).status_code == 403
    assert (await client.get(SETTINGS, headers=auth(profile))).status_code == 200
    assert (await client.get(f"{INBOX}/push/key", headers=auth(reader))).status_code == 403


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
MINUTES = st.integers(0, 1439)
MOMENTS = st.integers(0, 3 * 365 * 1440).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ZONES), MINUTES, MINUTES, MOMENTS)
def test_what_waits_for_the_end_of_quiet_hours_comes_soon_after_and_not_within(
    zone: str, start: int, end: int, moment: datetime
):
    preferences = Preferences(zone=zone, quiet_from=start, quiet_until=end)

    later = after_quiet(preferences, moment)

    assert moment <= later <= moment + timedelta(hours=25)
    assert after_quiet(preferences, later) - later <= timedelta(hours=2)  # the end may be an hour that clocks skip
    assert (later == moment) or start != end


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ZONES), MINUTES, st.integers(1, 7), st.sampled_from(["daily", "weekly"]), MOMENTS)
def test_a_digest_is_next_day_or_next_week(zone: str, minute: int, weekday: int, digest, moment: datetime):
    preferences = Preferences(zone=zone, digest=digest, digest_at=minute, digest_weekday=weekday)

    due = next_digest(preferences, moment)

    assert moment < due <= moment + timedelta(days=8 if digest == "weekly" else 1, hours=2)
    assert next_digest(Preferences(zone=zone), moment) == moment


def test_settings_are_checked():
    from app.core.config import SettingsError, load_settings

    with pytest.raises(SettingsError, match="DEFAULT_TIME_ZONE"):
        load_settings(default_time_zone="Mars/Base")
    with pytest.raises(SettingsError, match="PUSH_PRIVATE_ADDRESSES"):
        load_settings(environment="production", push_private_addresses=True)
