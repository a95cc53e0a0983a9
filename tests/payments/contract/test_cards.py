"""The saved cards of a customer."""

import pytest

from app.payments.providers.port import Missing, Refused
from tests.payments.contract.shop import op


async def add(shop, customer: str, card: str) -> str:
    """Save a card by a checkout, as people do; returns its id."""
    before = {each.id for each in await shop.provider.list_cards(customer)}
    await shop.complete((await shop.checkout(customer, mode="setup")).id, card)
    [added] = {each.id for each in await shop.provider.list_cards(customer)} - before
    return added


async def test_a_customer_begins_without_cards(shop, provider):
    assert list(await provider.list_cards(await shop.customer())) == []


async def test_a_card_shows_what_a_person_knows_it_by(shop, provider):
    customer = await shop.customer()
    await add(shop, customer, "pm_card_visa")

    [card] = await provider.list_cards(customer)
    assert (card.brand, card.last4, card.country) == ("visa", "4242", "US")
    assert 1 <= card.expires_month <= 12
    assert card.expires_year >= 2026
    assert card.fingerprint


async def test_the_same_number_has_the_same_fingerprint_for_everybody(shop, provider):
    customers = [await shop.customer(), await shop.customer()]
    for customer in customers:
        await add(shop, customer, "pm_card_visa")
    await add(shop, customers[0], "pm_card_mastercard")

    prints = [{each.brand: each.fingerprint for each in await provider.list_cards(each)} for each in customers]
    assert prints[0]["visa"] == prints[1]["visa"] != prints[0]["mastercard"]


async def test_cards_of_other_countries_say_so(shop, provider):
    customer = await shop.customer()
    await add(shop, customer, "pm_card_de")

    assert [card.country for card in await provider.list_cards(customer)] == ["DE"]


async def test_the_card_of_a_checkout_is_the_default_one(shop, provider):
    state = await shop.subscribe()

    assert [card.is_default for card in await provider.list_cards(state.customer_id)] == [True]


async def test_the_next_invoice_is_paid_with_the_default_card(shop, provider):
    state = await shop.subscribe()
    added = await add(shop, state.customer_id, "pm_card_mastercard")
    await provider.set_default_card(op(), state.customer_id, added)
    await shop.advance_to(state.items[0].period_end, (state.items[0].period_end - state.items[0].period_start) / 20)

    defaults = {card.brand: card.is_default for card in await provider.list_cards(state.customer_id)}
    invoice = await shop.invoice_of(await provider.fetch_subscription(state.id))
    payment = await provider.fetch_payment(invoice.payment_ids[0])
    assert defaults == {"visa": False, "mastercard": True}
    assert (payment.card.brand, payment.card.id) == ("mastercard", added)


async def test_choosing_a_card_again_is_no_error(shop, provider):
    operation, state = op(), await shop.subscribe()
    [card] = await provider.list_cards(state.customer_id)
    for each in (operation, operation, op()):
        await provider.set_default_card(each, state.customer_id, card.id)

    assert list(await provider.list_cards(state.customer_id)) == [card]


async def test_a_card_of_somebody_else_can_not_be_chosen(shop, provider):
    theirs, mine = await shop.customer(), await shop.customer()
    card = await add(shop, theirs, "pm_card_visa")

    with pytest.raises((Refused, Missing)):
        await provider.set_default_card(op(), mine, card)


async def test_a_card_can_be_forgotten(shop, provider):
    operation, customer = op(), await shop.customer()
    card = await add(shop, customer, "pm_card_visa")
    kept = await add(shop, customer, "pm_card_mastercard")

    for _ in range(2):
        await provider.remove_card(operation, card)

    assert [each.id for each in await provider.list_cards(customer)] == [kept]


async def test_a_card_that_is_not_there_can_not_be_forgotten(provider):
    with pytest.raises((Refused, Missing)):
        await provider.remove_card(op(), "pm_nobody")


async def test_more_cards_than_a_short_page_are_all_listed(shop, provider):
    customer = await shop.customer()
    for _ in range(12):
        await add(shop, customer, "pm_card_visa")

    assert len(await provider.list_cards(customer)) == 12


async def test_cards_of_nobody_are_missing(provider):
    with pytest.raises(Missing):
        await provider.list_cards("cus_nobody")
