"""Links between records, documents and people, within a vault and from one to another."""

import pytest

from app.vault.relations import BY_NAME, RELATIONS, STORED
from tests.factories import make_document
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import rows_of
from tests.vault.home import Home, home

__all__ = ["home"]


def link(source: object, target: object, relation: str = "related", **values: str) -> dict[str, object]:
    """From one item to another."""
    return {"source": {"item_id": str(source)}, "target": {"item_id": str(target)}, "relation": relation, **values}


def test_every_relation_is_read_from_either_end():
    for name, relation in BY_NAME.items():
        back = BY_NAME[relation.inverse]
        assert (back.inverse, relation.symmetric) == (name, name == relation.inverse)
        assert name in STORED or relation.inverse in STORED
    assert len(BY_NAME) == sum(1 if each.symmetric else 2 for each in RELATIONS)
    assert {"related", "insures", "belongs_to", "spouse", "parent_of", "child_of"} <= BY_NAME.keys()


async def test_a_link_is_seen_from_both_ends(home: Home):
    policy = await home.item(type="car_insurance", title="Car insurance")
    car = await home.item(type="vehicle", title="The old Volvo")

    made = await home.call("POST", "links", link(policy.id, car.id, "insures", label="since 2019"), status=201)

    assert (made["source"]["title"], made["relation"], made["target"]["title"]) == (
        "Car insurance",
        "insures",
        "The old Volvo",
    )
    assert made["target"] == {
        "kind": "item",
        "id": str(car.id),
        "vault_id": str(home.vault.id),
        "type": "vehicle",
        "title": "The old Volvo",
    }
    (there,) = (await home.call("GET", f"items/{policy.id}/links", who=home.bob))["items"]
    (back,) = (await home.call("GET", f"items/{car.id}/links", who=home.bob))["items"]
    assert there == made
    assert (back["source"]["title"], back["relation"], back["label"]) == ("The old Volvo", "insured_by", "since 2019")
    assert (await home.call("GET", f"links/{made['id']}"))["relation"] == "insures"


async def test_a_family_is_a_graph_of_contacts(home: Home):
    names = ("Astrid", "Bertil", "Cecilia", "David")
    people = {name: await home.item(type="contact", title=name, fields={"full_name": name}) for name in names}
    for one, relation, other in (
        ("Astrid", "spouse", "Bertil"),
        ("Cecilia", "child_of", "Astrid"),
        ("Bertil", "parent_of", "Cecilia"),
        ("Cecilia", "sibling", "David"),
    ):
        await home.call("POST", "links", link(people[one].id, people[other].id, relation))

    async def of(name: str) -> set[tuple[str, str]]:
        links = (await home.call("GET", f"items/{people[name].id}/links", who=home.bob))["items"]
        return {(each["relation"], each["target"]["title"]) for each in links}

    assert await of("Cecilia") == {("child_of", "Astrid"), ("child_of", "Bertil"), ("sibling", "David")}
    assert await of("Astrid") == {("spouse", "Bertil"), ("parent_of", "Cecilia")}
    twice = link(people["Bertil"].id, people["Astrid"].id, "spouse")
    assert (await home.call("POST", "links", twice, status=409))["code"] == "already-linked"
    reversed_ = link(people["Astrid"].id, people["Cecilia"].id, "parent_of")
    assert (await home.call("POST", "links", reversed_, status=409))["code"] == "already-linked"
    itself = link(people["David"].id, people["David"].id, "friend")
    assert (await home.call("POST", "links", itself, status=409))["code"] == "linked-to-itself"


async def test_a_document_proves_a_record_and_the_link_goes_with_either(home: Home):
    item = await home.item(title="Passport")
    document = await make_document(home.ada, home.vault, title="Scan of it")
    ends = {"source": {"document_id": str(document.id)}, "target": {"item_id": str(item.id)}}

    made = await home.call("POST", "links", {**ends, "relation": "proves"})

    (there,) = (await home.call("GET", f"documents/{document.id}/links"))["items"]
    assert (there["source"]["kind"], there["source"]["type"], there["target"]["title"]) == (
        "document",
        None,
        "Passport",
    )
    (back,) = (await home.call("GET", f"items/{item.id}/links"))["items"]
    assert (back["relation"], back["target"]["title"]) == ("proven_by", "Scan of it")
    await home.call("DELETE", f"items/{item.id}")
    assert (await home.call("GET", f"documents/{document.id}/links"))["items"] == []
    await home.call("GET", f"links/{made['id']}", status=404)
    await home.call("POST", f"items/{item.id}/restore")
    assert len((await home.call("GET", f"documents/{document.id}/links"))["items"]) == 1
    await home.call("DELETE", f"items/{item.id}")
    await home.call("POST", f"items/{item.id}/purge")
    assert await rows_of("SELECT id FROM vault_links WHERE id = :id", id=made["id"]) == []


async def test_a_link_between_vaults_is_seen_by_who_sees_both(home: Home):
    here, there = await home.item(title="Shared"), await home.item(home.other, title="Private")

    made = await home.call("POST", "links", link(here.id, there.id, label="Zqxlabel"))

    assert len((await home.call("GET", f"items/{there.id}/links"))["items"]) == 1
    assert (await home.call("GET", f"items/{here.id}/links", who=home.bob))["items"] == []
    await home.call("GET", f"links/{made['id']}", who=home.bob, status=404)
    await home.call("DELETE", f"links/{made['id']}", who=home.bob, status=404)
    [row] = await rows_of("SELECT l::text AS row, body FROM vault_links l WHERE id = :id", id=made["id"])
    assert "Zqxlabel" not in row.row
    assert b"Zqxlabel" not in row.body


async def test_links_are_made_and_taken_away_by_who_may_write(home: Home):
    one, two, hidden = await home.item(), await home.item(), await home.item(home.other)
    editor = await home.member("editor")

    await home.call("POST", "links", link(one.id, two.id), who=home.bob, status=403)
    await home.call("POST", "links", link(one.id, two.id), who=home.eve, status=404)
    await home.call("POST", "links", link(one.id, hidden.id), who=editor, status=404)
    await home.call("POST", "links", link(hidden.id, one.id), who=editor, status=404)
    made = await home.call("POST", "links", link(one.id, two.id), who=editor)
    path = f"links/{made['id']}"
    await home.call("GET", path, who=home.eve, status=404)
    await home.call("DELETE", path, who=home.eve, status=404)
    await home.call("DELETE", path, who=home.bob, status=403)
    await home.call("DELETE", path, who=editor, status=204)
    await home.call("GET", path, status=404)
    for thing in (f"items/{one.id}", f"items/{hidden.id}"):
        await home.call("GET", f"{thing}/links", who=home.eve, status=404)


@pytest.mark.parametrize(
    "changes",
    [
        {"relation": "hates"},
        {"source": {}},
        {"source": {"item_id": "1"}},
        {"target": {"item_id": "01a1fbe8-3eef-7d27-809c-9cfaba724faa", "document_id": "x"}},
        {"label": "x" * 201},
        {"strength": 3},
    ],
)
async def test_a_malformed_link_is_refused(home: Home, changes):
    item = await home.item()

    await home.call("POST", "links", {**link(item.id, item.id), **changes}, status=422)


async def test_links_come_in_pages_and_are_no_more_than_allowed(home: Home):
    center = await home.item()
    with changed_settings(links_per_item=3):
        for _ in range(3):
            await home.call("POST", "links", link((await home.item()).id, center.id))
        more = link((await home.item()).id, center.id)
        assert (await home.call("POST", "links", more, status=409))["code"] == "limit-reached"

    path = f"items/{center.id}/links"
    first = await home.call("GET", path, limit=2)
    second = await home.call("GET", path, limit=2, cursor=first["next_cursor"])

    found = [each["id"] for each in first["items"] + second["items"]]
    assert (len(found), found) == (3, sorted(found, reverse=True))
    assert second["next_cursor"] is None


async def test_the_relations_are_served(home: Home):
    relations = (await home.call("GET", "relations"))["items"]

    assert {"name": "insures", "inverse": "insured_by", "label": "insures"} in relations
