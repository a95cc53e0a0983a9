"""Every route around records: none without a token, none without its scope, and what is public answers anybody."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.config import Settings
from app.db.session import NOBODY, Actor, session_scope
from tests.conftest import application
from tests.factories import auth, make_user
from tests.vault.conftest import rows_of
from tests.vault.home import Home, home

__all__ = ["home"]

REF = {"item_id": "{id}"}
# What has its own tests for strangers and roles: method, path as in `test_access`, a body that is well formed.
OPERATIONS: list[tuple[str, str, Any]] = [
    ("GET", "types", None),
    ("POST", "types", {"vault_id": "{id}", "label": "Drone", "fields": []}),
    ("GET", "types/{type}", None),
    ("PATCH", "types/{type}", {"label": "Plane"}),
    ("DELETE", "types/{type}", None),
    ("GET", "relations", None),
    ("POST", "links", {"source": REF, "target": REF}),
    ("GET", "links/{link}", None),
    ("DELETE", "links/{link}", None),
    ("GET", "items/{item}/links", None),
    ("GET", "documents/{document}/links", None),
    ("POST", "bulk", {"action": "trash", "item_ids": ["{id}"]}),
    ("POST", "items/{item}/move", {"vault_id": "{id}"}),
    ("POST", "documents/{document}/move", {"vault_id": "{id}"}),
    ("PUT", "items/{item}/favourite", None),
    ("DELETE", "items/{item}/favourite", None),
    ("GET", "items/{item}/versions/1/diff", None),
    ("POST", "items/{item}/versions/1/restore-part", {"part": "title"}),
    ("POST", "search", {"query": "passport"}),
    ("GET", "shares", None),
    ("POST", "shares", {"subject": REF}),
    ("GET", "shares/{share}", None),
    ("DELETE", "shares/{share}", None),
    ("GET", "shares/{share}/views", None),
]
READING = {("POST", "search")}
FOR_ANYBODY = ("shared/open", "shared/content")


def filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: filled(each) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each) for each in value]
    return str(uuid4()) if value == "{id}" else value


async def ask(client: httpx.AsyncClient, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
    names = ("type", "link", "item", "document", "share")
    url = f"/v1/vault/{path.format(**{name: uuid4() for name in names})}"
    return await client.request(method, url, json=filled(body), headers=headers)


async def test_nothing_is_answered_without_a_token_or_without_the_scope(client: httpx.AsyncClient):
    reading, nothing = await make_user(scope="profile vault:read"), await make_user(scope="profile rag:ask")

    for method, path, body in OPERATIONS:
        reads = method == "GET" or (method, path) in READING
        assert (await ask(client, method, path, body, {})).status_code == 401, path
        refused = await ask(client, method, path, body, auth(nothing if reads else reading))
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), path


async def test_a_stranger_is_told_that_nothing_is_there(client: httpx.AsyncClient):
    stranger = await make_user()
    everybody = {("GET", "types"), ("GET", "relations"), ("POST", "search"), ("GET", "shares")}

    for method, path, body in OPERATIONS:
        answer = await ask(client, method, path, body, auth(stranger))
        expected = 200 if (method, path) in everybody else 409 if path == "bulk" else 404
        assert answer.status_code == expected, (method, path, answer.text)


def test_what_is_public_is_so_on_purpose(settings: Settings):
    paths = application(settings).openapi()["paths"]

    operations = [(path, each) for path, methods in paths.items() for each in methods.values()]
    public = {path for path, each in operations if path.startswith("/v1/vault/") and not each.get("security")}
    assert public == {f"/v1/vault/{path}" for path in FOR_ANYBODY}


async def test_the_database_itself_shows_each_row_to_its_people_only(home: Home):
    item, other = await home.item(), await home.item()
    made = await home.call("POST", "types", {"vault_id": str(home.vault.id), "label": "Drone", "fields": []})
    ends = {"source": {"item_id": str(item.id)}, "target": {"item_id": str(other.id)}}
    link = await home.call("POST", "links", ends)
    await home.call("PUT", f"items/{item.id}/favourite")
    rows = {"vault_types": f"id = '{made['id']}'", "vault_links": f"id = '{link['id']}'"}
    seen = {Actor.user(home.ada.id): 1, Actor.user(home.bob.id): 1, Actor.vault(home.vault.id): 1}
    seen |= {Actor.user(home.eve.id): 0, NOBODY: 0, Actor.vault(home.other.id): 0}

    for actor, expected in seen.items():
        for table, condition in rows.items():
            assert await count(actor, f"SELECT id FROM {table} WHERE {condition}") == expected, (table, actor)
        favourite = 1 if actor == Actor.user(home.ada.id) else 0
        assert await count(actor, f"SELECT 1 FROM vault_favourites WHERE item_id = '{item.id}'") == favourite
    for table, condition in rows.items():
        assert await count(Actor.user(home.bob.id), f"DELETE FROM {table} WHERE {condition} RETURNING id") == 0
    stolen = f"INSERT INTO vault_favourites (user_id, item_id) VALUES ('{home.ada.id}', '{other.id}') RETURNING 1"
    with pytest.raises(DBAPIError, match="row-level security"):
        await count(Actor.user(home.eve.id), stolen)


async def count(actor: Actor, statement: str) -> int:
    async with session_scope(actor) as session:
        return len((await session.execute(text(statement))).all())


async def test_what_is_done_stands_in_the_log_of_the_vault(home: Home):
    item, other = await home.item(), await home.item()
    path = f"items/{item.id}"
    made = await home.call("POST", "types", {"vault_id": str(home.vault.id), "label": "Drone", "fields": []})
    await home.call("PATCH", f"types/{made['id']}", {"label": "Plane"})
    await home.call("DELETE", f"types/{made['id']}")
    ends = {"source": {"item_id": str(item.id)}, "target": {"item_id": str(other.id)}}
    link = await home.call("POST", "links", ends)
    await home.call("DELETE", f"links/{link['id']}")
    share = await home.call("POST", "shares", {"subject": {"item_id": str(item.id)}, "password": "horse battery"})
    for password in ("wrong horse", "horse battery"):
        body = {"token": share["token"], "password": password}
        await home.client.post("/v1/vault/shared/open", json=body)
    await home.call("DELETE", f"shares/{share['id']}")
    await home.call("PATCH", path, {"notes": "x"})
    await home.call("POST", f"{path}/versions/1/restore-part", {"part": "notes"})
    for action, more in (("tag", {"tags": ["a"]}), ("trash", {}), ("restore", {})):
        await home.call("POST", "bulk", {"action": action, "item_ids": [str(item.id)], **more})
    await home.call("POST", f"{path}/move", {"vault_id": str(home.other.id)})

    actions = [row.action for row in await entries(home.vault.id)]

    assert [action for action in actions if action != "vault.item_created"] == [
        "vault.created",
        "vault.type_created",
        "vault.type_updated",
        "vault.type_deleted",
        "vault.link_created",
        "vault.link_deleted",
        "vault.share_created",
        "vault.share_refused",
        "vault.share_opened",
        "vault.share_revoked",
        "vault.item_updated",
        "vault.item_part_restored",
        "vault.item_updated",
        "vault.item_trashed",
        "vault.item_restored",
        "vault.item_moved",
    ]
    assert [row.action for row in await entries(home.other.id)][-1:] == ["vault.item_moved"]


async def entries(vault_id: UUID) -> list[Any]:
    statement = "SELECT action FROM audit_entries WHERE chain_id = :vault ORDER BY sequence"
    return await rows_of(statement, vault=vault_id)
