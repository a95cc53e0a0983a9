"""Reminders follow the dates of records, and what people changed of them stays."""

import asyncio
from uuid import UUID

import httpx
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from app.core.config import Settings
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.reminders import service
from app.reminders.roles import LEADS
from tests import ROOT
from tests.conftest import drain_jobs
from tests.factories import auth, make_document, make_item, make_member
from tests.reminders.people import REMINDERS, Home, make_home, make_reminder
from tests.reminders.test_reminders import act, propose
from tests.vault.conftest import rows_of

pytestmark = pytest.mark.anyio


async def reminders(client: httpx.AsyncClient, home: Home, state: str = "open") -> list[dict]:
    answer = await client.get(REMINDERS, params={"state": state}, headers=home.headers)
    return answer.json()["items"]


async def change(client: httpx.AsyncClient, home: Home, item_id: UUID, settings: Settings, **fields: object) -> None:
    path = f"/v1/vault/items/{item_id}"
    changed = await client.patch(path, json={"fields": fields}, headers=home.headers)
    assert changed.status_code == 200, changed.text
    await drain_jobs(settings)


async def make_passport(home: Home, settings: Settings, day: str = "2031-05-31", **fields: object):
    fields = {"issued_on": "2021-06-01", "expires_on": day, **fields}
    item = await make_item(home.owner, home.vault, title="Astrid's passport", fields=fields)
    await drain_jobs(settings)
    return item


async def test_a_date_of_a_record_makes_a_reminder_and_moves_it(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    item = await make_passport(home, settings)

    [made] = await reminders(client, home)
    assert (made["title"], made["due_on"], made["kind"], made["field"]) == (
        *("Astrid's passport", "2031-05-31", "expires", "expires_on"),
    )
    assert (made["source"], made["item_id"], made["leads"]) == ("field", str(item.id), list(LEADS["expires"]))
    await change(client, home, item.id, settings, expires_on="2041-05-31")
    [moved] = await reminders(client, home)
    assert (moved["id"], moved["due_on"], moved["revision"]) == (made["id"], "2041-05-31", 2)
    await change(client, home, item.id, settings, number="K1")
    assert await reminders(client, home) == [moved]


async def test_what_people_changed_stays_when_the_date_moves(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    viewer = await make_member(home.vault, role="viewer")
    item = await make_passport(home, settings)
    [made] = await reminders(client, home)
    path = f"{REMINDERS}/{made['id']}"
    own = {"leads": [90, 5], "notes": "At the consulate", "assigned_to": [str(viewer.id)]}
    assert (await client.patch(path, json=own, headers=home.headers)).status_code == 200
    await act(client, home.headers, made["id"], "snooze", preset="month")

    await change(client, home, item.id, settings, expires_on="2041-05-31")

    [moved] = await reminders(client, home)
    assert {name: moved[name] for name in own} == own
    assert moved["snoozed_until"] is not None
    for changes in ({"title": "x"}, {"due_on": "2031-01-01"}, {"rrule": "FREQ=DAILY"}):
        refused = await client.patch(path, json=changes, headers=home.headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "date-in-record")


async def test_it_ends_with_its_field_and_its_record_and_comes_back_as_it_was(
    client: httpx.AsyncClient, settings: Settings
):
    home = await make_home()
    item = await make_passport(home, settings)
    [made] = await reminders(client, home)
    await client.patch(f"{REMINDERS}/{made['id']}", json={"leads": [90]}, headers=home.headers)

    await change(client, home, item.id, settings, expires_on=None)
    assert await reminders(client, home) == []
    assert (await client.get(f"{REMINDERS}/{made['id']}", headers=home.headers)).status_code == 404
    await change(client, home, item.id, settings, expires_on="2031-05-31")
    [back] = await reminders(client, home)
    assert (back["id"], back["leads"]) == (made["id"], [90])

    path = f"/v1/vault/items/{item.id}"
    await client.delete(path, headers=home.headers)
    await drain_jobs(settings)
    assert await reminders(client, home) == []
    await client.post(f"{path}/restore", headers=home.headers)
    await drain_jobs(settings)
    assert [each["id"] for each in await reminders(client, home)] == [made["id"]]

    by_hand = await make_reminder(client, home, vault_id=None, item_id=str(item.id))
    await client.delete(path, headers=home.headers)
    await client.post(f"{path}/purge", headers=home.headers)
    await drain_jobs(settings)
    [left] = await reminders(client, home)
    assert (left["id"], left["item_id"]) == (by_hand["id"], None)


async def test_what_is_done_or_not_wanted_stays_so_until_the_date_is_another(
    client: httpx.AsyncClient, settings: Settings
):
    home = await make_home()
    passport, visa = await make_passport(home, settings), await make_passport(home, settings, "2032-05-31")
    first, second = await reminders(client, home)
    await act(client, home.headers, first["id"], "done")
    assert (await client.delete(f"{REMINDERS}/{second['id']}", headers=home.headers)).status_code == 204
    for item in (passport, visa):
        await change(client, home, item.id, settings, number="K2")
    assert await reminders(client, home) == []
    assert [each["id"] for each in await reminders(client, home, "done")] == [first["id"]]

    await change(client, home, passport.id, settings, expires_on="2041-05-31")
    await change(client, home, visa.id, settings, expires_on="2042-05-31")
    assert [each["id"] for each in await reminders(client, home)] == [first["id"]]
    [dismissed] = await reminders(client, home, "dismissed")
    assert (dismissed["id"], dismissed["due_on"]) == (second["id"], "2042-05-31")
    await act(client, home.headers, second["id"], "confirm")
    assert len(await reminders(client, home)) == 2


async def test_a_done_one_of_a_record_in_the_trash_comes_back_done(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    item = await make_passport(home, settings)
    [made] = await reminders(client, home)
    await act(client, home.headers, made["id"], "done")
    await client.delete(f"/v1/vault/items/{item.id}", headers=home.headers)
    await drain_jobs(settings)
    assert await reminders(client, home, "done") == []
    await client.post(f"/v1/vault/items/{item.id}/restore", headers=home.headers)
    await drain_jobs(settings)

    assert [each["id"] for each in await reminders(client, home, "done")] == [made["id"]]


FIELDS = [
    ("vehicle", {"inspection_due_on": "2031-02-28", "first_registered_on": "2019-02-28"}, [("due", "2031-02-28")]),
    ("car_insurance", {"renews_on": "2031-01-01", "starts_on": "2020-01-01"}, [("renews", "2031-01-01")]),
    ("card", {"valid_until": "2032-02"}, [("expires", "2032-02-29")]),
    ("passport", {"expires_on": "0900-01-01", "Anniversary": "2031-01-01"}, []),
    ("secure_note", {"expires_on": "2031-01-01"}, []),
]


@pytest.mark.parametrize(("type", "fields", "expected"), FIELDS)
async def test_fields_are_due_dates_by_what_they_mean(
    client: httpx.AsyncClient, settings: Settings, type: str, fields: dict, expected: list
):
    home = await make_home()
    await make_item(home.owner, home.vault, type=type, fields=fields)
    await drain_jobs(settings)

    assert [(each["kind"], each["due_on"]) for each in await reminders(client, home)] == expected


async def test_told_twice_and_at_the_same_time_it_makes_one(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    item = await make_item(home.owner, home.vault, fields={"expires_on": "2031-05-31"})

    async def follow() -> None:
        async with session_scope() as session:
            await service.follow_item(session, item.id)

    await asyncio.gather(*(follow() for _ in range(6)))
    await drain_jobs(settings)

    assert len(await reminders(client, home)) == 1


async def test_what_was_proposed_goes_with_its_document_and_what_was_confirmed_stays(
    client: httpx.AsyncClient, settings: Settings
):
    home = await make_home()
    document = await make_document(home.owner, home.vault)
    proposed = await propose(home, document)
    confirmed = await propose(home, document, kind="due")
    await act(client, home.headers, str(confirmed), "confirm")
    path = f"/v1/vault/documents/{document.id}"
    await client.delete(path, headers=home.headers)
    await client.post(f"{path}/purge", headers=home.headers)
    await drain_jobs(settings)

    assert (await client.get(f"{REMINDERS}/{proposed}", headers=home.headers)).status_code == 404
    kept = (await client.get(f"{REMINDERS}/{confirmed}", headers=home.headers)).json()
    assert (kept["state"], kept["document_id"], kept["citation"]) == ("active", None, None)


async def test_a_vault_takes_its_reminders_and_what_was_told_of_them_along(
    client: httpx.AsyncClient, settings: Settings
):
    home = await make_home()
    made = await make_reminder(client, home)
    path = f"/v1/vault/vaults/{home.vault.id}"
    await client.delete(path, headers=home.headers)
    assert (await client.get(f"{REMINDERS}/{made['id']}", headers=home.headers)).status_code == 404
    await client.post(f"{path}/purge", headers=home.headers)
    await drain_jobs(settings)

    assert await rows_of("SELECT id FROM reminders WHERE id = :id", id=UUID(made["id"])) == []


async def test_a_vault_gets_a_new_key_and_a_record_another_vault(client: httpx.AsyncClient, settings: Settings):
    from tests.vault.test_rotation import cells_of, ring_of, rotate

    home = await make_home()
    other = await make_home()
    item = await make_passport(home, settings)
    by_hand = await make_reminder(client, home, title="By hand")
    await rotate(home.vault.id)

    new = await ring_of(home.vault.id)
    assert {key for table, key in await cells_of(home.vault.id) if table == "reminders"} == {new.current.id}
    assert [each["title"] for each in await reminders(client, home)] == [by_hand["title"], "Astrid's passport"]

    async with session_scope() as session:  # as a move does: sealed anew for the other vault
        ring = await ring_of(other.vault.id)
        cell = ring.seal(
            "vault_items",
            item.id,
            "body",
            b'{"title":"Moved","fields":{"expires_on":"2031-05-31"},"notes":"","tags":[]}',
        )
        statement = text("UPDATE vault_items SET vault_id = :vault, body = :cell WHERE id = :id")
        await session.execute(statement, {"vault": other.vault.id, "cell": cell, "id": item.id})
    await drain_jobs(settings)
    assert [each["title"] for each in await reminders(client, home)] == ["By hand"]
    assert [each["title"] for each in await reminders(client, other)] == ["Moved"]


async def test_records_from_before_get_reminders_too(client: httpx.AsyncClient, own_database: Runtime):
    home = await make_home()
    await make_item(home.owner, home.vault, fields={"expires_on": "2031-05-31"})
    async with session_scope() as session:
        await session.execute(text("DELETE FROM outbox_events"))
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = own_database.settings.migration_url
    await asyncio.to_thread(command.downgrade, config, "b4c0")
    await asyncio.to_thread(command.upgrade, config, "b4c1")
    await drain_jobs(own_database.settings)

    found = await rows_of("SELECT kind, due FROM (SELECT kind, starts_on AS due FROM reminders) AS found")
    assert [(row.kind, str(row.due)) for row in found] == [("expires", "2031-05-31")]
    assert auth(home.owner)
