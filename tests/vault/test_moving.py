"""Items and documents moved between vaults: sealed again, with all that goes with them."""

from typing import Any
from uuid import UUID

import pytest

from app.db.runtime import current
from app.db.session import session_scope
from app.payments.services import families, limits
from tests.conftest import drain_jobs
from tests.factories import auth, make_document, make_member, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import cells_of, rows_of
from tests.vault.home import Home, home

__all__ = ["home"]


async def keys_of(vault_id: UUID) -> set[UUID]:
    """The ids of a vault's data keys."""
    rows = await rows_of("SELECT id FROM data_keys WHERE owner_id = :vault", vault=vault_id)
    return {row.id for row in rows}


async def under_own_keys(vault_id: UUID) -> bool:
    """Whether every cell of a vault stands under a key of that vault."""
    return {key for _, key in await cells_of(vault_id)} <= await keys_of(vault_id)


async def test_an_item_moves_with_its_history_its_links_and_its_shares(home: Home):
    item, friend = await home.item(title="Passport", tags=("travel",)), await home.item(title="Visa")
    path = f"items/{item.id}"
    await home.call("PATCH", path, {"title": "New passport"})
    ends = {"source": {"item_id": str(item.id)}, "target": {"item_id": str(friend.id)}}
    link = await home.call("POST", "links", {**ends, "label": "together"})
    share = await home.call("POST", "shares", {"subject": {"item_id": str(item.id)}, "name": "Notary"})
    await home.call("PUT", f"{path}/favourite")

    moved = await home.call("POST", f"{path}/move", {"vault_id": str(home.other.id)}, headers={"If-Match": '"2"'})

    assert (moved["vault_id"], moved["title"], moved["revision"]) == (str(home.other.id), "New passport", 3)
    assert moved["favourite"] is True
    await home.call("GET", path, who=home.bob, status=404)
    assert [each["title"] for each in (await home.call("GET", f"{path}/versions"))["items"]] == ["Passport"]
    (there,) = (await home.call("GET", f"{path}/links"))["items"]
    assert (there["id"], there["label"], there["vault_id"]) == (link["id"], "together", str(home.other.id))
    assert (await home.call("GET", f"shares/{share['id']}"))["name"] == "Notary"
    opened = await home.client.post("/v1/vault/shared/open", json={"token": share["token"]})
    assert opened.json()["item"]["title"] == "New passport"
    of_tag = await home.call("GET", "items", tag="travel", vault_id=str(home.other.id))
    assert [each["id"] for each in of_tag["items"]] == [str(item.id)]
    for vault in (home.vault, home.other):
        assert await under_own_keys(vault.id)
    again = await home.call("POST", f"{path}/move", {"vault_id": str(home.other.id)})
    assert again["revision"] == 3, "it is there already"
    [event] = await rows_of(
        "SELECT payload FROM outbox_events WHERE event = 'vault.item_moved' AND payload->>'item_id' = :id",
        id=str(item.id),
    )
    assert event.payload["from_vault_id"] == str(home.vault.id)


async def test_a_type_that_people_made_goes_with_its_records_once(home: Home):
    fields = [{"name": "range", "label": "Range", "type": "number"}]
    made = await home.call("POST", "types", {"vault_id": str(home.vault.id), "label": "Drone", "fields": fields})
    one, two = [await home.item(type=made["name"], title=title, fields={"range": 9}) for title in ("One", "Two")]
    to = {"vault_id": str(home.other.id)}

    first = await home.call("POST", f"items/{one.id}/move", to)
    second = await home.call("POST", f"items/{two.id}/move", to)

    assert first["type"] == second["type"] != made["name"]
    types = await home.call("GET", "types", vault_id=str(home.other.id))
    assert [each["label"] for each in types["items"] if each["id"]] == ["Drone"]
    await home.call("DELETE", f"types/{made['id']}", status=204)
    back = await home.call("POST", f"items/{one.id}/move", {"vault_id": str(home.vault.id)})
    assert back["fields"] == {"range": 9}


async def test_who_moves_must_write_in_both_vaults(home: Home):
    item, document = await home.item(), await make_document(home.ada, home.vault)
    editor = await home.member("editor")
    await make_member(home.other, role="viewer", user=editor)
    away = await make_vault(editor, name="Editor's own")
    for path in (f"items/{item.id}/move", f"documents/{document.id}/move"):
        await home.call("POST", path, {"vault_id": str(home.other.id)}, who=home.eve, status=404)
        assert (await home.call("POST", path, {"vault_id": str(away.id)}, status=404))["code"] == "vault-not-found"
        low = await home.call("POST", path, {"vault_id": str(home.other.id)}, who=editor, status=403)
        assert low["code"] == "role-too-low"
        await home.call("POST", path, {"vault_id": str(home.other.id)}, who=home.bob, status=403)
        await home.call("POST", path, {"vault_id": str(home.other.id)}, headers={"If-Match": '"7"'}, status=412)
        await home.call("POST", path, {"vault_id": "elsewhere"}, status=422)
        await home.call("POST", path, {}, status=422)


@pytest.mark.slow
async def test_a_document_moves_with_its_versions_and_is_found_all_the_time(home: Home):
    content = b"The excess of the car insurance is 450 euros."
    document = await make_document(home.ada, home.vault, content=content, tags=("car",))
    url = f"/v1/vault/documents/{document.id}"
    put = await home.client.put(f"{url}/content", content=content + b" From 2027 on.", headers=auth(home.ada))
    assert put.status_code == 202
    await drain_jobs(home.settings)

    moved = await home.call("POST", f"documents/{document.id}/move", {"vault_id": str(home.other.id)})

    assert (moved["vault_id"], moved["number"], moved["tags"]) == (str(home.other.id), 2, ["car"])
    await home.call("GET", f"documents/{document.id}", who=home.bob, status=404)
    assert await found(home, home.other.id) == await found(home) != []
    assert await found(home, home.vault.id) == []
    await drain_jobs(home.settings)
    assert (await job_of(home, moved))["state"] == "succeeded"
    hits = await found(home, home.other.id)
    assert hits
    for number, text in ((1, content), (2, content + b" From 2027 on.")):
        got = await home.client.get(f"{url}/content", params={"version": number}, headers=auth(home.ada))
        assert got.content == text
    for vault in (home.vault, home.other):
        assert await under_own_keys(vault.id)
    left = [table for table, _ in await cells_of(home.vault.id) if table.startswith(("rag_", "vault_document"))]
    assert left == []


async def found(home: Home, vault_id: UUID | None = None) -> list[Any]:
    body: dict[str, Any] = {"query": "excess of the car insurance", "limit": 5}
    if vault_id:
        body["vault_ids"] = [str(vault_id)]
    answer = await home.client.post("/v1/rag/search", json=body, headers=auth(home.ada))
    assert answer.status_code == 200, answer.text
    return [hit["document_id"] for hit in answer.json()["hits"]]


async def job_of(home: Home, document: dict[str, Any]) -> Any:
    return (await home.client.get(f"/v1/jobs/{document['job_id']}", headers=auth(home.ada))).json()


async def test_a_document_counts_for_the_plan_of_the_vault_it_is_in(home: Home):
    document = await make_document(home.ada, home.vault, content=b"x" * 1_000)
    host = await make_user()
    target = await make_vault(host)
    await make_member(target, role="editor", user=home.ada)

    assert (await used(home.ada.id), await used(host.id)) == ((1, 1_000), (0, 0))
    with changed_settings(enforce_plan_limits=True):
        await home.call("POST", f"documents/{document.id}/move", {"vault_id": str(target.id)})

    assert (await used(home.ada.id), await used(host.id)) == ((0, 0), (1, 1_000))
    await home.call("POST", f"documents/{document.id}/move", {"vault_id": str(home.other.id)})
    assert (await used(home.ada.id), await used(host.id)) == ((1, 1_000), (0, 0))


async def used(user_id: UUID) -> tuple[int, int]:
    """Documents and bytes that count for somebody's family."""
    async with session_scope() as session:
        family_id = await families.family_of(session, user_id)
        usage = {each.meter: each.used for each in await limits.usage(session, family_id)}
    return usage["documents"], usage["storage_bytes"]


async def test_a_document_does_not_move_where_there_is_no_room(home: Home):
    document = await make_document(home.ada, home.vault)
    await make_document(home.ada, home.other)
    with changed_settings(documents_per_vault=1):
        body = {"vault_id": str(home.other.id)}
        assert (await home.call("POST", f"documents/{document.id}/move", body, status=409))["code"] == "limit-reached"

    assert (await home.call("GET", f"documents/{document.id}"))["vault_id"] == str(home.vault.id)
    assert current().settings.documents_per_vault > 1
