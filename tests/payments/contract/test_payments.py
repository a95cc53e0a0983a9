"""Payments and refunds: what was received, with what card, what went back."""

import pytest

from app.payments.providers.port import Missing, Refused
from tests.payments.contract.shop import op


async def test_a_payment_that_worked(shop, provider):
    customer = await shop.customer()
    payment = await shop.pay(1_000, customer)

    assert (payment.status, payment.customer_id, payment.currency) == ("succeeded", customer, "eur")
    assert (payment.amount_cents, payment.received_cents, payment.refunded_cents) == (1_000, 1_000, 0)
    assert (payment.is_disputed, payment.failure_code, payment.action_url) == (False, None, None)
    assert payment.charge_id.startswith("ch_")
    assert (payment.card.brand, payment.card.last4, payment.card.country) == ("visa", "4242", "US")
    assert payment.card.fingerprint


async def test_a_payment_of_an_invoice_names_it(shop, provider):
    invoice = await shop.invoice_of(await shop.subscribe())
    payment = await provider.fetch_payment(invoice.payment_ids[0])

    assert (payment.invoice_id, payment.received_cents, payment.status) == (invoice.id, 500, "succeeded")


async def test_a_payment_that_is_not_there_is_missing(provider):
    with pytest.raises(Missing):
        await provider.fetch_payment("pi_nobody")


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedLostCard", "lost_card"),
        ("pm_card_chargeDeclinedStolenCard", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error"),
        ("pm_card_chargeDeclinedFraudulent", "fraudulent"),
    ],
)
async def test_a_payment_that_was_declined_says_why(shop, provider, card, code):
    made = await confirm(shop, card)
    payment = await provider.fetch_payment(made.json()["error"]["payment_intent"]["id"])

    assert (payment.status, payment.received_cents) == ("requires_payment_method", 0)
    assert payment.failure_code == code


async def confirm(shop, card: str):
    """A payment that is confirmed at once, as by a person who is there; the simulator's answer."""
    form = {
        "amount": 1_000,
        "currency": "eur",
        "customer": await shop.customer(),
        "payment_method": card,
        "confirm": "true",
        "return_url": "https://lifevault.test/done",
    }
    return await shop.control.post("/v1/payment_intents", data=form)


async def challenged(shop) -> str:
    """A payment whose card asks for a challenge; its id."""
    made = await confirm(shop, "pm_card_authenticationRequired")
    assert made.status_code == 200, made.text
    return str(made.json()["id"])


async def test_a_challenge_has_a_page_of_its_own(shop, provider):
    payment = await provider.fetch_payment(await challenged(shop))

    assert (payment.status, payment.received_cents) == ("requires_action", 0)
    assert (await shop.control.get(payment.action_url)).status_code == 200


async def test_a_challenge_that_is_met_pays(shop, provider):
    payment_id = await challenged(shop)
    await shop.challenge(payment_id, passes=True)

    payment = await provider.fetch_payment(payment_id)
    assert (payment.status, payment.received_cents, payment.action_url) == ("succeeded", 1_000, None)


async def test_a_challenge_that_fails_does_not(shop, provider):
    payment_id = await challenged(shop)
    await shop.challenge(payment_id, passes=False)

    payment = await provider.fetch_payment(payment_id)
    assert (payment.status, payment.received_cents) == ("requires_payment_method", 0)
    assert payment.failure_code == "payment_intent_authentication_failure"


async def test_a_renewal_that_asks_for_a_challenge_sends_to_the_page_of_its_invoice(shop, provider):
    trial = await shop.subscribe(trial_days=7, card="pm_card_authenticationRequired")
    await shop.advance_to(trial.trial_end, (trial.trial_end - trial.created_at) / 50)
    state = await provider.fetch_subscription(trial.id)
    invoice = await shop.invoice_of(state)
    payment = await provider.fetch_payment(invoice.payment_ids[0])

    assert (state.status, invoice.status) == ("past_due", "open")
    assert payment.status in ("requires_action", "requires_payment_method")
    if payment.status == "requires_action":
        assert (await shop.control.get(payment.action_url)).status_code == 200
    else:
        assert payment.failure_code == "authentication_required"


async def test_a_part_can_be_given_back(shop, provider):
    operation, payment = op(), await shop.pay(1_000)
    refund = await provider.create_refund(operation, payment.id, amount_cents=300, reason="requested_by_customer")

    assert (refund.payment_id, refund.charge_id) == (payment.id, payment.charge_id)
    assert (refund.amount_cents, refund.currency, refund.status) == (300, "eur", "succeeded")
    assert refund.reason == "requested_by_customer"
    assert refund.metadata == {"lv_op": str(operation.id)}
    after = await provider.fetch_payment(payment.id)
    assert (after.refunded_cents, after.received_cents, after.status) == (300, 1_000, "succeeded")


async def test_all_of_it_can_be_given_back_in_parts(shop, provider):
    payment = await shop.pay(1_000)
    for cents in (300, 300, 400):
        await provider.create_refund(op(), payment.id, amount_cents=cents, reason=None)

    assert (await provider.fetch_payment(payment.id)).refunded_cents == 1_000


@pytest.mark.parametrize("cents", [701, 1_000, 10**9])
async def test_more_than_is_left_is_not_given_back(shop, provider, cents):
    payment = await shop.pay(1_000)
    await provider.create_refund(op(), payment.id, amount_cents=300, reason=None)

    with pytest.raises(Refused):
        await provider.create_refund(op(), payment.id, amount_cents=cents, reason=None)

    assert (await provider.fetch_payment(payment.id)).refunded_cents == 300


async def test_what_was_given_back_is_not_given_back_again(shop, provider):
    payment = await shop.pay(1_000)
    await provider.create_refund(op(), payment.id, amount_cents=1_000, reason=None)

    with pytest.raises(Refused) as caught:
        await provider.create_refund(op(), payment.id, amount_cents=1, reason=None)

    assert caught.value.code == "charge_already_refunded"


@pytest.mark.parametrize("cents", [0, -100])
async def test_nothing_or_less_is_not_given_back(shop, provider, cents):
    payment = await shop.pay(1_000)

    with pytest.raises(Refused):
        await provider.create_refund(op(), payment.id, amount_cents=cents, reason=None)


async def test_the_same_operation_gives_back_once(shop, provider):
    operation, payment = op(), await shop.pay(1_000)
    refunds = [await provider.create_refund(operation, payment.id, amount_cents=300, reason=None) for _ in range(3)]

    assert refunds[0] == refunds[1] == refunds[2]
    assert (await provider.fetch_payment(payment.id)).refunded_cents == 300


async def test_the_same_operation_does_not_give_back_another_amount(shop, provider):
    operation, payment = op(), await shop.pay(1_000)
    await provider.create_refund(operation, payment.id, amount_cents=300, reason=None)

    with pytest.raises(Refused) as caught:
        await provider.create_refund(operation, payment.id, amount_cents=400, reason=None)

    assert caught.value.code == "idempotency-mismatch"
    assert (await provider.fetch_payment(payment.id)).refunded_cents == 300


async def test_a_refusal_is_repeated_to_the_same_operation(shop, provider):
    operation, payment = op(), await shop.pay(1_000)
    codes = []
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await provider.create_refund(operation, payment.id, amount_cents=1_001, reason=None)
        codes.append(caught.value.code)

    assert codes[0] == codes[1] != "idempotency-mismatch"


async def test_another_reason_than_the_known_ones_is_refused(shop, provider):
    payment = await shop.pay(1_000)

    with pytest.raises(Refused):
        await provider.create_refund(op(), payment.id, amount_cents=100, reason="he was so sad")


async def test_a_refund_is_fetched_as_it_was_made(shop, provider):
    payment = await shop.pay(1_000)
    refund = await provider.create_refund(op(), payment.id, amount_cents=300, reason="duplicate")

    assert await provider.fetch_refund(refund.id) == refund


async def test_a_refund_of_nothing_is_refused(provider):
    with pytest.raises((Refused, Missing)):
        await provider.create_refund(op(), "pi_nobody", amount_cents=100, reason=None)


async def test_a_refund_that_is_not_there_is_missing(provider):
    with pytest.raises(Missing):
        await provider.fetch_refund("re_nobody")


async def test_a_refund_of_an_invoice_leaves_the_invoice_paid(shop, provider):
    state = await shop.subscribe()
    invoice = await shop.invoice_of(state)
    await provider.create_refund(op(), invoice.payment_ids[0], amount_cents=500, reason=None)

    again = await provider.fetch_invoice(invoice.id)
    assert (again.status, again.paid_cents) == ("paid", 500)
    assert (await provider.fetch_subscription(state.id)).status == "active"


async def test_a_refund_is_found_by_its_operation(shop, provider):
    operation, payment = op(), await shop.pay(1_000)
    refund = await provider.create_refund(operation, payment.id, amount_cents=300, reason=None)
    await provider.create_refund(op(), payment.id, amount_cents=300, reason=None)

    assert await provider.find("refund", operation, None) == refund.id
    assert await provider.find("refund", op(), None) is None
