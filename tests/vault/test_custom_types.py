"""Record types that people make: defined, used, changed, and not deleted while they are used."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from app.core.tasks import listeners
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.vault import service, tasks
from tests.factories import auth
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import cells_of, rows_of
from tests.vault.home import Home, home

__all__ = ["home"]

FIELDS = [
    {"name": "range", "label": "Range in metres", "type": "number", "required": True},
    {"name": "expires_on", "label": "Insured until", "type": "date", "role": "expires"},
    {"name": "class", "label": "Class", "type": "choice", "choices": ["C0", "C1"]},
    {"name": "unlock", "label": "Unlock code", "type": "secret"},
]


def drone(home: Home, **changes: Any) -> dict[str, Any]:
    return {"vault_id": str(home.vault.id), "label": "Drone", "icon": "drone", "fields": FIELDS} | changes


async def test_a_type_is_made_read_listed_and_used(home: Home):
    made = await home.call("POST", "types", drone(home, description="Flies."), status=201)

    assert made["name"] == f"custom:{made['id']}"
    assert [field["name"] for field in made["fields"]] == ["range", "expires_on", "class", "unlock"]
    assert await home.call("GET", f"types/{made['id']}", who=home.bob) == made
    listed = await home.call("GET", "types", who=home.bob, vault_id=str(home.vault.id))
    assert listed["items"][-1] == made
    assert made not in (await home.call("GET", "types", vault_id=str(home.other.id)))["items"]
    values = {"vault_id": str(home.vault.id), "type": made["name"], "title": "Mavic"}
    item = await home.call("POST", "items", {**values, "fields": {"class": "C1", "colour": "red"}}, status=201)
    assert (item["type"], item["missing"], item["secret_fields"]) == (made["name"], ["range"], ["unlock"])
    wrong = await home.call("POST", "items", {**values, "fields": {"range": "far", "class": "C9"}}, status=422)
    assert {each["loc"][-1] for each in wrong["errors"]} == {"range", "class"}
    changed = await home.call("PATCH", f"items/{item['id']}", {"fields": {"range": 900}})
    assert (changed["missing"], changed["fields"]["range"]) == ([], 900)
    of_type = await home.call("GET", "items", type=made["name"])
    assert [each["id"] for each in of_type["items"]] == [item["id"]]
    assert (await home.call("POST", f"items/{item['id']}/versions/1/restore"))["missing"] == ["range"]


async def test_a_type_that_is_used_is_not_deleted(home: Home):
    made = await home.call("POST", "types", drone(home))
    values = {"vault_id": str(home.vault.id), "type": made["name"], "title": "Mavic"}
    item = await home.call("POST", "items", values)
    path = f"types/{made['id']}"

    await home.call("DELETE", f"items/{item['id']}")
    assert (await home.call("DELETE", path, status=409))["code"] == "type-in-use"
    await home.call("POST", f"items/{item['id']}/purge")
    await home.call("DELETE", path, status=204)

    await home.call("GET", path, status=404)
    assert (await home.call("POST", "items", values, status=404))["code"] == "type-not-found"


async def test_records_keep_what_they_hold_when_their_type_changes(home: Home):
    made = await home.call("POST", "types", drone(home))
    values = {"type": made["name"], "title": "Mavic", "fields": {"range": 900, "unlock": "0000"}}
    item = await home.call("POST", "items", {"vault_id": str(home.vault.id), **values})
    fields = [{"name": "range", "label": "Range", "type": "text"}]
    path = f"types/{made['id']}"

    changed = await home.call("PATCH", path, {"fields": fields, "credential": True}, headers={"If-Match": '"1"'})

    assert (changed["revision"], changed["label"], len(changed["fields"])) == (2, "Drone", 1)
    after = await home.call("GET", f"items/{item['id']}", who=home.bob)
    assert (after["fields"], after["secret_fields"], after["credential"]) == (values["fields"], [], True)
    await home.call("PATCH", path, {"label": "Plane"}, headers={"If-Match": '"1"'}, status=412)
    retitled = await home.call("PATCH", f"items/{item['id']}", {"title": "Old"})
    assert retitled["fields"] == values["fields"], "values that no longer fit stay until they are changed"


@pytest.mark.parametrize(
    "fields",
    [
        [{"name": "a", "label": "A", "type": "text"}, {"name": "a", "label": "B", "type": "text"}],
        [{"name": "a", "label": "A", "type": "choice"}],
        [{"name": "a", "label": "A", "type": "text", "choices": ["x"]}],
        [{"name": "a", "label": "A", "type": "choice", "choices": ["x", "x"]}],
        [{"name": "a", "label": "A", "type": "text", "role": "expires"}],
        [{"name": "a", "label": "A", "type": "picture"}],
        [{"name": "", "label": "A", "type": "text"}],
        [{"name": "a", "label": "A", "type": "text", "hint": "?"}],
    ],
)
async def test_a_definition_that_makes_no_sense_is_refused(home: Home, fields):
    problem = await home.call("POST", "types", drone(home, fields=fields), status=422)

    assert problem["errors"]


async def test_types_are_made_by_those_who_may_write_and_seen_by_members(home: Home):
    assert (await home.call("POST", "types", drone(home), who=home.bob, status=403))["code"] == "role-too-low"
    await home.call("POST", "types", drone(home), who=home.eve, status=404)
    made = await home.call("POST", "types", drone(home), who=await home.member("editor"))
    path = f"types/{made['id']}"

    for method, body in (("GET", None), ("PATCH", {"label": "B"}), ("DELETE", None)):
        await home.call(method, path, body, who=home.eve, status=404)
    for method, body in (("PATCH", {"label": "B"}), ("DELETE", None)):
        await home.call(method, path, body, who=home.bob, status=403)
    await home.call("GET", "types", who=home.eve, vault_id=str(home.vault.id), status=404)
    assert made["id"] not in str(await home.call("GET", "types", who=home.eve))
    values = {"vault_id": str(home.other.id), "type": made["name"], "title": "Mavic"}
    assert (await home.call("POST", "items", values, status=404))["code"] == "type-not-found"
    await home.call("POST", "items", {**values, "vault_id": str(home.vault.id)}, who=home.bob, status=403)


async def test_types_come_in_pages_and_are_no_more_than_allowed(home: Home):
    with changed_settings(types_per_vault=3):
        for label in "ABC":
            await home.call("POST", "types", drone(home, label=label, fields=[]))
        assert (await home.call("POST", "types", drone(home), status=409))["code"] == "limit-reached"

    first = await home.call("GET", "types", limit=2)
    second = await home.call("GET", "types", limit=2, cursor=first["next_cursor"])

    assert first["items"][0]["id"] is None
    assert [each["label"] for each in first["items"] if each["id"]] == ["C", "B"]
    assert ([each["label"] for each in second["items"]], second["next_cursor"]) == (["A"], None)


async def test_nothing_of_a_definition_stands_in_the_clear(home: Home):
    made = await home.call("POST", "types", drone(home, label="Zqxdrone", fields=FIELDS))

    [row] = await rows_of("SELECT t::text AS row, body FROM vault_types t WHERE id = :id", id=made["id"])

    assert "Zqxdrone" not in row.row
    assert b"Zqxdrone" not in row.body
    ring = current().keys._rings[home.vault.id][1]
    assert ("vault_types", ring.current.id) in await cells_of(home.vault.id)


async def test_the_database_ties_a_record_to_a_type_of_its_vault(home: Home):
    made = await home.call("POST", "types", drone(home))
    item = await home.item()
    statement = text("UPDATE vault_items SET type = :name, type_id = :type WHERE id = :item RETURNING id")
    elsewhere = await home.call("POST", "types", drone(home, vault_id=str(home.other.id)))

    for values in (
        {"name": made["name"], "type": None},
        {"name": "passport", "type": made["id"]},
        {"name": elsewhere["name"], "type": elsewhere["id"]},
    ):
        with pytest.raises(Exception, match="vault_items"):
            async with session_scope(Actor.vault(home.vault.id)) as session:
                await session.execute(statement, values | {"item": item.id})


async def test_a_type_is_not_deleted_under_a_record_that_is_just_being_made(home: Home):
    made = await home.call("POST", "types", drone(home))
    values = {"vault_id": str(home.vault.id), "type": made["name"], "title": "Mavic"}
    requests = [home.client.post("/v1/vault/items", json=values, headers=auth(home.ada)) for _ in range(4)]
    requests.append(home.client.delete(f"/v1/vault/types/{made['id']}", headers=auth(home.ada)))

    *items, deleted = await asyncio.gather(*requests)

    made_items = [each for each in items if each.status_code == 201]
    assert {each.status_code for each in items} <= {201, 404}
    assert deleted.status_code == (409 if made_items else 204)
    for each in made_items:
        await home.call("GET", f"items/{each.json()['id']}")


async def test_a_client_that_follows_changes_hears_of_types_and_links(home: Home):
    query = {"vault_id": str(home.vault.id), "content": True}
    since = (await home.call("GET", "changes", **query))["until"]
    made = await home.call("POST", "types", drone(home))
    item, other = await home.item(type=made["name"], title="Mavic"), await home.item()
    ends = {"source": {"item_id": str(item.id)}, "target": {"item_id": str(other.id)}}
    link = await home.call("POST", "links", ends)
    await home.call("PATCH", f"types/{made['id']}", {"label": "Plane"})

    changes = (await home.call("GET", "changes", who=home.bob, since=since, **query))["items"]

    told = {(each["kind"], each["subject_id"]): each for each in changes}
    kind = told["type", made["id"]]
    assert (kind["change"], kind["revision"], kind["content"]["label"]) == ("updated", 2, "Plane")
    assert told["link", link["id"]]["content"]["target"]["id"] == str(other.id)
    assert told["item", str(item.id)]["content"]["type"] == made["name"]
    since = (await home.call("GET", "changes", **query))["until"]
    await home.call("DELETE", f"links/{link['id']}")
    (gone,) = (await home.call("GET", "changes", since=since, **query))["items"]
    assert (gone["kind"], gone["change"], gone["content"]) == ("link", "purged", None)
    since = (await home.call("GET", "changes", **query))["until"]
    await home.call("POST", f"items/{item.id}/move", {"vault_id": str(home.other.id)})
    (moved,) = (await home.call("GET", "changes", since=since, **query))["items"]
    assert (moved["kind"], moved["subject_id"], moved["change"]) == ("item", str(item.id), "purged")


async def test_those_who_follow_records_know_their_types_and_hear_when_these_change(home: Home):
    made = await home.call("POST", "types", drone(home))
    item = await home.item(type=made["name"], title="Mavic", fields={"expires_on": "2031-05-31"})

    async with session_scope() as session:
        now = await service.item_now(session, item.id)
    assert now
    assert (now.kind.dates, now.fields) == ([("expires_on", "expires")], {"expires_on": "2031-05-31"})
    told = "SELECT count(*) AS n FROM outbox_events WHERE event = 'vault.item_changed' AND payload->>'item_id' = :id"
    [before] = await rows_of(told, id=str(item.id))
    await tasks.tell_of_records(type_id=made["id"], vault_id=str(home.vault.id))
    [after] = await rows_of(told, id=str(item.id))
    assert after.n == before.n + 1
    assert [task.name for task in listeners("vault.type_changed")] == ["vault.tell_of_records"]
