"""What every route of vaults refuses before it asks who is there; who may do what stands in test_permissions.py."""

from uuid import uuid4

import httpx
import pytest

from tests.factories import auth
from tests.vault.conftest import Scene


def fill(text: str, scene: Scene) -> str:
    names = {"vault": scene.vault.id, "item": scene.item.id, "document": scene.document.id, "member": scene.member.id}
    return text.format(**names, unknown=uuid4())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "vaults", {"name": "", "kind": "family"}),
        ("POST", "vaults", {"name": "A", "kind": "secret"}),
        ("POST", "vaults", {"name": "A", "colour": "red"}),
        ("PATCH", "vaults/{vault}", {"name": "A\x00B"}),
        ("PATCH", "vaults/{vault}/members/{member}", {"role": "king"}),
        ("PATCH", "vaults/{vault}/members/{member}", {"role": "owner"}),
        ("POST", "vaults/{vault}/invitations", {"email": "nobody"}),
        ("POST", "vaults/{vault}/invitations", {"email": "a@example.org", "role": "owner"}),
        ("POST", "vaults/{vault}/transfer", {"user_id": "my wife"}),
        ("POST", "vaults/{vault}/transfer", {}),
        ("POST", "invitations/accept", {"token": ""}),
        ("POST", "items", {"vault_id": "{vault}", "type": "secure_note"}),
        ("POST", "items", {"vault_id": "not-an-id", "type": "secure_note", "title": "A"}),
        ("PATCH", "items/{item}", {"tags": "travel"}),
        ("PATCH", "documents/{document}", {"title": ""}),
    ],
)
async def test_a_malformed_body_is_422_and_never_repeated(client: httpx.AsyncClient, scene: Scene, method, path, body):
    sent = {name: fill(value, scene) for name, value in body.items()}
    response = await client.request(method, f"/v1/vault/{fill(path, scene)}", json=sent, headers=auth(scene.owner))

    assert response.status_code == 422
    assert all(set(error) == {"loc", "msg", "type"} for error in response.json()["errors"])


@pytest.mark.parametrize("path", ["vaults/{vault}", "items/{item}", "documents/{document}", "vaults/{vault}/members"])
async def test_a_stranger_is_told_nothing(client: httpx.AsyncClient, scene: Scene, path):
    known = await client.get(f"/v1/vault/{fill(path, scene)}", headers=auth(scene.stranger))
    kind = path.partition("/")[0]
    unknown = await client.get(
        f"/v1/vault/{fill(path.replace('{' + kind[:-1] + '}', '{unknown}'), scene)}", headers=auth(scene.stranger)
    )

    assert known.status_code == unknown.status_code == 404
    assert {**known.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
