"""Disputes, the merchant's balance, payouts and the events, by the official SDK."""

import pytest
import stripe

from tests.payments.sim.market import DAY


async def opened(market, **more):
    intent = await market.pay(5_000)
    return intent, await market.simulator.control("/disputes", {"charge": intent.latest_charge, **more})


async def test_a_dispute_takes_the_money_and_a_fee(market):
    intent, made = await opened(market, reason="product_not_received")
    dispute = await market.v1.disputes.retrieve_async(made["id"])
    charge = await market.v1.charges.retrieve_async(intent.latest_charge)
    [withdrawal] = [each for each in await market.movements() if each.type == "adjustment"]

    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "product_not_received", 5_000)
    assert dispute.evidence_details.due_by == dispute.created + 9 * DAY
    assert (charge.disputed, withdrawal.amount, withdrawal.fee) == (True, -5_000, 1_500)
    assert (withdrawal.source, withdrawal.reporting_category) == (dispute.id, "dispute")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await market.v1.refunds.create_async({"charge": intent.latest_charge})
    assert caught.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("words", "status", "back"), [("winning_evidence", "won", 5_000), ("losing_evidence", "lost", 0)]
)
async def test_evidence_decides(market, words, status, back):
    _, made = await opened(market)
    params = {"evidence": {"uncategorized_text": words}, "submit": True}
    answered = await market.v1.disputes.update_async(made["id"], params)
    types = [event.type for event in await market.events() if event.type.startswith("charge.dispute")]
    returned = [each.amount for each in await market.movements() if each.reporting_category == "dispute_reversal"]

    assert answered.status == status
    assert types[:2] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert "charge.dispute.closed" in types
    assert ("charge.dispute.funds_reinstated" in types) == (status == "won")
    assert sum(returned) == back


async def test_evidence_that_is_only_saved_decides_nothing(market):
    _, made = await opened(market)
    params = {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": False}
    saved = await market.v1.disputes.update_async(made["id"], params)

    assert (saved.status, saved.evidence_details.has_evidence) == ("needs_response", True)


async def test_a_dispute_that_is_not_answered_is_lost(market):
    _, made = await opened(market)
    await market.simulator.advance(days=10)
    lost = await market.v1.disputes.retrieve_async(made["id"])

    assert (lost.status, lost.evidence_details.past_due) == ("lost", True)


async def test_the_bank_decides_as_it_is_told(market):
    _, made = await opened(market)
    await market.v1.disputes.update_async(made["id"], {"evidence": {"product_description": "A vault"}})
    await market.simulator.control(f"/disputes/{made['id']}/settle", {"outcome": "won"})

    assert (await market.v1.disputes.retrieve_async(made["id"])).status == "won"


async def test_a_dispute_can_be_given_up(market):
    _, made = await opened(market)

    assert (await market.v1.disputes.close_async(made["id"])).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.disputes.close_async(made["id"])


async def test_a_card_that_disputes_does_so_at_once(market):
    intent = await market.pay(card="pm_card_createDispute")
    [dispute] = (await market.v1.disputes.list_async({"payment_intent": intent.id})).data

    assert (dispute.status, dispute.amount) == ("needs_response", 1_000)


async def test_an_inquiry_takes_nothing(market):
    intent = await market.pay(card="pm_card_createDisputeInquiry")
    [dispute] = (await market.v1.disputes.list_async({"charge": intent.latest_charge})).data

    assert dispute.status == "warning_needs_response"
    assert [each.type for each in await market.movements()] == ["charge"]


async def test_only_what_is_left_is_disputed(market):
    intent = await market.pay(1_000)
    await market.v1.refunds.create_async({"payment_intent": intent.id, "amount": 400})
    made = await market.simulator.control("/disputes", {"charge": intent.latest_charge})

    assert made["amount"] == 600


async def test_the_balance_is_the_sum_of_its_movements(market):
    await market.pay(10_000)
    refunded = await market.pay(2_000, card="pm_card_bypassPending")
    await market.v1.refunds.create_async({"payment_intent": refunded.id, "amount": 500})
    _, made = await opened(market)
    await market.simulator.control(f"/disputes/{made['id']}/settle", {"outcome": "won"})
    movements = await market.movements()
    balance = await market.v1.balance.retrieve_async()

    assert await market.balance() == sum(each.net for each in movements)
    assert balance.available[0].amount == sum(each.net for each in movements if each.status == "available")
    assert all(each.net == each.amount - each.fee for each in movements)


async def test_movements_are_listed_by_type_and_source(market):
    intent = await market.pay(10_000)
    refund = await market.v1.refunds.create_async({"payment_intent": intent.id, "amount": 500})
    by_type = await market.v1.balance_transactions.list_async({"type": "refund"})
    by_source = await market.v1.balance_transactions.list_async({"source": intent.latest_charge})

    assert [each.source for each in by_type.data] == [refund.id]
    assert [each.type for each in by_source.data] == ["charge"]


async def test_payouts_come_daily_once_they_are_switched_on(market):
    await market.pay(10_000)
    await market.simulator.control("/rules", {"payouts": True})
    await market.simulator.advance(days=6)
    [payout] = (await market.v1.payouts.list_async()).data
    inside = await market.v1.balance_transactions.list_async({"payout": payout.id})

    assert (payout.amount, payout.status, payout.automatic) == (9_680, "paid", True)
    assert [each.type for each in inside.data] == ["payout", "charge"]
    assert await market.balance() == 0


async def test_fees_are_as_they_are_set(market):
    await market.simulator.control("/rules", {"fee_permille": 15, "fee_fixed": 25})
    await market.pay(10_000)

    assert [each.fee for each in await market.movements()] == [175]


async def test_events_reach_back_thirty_days(market):
    await market.customer(None)
    old = (await market.events("customer.created"))[0]
    await market.simulator.advance(days=31)

    assert not await market.events("customer.created")
    assert (await market.v1.events.retrieve_async(old.id)).type == "customer.created"
