"""Limits: counted once, given back once, exact however many ask at once; vaults and answers go through them."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.config import Settings
from app.db.runtime import Runtime
from app.db.session import Actor, session_scope
from app.payments.errors import PlanLimitReached
from app.payments.services import families, limits
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, hand_over, make_document, make_member, make_user, make_vault
from tests.payments.books.conftest import (
    audit_of,
    grant_plan,
    make_family,
    make_plan,
    make_subscription,
    rows_of,
    set_subscription,
)
from tests.payments.books.test_credits import balance

pytestmark = pytest.mark.slow

DOCUMENTS = "/v1/vault/documents"
ASK = "/v1/rag/ask"


async def consume(family_id: UUID, amount: int = 1, key: str = "", meter: str = "agents") -> bool:
    try:
        async with session_scope(Actor.family(family_id)) as session:
            await limits.consume(session, family_id, meter, amount, key or uuid4().hex)
    except PlanLimitReached:
        return False
    return True


async def used(family_id: UUID, meter: str = "agents") -> int:
    async with session_scope() as session:
        return next(each.used for each in await limits.usage(session, family_id) if each.meter == meter)


async def limited_family(**plan: Any) -> tuple[UUID, TestUser]:
    family_id, owner = await make_family()
    await grant_plan(family_id, await make_plan(plan))
    return family_id, owner


async def test_a_limit_is_reached_exactly_however_many_ask_at_once(runtime: Runtime, enforced: None):
    family_id, _ = await limited_family(agents=37)

    granted = await asyncio.gather(*(consume(family_id) for _ in range(120)))

    assert (sum(granted), await used(family_id)) == (37, 37)


async def test_what_is_repeated_is_counted_once_and_given_back_once(runtime: Runtime, enforced: None):
    family_id, _ = await limited_family(agents=10)
    for _ in range(3):
        assert await consume(family_id, 4, "the same")
    assert await used(family_id) == 4

    for _ in range(3):
        async with session_scope(Actor.family(family_id)) as session:
            await limits.give_back(session, family_id, "agents", 4, "the same")
    assert await used(family_id) == 0

    assert await consume(family_id, 4, "the same")
    assert await used(family_id) == 4


async def test_a_refusal_says_what_the_limit_is_and_counts_nothing(runtime: Runtime, enforced: None):
    family_id, _ = await limited_family(agents=10)
    await consume(family_id, 8)

    async with session_scope(Actor.family(family_id)) as session:
        with pytest.raises(PlanLimitReached) as refused:
            await limits.consume(session, family_id, "agents", 3, "more")

    facts = {name: refused.value.extra[name] for name in ("meter", "limit", "used", "asked")}
    assert facts == {"meter": "agents", "limit": 10, "used": 8, "asked": 3}
    assert await used(family_id) == 8


async def test_a_meter_of_the_month_begins_anew_each_month(runtime: Runtime):
    family_id, _ = await limited_family()
    await consume(family_id, 5, meter="api_requests")
    await rows_of(
        "UPDATE payments_usage_counters SET period = '2020-01' WHERE family_id = :id RETURNING 1", id=family_id
    )

    assert await used(family_id, "api_requests") == 0


async def test_where_plans_limit_nothing_usage_is_counted_all_the_same(runtime: Runtime):
    family_id, _ = await limited_family(agents=1)

    assert all([await consume(family_id) for _ in range(3)])
    assert await used(family_id) == 3


async def test_who_has_not_paid_puts_nothing_in(runtime: Runtime, enforced: None):
    family_id, _ = await make_family()
    subscription = await make_subscription(family_id, plan="plus")
    assert await consume(family_id)

    await set_subscription(subscription, state="suspended")

    assert not await consume(family_id, meter="documents")


async def upload(client: httpx.AsyncClient, person: TestUser, vault_id: UUID, size: int) -> httpx.Response:
    files = {"file": ("note.txt", b"x" * size)}
    return await client.post(DOCUMENTS, data={"vault_id": str(vault_id)}, files=files, headers=auth(person))


async def stored_by(person: TestUser) -> dict[str, int]:
    async with session_scope() as session:
        family_id = await families.family_of(session, person.id)
        return {each.meter: each.used for each in await limits.usage(session, family_id)}


async def entries_match(person: TestUser) -> None:
    """The counters are what the entries sum up to, and what the vaults of the person hold."""
    rows = await rows_of(
        "SELECT coalesce(sum(v.size), 0) AS bytes, count(DISTINCT v.document_id) AS documents "
        "FROM vault_document_versions v JOIN vault_members m ON m.vault_id = v.vault_id AND m.role = 'owner' "
        "WHERE m.user_id = :id",
        id=person.id,
    )
    stored = await stored_by(person)
    assert (stored["storage_bytes"], stored["documents"]) == (rows[0].bytes, rows[0].documents)


async def test_a_vault_counts_for_its_owner_whoever_puts_something_there(client: httpx.AsyncClient, enforced: None):
    owner = await make_user()
    vault = await make_vault(owner)
    editor = await make_member(vault)

    made = await upload(client, editor, vault.id, 1_000)
    replaced = await client.put(f"{DOCUMENTS}/{made.json()['id']}/content", content=b"y" * 500, headers=auth(editor))

    assert (made.status_code, replaced.status_code) == (202, 202)
    assert {name: (await stored_by(owner))[name] for name in ("documents", "storage_bytes")} == {
        "documents": 1,
        "storage_bytes": 1_500,
    }
    assert (await stored_by(editor))["storage_bytes"] == 0
    await entries_match(owner)


async def test_an_upload_over_the_plan_is_refused_and_leaves_nothing(client: httpx.AsyncClient, enforced: None):
    _, owner = await limited_family(storage_bytes=1_000, documents=2)
    vault = await make_vault(owner)

    sizes = [await upload(client, owner, vault.id, size) for size in (600, 600, 300, 50)]

    assert [each.status_code for each in sizes] == [202, 402, 202, 402]
    problem = sizes[1].json()
    assert {name: problem[name] for name in ("code", "meter", "limit", "used", "asked")} == {
        "code": "plan-limit-reached",
        "meter": "storage_bytes",
        "limit": 1_000,
        "used": 600,
        "asked": 600,
    }
    assert sizes[3].json()["meter"] == "documents"
    await entries_match(owner)


async def test_what_is_purged_makes_room_again(client: httpx.AsyncClient, settings: Settings, enforced: None):
    family_id, owner = await limited_family(storage_bytes=1_000)
    vault = await make_vault(owner)
    document = (await upload(client, owner, vault.id, 900)).json()["id"]
    await client.put(f"{DOCUMENTS}/{document}/content", content=b"z" * 100, headers=auth(owner))
    assert (await upload(client, owner, vault.id, 1)).status_code == 402

    await client.delete(f"{DOCUMENTS}/{document}", headers=auth(owner))
    assert (await upload(client, owner, vault.id, 1)).status_code == 402
    await client.post(f"{DOCUMENTS}/{document}/purge", headers=auth(owner))

    assert await used(family_id, "storage_bytes") == 0
    assert (await upload(client, owner, vault.id, 1_000)).status_code == 202
    await entries_match(owner)


async def test_a_vault_that_is_destroyed_makes_room_again(
    client: httpx.AsyncClient, settings: Settings, runtime: Runtime
):
    owner = await make_user()
    vault, kept = await make_vault(owner), await make_vault(owner)
    for each in (vault, vault, kept):
        await make_document(owner, each)
    await client.delete(f"/v1/vault/vaults/{vault.id}", headers=auth(owner))
    await client.post(f"/v1/vault/vaults/{vault.id}/purge", headers=auth(owner))
    await drain_jobs(settings)

    stored = await stored_by(owner)
    assert stored["documents"] == 1
    await entries_match(owner)


async def test_a_vault_that_is_handed_over_counts_for_its_new_owner(
    client: httpx.AsyncClient, settings: Settings, runtime: Runtime
):
    owner = await make_user()
    vault = await make_vault(owner)
    heir = await make_member(vault, role="admin")
    await make_document(owner, vault, content=b"1234567890")

    await hand_over(vault, owner, heir)
    await drain_jobs(settings)

    assert ((await stored_by(owner))["storage_bytes"], (await stored_by(heir))["storage_bytes"]) == (0, 10)
    await entries_match(owner)
    await entries_match(heir)


async def test_uploads_and_purges_at_once_count_exactly(client: httpx.AsyncClient, runtime: Runtime, enforced: None):
    family_id, owner = await limited_family(storage_bytes=10_000)
    vault = await make_vault(owner)

    async def come_and_go(number: int) -> int:
        response = await upload(client, owner, vault.id, 1_000)
        if response.status_code == 202 and number % 2:
            document = response.json()["id"]
            await client.delete(f"{DOCUMENTS}/{document}", headers=auth(owner))
            purged = await client.post(f"{DOCUMENTS}/{document}/purge", headers=auth(owner))
            assert purged.status_code == 204
        return response.status_code

    statuses = set(await asyncio.gather(*(come_and_go(number) for number in range(30))))

    assert statuses <= {202, 402}
    assert await used(family_id, "storage_bytes") <= 10_000
    await entries_match(owner)


async def asked(client: httpx.AsyncClient, person: TestUser, **changes: Any) -> httpx.Response:
    return await client.post(ASK, json={"question": "What is the excess?", **changes}, headers=auth(person))


async def test_an_answer_costs_the_asker_a_credit_and_not_the_owner(
    client: httpx.AsyncClient, runtime: Runtime, enforced: None
):
    owner_family, owner = await make_family()
    vault = await make_vault(owner)
    member = await make_member(vault)
    await balance(owner_family)

    assert (await asked(client, member)).status_code == 200

    async with session_scope() as session:
        family_id = await families.family_of(session, member.id)
    assert await balance(family_id) == (29, 0, 0)
    assert await balance(owner_family) == (30, 0, 0)


async def test_a_streamed_answer_costs_the_same(client: httpx.AsyncClient, runtime: Runtime, enforced: None):
    family_id, owner = await make_family()

    response = await asked(client, owner, stream=True)

    assert "event: answer" in response.text
    assert await balance(family_id) == (29, 0, 0)


async def test_a_question_that_is_refused_costs_nothing(client: httpx.AsyncClient, runtime: Runtime, enforced: None):
    family_id, owner = await make_family()

    assert (await asked(client, owner, vault_ids=[str(uuid4())])).status_code == 404

    assert await balance(family_id) == (30, 0, 0)


async def test_without_credits_there_is_no_answer_but_everything_can_be_read(
    client: httpx.AsyncClient, runtime: Runtime, enforced: None
):
    family_id, owner = await limited_family(credits_monthly=1)
    vault = await make_vault(owner)
    document = await make_document(owner, vault)

    answers = [await asked(client, owner) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 402]
    assert answers[1].json()["meter"] == "ai_credits"
    assert (await audit_of(family_id)).used == 1
    content = await client.get(f"{DOCUMENTS}/{document.id}/content", headers=auth(owner))
    assert content.status_code == 200


async def test_usage_and_credits_are_shown(client: httpx.AsyncClient, runtime: Runtime, enforced: None):
    _, owner = await limited_family(storage_bytes=200, documents=None, credits_monthly=10)
    vault = await make_vault(owner)
    await upload(client, owner, vault.id, 50)
    for _ in range(3):
        await asked(client, owner)

    usage = (await client.get("/v1/payments/usage", headers=auth(owner))).json()
    first = (await client.get("/v1/payments/credits?limit=2", headers=auth(owner))).json()
    path = f"/v1/payments/credits?limit=2&cursor={first['next_cursor']}"
    second = (await client.get(path, headers=auth(owner))).json()

    meters = {each["meter"]: (each["used"], each["limit"], each["percent"]) for each in usage["meters"]}
    assert usage["enforced"] is True
    assert (meters["storage_bytes"], meters["documents"], meters["seats"]) == (
        (50, 200, 25),
        (1, None, None),
        (1, 1, 100),
    )
    assert (first["available"], first["held"], first["debt"]) == (7, 0, 0)
    assert [(lot["source"], lot["granted"], lot["remaining"], lot["used"]) for lot in first["lots"]] == [
        ("plan", 10, 7, 3)
    ]
    assert [use["used"] for use in first["history"] + second["history"]] == [1, 1, 1]
    assert second["next_cursor"] is None


async def test_nothing_of_a_question_is_kept_with_its_price(client: httpx.AsyncClient, runtime: Runtime):
    family_id, owner = await make_family()
    await asked(client, owner)

    rows = await rows_of(
        "SELECT row_to_json(h)::text AS row FROM payments_credit_holds h WHERE family_id = :id", id=family_id
    )

    assert len(rows) == 1
    assert "excess" not in rows[0].row
    assert json.loads(rows[0].row)["key"].startswith("ask:1:")
