"""Vaults handed over: offered by the owner, accepted by the other, at one moment."""

import asyncio
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text

from app.db.session import session_scope
from tests.factories import auth, hand_over, make_member, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene, rows_of
from tests.vault.test_members import letter_of


def path(scene: Scene, rest: str = "") -> str:
    return f"/v1/vault/vaults/{scene.vault.id}/transfer{rest}"


async def offered(client: httpx.AsyncClient, scene: Scene, user_id: UUID, status: int = 201) -> httpx.Response:
    response = await client.post(path(scene), json={"user_id": str(user_id)}, headers=auth(scene.owner))
    assert response.status_code == status, response.text
    return response


async def roles(scene: Scene) -> dict[UUID, str]:
    rows = await rows_of("SELECT user_id, role FROM vault_members WHERE vault_id = :vault", vault=scene.vault.id)
    return {row.user_id: row.role for row in rows}


async def test_an_offer_changes_nothing_until_it_is_accepted(client: httpx.AsyncClient, scene: Scene):
    before = await roles(scene)
    made = (await offered(client, scene, scene.editor.id)).json()
    assert await roles(scene) == before
    letter = await letter_of(scene.vault.id)
    assert (letter["template"], letter["to"]) == ("transfer_offered", scene.editor.email)
    assert letter["context"]["vault"] == scene.vault.name
    mine = (await client.get("/v1/vault/transfers", headers=auth(scene.editor))).json()["items"]
    assert mine == [made]

    accepted = await client.post(path(scene, "/accept"), headers=auth(scene.editor))

    assert (accepted.status_code, accepted.json()["role"]) == (200, "owner")
    assert await roles(scene) == before | {scene.editor.id: "owner", scene.owner.id: "admin"}
    assert (await client.get("/v1/vault/transfers", headers=auth(scene.editor))).json()["items"] == []
    assert (await client.post(path(scene, "/accept"), headers=auth(scene.editor))).status_code == 404
    leave = f"/v1/vault/vaults/{scene.vault.id}/leave"
    assert (await client.post(leave, headers=auth(scene.owner))).status_code == 204
    assert (await client.delete(f"/v1/vault/vaults/{scene.vault.id}", headers=auth(scene.editor))).status_code == 204


async def test_an_offer_needs_a_fresh_proof_of_who_makes_it(client: httpx.AsyncClient, scene: Scene):
    async with session_scope() as session:
        stale = text("UPDATE auth_sessions SET authenticated_at = now() - interval '1 day' WHERE id = :id")
        await session.execute(stale, {"id": scene.owner.session_id})

    refused = await offered(client, scene, scene.editor.id, status=403)

    assert refused.json()["code"] == "step-up-required"


async def test_a_program_neither_offers_nor_accepts(client: httpx.AsyncClient, scene: Scene):
    keys = {}
    for person in (scene.owner, scene.editor):
        data = {"name": "Program", "scopes": ["vault:read", "vault:write"]}
        made = await client.post("/v1/auth/api-keys", json=data, headers=auth(person))
        keys[person.id] = {"Authorization": f"Bearer {made.json()['key']}"}

    offer = await client.post(path(scene), json={"user_id": str(scene.editor.id)}, headers=keys[scene.owner.id])
    await offered(client, scene, scene.editor.id)
    acceptance = await client.post(path(scene, "/accept"), headers=keys[scene.editor.id])

    assert (offer.status_code, offer.json()["code"]) == (403, "session-needed")
    assert (acceptance.status_code, acceptance.json()["code"]) == (403, "session-needed")


async def test_it_is_offered_to_members_only_and_not_to_oneself(client: httpx.AsyncClient, scene: Scene):
    stranger = await offered(client, scene, scene.stranger.id, status=404)
    unknown = await offered(client, scene, uuid4(), status=404)
    oneself = await offered(client, scene, scene.owner.id, status=409)

    assert stranger.json()["code"] == unknown.json()["code"] == "member-not-found"
    assert oneself.json()["code"] == "already-owner"


async def test_an_offer_is_replaced_withdrawn_or_declined(client: httpx.AsyncClient, scene: Scene):
    await offered(client, scene, scene.editor.id)
    await offered(client, scene, scene.viewer.id)
    assert (await client.post(path(scene, "/accept"), headers=auth(scene.editor))).status_code == 404
    assert (await client.get(path(scene), headers=auth(scene.admin))).status_code == 404

    assert (await client.delete(path(scene), headers=auth(scene.admin))).status_code == 404
    assert (await client.delete(path(scene), headers=auth(scene.viewer))).status_code == 204
    assert (await client.get(path(scene), headers=auth(scene.owner))).status_code == 404

    await offered(client, scene, scene.viewer.id)
    assert (await client.delete(path(scene), headers=auth(scene.owner))).status_code == 204
    assert (await client.post(path(scene, "/accept"), headers=auth(scene.viewer))).status_code == 404


async def test_an_old_offer_is_worth_nothing(client: httpx.AsyncClient, scene: Scene):
    await offered(client, scene, scene.editor.id)
    async with session_scope() as session:
        late = text("UPDATE vault_transfers SET expires_at = now() WHERE vault_id = :vault")
        await session.execute(late, {"vault": scene.vault.id})

    assert (await client.get(path(scene), headers=auth(scene.editor))).status_code == 404
    assert (await client.post(path(scene, "/accept"), headers=auth(scene.editor))).status_code == 404


async def test_an_offer_goes_with_the_one_it_was_made_to(client: httpx.AsyncClient, scene: Scene):
    await offered(client, scene, scene.editor.id)
    url = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.editor.id}"
    assert (await client.delete(url, headers=auth(scene.owner))).status_code == 204
    await make_member(scene.vault, role="editor", user=scene.editor)

    assert (await client.post(path(scene, "/accept"), headers=auth(scene.editor))).status_code == 404


async def test_who_owns_too_many_vaults_accepts_no_other(client: httpx.AsyncClient, scene: Scene):
    await make_vault(scene.editor)
    await offered(client, scene, scene.editor.id)
    with changed_settings(vaults_per_user=1):
        refused = await client.post(path(scene, "/accept"), headers=auth(scene.editor))

    assert (refused.status_code, refused.json()["code"]) == (409, "limit-reached")
    assert (await roles(scene))[scene.owner.id] == "owner"


async def test_of_many_acceptances_at_once_one_counts(client: httpx.AsyncClient, scene: Scene):
    await offered(client, scene, scene.editor.id)

    answers = await asyncio.gather(
        *(client.post(path(scene, "/accept"), headers=auth(scene.editor)) for _ in range(4)),
        client.delete(path(scene), headers=auth(scene.owner)),
    )

    taken = [each.status_code for each in answers[:4]].count(200)
    withdrawn = answers[4].status_code == 204
    assert taken + withdrawn == 1
    owners = [user_id for user_id, role in (await roles(scene)).items() if role == "owner"]
    assert owners == [scene.editor.id if taken else scene.owner.id]


async def test_a_trashed_vault_is_not_handed_over(client: httpx.AsyncClient, scene: Scene):
    await offered(client, scene, scene.editor.id)
    await client.delete(f"/v1/vault/vaults/{scene.vault.id}", headers=auth(scene.owner))

    assert (await client.post(path(scene, "/accept"), headers=auth(scene.editor))).status_code == 404
    assert (await client.get("/v1/vault/transfers", headers=auth(scene.editor))).json()["items"] == []


async def test_activity_names_people_and_shows_each_what_they_may_see(client: httpx.AsyncClient, scene: Scene):
    await client.get(f"/v1/vault/documents/{scene.document.id}/content", headers=auth(scene.viewer))
    await client.patch(f"/v1/vault/items/{scene.item.id}", json={"title": "B"}, headers=auth(scene.editor))
    invitation = {"email": f"{uuid4().hex}@example.org"}
    await client.post(f"/v1/vault/vaults/{scene.vault.id}/invitations", json=invitation, headers=auth(scene.admin))
    await hand_over(scene.vault, scene.owner, scene.editor)
    url = f"/v1/vault/vaults/{scene.vault.id}/activity"
    removed = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.admin.id}"
    assert (await client.delete(removed, headers=auth(scene.editor))).status_code == 204

    manager = (await client.get(url, params={"limit": 50}, headers=auth(scene.editor))).json()["items"]
    viewer = (await client.get(url, params={"limit": 50}, headers=auth(scene.viewer))).json()["items"]

    acts = [(each["action"], each["actor_name"]) for each in reversed(manager)]
    assert acts == [
        ("vault.created", scene.owner.name),
        ("vault.item_created", scene.owner.name),
        ("vault.document_created", scene.owner.name),
        ("vault.document_downloaded", scene.viewer.name),
        ("vault.item_updated", scene.editor.name),
        ("vault.invitation_created", None),  # by somebody who is no member any more
        ("vault.transfer_offered", scene.owner.name),
        ("vault.handed_over", scene.editor.name),
        ("vault.member_removed", scene.editor.name),
    ]
    hidden = {"vault.document_downloaded", "vault.invitation_created", "vault.transfer_offered"}
    assert [each["action"] for each in reversed(viewer)] == [act for act, _ in acts if act not in hidden]
    assert viewer[0]["subject_id"] == str(scene.admin.id)


async def test_activity_is_read_page_by_page(client: httpx.AsyncClient, scene: Scene):
    url, query = f"/v1/vault/vaults/{scene.vault.id}/activity", {"limit": 2}
    first = (await client.get(url, params=query, headers=auth(scene.viewer))).json()
    query["cursor"] = first["next_cursor"]
    second = (await client.get(url, params=query, headers=auth(scene.viewer))).json()

    assert [each["sequence"] for each in first["items"] + second["items"]] == [3, 2, 1]
    assert second["next_cursor"] is None
    nobody = await make_user()
    assert (await client.get(url, headers=auth(nobody))).status_code == 404
