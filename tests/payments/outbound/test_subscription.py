"""Changing, cancelling, resuming and pausing a subscription; what the preview said is what is charged."""

import asyncio
import os
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.db.session import session_scope
from app.payments.models import BillingSubscription, Family, Invoice
from app.payments.providers.port import Missing
from app.payments.services import resolving, seats
from tests.conftest import drain_jobs
from tests.factories import TestUser
from tests.payments.outbound.conftest import Shop, advance, end_leases, operations_of, payments_of
from tests.payments.outbound.people import make_payer, problem

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
FAMILY = {"plan": "family", "interval": "month"}
SEQUENCES = int(os.environ.get("LIFEVAULT_TEST_CHANGES", "8"))


async def paying(shop: Shop, person: TestUser, **wanted: Any) -> None:
    """A subscription whose trial is over, and that is paid."""
    await shop.buy(person, **wanted)
    await advance(shop, days=15)
    assert (await shop.subscription(person))["state"] == "active"


async def invoices_of(shop: Shop, person: TestUser) -> list[dict[str, Any]]:
    """Invoices as the payer sees them, newest first."""
    found: list[dict[str, Any]] = (await shop.get(person, "/invoices?limit=100")).json()["items"]
    return found


async def test_more_is_charged_now_as_the_preview_said(shop: Shop, payer: TestUser):
    await paying(shop, payer)
    before = await invoices_of(shop, payer)

    preview = (await shop.post(payer, "/subscription/preview", FAMILY)).json()
    changed = await shop.post(payer, "/subscription/change", FAMILY | {"at": preview["at"]})

    assert (preview["effect"], preview["renewal_cents"], preview["effective_at"]) == ("now", 900, preview["at"])
    assert changed.status_code == 200
    assert changed.json()["subscription"]["plan"] == "family"
    assert changed.json()["plan"]["code"] == "family"
    invoices = await invoices_of(shop, payer)
    assert len(invoices) == len(before) + 1
    newest = (await shop.get(payer, f"/invoices/{invoices[0]['id']}")).json()
    assert newest["total_cents"] == preview["total_cents"] > 0
    assert (newest["status"], newest["paid_cents"]) == ("paid", preview["due_cents"])
    told = [(line["description"], line["amount_cents"]) for line in preview["lines"]]
    assert [(line["description"], line["amount_cents"]) for line in newest["lines"]] == told


async def test_less_waits_for_the_end_of_the_period(shop: Shop, payer: TestUser):
    await paying(shop, payer, plan="family", seats=2)
    period_end = (await shop.subscription(payer))["period_end"]
    less = {"plan": "plus", "interval": "month"}

    preview = (await shop.post(payer, "/subscription/preview", less)).json()
    planned = (await shop.post(payer, "/subscription/change", less)).json()["subscription"]

    assert (preview["effect"], preview["due_cents"], preview["renewal_cents"]) == ("period_end", 0, 500)
    assert (preview["effective_at"], preview["at"], preview["lines"]) == (period_end, None, [])
    assert (planned["plan"], planned["seats"]) == ("family", 2)
    assert planned["planned"] == {"plan": "plus", "interval": "month", "seats": 0}
    await advance(shop, days=31)
    later = await shop.subscription(payer)
    assert (later["plan"], later["seats"], later["planned"]) == ("plus", 0, None)


async def test_what_is_planned_can_be_dropped(shop: Shop, payer: TestUser):
    await paying(shop, payer, plan="family")
    assert problem(await shop.post(payer, "/subscription/unplan")) == (409, "nothing-to-change")
    await shop.post(payer, "/subscription/change", {"plan": "plus", "interval": "month"})

    dropped = await shop.post(payer, "/subscription/unplan")

    assert dropped.json()["subscription"]["planned"] is None
    await advance(shop, days=31)
    assert (await shop.subscription(payer))["plan"] == "family"


async def test_a_change_now_drops_what_was_planned(shop: Shop, payer: TestUser):
    await paying(shop, payer, plan="family", seats=2)
    await shop.post(payer, "/subscription/change", FAMILY)
    assert (await shop.subscription(payer))["planned"]["seats"] == 0

    changed = await shop.post(payer, "/subscription/change", FAMILY | {"seats": 3})

    subscription = changed.json()["subscription"]
    assert (subscription["seats"], subscription["planned"]) == (3, None)


async def test_it_ends_with_its_period_unless_it_is_resumed(shop: Shop, payer: TestUser):
    await paying(shop, payer)

    cancelled = (await shop.post(payer, "/subscription/cancel")).json()["subscription"]
    assert (cancelled["state"], cancelled["cancel_at_period_end"]) == ("active", True)
    assert problem(await shop.post(payer, "/subscription/cancel")) == (409, "nothing-to-change")
    assert problem(await shop.post(payer, "/subscription/change", FAMILY)) == (409, "cancellation-pending")
    resumed = (await shop.post(payer, "/subscription/resume")).json()["subscription"]
    assert resumed["cancel_at_period_end"] is False
    assert problem(await shop.post(payer, "/subscription/resume")) == (409, "nothing-to-change")

    await shop.post(payer, "/subscription/cancel", {"at_period_end": True})
    await advance(shop, days=32)
    assert (await shop.subscription(payer))["state"] == "ended"


async def test_it_ends_at_once_when_that_is_wanted_and_another_can_be_bought(shop: Shop, payer: TestUser):
    await paying(shop, payer)

    ended = await shop.post(payer, "/subscription/cancel", {"at_period_end": False})

    assert (ended.json()["subscription"]["state"], ended.json()["plan"]["code"]) == ("ended", "free")
    assert problem(await shop.post(payer, "/subscription/cancel")) == (409, "no-subscription")
    assert (await shop.buy(payer))["state"] == "complete"


async def test_a_pause_collects_nothing_until_it_ends(shop: Shop, payer: TestUser):
    await paying(shop, payer)

    paused = (await shop.post(payer, "/subscription/pause")).json()["subscription"]
    assert paused["is_paused"] is True
    assert problem(await shop.post(payer, "/subscription/pause")) == (409, "nothing-to-change")
    assert problem(await shop.post(payer, "/subscription/change", FAMILY)) == (409, "subscription-paused")
    paid = len([each for each in await payments_of(payer) if each.received_cents])
    await advance(shop, days=40)
    assert len([each for each in await payments_of(payer) if each.received_cents]) == paid

    resumed = (await shop.post(payer, "/subscription/resume")).json()["subscription"]
    assert (resumed["is_paused"], resumed["state"]) == (False, "active")


@pytest.mark.parametrize("path", ["preview", "change"])
async def test_without_a_subscription_there_is_nothing_to_change(shop: Shop, payer: TestUser, path: str):
    assert problem(await shop.post(payer, f"/subscription/{path}", FAMILY)) == (409, "no-subscription")


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ({"plan": "plus", "interval": "month"}, (409, "nothing-to-change")),
        ({"plan": "gold", "interval": "month"}, (404, "price-not-found")),
        ({"plan": "plus", "interval": "month", "seats": 1}, (409, "too-many-seats")),
        ({"plan": "family", "interval": "year", "seats": 7}, (409, "too-many-seats")),
    ],
)
async def test_what_can_not_be_is_refused_before_anybody_is_asked(shop: Shop, payer: TestUser, wanted, refusal):
    await shop.buy(payer)

    for path in ("preview", "change"):
        assert problem(await shop.post(payer, f"/subscription/{path}", wanted)) == refusal


async def test_a_preview_is_good_for_15_minutes(shop: Shop, payer: TestUser):
    await paying(shop, payer)
    at = datetime.fromisoformat((await shop.post(payer, "/subscription/preview", FAMILY)).json()["at"])

    for moment in (at - timedelta(minutes=16), at + timedelta(minutes=5)):
        late = await shop.post(payer, "/subscription/change", FAMILY | {"at": moment.isoformat()})
        assert problem(late) == (409, "preview-too-old")

    assert (await shop.subscription(payer))["plan"] == "plus"


async def test_a_card_that_is_declined_leaves_everything_as_it_was(shop: Shop, payer: TestUser):
    await paying(shop, payer)
    (customer,) = [each.provider_id for each in await operations_of(payer, "customer.create")]
    await shop.control(f"customers/{customer}/decline_next", {"code": "insufficient_funds"})

    declined = await shop.post(payer, "/subscription/change", FAMILY)

    assert problem(declined) == (402, "payment-declined")
    assert declined.json()["reason"] == "insufficient_funds"
    assert (await shop.subscription(payer))["plan"] == "plus"
    await shop.control(f"customers/{customer}/decline_next", {"times": 0})
    assert (await shop.post(payer, "/subscription/change", FAMILY)).status_code == 200


async def test_a_failed_renewal_is_paid_before_anything_else(shop: Shop, payer: TestUser):
    await paying(shop, payer)
    (customer,) = [each.provider_id for each in await operations_of(payer, "customer.create")]
    await shop.control(f"customers/{customer}/decline_next", {"code": "generic_decline", "times": 2})
    await advance(shop, days=31)
    assert (await shop.subscription(payer))["state"] == "grace"
    (open_one,) = [each for each in await invoices_of(shop, payer) if each["status"] == "open"]

    assert problem(await shop.post(payer, "/subscription/change", FAMILY)) == (409, "subscription-not-paid")
    declined = await shop.post(payer, f"/invoices/{open_one['id']}/pay")
    paid = await shop.post(payer, f"/invoices/{open_one['id']}/pay")

    assert problem(declined) == (402, "payment-declined")
    assert paid.json()["status"] == "paid"
    assert (await shop.subscription(payer))["state"] == "active"
    assert problem(await shop.post(payer, f"/invoices/{open_one['id']}/pay")) == (409, "invoice-not-open")


async def test_two_clicks_change_once_and_are_charged_once(shop: Shop, payer: TestUser):
    await paying(shop, payer)
    before = len(await payments_of(payer))

    answers = await asyncio.gather(*(shop.post(payer, "/subscription/change", FAMILY) for _ in range(3)))

    assert {answer.status_code for answer in answers} <= {200, 202, 409}
    await shop.catch_up()
    assert (await shop.subscription(payer))["plan"] == "family"
    assert len(await payments_of(payer)) == before + 1


async def test_the_same_key_changes_once_and_says_the_same(shop: Shop, payer: TestUser):
    await paying(shop, payer)
    key = str(uuid4())

    answers = [await shop.post(payer, "/subscription/change", FAMILY, key) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert len(await operations_of(payer, "subscription.change")) == 1


async def test_when_the_answer_is_lost_the_change_is_made_once(shop: Shop, payer: TestUser):
    await paying(shop, payer)
    await shop.post(payer, "/subscription/preview", FAMILY)  # its price is known by now
    before = len(await payments_of(payer))
    done: list[int] = []
    for seed in range(12):  # which of the calls goes without an answer depends on the seed
        await shop.faults(drop_answers=0.4, seed=seed)
        answer = await shop.post(payer, "/subscription/change", FAMILY)
        await shop.calm()
        done.append(answer.status_code)
        await end_leases()
        await resolving.resolve_due(shop.provider)
        if (await shop.subscription(payer))["plan"] == "family":
            break

    await shop.catch_up()
    assert set(done) <= {200, 202, 409, 503}
    assert (await shop.subscription(payer))["plan"] == "family"
    assert len(await payments_of(payer)) == before + 1


async def test_whoever_leaves_for_good_pays_for_nothing_any_more_even_after_an_outage(shop: Shop, payer: TestUser):
    await paying(shop, payer)
    (customer,) = [each.provider_id for each in await operations_of(payer, "customer.create")]
    async with session_scope() as session:
        family_id = (await session.scalars(select(Family.id).where(Family.owner_id == payer.id))).one()
        await seats.close_family(session, payer.id)
    await shop.faults(down=True)
    await drain_jobs(shop.settings)
    await shop.calm()
    assert [each.state for each in await operations_of(payer, "subscription.end")] == ["created"]

    for _ in range(2):
        await end_leases()
        await resolving.resolve_due(shop.provider)

    assert [each.state for each in await operations_of(payer, "subscription.end")] == ["succeeded"]
    async with session_scope() as session:
        states = select(BillingSubscription.state).where(BillingSubscription.family_id == family_id)
        assert list(await session.scalars(states)) == ["ended"]
    with pytest.raises(Missing):
        await shop.provider.list_cards(customer or "")


async def change_at_random(shop: Shop, person: TestUser, rng: random.Random) -> str:
    """Ask for a change and accept it; what the preview said must be what was charged. Returns what came of it."""
    await shop.control("clock", {"advance_seconds": rng.randrange(1, 20 * 86_400)})
    await shop.catch_up(timedelta(days=400))
    wanted = {"plan": rng.choice(["plus", "family"]), "interval": rng.choice(["month", "year"])}
    if wanted["plan"] == "family":
        wanted["seats"] = rng.randrange(0, 4)
    preview = await shop.post(person, "/subscription/preview", wanted)
    if preview.status_code == 409:
        assert preview.json()["code"] == "nothing-to-change"
        return "nothing"
    said = preview.json()
    before = {each["id"] for each in await invoices_of(shop, person)}
    changed = await shop.post(person, "/subscription/change", wanted | {"at": said["at"]})
    assert changed.status_code == 200, changed.text
    new = [each for each in await invoices_of(shop, person) if each["id"] not in before]
    assert sum(each["total_cents"] for each in new) == said["total_cents"], (wanted, said)
    assert sum(each["due_cents"] for each in new) == said["due_cents"]
    assert sum(each["tax_cents"] for each in new) == said["tax_cents"]
    after = changed.json()["subscription"]
    shown = after if said["effect"] == "now" else after["planned"]
    assert {name: shown[name] for name in wanted} == wanted
    return "charged" if said["total_cents"] else str(said["effect"])


async def walk(shop: Shop, seeds: range, steps: int) -> list[str]:
    """Many sequences of changes, each from a subscription of its own."""
    came: list[str] = []
    for seed in seeds:
        rng, person = random.Random(seed), (await make_payer())[1]
        await shop.buy(person, plan=rng.choice(["plus", "family"]), interval=rng.choice(["month", "year"]))
        came += [await change_at_random(shop, person, rng) for _ in range(steps)]
    return came


async def test_previews_are_charged_to_the_cent_over_many_sequences_of_changes(shop: Shop):
    came = await walk(shop, range(1_000, 1_000 + SEQUENCES), 4)

    assert (len(came), came.count("charged") > SEQUENCES / 2, came.count("period_end") > SEQUENCES / 2) == (
        4 * SEQUENCES,
        True,
        True,
    ), {each: came.count(each) for each in set(came)}
    async with session_scope() as session:
        amounts = select(Invoice.total_cents, Invoice.subtotal_cents, Invoice.discount_cents, Invoice.tax_cents)
        assert all(row[0] == row[1] - row[2] + row[3] for row in await session.execute(amounts))
