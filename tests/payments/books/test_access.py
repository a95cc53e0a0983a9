"""What a family may do, over every state; what is never taken away."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.db.runtime import Runtime
from app.db.session import session_scope
from app.payments.services.access import STATES, Access, PlanFacts, SubscriptionFacts, access_of, derive
from app.payments.services.months import add_months, months_between
from tests.conftest import drain_jobs
from tests.factories import auth, make_document, make_item, make_vault
from tests.payments.books.conftest import (
    grant_plan,
    make_family,
    make_invoice,
    make_plan,
    make_subscription,
    set_subscription,
    version_id,
)

NOW = datetime(2027, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FREE = PlanFacts("free", uuid4(), 0, {"seats": 1, "documents": 50, "credits_monthly": 30})
PLUS = PlanFacts("plus", uuid4(), 1, {"seats": 1, "documents": None, "credits_monthly": 600})
FAMILY = PlanFacts("family", uuid4(), 2, {"seats": 6, "documents": None, "credits_monthly": 1_500})


def subscription(state: Any, **changes: Any) -> SubscriptionFacts:
    values = {
        "id": uuid4(),
        "state": state,
        "plan": PLUS,
        "seats": 0,
        "period_start": NOW - timedelta(days=10),
        "period_end": NOW + timedelta(days=20),
        "trial_end": NOW + timedelta(days=4) if state == "trialing" else None,
        "grace_until": NOW + timedelta(days=4) if state == "grace" else None,
        "is_paused": False,
        "paid_until": None,
    }
    return SubscriptionFacts(**(values | changes))


LADDER = {
    "none": ("free", True, True, "free"),
    "pending": ("free", True, True, "not_paid_yet"),
    "trialing": ("plus", True, True, "trial"),
    "active": ("plus", True, True, "subscribed"),
    "grace": ("plus", True, True, "grace"),
    "suspended": ("free", False, False, "unpaid"),
    "ended": ("free", True, True, "ended"),
}


@pytest.mark.parametrize("state", STATES)
def test_each_step_of_the_ladder(state):
    access = derive(None if state == "none" else subscription(state), None, FREE, NOW)

    assert access.state == state
    assert (access.plan_code, access.may_write, access.may_use_ai, access.reason) == LADDER[state]


def test_everything_stays_open_in_grace_until_it_is_over():
    late = subscription("grace", grace_until=NOW)

    assert derive(late, None, FREE, NOW - HOUR).plan_code == "plus"
    over = derive(late, None, FREE, NOW)
    assert (over.state, over.plan_code, over.may_write) == ("suspended", "free", False)
    assert derive(subscription("grace", grace_until=None), None, FREE, NOW).state == "suspended"


def test_a_paused_plan_lasts_as_long_as_it_is_paid():
    paused = subscription("active", is_paused=True, paid_until=NOW + HOUR)

    assert (derive(paused, None, FREE, NOW).plan_code, derive(paused, None, FREE, NOW).until) == ("plus", NOW + HOUR)
    after = derive(paused, None, FREE, NOW + HOUR)
    assert (after.plan_code, after.reason, after.may_write) == ("free", "paused", True)


def test_a_granted_plan_counts_unless_a_larger_one_is_paid_for():
    assert derive(None, FAMILY, FREE, NOW).reason == "granted"
    assert derive(subscription("active"), FAMILY, FREE, NOW).plan_code == "family"
    assert derive(subscription("active", plan=FAMILY), PLUS, FREE, NOW).reason == "subscribed"
    unpaid = derive(subscription("suspended"), PLUS, FREE, NOW)
    assert (unpaid.plan_code, unpaid.may_write, unpaid.state) == ("plus", True, "suspended")


def test_bought_seats_are_added_to_those_of_the_plan():
    access = derive(subscription("active", plan=FAMILY, seats=3), None, FREE, NOW)

    assert access.limits["seats"] == 9


def test_in_every_state_there_is_a_plan_and_nothing_that_closes_reading():
    """Every combination of facts has an answer; none of its fields is about reading, export or legacy release."""
    moments = (None, NOW - HOUR, NOW, NOW + HOUR)
    for state, plan, granted, paused, grace, paid in product(
        STATES[1:], (PLUS, FAMILY), (None, PLUS, FAMILY), (False, True), moments, moments
    ):
        facts = subscription(state, plan=plan, is_paused=paused, grace_until=grace, paid_until=paid)
        access = derive(facts, granted, FREE, NOW)
        assert access.plan_code in ("free", "plus", "family")
        assert access.may_write or (access.state == "suspended" and granted is None)
        assert access.may_use_ai == access.may_write
    assert set(Access.__dataclass_fields__) & {"may_read", "may_export", "may_release"} == set()


STATES_IN_DATABASE = [state for state in STATES if state != "none"]


@pytest.mark.parametrize("state", STATES_IN_DATABASE)
async def test_what_is_stored_can_be_read_and_taken_away_in_every_state(
    client: httpx.AsyncClient, runtime: Runtime, enforced: None, state: str
):
    family_id, owner = await make_family()
    vault = await make_vault(owner)
    item = await make_item(owner, vault)
    document = await make_document(owner, vault)
    tiny = await make_plan({"documents": 0, "storage_bytes": 0})
    await make_subscription(family_id, plan="plus", state=state, plan_version_id=tiny)

    paths = [
        "/v1/vault/vaults",
        f"/v1/vault/vaults/{vault.id}",
        "/v1/vault/items",
        f"/v1/vault/items/{item.id}",
        f"/v1/vault/items/{item.id}/versions",
        "/v1/vault/documents",
        f"/v1/vault/documents/{document.id}",
        f"/v1/vault/documents/{document.id}/content",
        f"/v1/vault/documents/{document.id}/versions",
        "/v1/payments/family",
        "/v1/payments/usage",
        "/v1/payments/credits",
    ]
    statuses = {path: (await client.get(path, headers=auth(owner))).status_code for path in paths}

    assert set(statuses.values()) == {200}, statuses
    exported = await client.post("/v1/vault/exports", json={}, headers=auth(owner))
    assert exported.status_code == 202, exported.text
    await drain_jobs(runtime.settings)
    archive = await client.get(f"{exported.headers['Location']}/content", headers=auth(owner))
    assert (archive.status_code, archive.content[:2]) == (200, b"PK")
    renamed = await client.patch(f"/v1/vault/items/{item.id}", json={"title": "Renamed"}, headers=auth(owner))
    assert renamed.status_code == 200
    trashed = await client.delete(f"/v1/vault/documents/{document.id}", headers=auth(owner))
    assert trashed.status_code == 204


async def test_access_is_read_from_the_newest_live_subscription(runtime: Runtime):
    family_id, _ = await make_family()
    now = datetime.now(UTC)
    await make_subscription(family_id, plan="family", state="ended", ended_at=now, started_at=now)
    live = await make_subscription(family_id, plan="plus", seats=0, started_at=now - timedelta(days=300))

    async def plan() -> tuple[str, str]:
        async with session_scope() as session:
            access = await access_of(session, family_id)
        return access.plan_code, access.state

    assert await plan() == ("plus", "active")
    await set_subscription(live, state="ended", ended_at=now)
    assert await plan() == ("free", "ended")
    await grant_plan(family_id, await version_id("family"))
    assert await plan() == ("family", "ended")


async def test_a_paused_subscription_is_open_until_what_was_paid_for_ends(runtime: Runtime):
    family_id, _ = await make_family()
    now = datetime.now(UTC)
    subscription_id = await make_subscription(family_id, plan="plus", is_paused=True)
    async with session_scope() as session:
        assert (await access_of(session, family_id)).reason == "paused"

    line = {"amount_cents": 500, "period_start": now - timedelta(days=1), "period_end": now + timedelta(days=29)}
    await make_invoice(family_id, subscription_id, [line], paid_at=now)

    async with session_scope() as session:
        assert (await access_of(session, family_id)).plan_code == "plus"


@pytest.mark.parametrize(
    ("start", "months", "then"),
    [
        (datetime(2027, 1, 31, tzinfo=UTC), 1, datetime(2027, 2, 28, tzinfo=UTC)),
        (datetime(2027, 1, 31, tzinfo=UTC), 2, datetime(2027, 3, 31, tzinfo=UTC)),
        (datetime(2027, 12, 15, 8, tzinfo=UTC), 1, datetime(2028, 1, 15, 8, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), 12, datetime(2029, 2, 28, tzinfo=UTC)),
    ],
)
def test_months_are_counted_from_the_day_they_began(start, months, then):
    assert add_months(start, months) == then
    assert months_between(start, then) == months
    assert months_between(start, then - timedelta(seconds=1)) == months - 1
