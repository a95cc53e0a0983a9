"""Items: typed records, pages, preconditions, trash, history."""

import asyncio
from typing import Any

import httpx
import pytest

from app.db.runtime import Runtime
from tests.factories import auth, make_item, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene, rows_of

ITEMS = "/v1/vault/items"


def passport(vault_id: object, **changes: Any) -> dict[str, Any]:
    fields = {"number": "K01234567", "expires_on": "2031-05-31"}
    return {"vault_id": str(vault_id), "type": "passport", "title": "Passport", "fields": fields} | changes


async def test_what_was_put_in_is_read_back(client: httpx.AsyncClient, scene: Scene):
    fields = {
        "number": "K01234567",
        "issued_on": "2021-05-31",
        "Blood group": "0+",
        "copies": 2,
        "weight": 1.5,
        "lost": False,
        "Replacement": {"amount": "80.00", "currency": "EUR"},
    }
    body = passport(scene.vault.id, title=" Ada's ", fields=fields, notes="In the desk.\nLeft.", tags=["travel", "Ada"])

    made = await client.post(ITEMS, json=body, headers=auth(scene.editor))

    assert made.status_code == 201
    item = made.json()
    assert made.headers["Location"] == f"{ITEMS}/{item['id']}"
    assert made.headers["ETag"] == '"1"'
    assert item["title"] == "Ada's"
    assert {name: item[name] for name in ("fields", "notes", "tags")} == {
        "fields": fields,
        "notes": body["notes"],
        "tags": body["tags"],
    }
    assert item["missing"] == ["expires_on"]
    read = await client.get(made.headers["Location"], headers=auth(scene.viewer))
    assert (read.json(), read.headers["ETag"]) == (item, '"1"')


@pytest.mark.parametrize(
    ("type_name", "fields", "reason"),
    [
        ("passport", {"expires_on": "31.05.2031"}, "expires_on must be a date like 2031-05-31"),
        ("passport", {"expires_on": "2031-02-30"}, "expires_on must be a date like 2031-05-31"),
        ("passport", {"number": 12}, "number must be a text"),
        ("card", {"valid_until": "2031-13"}, "valid_until must be a year and month like 2031-05"),
        ("car_insurance", {"premium": 420}, "premium must be an amount"),
        ("car_insurance", {"cover": "everything"}, "cover must be one of liability, partial, comprehensive"),
        ("car_insurance", {"no_claims_years": "ten"}, "no_claims_years must be a number"),
        ("medical_record", {"organ_donor": "yes"}, "organ_donor must be true or false"),
        ("contact", {"email": "nobody"}, "email must be an e-mail address"),
        ("login", {"url": "javascript:alert(1)"}, "url must be a web address"),
        ("contact", {"phone": "call me"}, "phone must be a phone number"),
    ],
)
async def test_a_field_that_does_not_fit_is_named_but_not_repeated(
    client: httpx.AsyncClient, scene: Scene, type_name, fields, reason
):
    response = await client.post(
        ITEMS, json=passport(scene.vault.id, type=type_name, fields=fields), headers=auth(scene.editor)
    )

    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid-fields")
    assert reason in problem["detail"]
    assert [error["loc"] for error in problem["errors"]] == [["body", "fields", name] for name in fields]
    assert not any(isinstance(value, str) and value in response.text for value in fields.values())


@pytest.mark.parametrize(
    "fields",
    [
        {"premium": {"amount": "12.5", "currency": "euro"}},
        {"premium": {"amount": "1e9", "currency": "EUR"}},
        {"a": ["list"]},
        {"a": {"b": "c"}},
        {"a": None},
        {"a": "\x00"},
        {"a": 10**30},
        {"": "no name"},
        {"n" * 65: "long name"},
        {str(number): "x" for number in range(101)},
    ],
)
async def test_values_that_no_field_can_have_are_refused(client: httpx.AsyncClient, scene: Scene, fields):
    response = await client.post(ITEMS, json=passport(scene.vault.id, fields=fields), headers=auth(scene.editor))

    assert response.status_code == 422


async def test_a_type_that_does_not_exist_is_refused(client: httpx.AsyncClient, scene: Scene):
    response = await client.post(ITEMS, json=passport(scene.vault.id, type="spaceship"), headers=auth(scene.editor))

    assert response.status_code == 422
    assert (await client.get(ITEMS, params={"type": "spaceship"}, headers=auth(scene.editor))).status_code == 422


async def test_every_type_that_is_offered_takes_a_complete_record(client: httpx.AsyncClient, scene: Scene):
    examples = {
        "date": "2031-05-31",
        "month": "2031-05",
        "number": 3,
        "amount": {"amount": "12.50", "currency": "EUR"},
        "boolean": True,
        "email": "a@example.org",
        "url": "https://example.org/a",
        "phone": "+44 (0)20 7946-0000",
    }
    types = (await client.get("/v1/vault/types", headers=auth(scene.viewer))).json()["items"]
    assert {"passport", "national_id", "driving_licence", "bank_account", "card", "will", "login", "secure_note"} <= {
        each["name"] for each in types
    }
    for each in types:
        fields = {
            field["name"]: field["choices"][0] if field["choices"] else examples.get(field["type"], "text")
            for field in each["fields"]
        }
        body = passport(scene.vault.id, type=each["name"], fields=fields)
        made = await client.post(ITEMS, json=body, headers=auth(scene.editor))
        assert made.status_code == 201, made.text
        assert (made.json()["fields"], made.json()["missing"]) == (fields, [])


async def test_a_change_merges_fields_and_replaces_tags(client: httpx.AsyncClient, scene: Scene):
    fields = {"number": "K1", "full_name": "Ada", "note": "x"}
    item = await make_item(scene.owner, scene.vault, fields=fields, notes="Old", tags=("a", "b"))
    body = {"fields": {"number": "K2", "note": None, "new": True}, "tags": ["c"]}

    changed = await client.patch(f"{ITEMS}/{item.id}", json=body, headers=auth(scene.editor) | {"If-Match": '"1"'})

    assert changed.status_code == 200
    assert changed.headers["ETag"] == '"2"'
    after = changed.json()
    assert after["fields"] == {"number": "K2", "full_name": "Ada", "new": True}
    assert (after["title"], after["notes"], after["tags"], after["revision"]) == (item.title, "Old", ["c"], 2)
    assert (await client.get(f"{ITEMS}/{item.id}", headers=auth(scene.viewer))).json() == after


@pytest.mark.parametrize("if_match", ['"2"', "nonsense"])
async def test_a_change_that_names_another_revision_is_refused(client: httpx.AsyncClient, scene: Scene, if_match):
    headers = auth(scene.editor) | {"If-Match": if_match}

    response = await client.patch(f"{ITEMS}/{scene.item.id}", json={"title": "New"}, headers=headers)

    assert (response.status_code, response.json()["code"]) == (412, "stale-revision")


async def test_a_change_that_names_no_revision_is_made_to_the_present_one(client: httpx.AsyncClient, scene: Scene):
    response = await client.patch(f"{ITEMS}/{scene.item.id}", json={"title": "New"}, headers=auth(scene.editor))

    assert (response.status_code, response.json()["title"], response.json()["revision"]) == (200, "New", 2)


@pytest.mark.parametrize("if_match", ['"1"', 'W/"1"', '"7", "1"', "*"])
async def test_every_form_of_the_right_revision_is_understood(client: httpx.AsyncClient, scene: Scene, if_match):
    headers = auth(scene.editor) | {"If-Match": if_match}

    assert (await client.patch(f"{ITEMS}/{scene.item.id}", json={}, headers=headers)).status_code == 200


async def test_of_many_changes_at_once_one_wins_and_none_is_lost(client: httpx.AsyncClient, scene: Scene):
    headers = auth(scene.editor) | {"If-Match": '"1"'}
    url = f"{ITEMS}/{scene.item.id}"

    answers = await asyncio.gather(*(client.patch(url, json={"title": f"T{n}"}, headers=headers) for n in range(8)))

    assert sorted(each.status_code for each in answers) == [200] + [412] * 7
    [won] = [each.json()["title"] for each in answers if each.status_code == 200]
    assert (await client.get(url, headers=auth(scene.viewer))).json()["title"] == won
    assert len((await client.get(f"{url}/versions", headers=auth(scene.viewer))).json()["items"]) == 1


async def test_a_client_that_has_the_item_is_told_so(client: httpx.AsyncClient, scene: Scene):
    url = f"{ITEMS}/{scene.item.id}"

    known = await client.get(url, headers=auth(scene.viewer) | {"If-None-Match": '"1"'})
    other = await client.get(url, headers=auth(scene.viewer) | {"If-None-Match": '"2"'})

    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", '"1"')
    assert other.status_code == 200


async def test_pages_neither_repeat_nor_skip_while_items_are_added(client: httpx.AsyncClient, runtime: Runtime):
    owner = await make_user()
    vaults = [await make_vault(owner), await make_vault(owner)]
    made = [str((await make_item(owner, vaults[number % 2])).id) for number in range(7)]

    seen: list[str] = []
    cursor = ""
    for number in range(4):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(ITEMS, params=query, headers=auth(owner))).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        await make_item(owner, vaults[number % 2], title="Newer")

    assert seen == made[::-1]
    assert cursor is None


async def test_a_list_keeps_to_its_vault_type_and_tag(client: httpx.AsyncClient, runtime: Runtime):
    owner = await make_user()
    vault, other = await make_vault(owner), await make_vault(owner)
    note = await make_item(owner, vault, type="secure_note", tags=("Travel", "x"))
    paper = await make_item(owner, vault, tags=("travel",))
    await make_item(owner, vault, tags=("traveller",))
    elsewhere = await make_item(owner, other, tags=("travel",))

    async def ids(**query: str) -> list[str]:
        response = await client.get(ITEMS, params=query, headers=auth(owner))
        assert response.status_code == 200
        return [each["id"] for each in response.json()["items"]]

    of_vault = {"vault_id": str(vault.id)}
    assert len(await ids()) == 4
    assert len(await ids(**of_vault)) == 3
    assert await ids(**of_vault, type="secure_note") == [str(note.id)]
    assert await ids(**of_vault, tag="TRAVEL") == [str(paper.id), str(note.id)]
    assert await ids(**of_vault, tag="travel", type="passport") == [str(paper.id)]
    assert await ids(tag="travel") == [str(elsewhere.id), str(paper.id), str(note.id)]


async def test_a_cursor_of_ones_own_making_is_refused(client: httpx.AsyncClient, scene: Scene):
    response = await client.get(ITEMS, params={"cursor": "AAAA"}, headers=auth(scene.owner))

    assert (response.status_code, response.json()["code"]) == (400, "invalid-cursor")


async def test_a_trashed_item_is_hidden_until_it_is_restored(client: httpx.AsyncClient, scene: Scene):
    url = f"{ITEMS}/{scene.item.id}"
    of_vault = {"vault_id": str(scene.vault.id)}

    assert (await client.delete(url, headers=auth(scene.editor))).status_code == 204

    assert (await client.get(url, headers=auth(scene.owner))).status_code == 404
    assert (await client.delete(url, headers=auth(scene.owner))).status_code == 404
    assert (await client.patch(url, json={}, headers=auth(scene.owner) | {"If-Match": '"1"'})).status_code == 404
    assert (await client.get(ITEMS, params=of_vault, headers=auth(scene.owner))).json()["items"] == []
    trash = (await client.get(ITEMS, params=of_vault | {"trashed": True}, headers=auth(scene.owner))).json()["items"]
    assert [(each["id"], each["trashed_at"] is not None) for each in trash] == [(str(scene.item.id), True)]

    restored = await client.post(f"{url}/restore", headers=auth(scene.editor))
    assert (restored.status_code, restored.json()["trashed_at"], restored.headers["ETag"]) == (200, None, '"1"')
    assert (await client.get(url, headers=auth(scene.viewer))).status_code == 200


@pytest.mark.parametrize("action", ["restore", "purge"])
async def test_only_what_is_in_the_trash_is_restored_or_purged(client: httpx.AsyncClient, scene: Scene, action):
    response = await client.post(f"{ITEMS}/{scene.item.id}/{action}", headers=auth(scene.owner))

    assert (response.status_code, response.json()["code"]) == (409, "not-in-trash")


async def test_a_purged_item_leaves_nothing(client: httpx.AsyncClient, scene: Scene):
    url = f"{ITEMS}/{scene.item.id}"
    await client.patch(url, json={"title": "New"}, headers=auth(scene.owner) | {"If-Match": '"1"'})
    await client.delete(url, headers=auth(scene.owner))

    assert (await client.post(f"{url}/purge", headers=auth(scene.owner))).status_code == 204

    assert (await client.post(f"{url}/restore", headers=auth(scene.owner))).status_code == 404
    for table, column in (("vault_items", "id"), ("vault_item_versions", "item_id")):
        assert await rows_of(f"SELECT id FROM {table} WHERE {column} = :item", item=scene.item.id) == []


async def test_every_earlier_version_is_kept_and_can_come_back(client: httpx.AsyncClient, scene: Scene):
    item = await make_item(scene.owner, scene.vault, title="One", fields={"number": "1"})
    url = f"{ITEMS}/{item.id}"
    for revision, title in ((1, "Two"), (2, "Three")):
        body = {"title": title, "fields": {"number": title}}
        headers = auth(scene.editor) | {"If-Match": f'"{revision}"'}
        assert (await client.patch(url, json=body, headers=headers)).status_code == 200

    versions = (await client.get(f"{url}/versions", headers=auth(scene.viewer))).json()["items"]
    assert [(each["revision"], each["title"]) for each in versions] == [(2, "Two"), (1, "One")]
    assert [each["written_by"] for each in versions] == [str(scene.editor.id), str(scene.owner.id)]
    first = (await client.get(f"{url}/versions/1", headers=auth(scene.viewer))).json()
    assert first["fields"] == {"number": "1"}
    assert (await client.get(f"{url}/versions/3", headers=auth(scene.viewer))).status_code == 404

    back = f"{url}/versions/1/restore"
    restored = await client.post(back, headers=auth(scene.editor) | {"If-Match": '"3"'})
    assert (restored.status_code, restored.json()["title"], restored.json()["revision"]) == (200, "One", 4)
    assert len((await client.get(f"{url}/versions", headers=auth(scene.viewer))).json()["items"]) == 3


async def test_history_comes_in_pages(client: httpx.AsyncClient, scene: Scene):
    url = f"{ITEMS}/{scene.item.id}"
    for revision in range(1, 4):
        await client.patch(url, json={"notes": "x"}, headers=auth(scene.owner) | {"If-Match": f'"{revision}"'})

    first = (await client.get(f"{url}/versions", params={"limit": 2}, headers=auth(scene.owner))).json()
    query = {"limit": 2, "cursor": first["next_cursor"]}
    second = (await client.get(f"{url}/versions", params=query, headers=auth(scene.owner))).json()

    assert [each["revision"] for each in first["items"] + second["items"]] == [3, 2, 1]
    assert second["next_cursor"] is None


async def test_a_vault_holds_no_more_items_than_allowed(client: httpx.AsyncClient, runtime: Runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    with changed_settings(items_per_vault=2):
        answers = [await client.post(ITEMS, json=passport(vault.id), headers=auth(owner)) for _ in range(3)]

    assert [each.status_code for each in answers] == [201, 201, 409]
    assert answers[2].json()["code"] == "limit-reached"


async def test_a_record_grows_to_a_hundred_fields_and_no_further(client: httpx.AsyncClient, scene: Scene):
    item = await make_item(scene.owner, scene.vault, fields={str(number): "x" for number in range(99)})
    url, headers = f"{ITEMS}/{item.id}", auth(scene.owner)

    one = await client.patch(url, json={"fields": {"a": 1}}, headers=headers | {"If-Match": '"1"'})
    more = await client.patch(url, json={"fields": {"b": 1}}, headers=headers | {"If-Match": '"2"'})

    assert (one.status_code, more.status_code, more.json()["code"]) == (200, 422, "invalid-fields")
