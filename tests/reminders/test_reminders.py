"""Reminders as people use them: made, listed, changed, done, put off; seen by whom they concern."""

from datetime import date, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from app.core.clock import utc_now
from app.db.session import Actor, session_scope
from app.reminders import service
from app.reminders.models import Reminder
from app.reminders.roles import LEADS
from tests.factories import auth, make_document, make_item, make_member, make_user
from tests.notifications.smtp import changed_settings
from tests.reminders.people import REMINDERS, age, in_days, make_home, make_reminder

pytestmark = pytest.mark.anyio


async def titles(client: httpx.AsyncClient, headers: dict[str, str], **query: object) -> list[str]:
    answer = await client.get(REMINDERS, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return [each["title"] for each in answer.json()["items"]]


async def act(client: httpx.AsyncClient, headers: dict[str, str], reminder_id: str, what: str, **body: object):
    return await client.post(f"{REMINDERS}/{reminder_id}/{what}", json=body, headers=headers)


async def test_a_reminder_is_made_read_changed_and_deleted(client: httpx.AsyncClient):
    home = await make_home()
    made = await make_reminder(client, home, notes="Ask at the town hall", due_on="2031-05-31", leads=[1, 30, 1])
    path = f"{REMINDERS}/{made['id']}"

    assert (made["due_on"], made["due_at"], made["leads"], made["state"]) == ("2031-05-31", None, [30, 1], "active")
    read = await client.get(path, headers=home.headers)
    assert read.json() == made
    assert read.headers["etag"] == '"1"'
    assert (await client.get(path, headers=home.headers | {"If-None-Match": '"1"'})).status_code == 304

    stale = await client.patch(path, json={"title": "x"}, headers=home.headers | {"If-Match": '"7"'})
    assert stale.status_code == 412
    changes = {"title": "Both permits", "at": "14:30", "zone": "Europe/Berlin", "rrule": "FREQ=YEARLY"}
    changed = (await client.patch(path, json=changes, headers=home.headers)).json()
    assert changed["due_at"] == "2031-05-31T12:30:00Z"
    assert (changed["title"], changed["notes"], changed["revision"]) == ("Both permits", "Ask at the town hall", 2)
    plain = (await client.patch(path, json={"at": None, "rrule": None}, headers=home.headers)).json()
    assert (plain["at"], plain["zone"], plain["rrule"], plain["due_on"]) == (None, None, None, "2031-05-31")

    assert (await client.delete(path, headers=home.headers)).status_code == 204
    assert (await client.get(path, headers=home.headers)).status_code == 404


async def test_a_rule_begins_on_the_first_day_that_it_falls_on(client: httpx.AsyncClient):
    home = await make_home()
    made = await make_reminder(client, home, due_on="2031-01-29", rrule="rrule:freq=monthly;byday=-1FR".upper())

    assert (made["due_on"], made["starts_on"], made["rrule"]) == ("2031-01-31", "2031-01-31", "FREQ=MONTHLY;BYDAY=-1FR")
    for wrong in ("FREQ=MONTHLY;BYDAY=9FR", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"):
        body = {"title": "x", "due_on": "2031-01-29", "rrule": wrong}
        refused = await client.post(REMINDERS, json=body, headers=home.headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-schedule")
    for values in ({"at": "09:00", "zone": "Mars/Base"}, {"due_on": "1700-01-01"}, {"rrule": "FREQ=SECONDLY"}):
        body = {"title": "x", "due_on": "2031-01-29", **values}
        assert (await client.post(REMINDERS, json=body, headers=home.headers)).status_code == 422


async def test_lists_are_in_the_order_of_days_and_told_apart(client: httpx.AsyncClient):
    home = await make_home()
    for days in (20, -3, 5, 0, -40):
        await make_reminder(client, home, title=f"day {days}", due_on=str(in_days(days)))
    mine = await make_reminder(client, home, vault_id=None, title="mine alone", due_on=str(in_days(9)))
    await client.patch("/v1/notifications/settings", json={"zone": "UTC"}, headers=home.headers)

    everything = ["day -40", "day -3", "day 0", "day 5", "mine alone", "day 20"]
    assert await titles(client, home.headers) == everything
    assert await titles(client, home.headers, state="overdue") == everything[:2]
    assert await titles(client, home.headers, state="upcoming") == everything[2:]
    assert await titles(client, home.headers, vault_id=str(home.vault.id)) == [*everything[:4], "day 20"]
    await act(client, home.headers, mine["id"], "done")
    assert await titles(client, home.headers, state="done") == ["mine alone"]

    paged, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(REMINDERS, params=query, headers=home.headers)).json()
        paged += [each["title"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert paged == ["day -40", "day -3", "day 0", "day 5", "day 20"]
    for odd in ("_" * 32, "A" * 32):
        assert (await client.get(REMINDERS, params={"cursor": odd}, headers=home.headers)).status_code == 200


async def test_done_ends_it_or_moves_it_on(client: httpx.AsyncClient):
    home = await make_home()
    once = await make_reminder(client, home)
    done = (await act(client, home.headers, once["id"], "done")).json()
    assert (done["state"], done["done_on"]) == ("done", once["due_on"])
    assert (await act(client, home.headers, once["id"], "done")).status_code == 409
    reopened = (await act(client, home.headers, once["id"], "reopen")).json()
    assert (reopened["state"], reopened["done_on"], reopened["due_on"]) == ("active", None, once["due_on"])
    assert (await act(client, home.headers, once["id"], "reopen")).status_code == 409

    start = in_days(-20)
    weekly = await make_reminder(client, home, due_on=str(start), rrule="FREQ=WEEKLY")
    moved = (await act(client, home.headers, weekly["id"], "done", due_on=str(start))).json()
    assert moved["due_on"] == str(in_days(1))  # what was missed meanwhile is done with it
    again = (await act(client, home.headers, weekly["id"], "done", due_on=str(start))).json()
    assert again["due_on"] == str(in_days(1))
    assert (await act(client, home.headers, weekly["id"], "done", due_on=str(in_days(2)))).status_code == 409
    ahead = (await act(client, home.headers, weekly["id"], "done", due_on=str(in_days(8)))).json()
    assert ahead["due_on"] == str(in_days(15))

    twice = await make_reminder(client, home, due_on=str(in_days(1)), rrule="FREQ=DAILY;COUNT=2")
    assert (await act(client, home.headers, twice["id"], "done")).json()["due_on"] == str(in_days(2))
    assert (await act(client, home.headers, twice["id"], "done")).json()["state"] == "done"


async def test_a_repeated_request_moves_it_on_once(client: httpx.AsyncClient):
    home = await make_home()
    daily = await make_reminder(client, home, due_on=str(in_days(1)), rrule="FREQ=DAILY")
    headers = home.headers | {"Idempotency-Key": uuid4().hex}

    first = await act(client, headers, daily["id"], "done")
    second = await act(client, headers, daily["id"], "done")

    assert first.json() == second.json()
    assert second.json()["due_on"] == str(in_days(2))


async def test_a_monthly_one_moves_along_the_ends_of_months(client: httpx.AsyncClient):
    home = await make_home()
    made = await make_reminder(client, home, due_on="2027-12-31", rrule="FREQ=MONTHLY")
    found = [(await act(client, home.headers, made["id"], "done")).json()["due_on"] for _ in range(4)]

    assert found == ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]


async def test_putting_off_is_for_oneself(client: httpx.AsyncClient):
    home = await make_home()
    viewer = await make_member(home.vault, role="viewer")
    made = await make_reminder(client, home)

    put_off = await act(client, auth(viewer), made["id"], "snooze", preset="week")

    until = datetime.fromisoformat(put_off.json()["snoozed_until"])
    assert (until.date(), until.hour) == (in_days(7), 9)
    own = await client.get(f"{REMINDERS}/{made['id']}", headers=home.headers)
    assert own.json()["snoozed_until"] is None
    wrong = [
        {"until": (utc_now() - timedelta(hours=1)).isoformat()},
        {"until": "9999-12-31T23:59:59Z"},
        {"until": "0001-01-01T00:00:00+14:00"},
    ]
    for body in wrong:
        assert (await act(client, auth(viewer), made["id"], "snooze", **body)).status_code == 409
    for body in ({}, {"until": "2031-01-01T00:00:00"}, {"preset": "never"}, {"preset": "week", "until": "x"}):
        assert (await act(client, auth(viewer), made["id"], "snooze", **body)).status_code == 422


async def test_roles_decide_who_changes_it(client: httpx.AsyncClient):
    home = await make_home()
    viewer, stranger = await make_member(home.vault, role="viewer"), await make_user()
    made = await make_reminder(client, home)
    path = f"{REMINDERS}/{made['id']}"

    assert (await client.get(path, headers=auth(viewer))).status_code == 200
    assert (await client.patch(path, json={"title": "x"}, headers=auth(viewer))).status_code == 403
    assert (await client.delete(path, headers=auth(viewer))).status_code == 403
    assert (await act(client, auth(viewer), made["id"], "done")).status_code == 403
    own = {"vault_id": str(home.vault.id), "title": "x", "due_on": "2031-01-01"}
    assert (await client.post(REMINDERS, json=own, headers=auth(viewer))).status_code == 403
    assert (await client.post(REMINDERS, json=own, headers=auth(stranger))).status_code == 404
    for method, what in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/done"), ("POST", "/snooze")):
        body = {"preset": "week"} if what == "/snooze" else {}
        sent = {} if method in ("GET", "DELETE") else {"json": body}
        answer = await client.request(method, path + what, headers=auth(stranger), **sent)
        assert answer.status_code == 404, (method, what)
    assert await titles(client, auth(stranger)) == []
    by_vault = await client.get(REMINDERS, params={"vault_id": str(home.vault.id)}, headers=auth(stranger))
    assert by_vault.status_code == 404


async def test_who_is_assigned_may_say_that_it_is_done(client: httpx.AsyncClient):
    home = await make_home()
    viewer, stranger = await make_member(home.vault, role="viewer"), await make_user()
    made = await make_reminder(client, home, assigned_to=[str(viewer.id)])

    assert await titles(client, home.headers, mine=True) == []
    assert await titles(client, auth(viewer), mine=True) == ["Renew the permit"]
    assert (await act(client, auth(viewer), made["id"], "done")).json()["state"] == "done"
    nobody = {"assigned_to": [str(stranger.id)]}
    path = f"{REMINDERS}/{made['id']}"
    assert (await client.patch(path, json=nobody, headers=home.headers)).status_code == 404
    alone = {"title": "x", "due_on": "2031-01-01", "assigned_to": [str(viewer.id)]}
    assert (await client.post(REMINDERS, json=alone, headers=home.headers)).status_code == 409


async def test_what_is_ones_own_nobody_else_sees(client: httpx.AsyncClient):
    home = await make_home()
    editor = await make_member(home.vault, role="editor")
    made = await make_reminder(client, home, vault_id=None)

    assert made["vault_id"] is None
    assert (await client.get(f"{REMINDERS}/{made['id']}", headers=auth(editor))).status_code == 404


async def test_a_reminder_of_a_record_stands_in_its_vault(client: httpx.AsyncClient):
    home, other = await make_home(), await make_home()
    item = await make_item(home.owner, home.vault, type="secure_note", title="Permit")
    made = await make_reminder(client, home, vault_id=None, item_id=str(item.id))

    assert made["vault_id"] == str(home.vault.id)
    body = {"title": "x", "due_on": "2031-01-01", "item_id": str(item.id)}
    assert (await client.post(REMINDERS, json=body, headers=other.headers)).status_code == 404
    moved = body | {"vault_id": str(other.vault.id)}
    assert (await client.post(REMINDERS, json=moved, headers=home.headers)).status_code == 404


async def test_there_are_limits(client: httpx.AsyncClient):
    home = await make_home()
    await make_reminder(client, home)
    await make_reminder(client, home, vault_id=None)
    body = {"title": "x", "due_on": "2031-01-01"}
    with changed_settings(reminders_per_user=1, reminders_per_vault=1):
        for vault in ({}, {"vault_id": str(home.vault.id)}):
            refused = await client.post(REMINDERS, json=body | vault, headers=home.headers)
            assert refused.status_code == 409


async def test_a_token_without_the_scope_gets_nothing(client: httpx.AsyncClient):
    reader = await make_user(scope="vault:read")
    profile = await make_user(scope="profile")

    assert (await client.get(REMINDERS, headers=auth(reader))).status_code == 200
    body = {"title": "x", "due_on": "2031-01-01"}
    assert (await client.post(REMINDERS, json=body, headers=auth(reader))).status_code == 403
    assert (await client.get(REMINDERS, headers=auth(profile))).status_code == 403


async def propose(home, document, day: date = date(2031, 5, 31), kind: str = "expires"):
    passage = service.Passage(document.version_id, page=1, start=4, end=20)
    proposal = service.Proposal(home.vault.id, document.id, "Policy", day, kind, passage, home.owner.id)
    async with session_scope(Actor.vault(home.vault.id)) as session:
        return await service.propose(session, proposal)


async def test_what_the_assistant_proposes_waits_for_a_person(client: httpx.AsyncClient):
    home = await make_home()
    document = await make_document(home.owner, home.vault)
    reminder_id = await propose(home, document)

    assert await propose(home, document) is None  # read again: proposed once
    assert await titles(client, home.headers) == []
    [proposed] = (await client.get(REMINDERS, params={"state": "proposed"}, headers=home.headers)).json()["items"]
    citation = {
        "document_id": str(document.id),
        "version_id": str(document.version_id),
        "page": 1,
        "start": 4,
        "end": 20,
    }
    assert (proposed["id"], proposed["citation"], proposed["kind"]) == (str(reminder_id), citation, "expires")
    assert proposed["leads"] == list(LEADS["expires"])
    confirmed = (await act(client, home.headers, proposed["id"], "confirm")).json()
    assert confirmed["state"] == "active"
    assert (await act(client, home.headers, proposed["id"], "confirm")).status_code == 409


async def test_what_was_dismissed_is_not_proposed_again(client: httpx.AsyncClient):
    home = await make_home()
    document = await make_document(home.owner, home.vault)
    reminder_id = await propose(home, document)
    viewer = await make_member(home.vault, role="viewer")

    assert (await act(client, auth(viewer), str(reminder_id), "dismiss")).status_code == 403
    dismissed = await act(client, home.headers, str(reminder_id), "dismiss")
    assert dismissed.json()["state"] == "dismissed"
    assert await propose(home, document) is None
    assert await titles(client, home.headers, state="dismissed") == ["Policy"]
    assert await propose(home, document, date(2032, 5, 31)) is not None


async def test_who_acts_for_a_person_proposes_with_their_right_only(client: httpx.AsyncClient):
    from app.auth.principal import Principal
    from app.vault.errors import RoleTooLow, VaultNotFound

    home = await make_home()
    document = await make_document(home.owner, home.vault)
    passage = service.Passage(document.version_id, page=1, start=4, end=20)
    proposal = service.Proposal(home.vault.id, document.id, "Policy", date(2031, 1, 1), "due", passage, home.owner.id)
    for person, refusal in (
        (await make_user(), VaultNotFound),
        (await make_member(home.vault, role="viewer"), RoleTooLow),
    ):
        with pytest.raises(refusal):
            async with session_scope(Actor.user(person.id)) as session:
                await service.propose(session, proposal, Principal(person.id, frozenset()))


async def test_what_people_write_is_sealed(client: httpx.AsyncClient):
    home = await make_home()
    made = await make_reminder(client, home, title="Kestrelmarble", notes="quartzplum")
    await age(made["id"], 1)

    async with session_scope() as session:
        row = await session.get(Reminder, made["id"])
    assert row is not None
    stored = b"".join(str(value).encode() if not isinstance(value, bytes) else value for value in vars(row).values())
    assert b"estrelmarble" not in stored
    assert b"quartzplum" not in stored


async def test_row_level_security_shows_strangers_nothing(client: httpx.AsyncClient):
    from sqlalchemy import select, update

    home, stranger = await make_home(), await make_user()
    viewer = await make_member(home.vault, role="viewer")
    made = [await make_reminder(client, home), await make_reminder(client, home, vault_id=None)]
    ids = [each["id"] for each in made]
    for person, seen in ((home.owner, 2), (viewer, 1), (stranger, 0)):
        async with session_scope(Actor.user(person.id)) as session:
            rows = await session.scalars(select(Reminder.id).where(Reminder.id.in_(ids)))
            assert len(rows.all()) == seen
            changed = update(Reminder).where(Reminder.id.in_(ids)).values(kind="due").returning(Reminder.id)
            assert len((await session.scalars(changed)).all()) == (2 if person is home.owner else 0)
