"""The provider's own books: events and movements, complete and in order."""

from datetime import timedelta

from app.payments.providers.port import Line
from tests.payments.contract.shop import DAY, FAMILY, op


async def movements(provider, **filters):
    return [each async for each in provider.list_balance_transactions(**filters)]


async def test_a_purchase_leaves_events_about_each_object(shop):
    state = await shop.subscribe()
    invoice = await shop.invoice_of(state)
    about = {each.type: each.object_id for each in await shop.events()}

    assert about["customer.created"] == state.customer_id
    assert about["customer.subscription.created"] == state.id
    assert about["invoice.paid"] == about["invoice.finalized"] == invoice.id
    assert about["payment_intent.succeeded"] == invoice.payment_ids[0]
    assert about["checkout.session.completed"].startswith("cs_")


async def test_events_are_about_our_own_account(shop):
    await shop.customer()

    assert {each.account for each in await shop.events()} == {""}


async def test_events_are_listed_newest_first_each_once(shop):
    for _ in range(3):
        state = await shop.subscribe()
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))
    events = await shop.events()

    times = [each.created_at for each in events]
    assert times == sorted(times, reverse=True)
    assert len({each.id for each in events}) == len(events)


async def test_events_go_on_beyond_a_page(shop, provider):
    customers = [await shop.customer() for _ in range(130)]
    events = await shop.events()

    made = [each.object_id for each in events if each.type == "customer.created"]
    assert made == customers[::-1]


async def test_events_are_listed_since_a_time(shop):
    await shop.customer()
    await shop.advance(DAY)
    since = await shop.now()
    customer = await shop.customer()

    events = [each.object_id for each in await shop.events(since) if each.type == "customer.created"]
    assert events == [customer]
    assert await shop.events(since + DAY) == []


async def test_events_of_before_thirty_days_are_gone(shop):
    await shop.customer()
    await shop.advance(31 * DAY)

    assert "customer.created" not in {each.type for each in await shop.events()}


async def test_what_happens_to_a_subscription_is_told(shop, provider):
    state = await shop.subscribe(Line(await shop.price(500)))
    await provider.change_subscription(op(), state.id, [Line(await shop.price(900))], await shop.now())
    await provider.cancel_subscription(op(), state.id, at_period_end=False)

    told = [each.type for each in await shop.events() if each.object_id == state.id]
    assert told[0] == "customer.subscription.deleted"
    assert told[-1] == "customer.subscription.created"
    assert "customer.subscription.updated" in told


async def test_refunds_and_disputes_are_told(shop, provider):
    payment = await shop.pay(1_000)
    refund = await provider.create_refund(op(), payment.id, amount_cents=100, reason=None)
    other = await shop.pay(2_000)
    dispute = await shop.dispute(other.charge_id)
    await shop.settle(dispute.id, won=True)

    about = {each.type: each.object_id for each in await shop.events()}
    assert about["refund.created"] == refund.id
    assert about["charge.dispute.created"] == about["charge.dispute.closed"] == dispute.id
    assert about["charge.refunded"] == payment.charge_id


async def test_a_payment_that_fails_is_told(shop):
    trial = await shop.subscribe(trial_days=7, card="pm_card_chargeCustomerFail")
    await shop.advance_to(trial.trial_end, timedelta(hours=2))

    types = {each.type for each in await shop.events()}
    assert {"invoice.payment_failed", "payment_intent.payment_failed", "customer.subscription.trial_will_end"} <= types


async def test_a_checkout_that_expires_is_told(shop, provider):
    made = await shop.checkout(await shop.customer(), Line(await shop.price()))
    await provider.expire_checkout(op(), made.id)

    assert ("checkout.session.expired", made.id) in {(each.type, each.object_id) for each in await shop.events()}


async def test_a_moved_clock_is_told(shop):
    await shop.advance(DAY)

    assert "test_helpers.test_clock.ready" in {each.type for each in await shop.events()}


async def test_a_charge_moves_its_amount_less_a_fee(shop, provider):
    payment = await shop.pay(1_000)
    [entry] = await movements(provider, payment_id=payment.id)

    assert (entry.type, entry.source_id, entry.payment_id) == ("charge", payment.charge_id, payment.id)
    assert (entry.amount_cents, entry.currency) == (1_000, "eur")
    assert entry.fee_cents > 0
    assert entry.net_cents == entry.amount_cents - entry.fee_cents


async def test_a_refund_moves_its_amount_back(shop, provider):
    payment = await shop.pay(1_000)
    refund = await provider.create_refund(op(), payment.id, amount_cents=300, reason=None)
    newest, _ = await movements(provider, payment_id=payment.id)

    assert (newest.type, newest.source_id, newest.amount_cents) == ("refund", refund.id, -300)
    assert newest.payment_id == payment.id


async def test_a_dispute_moves_the_amount_and_a_fee(shop, provider):
    payment = await shop.pay(1_000)
    dispute = await shop.dispute(payment.charge_id)
    newest, _ = await movements(provider, payment_id=payment.id)

    assert (newest.type, newest.source_id, newest.amount_cents) == ("adjustment", dispute.id, -1_000)
    assert newest.fee_cents > 0


async def test_a_payment_that_failed_moved_nothing(shop, provider):
    trial = await shop.subscribe(trial_days=7, card="pm_card_chargeCustomerFail")
    await shop.advance_to(trial.trial_end, timedelta(hours=2))
    invoice = await shop.invoice_of(await provider.fetch_subscription(trial.id))

    assert await movements(provider, payment_id=invoice.payment_ids[0]) == []
    assert await movements(provider) == []


async def busy_shop(shop, provider) -> list[str]:
    """Payments, refunds and disputes; the ids of the payments."""
    state = await shop.subscribe()
    await shop.advance_to(state.items[0].period_end, timedelta(hours=2))
    ids = [(await shop.pay(cents)).id for cents in (1_000, 2_000, 3_000)]
    await provider.create_refund(op(), ids[0], amount_cents=400, reason=None)
    won = await shop.dispute((await provider.fetch_payment(ids[1])).charge_id)
    lost = await shop.dispute((await provider.fetch_payment(ids[2])).charge_id)
    await shop.settle(won.id, won=True)
    await shop.settle(lost.id, won=False)
    async for invoice in provider.list_invoices(state.customer_id):
        ids += invoice.payment_ids
    return ids


async def test_the_movements_of_each_payment_are_those_of_the_whole_list(shop, provider):
    ids = await busy_shop(shop, provider)
    whole = await movements(provider)

    assert {each.payment_id for each in whole} == set(ids)
    for payment_id in ids:
        mine = sorted((each for each in whole if each.payment_id == payment_id), key=lambda each: each.id)
        assert sorted(await movements(provider, payment_id=payment_id), key=lambda each: each.id) == mine


async def test_the_movements_are_the_balance(shop, provider):
    await busy_shop(shop, provider)
    balance = (await shop.control.get("/v1/balance")).json()
    total = sum(each["amount"] for kind in ("available", "pending") for each in balance[kind])

    assert sum(each.net_cents for each in await movements(provider)) == total
    assert all(each.net_cents == each.amount_cents - each.fee_cents for each in await movements(provider))


async def test_movements_are_listed_newest_first_and_since_a_time(shop, provider):
    await shop.pay(1_000)
    await shop.advance(DAY)
    since = await shop.now()
    for _ in range(2):
        payment = await shop.pay(2_000)
    newer = await movements(provider, since=since)

    assert [each.amount_cents for each in newer] == [2_000, 2_000]
    assert newer[0].payment_id == payment.id
    assert await movements(provider, since=since, payment_id=payment.id) == newer[:1]
    assert await movements(provider, since=since + DAY, payment_id=payment.id) == []


async def test_payouts_belong_to_no_payment(shop, provider):
    await shop.rules(payouts=True)
    await shop.pay(10_000)
    await shop.advance(5 * DAY)

    payouts = [each for each in await movements(provider) if each.type == "payout"]
    assert payouts
    assert {each.payment_id for each in payouts} == {None}
    assert all(each.amount_cents < 0 for each in payouts)


async def test_the_time_of_the_simulator_is_the_moved_one(shop, provider):
    await shop.advance(100 * DAY)
    apart = abs(await provider.now() - await shop.now())

    assert apart < timedelta(minutes=1) if provider.name == "sim" else apart > 99 * DAY


async def test_a_customer_is_found_after_the_clock_was_moved(shop, provider):
    operation = op()
    await shop.advance(100 * DAY)
    customer = await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")

    assert await provider.find("customer", operation, None) == customer
