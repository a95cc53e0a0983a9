"""What needs to read a vault says of a sealed one that it can't; lists of what can be read leave it out."""

from typing import Any

import pytest

from tests.factories import auth, make_item, make_vault
from tests.vault.sealed.conftest import People
from tests.vault.sealed.home import in_thread

REFUSED: dict[str, tuple[str, Any]] = {
    "POST /v1/vault/items": ("json", {"vault_id": "{vault}", "type": "secure_note", "title": "x"}),
    "GET /v1/vault/items?vault_id={vault}": ("json", None),
    "POST /v1/vault/items/{item}/move": ("json", {"vault_id": "{vault}"}),
    "POST /v1/vault/bulk": ("json", {"action": "move", "vault_id": "{vault}", "item_ids": ["{item}"]}),
    "GET /v1/vault/documents?vault_id={vault}": ("json", None),
    "POST /v1/vault/documents": ("form", {"vault_id": "{vault}"}),
    "POST /v1/vault/imports": ("form", {"vault_id": "{vault}"}),
    "POST /v1/vault/exports": ("json", {"vault_ids": ["{vault}"], "format": "bitwarden"}),
    "POST /v1/vault/search": ("json", {"query": "will", "vault_ids": ["{vault}"]}),
    "GET /v1/vault/shares?vault_id={vault}": ("json", None),
    "GET /v1/vault/types?vault_id={vault}": ("json", None),
    "POST /v1/vault/types": ("json", {"vault_id": "{vault}", "label": "x", "fields": []}),
    "PATCH /v1/vault/vaults/{vault}": ("json", {"name": "In clear"}),
    "POST /v1/vault/vaults/{vault}/transfer": ("json", {"user_id": "{person}"}),
    "PATCH /v1/vault/vaults/{vault}/members/{person}": ("json", {"role": "viewer"}),
    "GET /v1/reminders?vault_id={vault}": ("json", None),
    "POST /v1/reminders": ("json", {"vault_id": "{vault}", "title": "x", "due_on": "2031-05-31"}),
    "POST /v1/nominees/plans": (
        "json",
        {"title": "x", "stages": [{"gifts": [{"kind": "vault", "nominee_id": "{nominee}", "vault_id": "{vault}"}]}]},
    ),
    "POST /v1/rag/search": ("json", {"query": "will", "vault_ids": ["{vault}"]}),
    "POST /v1/rag/ask": ("json", {"question": "Where is the will?", "vault_ids": ["{vault}"]}),
    "GET /v1/rag/vaults/{vault}/index": ("json", None),
    "PUT /v1/rag/vaults/{vault}/index": ("json", {"mode": "pgvector"}),
    "GET /v1/agents/vaults/{vault}/rule": ("json", None),
    "PUT /v1/agents/vaults/{vault}/rule": ("json", {"masked": True}),
    "POST /v1/agents": ("json", {"name": "x", "vault_ids": ["{vault}"]}),
    "GET /v1/agents/intake?vault_id={vault}": ("json", None),
    "GET /v1/agents/life-check?vault_id={vault}": ("json", None),
    "GET /openai/v1/vector_stores/{vault}": ("json", None),
    "GET /openai/v1/vector_stores/{vault}/files": ("json", None),
    "POST /openai/v1/vector_stores/{vault}/search": ("json", {"query": "will"}),
}


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(each, ids) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, ids) for each in value]
    return value.format(**ids) if isinstance(value, str) else value


@pytest.fixture(scope="module")
async def ids(people: People) -> dict[str, str]:
    vault = await in_thread(people.alice.sealed.create_vault)
    await in_thread(vault.items.put, {"title": "Will"})
    item = await make_item(people.alice.user, await make_vault(people.alice.user, name="In clear"))
    named = {"name": "Grace", "email": "grace@family.example"}
    nominee = await people.client.post("/v1/nominees/people", json=named, headers=auth(people.alice.user))
    return {
        "vault": str(vault.id),
        "item": str(item.id),
        "person": str(people.alice.id),
        "open": str(item.vault_id),
        "nominee": nominee.raise_for_status().json()["id"],
    }


@pytest.mark.parametrize("operation", REFUSED)
async def test_a_sealed_vault_is_refused_by(people: People, ids, operation):
    (method, path), (form, body) = operation.split(" "), REFUSED[operation]
    sent: dict[str, Any] = {"json": filled(body, ids)} if body else {}
    if form == "form":
        sent = {"data": filled(body, ids), "files": {"file": ("a.csv", b"name,url\na,b")}}

    response = await people.client.request(method, path.format(**ids), headers=auth(people.alice.user), **sent)

    error = response.json().get("error", response.json())
    assert (response.status_code, error["code"].replace("_", "-")) == (409, "vault-sealed"), response.text


async def test_lists_of_what_can_be_read_leave_it_out(people: People, ids):
    headers = auth(people.alice.user)
    stores = (await people.client.get("/openai/v1/vector_stores", headers=headers)).json()["data"]
    listed = (await people.client.get("/v1/vault/vaults", headers=headers)).json()["items"]

    assert ids["open"] in {each["id"] for each in stores}
    assert ids["vault"] not in {each["id"] for each in stores}
    tiers = {each["id"]: (each["tier"], each["name"]) for each in listed}
    assert tiers[ids["vault"]] == ("sealed", "")
    found = await people.client.post("/v1/vault/search", json={"query": "passport"}, headers=headers)
    assert found.status_code == 200
