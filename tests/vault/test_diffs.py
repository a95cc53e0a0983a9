"""What changed between versions of an item, and one part brought back."""

from typing import Any

import pytest

from tests.vault.home import Home, home

__all__ = ["home"]


async def changed_twice(home: Home) -> str:
    """A bank account in three revisions."""
    fields = {"bank": "Old bank", "pin": "1111", "iban": "DE1", "closed": 1}
    item = await home.item(type="bank_account", title="Bank", fields=fields, notes="", tags=("a", "b"))
    path = f"items/{item.id}"
    second: dict[str, Any] = {"bank": "New bank", "pin": "2222", "bic": "X", "iban": None, "closed": True}
    await home.call("PATCH", path, {"fields": second, "tags": ["b", "c"], "notes": "Moved"})
    await home.call("PATCH", path, {"title": "Account", "fields": {"bic": None, "pin": "3333"}})
    return path


async def test_a_diff_names_what_was_added_removed_and_changed(home: Home):
    path = await changed_twice(home)

    diff = await home.call("GET", f"{path}/versions/1/diff", who=home.bob, to=2)

    assert (diff["from_revision"], diff["to_revision"]) == (1, 2)
    assert [tuple(change.values()) for change in diff["changes"]] == [
        ("notes", None, "added", None, "Moved", False),
        ("field", "bank", "changed", "Old bank", "New bank", False),
        ("field", "pin", "changed", "1111", "2222", True),
        ("field", "iban", "removed", "DE1", None, False),
        ("field", "closed", "changed", 1, True, False),
        ("field", "bic", "added", None, "X", False),
        ("tag", "a", "removed", "a", None, False),
        ("tag", "c", "added", None, "c", False),
    ]


async def test_a_diff_goes_to_the_present_and_backwards(home: Home):
    path = await changed_twice(home)

    forward = await home.call("GET", f"{path}/versions/2/diff")
    backward = await home.call("GET", f"{path}/versions/3/diff", to=2)

    assert [(each["name"], each["change"]) for each in forward["changes"]] == [
        (None, "changed"),
        ("pin", "changed"),
        ("bic", "removed"),
    ]
    assert {("bic", "added", "X"), ("pin", "changed", "2222")} <= {
        (each["name"], each["change"], each["after"]) for each in backward["changes"]
    }
    assert (await home.call("GET", f"{path}/versions/3/diff"))["changes"] == []
    await home.call("GET", f"{path}/versions/9/diff", status=404)
    await home.call("GET", f"{path}/versions/1/diff", to=9, status=404)
    await home.call("GET", f"{path}/versions/1/diff", who=home.eve, status=404)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"part": "field", "name": "pin"}, {"fields": {"bank": "New bank", "pin": "1111", "closed": True}}),
        ({"part": "field", "name": "closed"}, {"fields": {"bank": "New bank", "pin": "3333", "closed": 1}}),
        (
            {"part": "field", "name": "iban"},
            {"fields": {"bank": "New bank", "pin": "3333", "closed": True, "iban": "DE1"}},
        ),
        ({"part": "title"}, {"title": "Bank"}),
        ({"part": "notes"}, {"notes": ""}),
        ({"part": "tags"}, {"tags": ["a", "b"]}),
    ],
)
async def test_one_part_comes_back_and_the_rest_stays(home: Home, part, expected):
    path = await changed_twice(home)
    before = await home.call("GET", path)

    after = await home.call("POST", f"{path}/versions/1/restore-part", part, headers={"If-Match": '"3"'})

    same = {"updated_at", "revision", "missing"}
    changed = {name for name, value in after.items() if str(value) != str(before[name])} - same  # 1 is not true
    assert {name: str(after[name]) for name in changed} == {name: str(value) for name, value in expected.items()}
    assert after["revision"] == 4
    again = await home.call("POST", f"{path}/versions/1/restore-part", part)
    assert again == after, "what is as it was makes no new revision"


async def test_a_field_that_was_not_there_yet_goes_and_an_unknown_one_is_404(home: Home):
    item = await home.item(fields={"number": "1"})
    path = f"items/{item.id}"
    await home.call("PATCH", path, {"fields": {"sex": "f"}})
    restore = f"{path}/versions/1/restore-part"

    after = await home.call("POST", restore, {"part": "field", "name": "sex"})

    assert after["fields"] == {"number": "1"}
    unknown = await home.call("POST", restore, {"part": "field", "name": "shoe size"}, status=404)
    assert unknown["code"] == "field-not-found"
    part = {"part": "field", "name": "number"}
    await home.call("POST", restore, part, who=home.bob, status=403)
    await home.call("POST", restore, part, who=home.eve, status=404)
    await home.call("POST", restore, part, headers={"If-Match": '"1"'}, status=412)
    for wrong in ({"part": "field"}, {"part": "title", "name": "x"}, {"part": "type"}):
        await home.call("POST", restore, wrong, status=422)
