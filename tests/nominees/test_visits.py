"""Nominees who sign in: by link and code together, with a token that opens what is released and nothing else."""

import re
from uuid import uuid4

import pytest

from app.core.crypto import token_digest
from app.db.session import Actor, session_scope
from app.nominees.tasks import purge
from app.payments.services.access import STATES
from tests.api.test_guards import METHODS, send
from tests.factories import auth, make_document, make_item, make_member
from tests.nominees.conftest import ROOT, Legacy, Nominee, rows_of
from tests.notifications.smtp import changed_settings
from tests.payments.books.conftest import make_family, make_subscription, set_subscription

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def released_to(legacy: Legacy, **values: object) -> tuple[Nominee, str]:
    """A nominee who is signed in and to whom the first vault is released."""
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace, **values)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "released")
    await legacy.sign_in(grace)
    return grace, case_id


async def code_of(legacy: Legacy, nominee: Nominee) -> str:
    found = re.search(r"\b(\d{6})\b", str((await legacy.letters(nominee.email))[-1]["Subject"]))
    assert found
    return found[1]


async def test_neither_the_link_nor_the_code_alone_opens_anything(legacy: Legacy):
    grace, alan = await legacy.name("Grace"), await legacy.name("Alan")
    token = await legacy.link_of(grace.email, "sign-in")
    other = await legacy.link_of(alan.email, "sign-in")
    await legacy.post("/token", {"token": token, "code": "000000"}, expect=401)
    await legacy.post("/sign-in/code", {"token": token}, expect=202)
    code = await code_of(legacy, grace)

    assert (await legacy.post("/token", {"token": other, "code": code}, expect=401))["code"] == "wrong-nominee-code"
    assert (await legacy.post("/token", {"token": "x" * 43, "code": code}, expect=404))[
        "code"
    ] == "legacy-link-not-found"
    opened = await legacy.post("/token", {"token": token, "code": code})
    assert opened["access_token"].startswith("lvn_")
    await legacy.post("/token", {"token": token, "code": code}, expect=401)  # once


async def test_a_code_bears_a_few_wrong_tries_and_a_link_a_few_codes(legacy: Legacy):
    grace = await legacy.name("Grace")
    token = await legacy.link_of(grace.email, "sign-in")
    await legacy.post("/sign-in/code", {"token": token}, expect=202)
    code = await code_of(legacy, grace)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for _ in range(5):
        await legacy.post("/token", {"token": token, "code": wrong}, expect=401)

    await legacy.post("/token", {"token": token, "code": code}, expect=401)

    for _ in range(4):
        await legacy.post("/sign-in/code", {"token": token}, expect=202)
    refused = await legacy.client.post(f"{ROOT}/sign-in/code", json={"token": token})
    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-letters")
    assert int(refused.headers["retry-after"]) > 0


async def test_an_address_gets_new_links_and_no_answer_tells_who_was_named(legacy: Legacy):
    grace = await legacy.name("Grace")
    before = len(await legacy.letters(grace.email))

    known = await legacy.client.post(f"{ROOT}/sign-in", json={"email": grace.email})
    unknown = await legacy.client.post(f"{ROOT}/sign-in", json={"email": f"{uuid4().hex}@example.org"})

    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert known.status_code == 202
    assert len(await legacy.letters(grace.email)) == before + 1
    for _ in range(6):
        await legacy.client.post(f"{ROOT}/sign-in", json={"email": grace.email})
    assert len(await legacy.letters(grace.email)) == before + 3


async def test_tokens_and_codes_are_kept_as_digests(legacy: Legacy):
    grace = await legacy.name("Grace")
    await legacy.sign_in(grace)
    token = await legacy.link_of(grace.email, "sign-in")
    [kept] = await rows_of("SELECT digest FROM nominee_sessions WHERE user_id = :id", id=legacy.owner.id)
    assert kept[0] == token_digest(grace.token)
    for table in ("nominee_links", "nominee_codes", "nominee_sessions", "nominees"):
        rows = str(await rows_of(f"SELECT t::text FROM {table} t WHERE user_id = :id", id=legacy.owner.id))
        for secret in (token, grace.token, grace.email, "Grace"):
            assert secret not in rows
            assert secret.encode().hex() not in rows


async def test_a_nominee_s_token_opens_no_other_operation(legacy: Legacy):
    grace, case_id = await released_to(legacy)
    document = (await legacy.client.get("/openapi.json")).json()
    ids = {
        "vault_id": legacy.vault.id,
        "item_id": legacy.item.id,
        "document_id": legacy.document.id,
        "user_id": legacy.owner.id,
        "case_id": case_id,
        "nominee_id": grace.id,
        "job_id": legacy.document.job_id,
        "page": 1,
        "revision": 1,
        "number": 1,
    }
    answers = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS and operation.get("security") and not path.startswith(f"{ROOT}/visit"):
                response = await send(legacy.client, document, method, path, operation, ids, grace.headers)
                answers[f"{method} {path}"] = response.status_code
                assert "Ada's passport" not in response.text

    assert len(answers) > 100
    assert {name: status for name, status in answers.items() if status not in (401, 403, 404)} == {}


async def test_nobody_else_s_token_opens_what_nominees_see(legacy: Legacy):
    document = (await legacy.client.get("/openapi.json")).json()
    key = await legacy.client.post(
        "/v1/auth/api-keys", json={"name": "K", "scopes": ["legacy:read", "vault:read"]}, headers=legacy.headers
    )
    visits = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith(f"{ROOT}/visit")
    ]
    assert len(visits) > 10
    for method, path, operation in visits:
        assert operation["security"] == [{"NomineeToken": []}]
        for token in (legacy.owner.access_token, key.json()["key"], "lvn_" + "x" * 43, "lvn_", "x.y.z"):
            headers = {"Authorization": f"Bearer {token}"}
            response = await send(legacy.client, document, method, path, operation, {"vault_id": uuid4()}, headers)
            assert (response.status_code, response.json()["code"]) == (401, "invalid-nominee-token")


async def test_only_what_was_given_is_read_and_only_while_it_is_there_and_the_owner_s(legacy: Legacy):
    note = await make_item(legacy.owner, legacy.vault, type="secure_note", title="Not for Grace")
    other_document = await make_document(legacy.owner, legacy.vault, content=b"secret", name="other.txt")
    grace = await legacy.name("Grace")
    gifts = [
        {"kind": "type", "nominee_id": grace.id, "vault_id": str(legacy.vault.id), "type": "passport"},
        {"kind": "document", "nominee_id": grace.id, "document_id": str(legacy.document.id)},
    ]
    plan_id = await legacy.plan(stages=[{"gifts": gifts}])
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "released")
    base = f"/visit/released/vaults/{legacy.vault.id}"

    [vault] = (await legacy.get("/visit/released", by=grace))["vaults"]
    assert (vault["name"], vault["tier"], vault["items"], vault["documents"]) == ("Family papers", "assisted", 1, 1)
    assert [each["id"] for each in (await legacy.get(f"{base}/items", by=grace))["items"]] == [str(legacy.item.id)]
    await legacy.get(f"{base}/items/{legacy.item.id}", by=grace)
    await legacy.get(f"{base}/items/{note.id}", by=grace, expect=404)
    assert [each["id"] for each in (await legacy.get(f"{base}/documents", by=grace))["items"]] == [
        str(legacy.document.id)
    ]
    for document_id in (other_document.id, legacy.item.id):
        await legacy.get(f"{base}/documents/{document_id}", by=grace, expect=404)
        await legacy.get(f"{base}/documents/{document_id}/content", by=grace, expect=404)
    await legacy.get(f"/visit/released/vaults/{legacy.other.id}/documents", by=grace, expect=404)

    await legacy.client.delete(f"/v1/vault/items/{legacy.item.id}", headers=legacy.headers)
    await legacy.get(f"{base}/items/{legacy.item.id}", by=grace, expect=404)
    heir = await make_member(legacy.vault, role="admin")
    handed = f"/v1/vault/vaults/{legacy.vault.id}/transfer"
    offered = await legacy.client.post(handed, json={"user_id": str(heir.id)}, headers=legacy.headers)
    accepted = await legacy.client.post(f"{handed}/accept", headers=auth(heir))
    assert (offered.status_code, accepted.is_success) == (201, True)
    assert (await legacy.get(f"{base}/documents", by=grace))["items"] == []
    await legacy.get(f"{base}/documents/{legacy.document.id}/content", by=grace, expect=404)
    assert (await legacy.get("/visit/released", by=grace))["vaults"] == []


async def test_reading_ends_with_the_time_even_if_no_worker_has_closed_the_case(legacy: Legacy):
    grace, case_id = await released_to(legacy)
    items = f"/visit/released/vaults/{legacy.vault.id}/items"
    assert (await legacy.get(items, by=grace))["items"]

    statement = "UPDATE legacy_cases SET ends_at = now() - interval '1 second' WHERE id = :id RETURNING id"
    await rows_of(statement, id=case_id)

    await legacy.get(items, by=grace, expect=404)
    assert (await legacy.get("/visit/released", by=grace)) == {"releases": [], "vaults": []}


async def test_a_visit_ends_by_itself_and_on_demand(legacy: Legacy):
    grace = await legacy.name("Grace")
    await legacy.sign_in(grace)
    first = grace.token
    await legacy.sign_in(grace)
    await legacy.post("/visit/sign-out", by=grace, expect=204)
    await legacy.get("/visit", by=grace, expect=401)
    grace.token = first
    await legacy.get("/visit", by=grace)
    statement = "UPDATE nominee_sessions SET expires_at = now() - interval '1 second' WHERE user_id = :id RETURNING id"
    assert len(await rows_of(statement, id=legacy.owner.id)) == 1

    await legacy.get("/visit", by=grace, expect=401)
    await purge()
    assert await rows_of("SELECT id FROM nominee_sessions WHERE user_id = :id", id=legacy.owner.id) == []


async def test_row_level_security_shows_a_nominee_nothing_by_itself(legacy: Legacy):
    from sqlalchemy import text

    grace, _ = await released_to(legacy)
    tables = (
        "vaults",
        "vault_items",
        "vault_documents",
        "vault_members",
        "data_keys",
        "nominees",
        "legacy_cases",
        "jobs",
    )
    async with session_scope(Actor.nominee(grace.id)) as session:
        counts = {table: await session.scalar(text(f"SELECT count(*) FROM {table}")) for table in tables}
    assert set(counts.values()) == {0}


async def test_who_did_not_accept_in_time_is_invited_at_the_release_and_reads_then(legacy: Legacy):
    grace, alan = await legacy.name("Grace"), await legacy.name("Alan", accept=False)
    plan_id = await legacy.plan(grace, alan)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "released")
    subjects = await legacy.subjects(alan.email)
    assert subjects == ["Ada Lovelace trusts you"] * 2

    token = await legacy.link_of(alan.email, "invitation")
    await legacy.post("/invitations/answer", {"token": token, "accept": True}, expect=204)
    await legacy.sign_in(alan)
    assert len((await legacy.get(f"/visit/released/vaults/{legacy.vault.id}/items", by=alan))["items"]) == 1


async def test_no_state_of_payment_changes_anything_about_a_release(legacy: Legacy):
    family_id, _ = await make_family(legacy.owner)
    subscription_id = await make_subscription(family_id, state="suspended")
    with changed_settings(enforce_plan_limits=True):
        files, data = {"file": ("a.txt", b"new")}, {"vault_id": str(legacy.vault.id)}
        refused = await legacy.client.post("/v1/vault/documents", files=files, data=data, headers=legacy.headers)
        assert refused.json()["code"] == "plan-limit-reached"

        grace, _ = await released_to(legacy)

        base = f"{ROOT}/visit/released/vaults/{legacy.vault.id}"
        for state in STATES[1:]:
            await set_subscription(subscription_id, state=state)
            items = await legacy.client.get(f"{base}/items", headers=grace.headers)
            assert len(items.json()["items"]) == 1
            path = f"{base}/documents/{legacy.document.id}/content"
            assert (await legacy.client.get(path, headers=grace.headers)).status_code == 200
            assert (await legacy.client.get(f"{ROOT}/cases", headers=legacy.headers)).status_code == 200
