"""Limits hold however many write at the same time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from uuid import uuid4

import httpx
from sqlalchemy import text

from app.db.session import session_scope
from app.vault.service.room import one_at_a_time
from tests.factories import auth, make_user
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene, rows_of

TOGETHER = 12


async def statuses(requests: Iterable[Awaitable[httpx.Response]]) -> Counter[int]:
    """How often each status is answered to requests at the same time; every refusal names the limit."""
    answers = await asyncio.gather(*requests)
    assert {each.json()["code"] for each in answers if each.status_code >= 400} == {"limit-reached"}
    return Counter(each.status_code for each in answers)


async def test_no_item_too_many_when_many_are_created_at_once(client: httpx.AsyncClient, scene: Scene):
    item = {"vault_id": str(scene.vault.id), "type": "secure_note", "title": "Wi-Fi"}
    with changed_settings(items_per_vault=5):
        answered = await statuses(
            client.post("/v1/vault/items", json=item, headers=auth(scene.editor)) for _ in range(TOGETHER)
        )

    [row] = await rows_of("SELECT count(*) AS held FROM vault_items WHERE vault_id = :v", v=scene.vault.id)
    assert (row.held, answered) == (5, {201: 4, 409: TOGETHER - 4})


async def test_no_document_too_many_when_many_are_uploaded_at_once(client: httpx.AsyncClient, scene: Scene):
    with changed_settings(documents_per_vault=4):
        answered = await statuses(
            client.post(
                "/v1/vault/documents",
                data={"vault_id": str(scene.vault.id)},
                files={"file": ("a.txt", f"Paper {number}".encode())},
                headers=auth(scene.editor),
            )
            for number in range(TOGETHER)
        )

    [row] = await rows_of("SELECT count(*) AS held FROM vault_documents WHERE vault_id = :v", v=scene.vault.id)
    assert (row.held, answered) == (4, {202: 3, 409: TOGETHER - 3})


async def test_no_guest_too_many_when_many_are_invited_at_once(client: httpx.AsyncClient, scene: Scene):
    url = f"/v1/vault/vaults/{scene.vault.id}/invitations"
    with changed_settings(members_per_vault=7):
        answered = await statuses(
            client.post(url, json={"email": f"{uuid4().hex}@example.org"}, headers=auth(scene.owner))
            for _ in range(TOGETHER)
        )

    [row] = await rows_of("SELECT count(*) AS held FROM vault_invitations WHERE vault_id = :v", v=scene.vault.id)
    assert (row.held, answered) == (2, {201: 2, 409: TOGETHER - 2})


async def test_no_vault_too_many_when_many_are_made_at_once(client: httpx.AsyncClient):
    owner = await make_user()
    with changed_settings(vaults_per_user=3):
        answered = await statuses(
            client.post("/v1/vault/vaults", json={"name": "A", "kind": "personal"}, headers=auth(owner))
            for _ in range(TOGETHER)
        )

    assert answered == {201: 3, 409: TOGETHER - 3}


async def test_far_from_the_limit_nobody_waits_for_anybody(client: httpx.AsyncClient, scene: Scene):
    item = {"vault_id": str(scene.vault.id), "type": "secure_note", "title": "Wi-Fi"}
    async with session_scope() as session:
        await one_at_a_time(session, scene.vault.id)
        created = await client.post("/v1/vault/items", json=item, headers=auth(scene.editor))
        await session.execute(text("SELECT 1"))

    assert created.status_code == 201
