"""Members and invitations."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from sqlalchemy import update

from app.core.clock import utc_now
from app.db.runtime import Runtime, current
from app.db.session import session_scope
from app.vault.models import invitations
from app.vault.tasks import purge_due
from tests.factories import TestUser, auth, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene, rows_of

ACCEPT = "/v1/vault/invitations/accept"


def path(scene: Scene, rest: str) -> str:
    return f"/v1/vault/vaults/{scene.vault.id}/{rest}"


async def letter_of(vault_id: UUID) -> dict[str, Any]:
    """The newest mail of a vault that waits to be sent."""
    newest = "SELECT id, body FROM notifications_mails WHERE owner_id = :vault ORDER BY id DESC LIMIT 1"
    [row] = await rows_of(newest, vault=vault_id)
    async with session_scope() as session:
        ring = await current().keys.ring(session, vault_id)
    return dict(orjson.loads(ring.open("notifications_mails", row.id, "body", row.body)))


async def token_of(vault_id: UUID) -> str:
    """The token of the newest invitation, out of the mail that waits to be sent."""
    letter = await letter_of(vault_id)
    assert letter["template"] == "invitation"
    return str(letter["context"]["token"])


async def invited(client: httpx.AsyncClient, scene: Scene, email: str, role: str) -> str:
    body = {"email": email, "role": role}
    response = await client.post(path(scene, "invitations"), json=body, headers=auth(scene.admin))
    assert response.status_code == 201
    assert "token" not in response.text
    return await token_of(scene.vault.id)


async def test_members_see_each_other(client: httpx.AsyncClient, scene: Scene):
    members = (await client.get(path(scene, "members"), headers=auth(scene.viewer))).json()["items"]

    assert {(each["email"], each["role"]) for each in members} == {
        (scene.owner.email, "owner"),
        (scene.admin.email, "admin"),
        (scene.editor.email, "editor"),
        (scene.viewer.email, "viewer"),
        (scene.member.email, "viewer"),
    }
    assert members[0]["name"] == scene.owner.name


async def test_an_invited_person_becomes_a_member(client: httpx.AsyncClient, scene: Scene):
    token = await invited(client, scene, scene.stranger.email.upper(), "editor")
    listed = (await client.get(path(scene, "invitations"), headers=auth(scene.owner))).json()["items"]
    assert [each["role"] for each in listed] == ["editor"]

    accepted = await client.post(ACCEPT, json={"token": token}, headers=auth(scene.stranger))

    assert (accepted.status_code, accepted.json()["role"]) == (200, "editor")
    body = {"vault_id": str(scene.vault.id), "type": "secure_note", "title": "Hello"}
    assert (await client.post("/v1/vault/items", json=body, headers=auth(scene.stranger))).status_code == 201
    members = (await client.get(path(scene, "members"), headers=auth(scene.viewer))).json()["items"]
    assert scene.stranger.email in {each["email"] for each in members}
    assert (await client.get(path(scene, "invitations"), headers=auth(scene.owner))).json()["items"] == []


async def test_a_token_works_once(client: httpx.AsyncClient, scene: Scene):
    token = await invited(client, scene, scene.stranger.email, "viewer")
    assert (await client.post(ACCEPT, json={"token": token}, headers=auth(scene.stranger))).status_code == 200
    assert (await client.post(path(scene, "leave"), headers=auth(scene.stranger))).status_code == 204

    again = await client.post(ACCEPT, json={"token": token}, headers=auth(scene.stranger))

    assert (again.status_code, again.json()["code"]) == (404, "invitation-not-found")


async def test_a_token_helps_nobody_but_the_one_it_was_sent_to(client: httpx.AsyncClient, scene: Scene):
    token = await invited(client, scene, scene.stranger.email, "viewer")
    thief = await make_user()

    stolen = await client.post(ACCEPT, json={"token": token}, headers=auth(thief))

    assert (stolen.status_code, stolen.json()["code"]) == (403, "invitation-for-somebody-else")
    assert (await client.post(ACCEPT, json={"token": token}, headers=auth(scene.stranger))).status_code == 200


async def test_a_token_is_kept_as_its_digest(client: httpx.AsyncClient, scene: Scene):
    token = await invited(client, scene, scene.stranger.email, "viewer")

    stored = repr(await rows_of("SELECT * FROM vault_invitations WHERE vault_id = :vault", vault=scene.vault.id))

    assert token not in stored
    assert scene.stranger.email not in stored


async def test_a_revoked_replaced_or_expired_invitation_is_worth_nothing(client: httpx.AsyncClient, scene: Scene):
    replaced = await invited(client, scene, scene.stranger.email, "viewer")
    expired = await invited(client, scene, scene.stranger.email, "viewer")
    async with session_scope() as session:
        late = update(invitations).where(invitations.c.vault_id == scene.vault.id)
        await session.execute(late.values(expires_at=utc_now() - timedelta(seconds=1)))

    for token in (replaced, expired, "no-token-at-all"):
        response = await client.post(ACCEPT, json={"token": token}, headers=auth(scene.stranger))
        assert (response.status_code, response.json()["code"]) == (404, "invitation-not-found")

    await purge_due()
    assert await rows_of("SELECT id FROM vault_invitations WHERE vault_id = :vault", vault=scene.vault.id) == []
    revoked = await invited(client, scene, scene.stranger.email, "viewer")
    listed = (await client.get(path(scene, "invitations"), headers=auth(scene.owner))).json()["items"]
    url = path(scene, f"invitations/{listed[0]['id']}")
    assert (await client.delete(url, headers=auth(scene.owner))).status_code == 204
    assert (await client.post(ACCEPT, json={"token": revoked}, headers=auth(scene.stranger))).status_code == 404


async def test_an_invitation_to_a_trashed_vault_is_worth_nothing(client: httpx.AsyncClient, scene: Scene):
    token = await invited(client, scene, scene.stranger.email, "viewer")
    await client.delete(f"/v1/vault/vaults/{scene.vault.id}", headers=auth(scene.owner))

    assert (await client.post(ACCEPT, json={"token": token}, headers=auth(scene.stranger))).status_code == 404


async def test_an_invitation_is_sent_again_with_a_new_token_and_a_new_term(client: httpx.AsyncClient, scene: Scene):
    first = await invited(client, scene, scene.stranger.email, "editor")
    [listed] = (await client.get(path(scene, "invitations"), headers=auth(scene.owner))).json()["items"]

    again = await client.post(path(scene, f"invitations/{listed['id']}/resend"), headers=auth(scene.admin))
    second = await token_of(scene.vault.id)

    assert again.status_code == 200
    assert again.json() == listed | {"expires_at": again.json()["expires_at"]}
    assert again.json()["expires_at"] > listed["expires_at"]
    refused = await client.post(ACCEPT, json={"token": first}, headers=auth(scene.stranger))
    assert (refused.status_code, refused.json()["code"]) == (404, "invitation-not-found")
    accepted = await client.post(ACCEPT, json={"token": second}, headers=auth(scene.stranger))
    assert (accepted.status_code, accepted.json()["role"]) == (200, "editor")


async def test_nobody_is_flooded_by_sending_again(client: httpx.AsyncClient, scene: Scene):
    await invited(client, scene, scene.stranger.email, "viewer")
    [listed] = (await client.get(path(scene, "invitations"), headers=auth(scene.owner))).json()["items"]
    url = path(scene, f"invitations/{listed['id']}/resend")

    answers = [(await client.post(url, headers=auth(scene.owner))).status_code for _ in range(5)]

    assert answers == [200] * 4 + [429]


async def test_members_and_personal_vaults_are_not_invited(client: httpx.AsyncClient, scene: Scene):
    body = {"email": scene.editor.email}
    member = await client.post(path(scene, "invitations"), json=body, headers=auth(scene.admin))
    alone = await make_vault(scene.owner, kind="personal")
    personal = await client.post(f"/v1/vault/vaults/{alone.id}/invitations", json=body, headers=auth(scene.owner))

    assert (member.status_code, member.json()["code"]) == (409, "already-member")
    assert (personal.status_code, personal.json()["code"]) == (409, "vault-not-shared")


async def test_members_and_invitations_are_limited_together(client: httpx.AsyncClient, scene: Scene):
    with changed_settings(members_per_vault=6):
        answers = [
            await client.post(
                path(scene, "invitations"), json={"email": f"{uuid4().hex}@example.org"}, headers=auth(scene.owner)
            )
            for _ in range(2)
        ]

    assert [each.status_code for each in answers] == [201, 409]


async def test_nobody_is_flooded_with_invitations(client: httpx.AsyncClient, scene: Scene):
    body = {"email": f"{uuid4().hex}@example.org"}

    answers = [await client.post(path(scene, "invitations"), json=body, headers=auth(scene.owner)) for _ in range(6)]

    assert [each.status_code for each in answers] == [201] * 5 + [429]
    assert int(answers[5].headers["Retry-After"]) > 0


async def everything_of(client: httpx.AsyncClient, scene: Scene, person: TestUser) -> list[int]:
    paths = [
        f"/v1/vault/vaults/{scene.vault.id}",
        path(scene, "members"),
        f"/v1/vault/items?vault_id={scene.vault.id}",
        f"/v1/vault/items/{scene.item.id}",
        f"/v1/vault/documents/{scene.document.id}",
        f"/v1/vault/documents/{scene.document.id}/content",
        f"/v1/jobs/{scene.document.job_id}",
    ]
    return [(await client.get(each, headers=auth(person))).status_code for each in paths]


async def test_a_removed_member_has_nothing_left_at_once(client: httpx.AsyncClient, scene: Scene):
    assert (await everything_of(client, scene, scene.editor))[:-1] == [200] * 6

    removed = await client.delete(path(scene, f"members/{scene.editor.id}"), headers=auth(scene.admin))

    assert removed.status_code == 204
    assert await everything_of(client, scene, scene.editor) == [404] * 7
    body = {"vault_id": str(scene.vault.id), "type": "secure_note", "title": "Still here"}
    assert (await client.post("/v1/vault/items", json=body, headers=auth(scene.editor))).status_code == 404
    assert (await client.get("/v1/vault/items", headers=auth(scene.editor))).json()["items"] == []


async def test_the_owner_stays(client: httpx.AsyncClient, scene: Scene):
    owner = path(scene, f"members/{scene.owner.id}")

    answers = [
        await client.delete(owner, headers=auth(scene.admin)),
        await client.patch(owner, json={"role": "viewer"}, headers=auth(scene.admin)),
        await client.post(path(scene, "leave"), headers=auth(scene.owner)),
    ]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "owner-stays")] * 3


async def test_a_new_role_counts_at_once(client: httpx.AsyncClient, scene: Scene):
    url = path(scene, f"members/{scene.editor.id}")
    assert (await client.patch(url, json={"role": "viewer"}, headers=auth(scene.admin))).status_code == 200

    body = {"vault_id": str(scene.vault.id), "type": "secure_note", "title": "No longer"}
    assert (await client.post("/v1/vault/items", json=body, headers=auth(scene.editor))).status_code == 403


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_somebody_who_is_no_member_is_not_found(
    client: httpx.AsyncClient, runtime: Runtime, scene: Scene, method
):
    url = path(scene, f"members/{scene.stranger.id}")
    body = {"role": "viewer"} if method == "PATCH" else None

    response = await client.request(method, url, json=body, headers=auth(scene.owner))

    assert (response.status_code, response.json()["code"]) == (404, "member-not-found")
