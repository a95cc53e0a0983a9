"""What one provider reads, the other reads in just the same words."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.payments.providers.port import Line, Provider
from tests.payments.contract.conftest import opened
from tests.payments.contract.shop import DAY, Shop, op


@pytest.fixture
async def others(simulator) -> AsyncIterator[Provider]:
    other = opened("stripe", simulator)
    yield other
    await other.close()


@pytest.fixture(params=["sim"])
async def provider(request, simulator) -> AsyncIterator[Provider]:
    provider = opened("sim", simulator)
    yield provider
    await provider.close()


async def all_of(objects):
    return [each async for each in objects]


async def test_both_providers_read_the_same_objects(shop: Shop, provider: Provider, others: Provider):
    await provider.ensure_coupon("TEN", percent=10, amount_cents=None, currency=None, months=0)
    plus, family, seat = await shop.price(500), await shop.price(900), await shop.price(250, key="seat")
    made = await shop.checkout(await shop.customer("Ana Größe"), Line(plus), coupon_id="TEN", trial_days=3)
    done = await shop.complete(made.id)
    await shop.advance(10 * DAY)
    state = await provider.change_subscription(
        op(), done.subscription_id, [Line(family), Line(seat, 2)], await shop.now()
    )
    state = await provider.schedule_change(op(), state.id, [Line(plus)])
    payment = await shop.pay(1_000, state.customer_id)
    refund = await provider.create_refund(op(), payment.id, amount_cents=100, reason="duplicate")
    dispute = await shop.dispute((await shop.pay(2_000)).charge_id)
    at = await shop.now() + timedelta(seconds=1)

    for one, other in [
        (await provider.fetch_checkout(made.id), await others.fetch_checkout(made.id)),
        (state, await others.fetch_subscription(state.id)),
        (await shop.invoice_of(state), await others.fetch_invoice(state.latest_invoice_id)),
        (await provider.fetch_payment(payment.id), await others.fetch_payment(payment.id)),
        (refund, await others.fetch_refund(refund.id)),
        (dispute, await others.fetch_dispute(dispute.id)),
        (await provider.list_cards(state.customer_id), await others.list_cards(state.customer_id)),
        (await all_of(provider.list_subscriptions()), await all_of(others.list_subscriptions())),
        (await all_of(provider.list_invoices()), await all_of(others.list_invoices())),
        (await all_of(provider.list_disputes()), await all_of(others.list_disputes())),
        (await all_of(provider.list_balance_transactions()), await all_of(others.list_balance_transactions())),
        (
            await all_of(provider.list_events(made.expires_at - 2 * DAY)),
            await all_of(others.list_events(made.expires_at - 2 * DAY)),
        ),
    ]:
        assert one == other
        assert one
    preview = await provider.preview_change(state.id, [Line(plus)], at)
    theirs = await others.preview_change(state.id, [Line(plus)], at)
    assert [each.amount_cents for each in preview.lines] == [each.amount_cents for each in theirs.lines]
    assert preview.total_cents == theirs.total_cents


async def test_a_command_of_one_is_known_to_the_other(shop: Shop, provider: Provider, others: Provider):
    operation, payment = op(), await shop.pay(1_000)
    refund = await provider.create_refund(operation, payment.id, amount_cents=100, reason=None)

    assert await others.create_refund(operation, payment.id, amount_cents=100, reason=None) == refund
    assert await others.find("refund", operation, None) == refund.id
