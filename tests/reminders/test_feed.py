"""A calendar feed: for whoever has its address, with titles only if its person says so, ended at once."""

import re
from datetime import date, timedelta

import httpx
import icalendar
import pytest
from sqlalchemy import text

from app.core.logging import configure_logging
from app.db.session import session_scope
from app.reminders.models import Feed
from tests.auth.conftest import Visit
from tests.factories import auth, make_member, make_user
from tests.reminders.people import REMINDERS, Home, in_days, make_home, make_reminder
from tests.reminders.test_reminders import act

pytestmark = pytest.mark.anyio
FEED = f"{REMINDERS}/feed"


async def make_feed(client: httpx.AsyncClient, home: Home, titles: str = "full") -> str:
    """The path of a new feed."""
    made = await client.post(FEED, json={"titles": titles}, headers=home.headers)
    assert made.status_code == 201, made.text
    return httpx.URL(made.json()["url"]).path


async def events(client: httpx.AsyncClient, path: str) -> list[icalendar.Event]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return icalendar.Calendar.from_ical(answer.content).events


async def test_a_calendar_reads_what_its_person_is_told_of(client: httpx.AsyncClient, visitor: httpx.AsyncClient):
    home, other = await make_home(), await make_home()
    viewer = await make_member(home.vault, role="viewer")
    await make_reminder(client, home, title="Of the vault", due_on="2031-05-31", rrule="FREQ=YEARLY")
    await make_reminder(
        client, home, title="Mine", vault_id=None, due_on="2031-06-01", at="09:30", zone="Europe/Berlin"
    )
    await make_reminder(client, home, title="The viewer's", due_on="2031-06-02", assigned_to=[str(viewer.id)])
    await make_reminder(client, other, title="Of others")
    path = await make_feed(client, home)

    found = await events(visitor, path)

    assert [(str(each["SUMMARY"]), str(each.start)) for each in found] == [
        ("Of the vault", "2031-05-31"),
        ("Mine", "2031-06-01 09:30:00+02:00"),
    ]
    viewers = await make_feed(client, Home(viewer, home.vault))
    assert [str(each["SUMMARY"]) for each in await events(visitor, viewers)] == ["The viewer's"]


async def test_titles_are_in_it_only_if_its_person_says_so(client: httpx.AsyncClient, visitor: httpx.AsyncClient):
    home = await make_home()
    await make_reminder(client, home, title="Kestrelmarble", notes="quartzplum")
    made = await client.post(FEED, json={}, headers=home.headers)
    path = httpx.URL(made.json()["url"]).path

    assert made.json()["titles"] == "private"
    assert b"estrelmarble" not in (await visitor.get(path)).content
    assert (await client.patch(FEED, json={"titles": "full"}, headers=home.headers)).json()["titles"] == "full"
    content = (await visitor.get(path)).content
    assert b"Kestrelmarble" in content
    assert b"quartzplum" not in content


async def test_a_calendar_that_has_it_already_gets_304(client: httpx.AsyncClient, visitor: httpx.AsyncClient):
    home = await make_home()
    made = await make_reminder(client, home, due_on=str(in_days(1)), rrule="FREQ=DAILY")
    path = await make_feed(client, home)
    first = await visitor.get(path)
    known = {"If-None-Match": first.headers["etag"]}

    same = await visitor.get(path, headers=known)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert same.headers["cache-control"] == "private, no-cache"
    await act(client, home.headers, made["id"], "done")
    changed = await visitor.get(path, headers=known)
    assert changed.status_code == 200
    [event] = icalendar.Calendar.from_ical(changed.content).events
    assert event["SEQUENCE"] == 1
    done_early = [in_days(0) + timedelta(days=1)]
    assert [each.dt for each in event["EXDATE"].dts] == done_early


async def test_a_new_address_ends_the_old_one_and_an_ended_feed_gives_nothing(
    client: httpx.AsyncClient, visitor: httpx.AsyncClient
):
    home = await make_home()
    assert (await client.get(FEED, headers=home.headers)).status_code == 404
    assert (await client.delete(FEED, headers=home.headers)).status_code == 404
    first, second = await make_feed(client, home), await make_feed(client, home, "private")
    assert (await visitor.get(first)).status_code == 404
    assert (await visitor.get(second)).status_code == 200
    read = (await client.get(FEED, headers=home.headers)).json()
    assert (read["titles"], read["last_used_at"] is not None, "url" in read) == ("private", True, False)

    assert (await client.delete(FEED, headers=home.headers)).status_code == 204
    assert (await visitor.get(second)).status_code == 404


async def test_a_program_can_not_make_an_address_that_outlives_its_key(client: httpx.AsyncClient):
    home = await make_home()
    key = await client.post(
        "/v1/auth/api-keys", json={"name": "Script", "scopes": ["vault:read", "vault:write"]}, headers=home.headers
    )
    assert key.status_code == 201, key.text
    program = {"Authorization": f"Bearer {key.json()['key']}"}

    assert (await client.get(REMINDERS, headers=program)).status_code == 200
    assert (await client.post(FEED, json={}, headers=program)).status_code == 403


async def test_the_token_is_stored_as_a_digest_and_stands_in_no_log(
    client: httpx.AsyncClient, visitor: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
):
    home = await make_home()
    configure_logging()
    path = await make_feed(client, home)
    token = path.rpartition("/")[2].removesuffix(".ics")
    await visitor.get(path)
    await visitor.get(path.replace(token, "A" * 43))
    await visitor.get(f"{path}?x={token}")
    logged = capfd.readouterr()

    assert token not in logged.err + logged.out
    assert "A" * 43 not in logged.err
    assert '"route":"/v1/reminders/feed/{token}.ics"' in logged.err
    async with session_scope() as session:
        row = await session.get(Feed, home.owner.id)
    assert row is not None
    assert token.encode() not in row.token_digest


async def test_who_guesses_is_slowed_down_and_calendars_are_not(client: httpx.AsyncClient, visit: Visit):
    home = await make_home()
    path = await make_feed(client, home)
    guesser, calendar = visit(), visit()
    statuses = [(await guesser.get(f"{FEED}/{number:043}.ics")).status_code for number in range(62)]

    assert statuses[:60] == [404] * 60
    assert statuses[61] == 429
    assert (await guesser.get(path)).status_code == 429
    assert (await calendar.get(path)).status_code == 200


async def test_who_is_leaving_has_no_feed(client: httpx.AsyncClient, visitor: httpx.AsyncClient):
    home = Home(await make_user(), (await make_home()).vault)
    path = await make_feed(client, home)
    async with session_scope() as session:
        leaving = text("UPDATE auth_users SET deletion_at = now() + interval '1 day' WHERE id = :id")
        await session.execute(leaving, {"id": home.owner.id})

    assert (await visitor.get(path)).status_code == 404


async def test_ids_stay_and_lines_are_short(client: httpx.AsyncClient, visitor: httpx.AsyncClient):
    home = await make_home()
    made = await make_reminder(client, home, title="Ä" * 150, due_on="2031-05-31")
    path = await make_feed(client, home)
    before = (await visitor.get(path)).content
    await client.patch(f"{REMINDERS}/{made['id']}", json={"due_on": "2032-05-31"}, headers=home.headers)
    after = (await visitor.get(path)).content

    assert re.findall(rb"UID:(\S+)", before) == re.findall(rb"UID:(\S+)", after)
    assert max(map(len, after.split(b"\r\n"))) <= 75
    assert icalendar.Calendar.from_ical(after).events[0].start == date(2032, 5, 31)
    assert auth(home.owner)
