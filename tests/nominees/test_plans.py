"""Plans: what may be given, who may change it when, and what would fail today."""

from uuid import uuid4

import pytest

from tests.factories import auth, make_document, make_item, make_member, make_user, make_vault
from tests.nominees.conftest import ROOT, Legacy, rows_of

pytestmark = pytest.mark.anyio


async def change(legacy: Legacy, plan_id: str, **values: object) -> object:
    headers = {**legacy.headers, **values.pop("headers", {})}
    return await legacy.client.patch(f"{ROOT}/plans/{plan_id}", json=values, headers=headers)


async def codes(legacy: Legacy, plan_id: str) -> dict[str, str]:
    found = await legacy.get(f"/plans/{plan_id}/readiness")
    assert found["ready"] == (not any(each["severity"] == "fails" for each in found["findings"]))
    return {each["code"]: each["severity"] for each in found["findings"]}


async def test_a_plan_gives_vaults_types_records_and_documents_in_stages(legacy: Legacy):
    grace, alan = await legacy.name("Grace", accept=False), await legacy.name("Alan", accept=False)
    stages = [
        {
            "after_days": 0,
            "gifts": [
                {"kind": "item", "nominee_id": grace.id, "item_id": str(legacy.item.id)},
                {"kind": "item", "nominee_id": grace.id, "item_id": str(legacy.item.id)},
                {"kind": "type", "nominee_id": alan.id, "vault_id": str(legacy.vault.id), "type": "passport"},
            ],
        },
        {
            "after_days": 14,
            "gifts": [{"kind": "document", "nominee_id": alan.id, "document_id": str(legacy.document.id)}],
        },
    ]
    messages = [{"nominee_id": alan.id, "text": "Thank you."}]

    plan_id = await legacy.plan(arm=False, stages=stages, messages=messages)

    plan = await legacy.get(f"/plans/{plan_id}")
    assert [len(stage["gifts"]) for stage in plan["stages"]] == [2, 1]
    assert plan["stages"][0]["gifts"][0]["item_id"] == str(legacy.item.id)
    assert plan["stages"][1]["gifts"][0]["vault_id"] == str(legacy.vault.id)
    assert (plan["messages"], plan["armed_at"], plan["case_id"]) == (messages, None, None)
    changed = await change(legacy, plan_id, title="Another title", stages=stages[1:], headers={"If-Match": '"1"'})
    assert (changed.json()["title"], len(changed.json()["stages"])) == ("Another title", 1)
    assert changed.json()["messages"] == messages
    stale = await change(legacy, plan_id, title="Yet another", headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale-revision")


async def test_nobody_leaves_what_is_not_theirs(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    stranger = await make_user()
    theirs = await make_vault(stranger)
    item, document = await make_item(stranger, theirs), await make_document(stranger, theirs)
    for part, code in (
        ({"kind": "vault", "vault_id": str(theirs.id)}, "vault-not-found"),
        ({"kind": "type", "vault_id": str(theirs.id), "type": "passport"}, "vault-not-found"),
        ({"kind": "item", "item_id": str(item.id)}, "item-not-found"),
        ({"kind": "document", "document_id": str(document.id)}, "document-not-found"),
    ):
        body = {"title": "T", "stages": [{"gifts": [{"nominee_id": grace.id, **part}]}]}
        assert (await legacy.post("/plans", body, expect=404))["code"] == code
    shared = await make_vault(stranger)
    await make_member(shared, role="admin", user=legacy.owner)
    gift = {"kind": "vault", "nominee_id": grace.id, "vault_id": str(shared.id)}
    refused = await legacy.post("/plans", {"title": "T", "stages": [{"gifts": [gift]}]}, expect=403)
    assert refused["code"] == "role-too-low"
    unknown = {"kind": "vault", "nominee_id": str(uuid4()), "vault_id": str(legacy.vault.id)}
    await legacy.post("/plans", {"title": "T", "stages": [{"gifts": [unknown]}]}, expect=404)
    await legacy.post("/plans", {"title": "T", "confirmer_id": str(uuid4())}, expect=404)
    assert (await legacy.get("/plans"))["items"] == []


async def test_a_plan_that_can_do_nothing_is_not_armed(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    empty = (await legacy.post("/plans", {"title": "Empty"}, expect=201))["id"]
    assert (await legacy.post(f"/plans/{empty}/arm", expect=409))["code"] == "plan-not-ready"
    silent = await legacy.plan(grace, arm=False, may_be_asked=False)
    assert (await legacy.post(f"/plans/{silent}/arm", expect=409))["code"] == "plan-not-ready"

    assert (await change(legacy, silent, inactivity_days=60)).status_code == 200
    armed = await legacy.post(f"/plans/{silent}/arm")
    assert armed["armed_at"]
    assert (await legacy.post(f"/plans/{silent}/disarm"))["armed_at"] is None
    assert (await change(legacy, silent, inactivity_days=None)).json()["inactivity_days"] is None
    assert "Your legacy plan was changed" in await legacy.subjects(legacy.owner.email)


async def test_no_plan_and_no_nominee_is_changed_while_a_release_is_going_on(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    plan = await legacy.get(f"/plans/{plan_id}")
    assert plan["case_id"] == case_id

    answers = [
        await change(legacy, plan_id, waiting_days=1),
        await legacy.client.delete(f"{ROOT}/plans/{plan_id}", headers=legacy.headers),
        await legacy.client.post(f"{ROOT}/plans/{plan_id}/disarm", headers=legacy.headers),
        await legacy.client.patch(
            f"{ROOT}/people/{grace.id}", json={"email": "evil@example.org"}, headers=legacy.headers
        ),
    ]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "case-is-open")] * 4
    await legacy.post(f"/cases/{case_id}/stop")
    assert (await change(legacy, plan_id, waiting_days=1)).status_code == 200
    [rules] = await rows_of("SELECT rules FROM legacy_cases WHERE id = :id", id=case_id)
    assert rules[0]["waiting_days"] == 14


async def test_readiness_tells_everything_that_would_fail(legacy: Legacy):
    grace, alan, tom = [await legacy.name(name, accept=False) for name in ("Grace", "Alan", "Tom")]
    plan_id = await legacy.plan(
        grace, alan, arm=False, confirmer_id=tom.id, attestations_needed=2, gives_server_sheet=True
    )
    assert await codes(legacy, plan_id) == {
        "not-armed": "fails",
        "nobody-can-receive": "fails",
        "too-few-to-attest": "fails",
        "nominee-not-confirmed": "fails",
        "trusted-not-confirmed": "fails",
        "no-sheets": "fails",
    }

    for nominee in (grace, alan, tom):
        token = await legacy.link_of(nominee.email, "invitation")
        await legacy.post("/invitations/answer", {"token": token, "accept": True}, expect=204)
    made = await legacy.client.post(
        f"{ROOT}/legacy-keys", json={"nominee_ids": [grace.id], "nominees_needed": 1}, headers=legacy.headers
    )
    assert made.status_code == 201
    await legacy.post(f"/plans/{plan_id}/arm")
    assert await codes(legacy, plan_id) == {"sheet-missing": "warns"}

    await rows_of(
        "UPDATE nominees SET verified_at = now() - interval '2 years' WHERE id = :id RETURNING id", id=alan.id
    )
    await legacy.client.delete(f"/v1/vault/items/{legacy.item.id}", headers=legacy.headers)
    await legacy.client.delete(f"/v1/vault/documents/{legacy.document.id}", headers=legacy.headers)
    assert await codes(legacy, plan_id) == {
        "sheet-missing": "warns",
        "nominee-not-verified-lately": "warns",
        "gift-empty": "warns",
    }
    await legacy.client.delete(f"/v1/vault/vaults/{legacy.vault.id}", headers=legacy.headers)
    assert (await codes(legacy, plan_id))["vault-gone"] == "fails"
    await rows_of("UPDATE auth_users SET email_verified_at = NULL WHERE id = :id RETURNING id", id=legacy.owner.id)
    assert (await codes(legacy, plan_id))["address-not-confirmed"] == "fails"


async def test_a_stranger_sees_and_changes_nothing(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    plan_id = await legacy.plan(grace)
    drill = await legacy.post(f"/plans/{plan_id}/drills", expect=201)
    stranger = auth(await make_user())
    for method, path in (
        ("GET", f"/people/{grace.id}"),
        ("PATCH", f"/people/{grace.id}"),
        ("DELETE", f"/people/{grace.id}"),
        ("POST", f"/people/{grace.id}/invite"),
        ("GET", f"/plans/{plan_id}"),
        ("PATCH", f"/plans/{plan_id}"),
        ("DELETE", f"/plans/{plan_id}"),
        ("POST", f"/plans/{plan_id}/arm"),
        ("POST", f"/plans/{plan_id}/disarm"),
        ("GET", f"/plans/{plan_id}/readiness"),
        ("GET", f"/plans/{plan_id}/drills"),
        ("POST", f"/plans/{plan_id}/drills"),
        ("GET", f"/drills/{drill['id']}"),
    ):
        body = {"json": {}} if method == "PATCH" else {}
        answer = await legacy.client.request(method, f"{ROOT}{path}", headers=stranger, **body)
        assert answer.status_code == 404, (method, path, answer.text)
    for path in ("/people", "/plans", "/cases", "/reads", "/legacy-keys"):
        assert (await legacy.client.get(f"{ROOT}{path}", headers=stranger)).json()["items"] == []
