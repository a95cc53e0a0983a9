"""Every route of vaults: who gets what."""

from uuid import uuid4

import httpx
import pytest

from app.core.config import Settings
from tests.conftest import application
from tests.factories import auth, make_user
from tests.vault.conftest import Scene, invite

FILE = {"files": {"file": ("a.txt", b"text")}}
IF_MATCH = {"If-Match": '"1"'}

READS = [
    "vaults/{vault}",
    "vaults/{vault}/members",
    "items?vault_id={vault}",
    "items?vault_id={vault}&tag=travel",
    "items/{item}",
    "items/{item}/versions",
    "items/{item}/versions/1",
    "documents?vault_id={vault}",
    "documents?vault_id={vault}&tag=travel",
    "documents/{document}",
    "documents/{document}/versions",
    "documents/{document}/content",
]
# Changes: the lowest role that may make them, method, path, body.
CHANGES = [
    ("editor", "POST", "items", {"vault_id": "{vault}", "type": "secure_note", "title": "Note"}),
    ("editor", "PATCH", "items/{item}", {"title": "New"}),
    ("editor", "DELETE", "items/{item}", None),
    ("editor", "POST", "items/{item}/restore", None),
    ("editor", "POST", "items/{item}/purge", None),
    ("editor", "POST", "items/{item}/versions/1/restore", None),
    ("editor", "POST", "documents", FILE),
    ("editor", "PUT", "documents/{document}/content", b"text"),
    ("editor", "PATCH", "documents/{document}", {"title": "New"}),
    ("editor", "DELETE", "documents/{document}", None),
    ("editor", "POST", "documents/{document}/restore", None),
    ("editor", "POST", "documents/{document}/purge", None),
    ("admin", "PATCH", "vaults/{vault}", {"name": "New"}),
    ("admin", "PATCH", "vaults/{vault}/members/{member}", {"role": "viewer"}),
    ("admin", "DELETE", "vaults/{vault}/members/{member}", None),
    ("admin", "POST", "vaults/{vault}/invitations", {"email": "{unique}@example.org"}),
    ("admin", "GET", "vaults/{vault}/invitations", None),
    ("admin", "DELETE", "vaults/{vault}/invitations/{invitation}", None),
    ("owner", "PATCH", "vaults/{vault}/members/{admin}", {"role": "owner"}),
    ("owner", "DELETE", "vaults/{vault}", None),
    ("owner", "POST", "vaults/{vault}/restore", None),
    ("owner", "POST", "vaults/{vault}/purge", None),
    ("owner", "POST", "vaults/{vault}/rotate-key", None),
]
IN_TRASH = ("/restore", "/purge")
RANKS = ["viewer", "editor", "admin", "owner"]


def fill(text: str, scene: Scene, invitation: str = "") -> str:
    names = {"vault": scene.vault.id, "item": scene.item.id, "document": scene.document.id}
    people = {"admin": scene.admin.id, "member": scene.member.id}
    return text.format(**names, **people, invitation=invitation or uuid4(), unique=uuid4().hex)


async def change(
    client: httpx.AsyncClient, scene: Scene, method: str, path: str, body: object, headers: dict[str, str], **ids: str
) -> httpx.Response:
    url = f"/v1/vault/{fill(path, scene, **ids)}"
    headers = headers | IF_MATCH
    if body is FILE:
        return await client.post(url, data={"vault_id": str(scene.vault.id)}, headers=headers, **FILE)
    if isinstance(body, bytes):
        return await client.request(method, url, content=body, headers=headers)
    if isinstance(body, dict):
        body = {name: fill(value, scene) for name, value in body.items()}
    return await client.request(method, url, json=body, headers=headers)


@pytest.mark.parametrize("path", READS)
async def test_members_read_and_strangers_are_told_that_nothing_is_there(client: httpx.AsyncClient, scene: Scene, path):
    url = f"/v1/vault/{fill(path, scene)}"
    changed = await client.patch(
        f"/v1/vault/items/{scene.item.id}", json={"title": "B"}, headers=auth(scene.owner) | IF_MATCH
    )
    assert changed.status_code == 200

    assert (await client.get(url, headers=auth(scene.viewer))).status_code == 200
    stranger = await client.get(url, headers=auth(scene.stranger))
    assert stranger.status_code == 404
    assert str(scene.item.title) not in stranger.text


@pytest.mark.parametrize(("role", "method", "path", "body"), CHANGES)
async def test_a_change_is_for_strangers_404_for_lower_roles_403_and_done_for_the_right_one(
    client: httpx.AsyncClient, scene: Scene, role, method, path, body
):
    ids = {"invitation": await invite(client, scene)}
    if path.endswith(IN_TRASH) and "versions" not in path:
        thing = path.rpartition("/")[0]
        assert (await change(client, scene, "DELETE", thing, None, auth(scene.owner))).status_code == 204
    if "versions" in path:
        assert (
            await change(client, scene, "PATCH", "items/{item}", {"title": "B"}, auth(scene.owner))
        ).status_code == 200

    stranger = await change(client, scene, method, path, body, auth(scene.stranger), **ids)
    assert stranger.status_code == 404

    for lower in RANKS[: RANKS.index(role)]:
        refused = await change(client, scene, method, path, body, auth(scene.person(lower)), **ids)
        assert refused.status_code == 403, lower
        assert refused.json()["code"] == "role-too-low"

    headers = auth(scene.person(role)) | ({"If-Match": '"2"'} if "versions" in path else {})
    if "versions" in path:
        done = await client.request(method, f"/v1/vault/{fill(path, scene)}", headers=headers)
    else:
        done = await change(client, scene, method, path, body, headers, **ids)
    assert done.is_success, done.text


@pytest.mark.parametrize(("method", "path", "body"), [("GET", path, None) for path in READS] + [c[1:] for c in CHANGES])
async def test_a_token_without_the_scope_is_refused(client: httpx.AsyncClient, scene: Scene, method, path, body):
    everything_else = "profile rag:ask" if method == "GET" else "profile rag:ask vault:read"
    narrow = await make_user(scope=everything_else)

    response = await change(client, scene, method, path, body, auth(narrow))

    assert response.status_code == 403
    assert response.json()["code"] == "forbidden"


@pytest.mark.parametrize(("method", "path", "body"), [("GET", path, None) for path in READS] + [c[1:] for c in CHANGES])
async def test_nothing_is_answered_without_a_token(client: httpx.AsyncClient, scene: Scene, method, path, body):
    assert (await change(client, scene, method, path, body, {})).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "vaults", {"name": "", "kind": "family"}),
        ("POST", "vaults", {"name": "A", "kind": "secret"}),
        ("POST", "vaults", {"name": "A", "colour": "red"}),
        ("PATCH", "vaults/{vault}", {"name": "A\x00B"}),
        ("PATCH", "vaults/{vault}/members/{member}", {"role": "king"}),
        ("POST", "vaults/{vault}/invitations", {"email": "nobody"}),
        ("POST", "vaults/{vault}/invitations", {"email": "a@example.org", "role": "owner"}),
        ("POST", "invitations/accept", {"token": ""}),
        ("POST", "items", {"vault_id": "{vault}", "type": "secure_note"}),
        ("POST", "items", {"vault_id": "not-an-id", "type": "secure_note", "title": "A"}),
        ("PATCH", "items/{item}", {"tags": "travel"}),
        ("PATCH", "documents/{document}", {"title": ""}),
    ],
)
async def test_a_malformed_body_is_422_and_never_repeated(client: httpx.AsyncClient, scene: Scene, method, path, body):
    response = await change(client, scene, method, path, body, auth(scene.owner))

    assert response.status_code == 422
    assert all(set(error) == {"loc", "msg", "type"} for error in response.json()["errors"])


def test_every_route_stands_in_these_lists(settings: Settings):
    tested = {(method, path.partition("?")[0]) for _, method, path, _ in CHANGES}
    tested |= {("GET", path.partition("?")[0]) for path in READS}
    alone = {
        ("GET", "types"),
        ("GET", "vaults"),
        ("POST", "vaults"),
        ("POST", "invitations/accept"),
        ("POST", "vaults/{vault}/leave"),
        ("HEAD", "documents/{document}/content"),
    }
    paths = application(settings).openapi()["paths"]
    found = {
        (method.upper(), shortened(path))
        for path, operations in paths.items()
        if path.startswith("/v1/vault/")
        for method in operations
    }
    assert found == (tested | alone) - {("PATCH", "vaults/{vault}/members/{admin}")}


def shortened(path: str) -> str:
    path = path.removeprefix("/v1/vault/").replace("{revision}", "1").replace("{user_id}", "{member}")
    return path.replace("_id}", "}")
