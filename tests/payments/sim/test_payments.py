"""Cards, payments, refunds and saving a card, by the official SDK."""

import pytest
import stripe

REASONS = [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
]


async def test_a_payment_moves_its_amount_less_the_fee(market):
    intent = await market.pay(10_000, expand=["latest_charge.balance_transaction"])
    charge = intent.latest_charge
    movement = charge.balance_transaction

    assert (intent.status, intent.amount_received, charge.paid, charge.captured) == ("succeeded", 10_000, True, True)
    assert (movement.type, movement.amount, movement.fee, movement.net) == ("charge", 10_000, 320, 9_680)
    assert movement.status == "pending"
    assert charge.payment_method_details.card.last4 == "4242"
    assert await market.balance() == 9_680


@pytest.mark.parametrize(("card", "code", "decline_code"), REASONS)
async def test_a_declined_card_says_why_and_leaves_a_failed_charge(market, card, code, decline_code):
    with pytest.raises(stripe.CardError) as caught:
        await market.pay(card=card)
    [charge] = (await market.v1.charges.list_async()).data
    [intent] = (await market.v1.payment_intents.list_async()).data

    assert (caught.value.http_status, caught.value.code) == (402, code)
    assert caught.value.error.decline_code == decline_code
    assert (charge.status, charge.paid, intent.status) == ("failed", False, "requires_payment_method")
    assert intent.last_payment_error.decline_code == decline_code
    assert caught.value.error.payment_intent.id == intent.id
    assert await market.balance() == 0


async def test_a_card_that_is_always_declined_can_not_be_saved_but_one_can(market):
    customer = await market.customer(None)
    with pytest.raises(stripe.CardError):
        await market.v1.payment_methods.attach_async("pm_card_chargeDeclined", {"customer": customer.id})
    saved = await market.v1.payment_methods.attach_async("pm_card_chargeCustomerFail", {"customer": customer.id})
    cards = await market.v1.payment_methods.list_async({"customer": customer.id, "type": "card"})

    assert [each.id for each in cards.data] == [saved.id]
    assert (saved.card.last4, saved.card.country, len(saved.card.fingerprint)) == ("0341", "US", 16)


async def test_the_same_number_has_the_same_fingerprint_and_is_shown_nowhere(market):
    card = {"number": "4242424242424242", "exp_month": 3, "exp_year": 2031, "cvc": "123"}
    first = await market.v1.payment_methods.create_async({"type": "card", "card": card})
    second = await market.v1.payment_methods.create_async({"type": "card", "card": {"token": "tok_visa"}})

    assert first.card.fingerprint == second.card.fingerprint
    assert (first.card.exp_month, first.card.exp_year) == (3, 2031)
    assert "4242424242424242" not in str(first.to_dict())


@pytest.mark.parametrize(("number", "code"), [("4111111111111111", "card_declined"), ("1234", "incorrect_number")])
async def test_a_real_number_is_declined_and_nonsense_is_no_number(market, number, code):
    card = {"number": number, "exp_month": 3, "exp_year": 2031}
    with pytest.raises(stripe.CardError) as caught:
        await market.v1.payment_methods.create_async({"type": "card", "card": card})
    assert caught.value.code == code


async def test_a_removed_card_pays_nothing_any_more(market):
    customer = await market.customer()
    [card] = (await market.v1.payment_methods.list_async({"customer": customer.id})).data
    await market.v1.payment_methods.detach_async(card.id)
    after = await market.v1.customers.retrieve_async(customer.id)

    assert after.invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.payment_methods.attach_async(card.id, {"customer": customer.id})


async def test_3d_secure_waits_for_the_person(market):
    intent = await market.pay(card="pm_card_authenticationRequired", return_url="https://shop.example/back")
    url = intent.next_action.redirect_to_url.url
    await market.simulator.control(f"/intents/{intent.id}/authenticate", {"outcome": "succeed"})
    paid = await market.v1.payment_intents.retrieve_async(intent.id)

    assert intent.status == "requires_action"
    assert url.startswith(f"{market.simulator.url}/authenticate/")
    assert (paid.status, paid.amount_received, paid.next_action) == ("succeeded", 1_000, None)


async def test_a_refused_3d_secure_asks_for_another_card(market):
    intent = await market.pay(card="pm_card_authenticationRequired")
    await market.simulator.control(f"/intents/{intent.id}/authenticate", {"outcome": "fail"})
    failed = await market.v1.payment_intents.retrieve_async(intent.id)
    paid = await market.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})

    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    assert paid.status == "succeeded"


async def test_without_the_person_3d_secure_is_a_decline(market):
    with pytest.raises(stripe.CardError) as caught:
        await market.pay(card="pm_card_authenticationRequired", off_session=True)
    assert caught.value.code == "authentication_required"


async def test_a_card_that_was_set_up_pays_without_the_person(market):
    customer = await market.customer(None)
    setup = await market.v1.setup_intents.create_async(
        {"customer": customer.id, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    )
    await market.simulator.control(f"/intents/{setup.id}/authenticate")
    [card] = (await market.v1.payment_methods.list_async({"customer": customer.id})).data
    paid = await market.pay(card=card.id, customer=customer.id, off_session=True)

    assert setup.status == "requires_action"
    assert (await market.v1.setup_intents.retrieve_async(setup.id)).status == "succeeded"
    assert paid.status == "succeeded"


async def test_a_setup_by_a_declined_card_fails(market):
    customer = await market.customer(None)
    params = {"customer": customer.id, "payment_method": "pm_card_chargeDeclined", "confirm": True}
    with pytest.raises(stripe.CardError):
        await market.v1.setup_intents.create_async(params)
    [setup] = (await market.v1.setup_intents.list_async({"customer": customer.id})).data

    assert (setup.status, setup.last_setup_error.decline_code) == ("requires_payment_method", "generic_decline")
    assert (await market.v1.setup_intents.cancel_async(setup.id)).status == "canceled"


async def test_money_that_is_set_aside_is_taken_in_part_or_not_at_all(market):
    taken = await market.pay(1_000, capture_method="manual")
    part = await market.v1.payment_intents.capture_async(taken.id, {"amount_to_capture": 600})
    given_up = await market.pay(1_000, capture_method="manual")
    canceled = await market.v1.payment_intents.cancel_async(given_up.id)

    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("requires_capture", 1_000, 0)
    assert (part.status, part.amount_received) == ("succeeded", 600)
    assert canceled.status == "canceled"
    assert [each.amount for each in await market.movements()] == [600]


async def test_what_is_done_can_not_be_done_again(market):
    intent = await market.pay()
    for call in (
        market.v1.payment_intents.confirm_async(intent.id),
        market.v1.payment_intents.cancel_async(intent.id),
        market.v1.payment_intents.capture_async(intent.id),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await call
        assert caught.value.code == "payment_intent_unexpected_state"


async def test_an_amount_below_the_least_is_refused(market):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await market.pay(49)
    assert caught.value.code == "amount_too_small"


async def test_a_refund_never_gives_back_more_than_is_left(market):
    intent = await market.pay(1_000)
    first = await market.v1.refunds.create_async({"payment_intent": intent.id, "amount": 700, "reason": "duplicate"})
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.refunds.create_async({"payment_intent": intent.id, "amount": 301})
    rest = await market.v1.refunds.create_async({"charge": intent.latest_charge})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await market.v1.refunds.create_async({"charge": intent.latest_charge})
    charge = await market.v1.charges.retrieve_async(intent.latest_charge, {"expand": ["refunds"]})

    assert (first.status, first.reason, rest.amount) == ("succeeded", "duplicate", 300)
    assert caught.value.code == "charge_already_refunded"
    assert (charge.amount_refunded, charge.refunded) == (1_000, True)
    assert [each.id for each in charge.refunds.data] == [rest.id, first.id]
    assert sum(each.amount for each in await market.movements()) == 0


async def test_a_refund_of_nothing_is_refused(market):
    with pytest.raises(stripe.CardError) as caught:
        await market.pay(card="pm_card_chargeDeclined")
    intent = caught.value.error.payment_intent.id
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.refunds.create_async({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError):
        await market.v1.refunds.create_async({"amount": 5})


@pytest.mark.parametrize(
    ("card", "first", "last", "back"),
    [("pm_card_pendingRefund", "pending", "succeeded", -1_000), ("pm_card_refundFail", "succeeded", "failed", 0)],
)
async def test_a_refund_may_take_its_time_or_come_back(market, card, first, last, back):
    intent = await market.pay(card=card)
    refund = await market.v1.refunds.create_async({"payment_intent": intent.id})
    await market.simulator.advance(days=2)
    after = await market.v1.refunds.retrieve_async(refund.id)
    charge = await market.v1.charges.retrieve_async(intent.latest_charge)

    assert (refund.status, after.status) == (first, last)
    assert sum(each.amount for each in await market.movements() if each.type != "charge") == back
    assert charge.amount_refunded == -back


async def test_a_decline_can_be_ordered_for_the_next_payments_of_a_customer(market):
    customer = await market.customer(None)
    order = {"code": "insufficient_funds", "times": 2}
    await market.simulator.control(f"/customers/{customer.id}/decline_next", order)
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            await market.pay(customer=customer.id)
        assert caught.value.error.decline_code == "insufficient_funds"
    assert (await market.pay(customer=customer.id)).status == "succeeded"
