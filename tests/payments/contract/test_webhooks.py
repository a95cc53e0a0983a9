"""What the simulator sends over HTTP is read into the same hints that its list of events gives."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.payments.providers.port import EventHint, InvalidSignature, Line, Provider
from tests.payments.contract.scripted import Asked, Scripted, said, scripted_server
from tests.payments.contract.shop import DAY, Shop, op


@pytest.fixture
async def receiver() -> AsyncIterator[Scripted]:
    async with scripted_server() as server:
        server.say(said(200))
        yield server


async def deliver_to(shop: Shop, receiver: Scripted) -> None:
    await shop.ask("POST", "/_sim/webhook", url=f"{receiver.url}/hooks")


async def delivered(shop: Shop, receiver: Scripted) -> list[Asked]:
    await shop.ask("POST", "/_sim/deliveries/flush", seconds=60)
    return receiver.asked


def hint_of(provider: Provider, asked: Asked) -> EventHint:
    return provider.read_webhook(asked.body.encode(), asked.headers["stripe-signature"], utc_now())


async def a_busy_time(shop: Shop) -> dict[str, str]:
    """Something of everything; the types of events that must have come, and the objects that they are about."""
    provider = shop.provider
    plus, family = await shop.price(500), await shop.price(900)
    state = await shop.subscribe(Line(plus), customer_id=await shop.customer("Größe 家族"))
    await provider.change_subscription(op(), state.id, [Line(family)], await shop.now())
    failing = await shop.subscribe(Line(plus), trial_days=7, card="pm_card_chargeCustomerFail")
    expired = await shop.checkout(state.customer_id, Line(plus))
    await provider.expire_checkout(op(), expired.id)
    refunded, disputed = await shop.pay(1_000), await shop.pay(2_000)
    refund = await provider.create_refund(op(), refunded.id, amount_cents=100, reason=None)
    dispute = await shop.dispute(disputed.charge_id)
    await shop.settle(dispute.id, won=True)
    await shop.advance_to(failing.trial_end, timedelta(hours=2))
    unpaid = (await provider.fetch_subscription(failing.id)).latest_invoice_id
    canceled = await shop.subscribe(Line(plus))
    await provider.cancel_subscription(op(), canceled.id, at_period_end=False)
    await shop.advance(DAY)
    return {
        "checkout.session.expired": expired.id,
        "customer.subscription.trial_will_end": failing.id,
        "customer.subscription.deleted": canceled.id,
        "invoice.payment_failed": unpaid,
        "refund.created": refund.id,
        "charge.dispute.created": dispute.id,
        "charge.dispute.closed": dispute.id,
        "charge.dispute.funds_reinstated": dispute.id,
    }


async def test_webhooks_of_each_important_type_are_read_to_the_right_hint(shop, provider, receiver):
    await deliver_to(shop, receiver)
    expected = await a_busy_time(shop)
    hints = [hint_of(provider, asked) for asked in await delivered(shop, receiver)]
    about = {each.type: each.object_id for each in hints}

    assert {kind: about.get(kind) for kind in expected} == expected
    assert {
        "checkout.session.completed",
        "customer.created",
        "customer.subscription.created",
        "customer.subscription.updated",
        "invoice.paid",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "charge.refunded",
        "test_helpers.test_clock.ready",
    } <= set(about)
    listed = {each.id: each for each in await shop.events()}
    assert {each.id: each for each in hints} == listed


async def test_webhooks_name_the_customer_of_any_script(shop, provider, receiver):
    await deliver_to(shop, receiver)
    customer = await shop.customer("Þóra 山田 👨‍👩‍👧")
    [asked] = await delivered(shop, receiver)

    assert hint_of(provider, asked).object_id == customer


async def test_a_webhook_is_refused_with_one_letter_changed(shop, provider, receiver):
    await deliver_to(shop, receiver)
    await shop.customer("Ana")
    [asked] = await delivered(shop, receiver)
    forged = asked.body.replace("Ana", "Eva").encode()

    with pytest.raises(InvalidSignature):
        provider.read_webhook(forged, asked.headers["stripe-signature"], utc_now())


async def test_a_webhook_that_is_kept_back_is_refused(shop, provider, receiver):
    await deliver_to(shop, receiver)
    await shop.customer()
    [asked] = await delivered(shop, receiver)

    with pytest.raises(InvalidSignature):
        provider.read_webhook(
            asked.body.encode(), asked.headers["stripe-signature"], utc_now() + timedelta(seconds=302)
        )


async def test_webhooks_of_moved_time_are_signed_by_real_time(shop, provider, receiver):
    await deliver_to(shop, receiver)
    await shop.advance(100 * DAY)
    await shop.customer()
    hints = [hint_of(provider, asked) for asked in await delivered(shop, receiver)]

    [created] = [each.created_at for each in hints if each.type == "customer.created"]
    assert created > utc_now() + 99 * DAY


async def test_a_webhook_that_comes_twice_has_the_same_id(shop, provider, receiver):
    await shop.faults(duplicate=1)
    await deliver_to(shop, receiver)
    await shop.customer()
    hints = [hint_of(provider, asked) for asked in await delivered(shop, receiver)]

    assert len(hints) == 2
    assert hints[0] == hints[1]


async def test_a_webhook_signed_with_another_secret_is_refused(shop, provider, receiver):
    await shop.ask("POST", "/_sim/webhook", url=f"{receiver.url}/hooks", secret="whsec_somebody_elses_secret")
    await shop.customer()
    [asked] = await delivered(shop, receiver)

    with pytest.raises(InvalidSignature):
        hint_of(provider, asked)
