"""The life of a subscription as the books see it: afterwards they are equal to the provider's, to the cent."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.db.session import session_scope
from app.payments.services.reconciliation import EVENTS_KEPT, reconcile
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth
from tests.payments.outbound.conftest import Shop, advance

pytestmark = pytest.mark.slow

Json = dict[str, Any]


async def rows(statement: str, **values: Any) -> list[Any]:
    async with session_scope() as session:
        return list((await session.execute(text(statement), values)).mappings())


async def balances_of(person: TestUser) -> dict[str, int]:
    """What the ledger has for somebody's family, by account."""
    found = await rows(
        "SELECT l.account, sum(l.amount_cents) AS cents FROM payments_ledger_legs l "
        "JOIN payments_ledger_transactions t ON t.id = l.transaction_id "
        "JOIN payments_families f ON f.id = t.family_id WHERE f.owner_id = :id GROUP BY 1",
        id=person.id,
    )
    return {row["account"]: int(row["cents"]) for row in found if row["cents"]}


async def payment_of(person: TestUser) -> Json:
    found = await rows(
        "SELECT p.* FROM payments_payments p JOIN payments_families f ON f.id = p.family_id "
        "WHERE f.owner_id = :id AND p.received_cents > 0 ORDER BY p.id DESC LIMIT 1",
        id=person.id,
    )
    return dict(found[0])


async def customer_of(person: TestUser) -> str:
    found = await rows(
        "SELECT c.provider_id FROM payments_customers c JOIN payments_families f ON f.id = c.family_id "
        "WHERE f.owner_id = :id",
        id=person.id,
    )
    return str(found[0]["provider_id"])


async def without_trial(person: TestUser) -> None:
    """Let the family's trial be in the past."""
    async with session_scope() as session:
        family = text("SELECT id FROM payments_families WHERE owner_id = :id")
        family_id: UUID = (await session.execute(family, {"id": person.id})).scalar_one()
        await session.execute(
            text("INSERT INTO payments_trials (id, family_id) VALUES (gen_random_uuid(), :id)"), {"id": family_id}
        )


async def test_a_paid_plan_is_earned_day_by_day_and_has_a_receipt(shop: Shop, payer: TestUser):
    await without_trial(payer)

    await shop.buy(payer, plan="family")
    await shop.catch_up()

    books = await balances_of(payer)
    receipts = (await shop.get(payer, "/receipts")).json()["items"]
    assert books["deferred"] == -900
    assert books["cash"] + books["fees"] == 900
    assert "clearing" not in books
    assert [receipt["paid_cents"] for receipt in receipts] == [900]
    pdf = await shop.get(payer, f"/receipts/{receipts[0]['id']}/pdf")
    again = await shop.get(payer, f"/receipts/{receipts[0]['id']}/pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF")
    assert pdf.content == again.content


async def test_a_failed_renewal_leads_through_grace_to_recovery(shop: Shop, payer: TestUser):
    await without_trial(payer)
    await shop.buy(payer, plan="plus")
    await shop.catch_up()
    customer = await customer_of(payer)
    await shop.control(f"customers/{customer}/decline_next", {"code": "insufficient_funds", "times": 1})

    await advance(shop, days=32)
    failed = (await shop.get(payer, "/subscription")).json()
    await advance(shop, days=4)
    recovered = (await shop.get(payer, "/subscription")).json()

    assert failed["subscription"]["state"] == "grace"
    assert failed["plan"]["code"] == "plus"
    assert recovered["subscription"]["state"] == "active"
    assert [each["paid_cents"] for each in (await shop.get(payer, "/receipts")).json()["items"]] == [500, 500]


async def test_a_refund_takes_revenue_and_a_won_dispute_changes_nothing_in_the_end(shop: Shop, payer: TestUser):
    await without_trial(payer)
    await shop.buy(payer, plan="plus")
    await shop.catch_up()
    payment = await payment_of(payer)

    refunded = await shop.post(
        shop.operator,
        "/admin/refunds",
        {"payment_id": str(payment["id"]), "amount_cents": 200, "reason": "requested_by_customer"},
    )
    dispute = await shop.control("disputes", {"charge": payment["charge_id"], "amount": 300})
    await shop.catch_up()
    disputed = await balances_of(payer)
    await shop.control(f"disputes/{dispute['id']}/settle", {"outcome": "won"})
    await shop.catch_up()
    won = await balances_of(payer)

    assert refunded.status_code == 201, refunded.text
    assert disputed["refunds"] == 200
    assert disputed["disputed_funds"] == 300
    assert won["refunds"] == 200
    assert "disputed_funds" not in won
    assert "chargeback_loss" not in won


async def test_a_lost_dispute_is_a_loss(shop: Shop, payer: TestUser):
    await without_trial(payer)
    await shop.buy(payer, plan="plus")
    await shop.catch_up()
    dispute = await shop.control("disputes", {"charge": (await payment_of(payer))["charge_id"]})

    await shop.control(f"disputes/{dispute['id']}/settle", {"outcome": "lost"})
    await shop.catch_up()

    books = await balances_of(payer)
    assert books["chargeback_loss"] == 500
    assert "disputed_funds" not in books


async def test_bought_credits_are_there_once_and_are_taken_back_with_the_money(shop: Shop, payer: TestUser):
    pack = (await rows("SELECT id FROM payments_prices WHERE lookup_key = 'lv:credits:500:eur'"))[0]["id"]
    await shop.buy(payer, price_id=str(pack))
    await shop.catch_up()
    await shop.catch_up()
    before = (await shop.get(payer, "/credits")).json()
    payment = await payment_of(payer)

    await shop.post(
        shop.operator, "/admin/refunds", {"payment_id": str(payment["id"]), "reason": "requested_by_customer"}
    )
    await shop.catch_up()

    after = (await shop.get(payer, "/credits")).json()
    assert before["available"] - after["available"] == 500
    assert (await balances_of(payer)).get("credit_liability", 0) == 0
    assert len((await shop.get(payer, "/receipts")).json()["items"]) == 1


async def test_what_no_webhook_told_is_found_by_reconciliation(shop: Shop, payer: TestUser):
    await without_trial(payer)
    made = (await shop.post(payer, "/checkout", {"plan": "plus", "interval": "month"})).json()
    await shop.complete(made)

    found = await reconcile(shop.provider, "deep")
    again = await reconcile(shop.provider, "deep")

    assert found.healed or found.events_added
    assert again.healed == 0
    assert [found for found in again.differences if found.theirs is not None] == []  # other tests' books are gone
    assert (await shop.subscription(payer))["state"] == "active"
    assert (await balances_of(payer))["deferred"] == -500


async def test_credits_whose_webhook_was_lost_and_whose_event_is_forgotten_are_granted(shop: Shop, payer: TestUser):
    pack = (await rows("SELECT id FROM payments_prices WHERE lookup_key = 'lv:credits:500:eur'"))[0]["id"]
    made = (await shop.post(payer, "/checkout", {"price_id": str(pack)})).json()
    before = (await shop.get(payer, "/credits")).json()
    await shop.complete(made)
    await advance(shop, days=EVENTS_KEPT.days + 1)

    await reconcile(shop.provider, "light")
    after = (await shop.get(payer, "/credits")).json()
    await reconcile(shop.provider, "deep")

    assert after["available"] - before["available"] == 500
    assert (await shop.get(payer, "/credits")).json() == after
    assert "clearing" not in await balances_of(payer)


async def test_an_operator_has_the_books_compared_by_one_job_at_a_time(shop: Shop, payer: TestUser):
    await without_trial(payer)
    await shop.complete((await shop.post(payer, "/checkout", {"plan": "plus", "interval": "month"})).json())

    asked = await shop.post(shop.operator, "/admin/reconciliations", {"depth": "deep"})
    started = asked.json()
    joined = (await shop.post(shop.operator, "/admin/reconciliations", {"depth": "deep"})).json()
    other = (await shop.post(shop.operator, "/admin/reconciliations", {"depth": "light"})).json()
    early = await shop.get(shop.operator, f"/admin/reconciliations/{started['id']}")
    await drain_jobs(shop.settings)
    run = (await shop.get(shop.operator, f"/admin/reconciliations/{started['id']}")).json()
    listed = (await shop.get(shop.operator, "/admin/reconciliations")).json()["items"]
    job = (await shop.client.get(f"/v1/jobs/{started['job_id']}", headers=auth(shop.operator))).json()

    assert asked.status_code == 202
    assert joined == started != other
    assert early.status_code == 404
    assert job["state"] == "succeeded"
    assert job["subject_id"] == started["id"] == run["id"]
    assert run["depth"] == "deep"
    assert run["healed"] or run["events_added"]
    assert {started["id"], other["id"]} <= {each["id"] for each in listed}
    assert (await shop.subscription(payer))["state"] == "active"


async def test_nobody_else_has_the_books_compared(shop: Shop, payer: TestUser):
    asked = await shop.post(payer, "/admin/reconciliations", {"depth": "deep"})
    listed = await shop.get(payer, "/admin/reconciliations")

    assert (asked.status_code, listed.status_code) == (404, 404)
