"""Many items changed at once: all or none."""

import asyncio
from uuid import uuid4

import pytest

from app.vault.schemas.items import MOST_TAGS
from tests.factories import auth
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import rows_of
from tests.vault.home import Home, codes, home, ids

__all__ = ["home"]

BULK = "bulk"


async def test_items_go_to_the_trash_come_back_and_are_purged_together(home: Home):
    one, two, stays = await home.item(), await home.item(home.other), await home.item()
    wanted = ids(two, one)

    trashed = await home.call("POST", BULK, {"action": "trash", "item_ids": [*wanted, wanted[0]]})

    assert trashed == {"changed": wanted, "unchanged": []}
    assert [each["id"] for each in (await home.call("GET", "items"))["items"]] == ids(stays)
    await home.call("POST", BULK, {"action": "restore", "item_ids": wanted})
    assert len((await home.call("GET", "items"))["items"]) == 3
    await home.call("POST", BULK, {"action": "trash", "item_ids": wanted})
    await home.call("POST", BULK, {"action": "purge", "item_ids": wanted})
    assert await rows_of("SELECT id FROM vault_items WHERE id = ANY(:ids)", ids=[one.id, two.id]) == []


async def test_tags_are_added_and_taken_away_where_it_makes_a_difference(home: Home):
    one, two = await home.item(tags=("Travel",)), await home.item(tags=("a", "b"))
    wanted = ids(one, two)

    tagged = await home.call("POST", BULK, {"action": "tag", "item_ids": wanted, "tags": ["travel", "x", "X"]})

    assert tagged == {"changed": wanted, "unchanged": []}
    first, second = [await home.call("GET", f"items/{each}") for each in wanted]
    assert (first["tags"], second["tags"]) == (["Travel", "x"], ["a", "b", "travel", "x"])
    assert (first["revision"], second["revision"]) == (2, 2)
    listed = await home.call("GET", "items", tag="travel", vault_id=str(home.vault.id))
    assert {each["id"] for each in listed["items"]} == set(wanted)
    untagged = await home.call("POST", BULK, {"action": "untag", "item_ids": wanted, "tags": ["A", "nothing"]})
    assert untagged == {"changed": ids(two), "unchanged": ids(one)}
    (version,) = (await home.call("GET", f"items/{one.id}/versions"))["items"]
    assert (version["revision"], version["tags"]) == (1, ["Travel"])


async def test_nothing_changes_if_anything_stands_in_the_way(home: Home):
    fine, trashed, readable = await home.item(), await home.item(), await home.item()
    editor = await home.member("editor", home.other)
    own, gone = await home.item(home.other), uuid4()
    await home.call("DELETE", f"items/{trashed.id}")
    everything = [*ids(fine, trashed), str(gone)]

    refused = await home.call("POST", BULK, {"action": "trash", "item_ids": everything}, status=409)

    assert refused["code"] == "bulk-refused"
    assert codes(refused) == {str(trashed.id): "item-not-found", str(gone): "item-not-found"}
    assert (await home.call("GET", f"items/{fine.id}"))["trashed_at"] is None
    purge = await home.call("POST", BULK, {"action": "purge", "item_ids": ids(fine, trashed)}, status=409)
    assert codes(purge) == {str(fine.id): "not-in-trash"}
    mixed = {"action": "trash", "item_ids": ids(own, readable)}
    as_editor = await home.call("POST", BULK, mixed, who=editor, status=409)
    assert codes(as_editor) == {str(readable.id): "item-not-found"}
    as_viewer = await home.call("POST", BULK, {"action": "trash", "item_ids": ids(fine)}, who=home.bob, status=409)
    assert codes(as_viewer) == {str(fine.id): "role-too-low"}
    as_stranger = await home.call("POST", BULK, {"action": "trash", "item_ids": ids(fine)}, who=home.eve, status=409)
    assert codes(as_stranger) == {str(fine.id): "item-not-found"}


async def test_a_record_gets_no_more_tags_than_it_may_have(home: Home):
    full, empty = await home.item(tags=tuple(str(number) for number in range(MOST_TAGS))), await home.item()

    body = {"action": "tag", "item_ids": ids(full, empty), "tags": ["one more"]}
    refused = await home.call("POST", BULK, body, status=409)

    assert codes(refused) == {str(full.id): "limit-reached"}
    assert (await home.call("GET", f"items/{empty.id}"))["tags"] == []


async def test_items_of_several_vaults_move_into_one(home: Home):
    here, there = await home.item(title="Here"), await home.item(home.other, title="There")
    body = {"action": "move", "item_ids": ids(here, there), "vault_id": str(home.other.id)}

    moved = await home.call("POST", BULK, body)

    assert moved == {"changed": ids(here), "unchanged": ids(there)}
    listed = (await home.call("GET", "items", vault_id=str(home.other.id)))["items"]
    assert {each["title"] for each in listed} == {"Here", "There"}
    await home.call("GET", f"items/{here.id}", who=home.bob, status=404)
    to_nobody = {**body, "vault_id": str(uuid4())}
    assert (await home.call("POST", BULK, to_nobody, status=404))["code"] == "vault-not-found"
    editor = await home.member("viewer", home.other)
    assert (await home.call("POST", BULK, body, who=editor, status=403))["code"] == "role-too-low"
    with changed_settings(items_per_vault=1):
        back = {**body, "vault_id": str(home.vault.id)}
        assert (await home.call("POST", BULK, back, status=409))["code"] == "limit-reached"


async def test_a_limit_holds_for_one_request(home: Home):
    items = [await home.item(), await home.item()]
    with changed_settings(bulk_items=1):
        problem = await home.call("POST", BULK, {"action": "trash", "item_ids": ids(*items)}, status=409)

    assert (problem["code"], problem["detail"]) == ("limit-reached", "At most 1 records can be changed at once")


@pytest.mark.parametrize(
    "body",
    [
        {"action": "burn", "item_ids": ["{id}"]},
        {"action": "trash", "item_ids": []},
        {"action": "trash", "item_ids": ["x"]},
        {"action": "tag", "item_ids": ["{id}"]},
        {"action": "tag", "item_ids": ["{id}"], "tags": []},
        {"action": "trash", "item_ids": ["{id}"], "tags": ["a"]},
        {"action": "move", "item_ids": ["{id}"]},
    ],
)
async def test_a_malformed_change_is_refused(home: Home, body):
    item_ids = [str(uuid4()) if each == "{id}" else each for each in body["item_ids"]]

    await home.call("POST", BULK, {**body, "item_ids": item_ids}, status=422)


async def test_changes_of_the_same_items_do_not_wait_for_each_other_for_ever(home: Home):
    items = [await home.item() for _ in range(6)]
    bodies = [
        {"action": "tag", "item_ids": ids(*items), "tags": ["a"]},
        {"action": "tag", "item_ids": ids(*reversed(items)), "tags": ["b"]},
        {"action": "move", "item_ids": ids(*items), "vault_id": str(home.other.id)},
    ]
    requests = [home.client.post(f"/v1/vault/{BULK}", json=body, headers=auth(home.ada)) for body in bodies]

    answers = await asyncio.gather(*requests)

    assert {answer.status_code for answer in answers} == {200}
    for item in items:
        after = await home.call("GET", f"items/{item.id}")
        assert (after["vault_id"], set(after["tags"])) == (str(home.other.id), {"a", "b"})
        assert len((await home.call("GET", f"items/{item.id}/versions"))["items"]) == 2
