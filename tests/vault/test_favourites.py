"""Favourites: for oneself alone."""

from app.core.tasks import listeners
from app.vault import tasks
from tests.vault.conftest import rows_of
from tests.vault.home import Home, by_id, home

__all__ = ["home"]


async def test_a_favourite_is_ones_own(home: Home):
    wanted, other = await home.item(title="Passport"), await home.item(title="Visa")
    path = f"items/{wanted.id}/favourite"

    await home.call("PUT", path, who=home.bob, status=204)
    await home.call("PUT", path, who=home.bob, status=204)

    listed = by_id((await home.call("GET", "items", who=home.bob))["items"])
    assert (listed[wanted.id]["favourite"], listed[other.id]["favourite"]) == (True, False)
    assert (await home.call("GET", f"items/{wanted.id}", who=home.bob))["favourite"] is True
    assert (await home.call("GET", f"items/{wanted.id}"))["favourite"] is False
    mine = await home.call("GET", "items", who=home.bob, favourite=True)
    assert [each["id"] for each in mine["items"]] == [str(wanted.id)]
    assert (await home.call("GET", "items", favourite=True))["items"] == []
    changed = await home.call("PATCH", f"items/{wanted.id}", {"title": "New"}, who=await home.member("editor"))
    assert changed["favourite"] is False
    await home.call("DELETE", path, who=home.bob, status=204)
    assert (await home.call("GET", "items", who=home.bob, favourite=True))["items"] == []


async def test_a_stranger_has_no_favourites_here(home: Home):
    item = await home.item()

    for method in ("PUT", "DELETE"):
        await home.call(method, f"items/{item.id}/favourite", who=home.eve, status=404)


async def test_who_has_left_leaves_no_favourites(home: Home):
    item = await home.item()
    await home.call("PUT", f"items/{item.id}/favourite", who=home.bob)

    await home.call("DELETE", f"vaults/{home.vault.id}/members/{home.bob.id}", status=204)
    assert "vault.forget_member" in [task.name for task in listeners("vault.member_removed")]
    await tasks.forget_member(vault_id=str(home.vault.id), user_id=str(home.bob.id))

    assert await rows_of("SELECT item_id FROM vault_favourites WHERE user_id = :bob", bob=home.bob.id) == []
