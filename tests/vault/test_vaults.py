"""Vaults: made, renamed, trashed, restored."""

import httpx
import pytest

from app.db.runtime import Runtime
from tests.factories import auth, make_member, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene

VAULTS = "/v1/vault/vaults"


async def test_a_new_vault_belongs_to_its_maker_and_stands_first_in_the_list(
    client: httpx.AsyncClient, runtime: Runtime
):
    owner = await make_user()
    await make_vault(owner, name="Older")

    made = await client.post(VAULTS, json={"name": " Family papers ", "kind": "family"}, headers=auth(owner))

    assert made.status_code == 201
    vault = made.json()
    assert (vault["name"], vault["kind"], vault["tier"], vault["role"]) == (
        "Family papers",
        "family",
        "assisted",
        "owner",
    )
    assert made.headers["Location"] == f"{VAULTS}/{vault['id']}"
    assert made.headers["ETag"] == '"1"'
    read = await client.get(made.headers["Location"], headers=auth(owner))
    assert read.json() == vault
    listed = await client.get(VAULTS, headers=auth(owner))
    assert [each["name"] for each in listed.json()["items"]] == ["Family papers", "Older"]


async def test_a_sealed_vault_is_made_by_a_client(client: httpx.AsyncClient, runtime: Runtime):
    body = {"name": "A", "kind": "personal", "tier": "sealed"}

    response = await client.post(VAULTS, json=body, headers=auth(await make_user()))

    assert response.status_code == 409
    assert response.json()["code"] == "vault-sealed"


async def test_pages_of_vaults_follow_each_other(client: httpx.AsyncClient, runtime: Runtime):
    owner = await make_user()
    made = [str((await make_vault(owner)).id) for _ in range(5)]

    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(VAULTS, params=query, headers=auth(owner))).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_an_admin_renames_a_vault_unless_somebody_else_did_before(client: httpx.AsyncClient, scene: Scene):
    url = f"{VAULTS}/{scene.vault.id}"

    renamed = await client.patch(url, json={"name": "Ours"}, headers=auth(scene.admin) | {"If-Match": '"1"'})
    late = await client.patch(url, json={"name": "Mine"}, headers=auth(scene.owner) | {"If-Match": '"1"'})

    assert (renamed.status_code, renamed.headers["ETag"], renamed.json()["name"]) == (200, '"2"', "Ours")
    assert (late.status_code, late.json()["code"]) == (412, "stale-revision")
    unchanged = await client.get(url, headers=auth(scene.viewer) | {"If-None-Match": '"2"'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_a_shared_vault_does_not_become_personal(client: httpx.AsyncClient, runtime: Runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    url = f"{VAULTS}/{vault.id}"
    await make_member(vault)

    refused = await client.patch(url, json={"kind": "personal"}, headers=auth(owner))

    assert (refused.status_code, refused.json()["code"]) == (409, "vault-has-members")
    assert (await client.get(url, headers=auth(owner))).json()["kind"] == "family"


async def test_a_trashed_vault_is_hidden_at_once_with_all_that_is_in_it(client: httpx.AsyncClient, scene: Scene):
    url = f"{VAULTS}/{scene.vault.id}"
    paths = [
        url,
        f"/v1/vault/items?vault_id={scene.vault.id}",
        f"/v1/vault/items/{scene.item.id}",
        f"/v1/vault/documents/{scene.document.id}",
        f"/v1/vault/documents/{scene.document.id}/content",
    ]

    assert (await client.delete(url, headers=auth(scene.owner))).status_code == 204

    for person in (scene.owner, scene.viewer):
        for path in paths:
            assert (await client.get(path, headers=auth(person))).status_code == 404, path
        assert (await client.get("/v1/vault/items", headers=auth(person))).json()["items"] == []
        assert (await client.get("/v1/vault/documents", headers=auth(person))).json()["items"] == []
        assert (await client.get(VAULTS, headers=auth(person))).json()["items"] == []
    trash = (await client.get(VAULTS, params={"trashed": True}, headers=auth(scene.owner))).json()["items"]
    assert [(each["id"], each["trashed_at"] is not None) for each in trash] == [(str(scene.vault.id), True)]
    assert (await client.get(VAULTS, params={"trashed": True}, headers=auth(scene.admin))).json()["items"] == []

    restored = await client.post(f"{url}/restore", headers=auth(scene.owner))
    assert (restored.status_code, restored.json()["trashed_at"]) == (200, None)
    for path in paths:
        assert (await client.get(path, headers=auth(scene.viewer))).status_code == 200, path


@pytest.mark.parametrize("action", ["restore", "purge"])
async def test_only_what_is_in_the_trash_is_restored_or_purged(client: httpx.AsyncClient, scene: Scene, action):
    response = await client.post(f"{VAULTS}/{scene.vault.id}/{action}", headers=auth(scene.owner))

    assert (response.status_code, response.json()["code"]) == (409, "not-in-trash")


async def test_nobody_owns_more_vaults_than_allowed(client: httpx.AsyncClient, runtime: Runtime):
    owner = await make_user()
    with changed_settings(vaults_per_user=2):
        answers = [
            await client.post(VAULTS, json={"name": "A", "kind": "personal"}, headers=auth(owner)) for _ in range(3)
        ]

    assert [each.status_code for each in answers] == [201, 201, 409]
    assert answers[2].json()["code"] == "limit-reached"
