"""Disputes to the end: the money goes, and comes back if we win."""

import pytest

from app.payments.providers.port import Missing, Refused
from tests.payments.contract.shop import DAY, op


async def test_a_dispute_says_what_it_is_about(shop, provider):
    payment = await shop.pay(1_000)
    dispute = await shop.dispute(payment.charge_id)

    assert (dispute.charge_id, dispute.payment_id) == (payment.charge_id, payment.id)
    assert (dispute.status, dispute.amount_cents, dispute.currency) == ("needs_response", 1_000, "eur")
    assert dispute.reason
    assert dispute.created_at < dispute.evidence_due_at
    assert (await provider.fetch_payment(payment.id)).is_disputed is True


async def test_a_card_that_disputes_disputes(shop, provider):
    payment = await shop.pay(1_000, card="pm_card_createDispute")
    await shop.advance(DAY)

    [dispute] = [each async for each in provider.list_disputes()]
    assert dispute.payment_id == payment.id


async def test_evidence_can_be_kept_before_it_is_sent(shop, provider):
    dispute = await shop.dispute((await shop.pay()).charge_id)
    text = {"uncategorized_text": "Die Familie hat den Tresor benutzt: äöü 家族"}

    kept = await provider.answer_dispute(op(), dispute.id, text, submit=False)

    assert kept.status == "needs_response"
    raw = (await shop.control.get(f"/v1/disputes/{dispute.id}")).json()
    assert raw["evidence"]["uncategorized_text"] == text["uncategorized_text"]


async def test_evidence_that_is_sent_is_looked_at(shop, provider):
    operation, dispute = op(), await shop.dispute((await shop.pay()).charge_id)
    text = {"uncategorized_text": "they used it"}

    answered = [await provider.answer_dispute(operation, dispute.id, text, submit=True) for _ in range(2)]

    assert answered[0] == answered[1]
    assert answered[0].status == "under_review"


async def test_a_dispute_that_is_won_gives_the_money_back(shop, provider):
    payment = await shop.pay(1_000)
    dispute = await shop.dispute(payment.charge_id)
    await shop.settle(dispute.id, won=True)

    assert (await provider.fetch_dispute(dispute.id)).status == "won"
    entries = [each async for each in provider.list_balance_transactions(payment_id=payment.id)]
    assert sum(each.amount_cents for each in entries) == 1_000


async def test_a_dispute_that_is_lost_does_not(shop, provider):
    payment = await shop.pay(1_000)
    dispute = await shop.dispute(payment.charge_id)
    await shop.settle(dispute.id, won=False)

    assert (await provider.fetch_dispute(dispute.id)).status == "lost"
    entries = [each async for each in provider.list_balance_transactions(payment_id=payment.id)]
    assert sum(each.amount_cents for each in entries) == 0


async def test_a_dispute_that_nobody_answers_is_lost(shop, provider):
    dispute = await shop.dispute((await shop.pay()).charge_id)
    await shop.advance_to(dispute.evidence_due_at, DAY)

    assert (await provider.fetch_dispute(dispute.id)).status == "lost"


async def test_a_dispute_that_is_over_can_not_be_answered(shop, provider):
    dispute = await shop.dispute((await shop.pay()).charge_id)
    await shop.settle(dispute.id, won=False)

    with pytest.raises(Refused):
        await provider.answer_dispute(op(), dispute.id, {"uncategorized_text": "late"}, submit=True)


async def test_what_is_disputed_can_not_be_given_back(shop, provider):
    payment = await shop.pay(1_000)
    await shop.dispute(payment.charge_id)

    with pytest.raises(Refused):
        await provider.create_refund(op(), payment.id, amount_cents=100, reason=None)


async def test_disputes_are_listed_newest_first_and_since_a_time(shop, provider):
    first = await shop.dispute((await shop.pay(1_000)).charge_id)
    await shop.advance(DAY)
    since = await shop.now()
    second = await shop.dispute((await shop.pay(2_000)).charge_id)

    assert [each async for each in provider.list_disputes()] == [second, first]
    assert [each async for each in provider.list_disputes(since)] == [second]


async def test_a_dispute_that_is_not_there_is_missing(provider):
    with pytest.raises(Missing):
        await provider.fetch_dispute("dp_nobody")
    with pytest.raises(Missing):
        await provider.answer_dispute(op(), "dp_nobody", {"uncategorized_text": "x"}, submit=True)
