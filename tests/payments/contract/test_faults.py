"""The simulator's own faults: whatever is lost on the way, the same key gives the one object."""

import pytest

from app.payments.providers.failures import NotSent
from app.payments.providers.port import Line, NotReached, OutcomeUnknown
from tests.payments.contract.shop import FAMILY, op

HEALTHY = {"drop_answers": 0, "fail_answers": 0, "rate_limit": 0, "down": False}


async def count(shop, kind: str) -> int:
    return sum(each.type == f"{kind}.created" for each in await shop.events())


async def repeated(shop, command):
    """Ask with the answer dropped, then again; returns the answer."""
    await shop.faults(drop_answers=1)
    with pytest.raises(OutcomeUnknown):
        await command()
    await shop.faults(**HEALTHY)
    return await command()


async def test_a_customer_whose_answer_was_lost_is_made_once(shop, provider):
    operation = op()
    customer = await repeated(
        shop, lambda: provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")
    )

    assert await count(shop, "customer") == 1
    assert await provider.find("customer", operation, None) == customer


async def test_a_checkout_whose_answer_was_lost_is_opened_once(shop, provider):
    operation, customer, price = op(), await shop.customer(), await shop.price()
    made = await repeated(shop, lambda: shop.checkout(customer, Line(price), operation=operation))

    listed = (await shop.control.get("/v1/checkout/sessions", params={"customer": customer})).json()["data"]
    assert [each["id"] for each in listed] == [made.id]


async def test_a_refund_whose_answer_was_lost_is_made_once(shop, provider):
    operation, payment = op(), await shop.pay(1_000)
    refund = await repeated(shop, lambda: provider.create_refund(operation, payment.id, amount_cents=600, reason=None))

    assert await provider.find("refund", operation, None) == refund.id
    assert (await provider.fetch_payment(payment.id)).refunded_cents == 600


async def test_an_invoice_whose_payment_was_not_answered_is_paid_once(shop, provider):
    state = await shop.subscribe()
    [card] = await provider.list_cards(state.customer_id)
    await provider.set_default_card(op(), state.customer_id, card.id)
    item = {"customer": state.customer_id, "amount": 700, "currency": "eur"}
    assert (await shop.control.post("/v1/invoiceitems", data=item)).status_code == 200
    draft = await shop.control.post("/v1/invoices", data={"customer": state.customer_id, "auto_advance": "false"})
    invoice_id = draft.json()["id"]
    await shop.control.post(f"/v1/invoices/{invoice_id}/finalize")
    operation = op()

    paid = await repeated(shop, lambda: provider.pay_invoice(operation, invoice_id))

    assert (paid.status, paid.paid_cents, len(paid.payment_ids)) == ("paid", 700, 1)


async def test_a_cancellation_whose_answer_was_lost_is_done(shop, provider):
    operation, state = op(), await shop.subscribe()
    ended = await repeated(shop, lambda: provider.cancel_subscription(operation, state.id, at_period_end=False))

    assert ended.status == "canceled"


class Cut:
    """A transport that loses every answer after so many; nothing is asked any more then."""

    def __init__(self, transport, answers: int) -> None:
        self.transport, self.left = transport, answers

    async def send(self, *call):
        if not self.left:
            raise NotSent
        self.left -= 1
        return await self.transport.send(*call)

    async def close(self) -> None:
        await self.transport.close()


COMMANDS = {
    "change": lambda provider, state, other: provider.change_subscription(op(), state.id, other, state.created_at),
    "schedule": lambda provider, state, other: provider.schedule_change(op(), state.id, other),
    "cancel": lambda provider, state, other: provider.cancel_subscription(op(), state.id, at_period_end=True),
    "end": lambda provider, state, other: provider.cancel_subscription(op(), state.id, at_period_end=False),
    "default card": lambda provider, state, other: provider.set_default_card(op(), state.customer_id, other[0]),
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_that_is_cut_off_between_its_steps_never_says_that_nothing_was_done(shop, provider, name):
    """After each number of answers: as long as the simulator shows no change it may be either, afterwards unknown."""
    whole, seen = provider._transport, []
    for answers in range(12):
        state = await shop.subscribe(Line(await shop.price(900)))
        other = [Line(await shop.price(500))]
        if name == "default card":
            added = await shop.complete((await shop.checkout(state.customer_id, mode="setup")).id, "pm_card_mastercard")
            assert added.status == "complete"
            other = [card.id for card in await provider.list_cards(state.customer_id) if card.brand == "mastercard"]
        provider._known.clear()
        before = await snapshot(shop, state)
        provider._transport = Cut(whole, answers)
        try:
            await COMMANDS[name](provider, state, other)
            outcome = "done"
        except OutcomeUnknown:
            outcome = "unknown"
        except NotReached:
            outcome = "not done"
        provider._transport = whole
        seen.append(outcome)
        if outcome == "not done":
            assert await snapshot(shop, state) == before
        if outcome == "done":
            break

    assert seen[0] == "not done"
    assert seen[-1] == "done"


async def snapshot(shop, state) -> list[object]:
    """What there is at the provider about a subscription and its customer."""
    paths = (f"subscriptions/{state.id}", f"customers/{state.customer_id}", "subscription_schedules")
    found = [(await shop.control.get(f"/v1/{path}")).json() for path in paths]
    invoices = (await shop.control.get("/v1/invoices", params={"customer": state.customer_id})).json()["data"]
    return [*found, [each["id"] for each in invoices]]


async def test_with_further_tries_a_lost_answer_is_hardly_noticed(shop, provider):
    operation = op()
    await shop.faults(drop_answers=0.5, seed=7)
    made = set()
    for _ in range(8):
        try:
            made.add(await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana"))
        except OutcomeUnknown:
            continue
    await shop.faults(**HEALTHY)

    assert len(made) == 1
    assert await count(shop, "customer") == 1


async def test_a_provider_that_is_down_has_done_nothing(shop, provider):
    await shop.faults(down=True)
    with pytest.raises(NotReached):
        await provider.create_customer(op(), family_id=FAMILY, email="a@b.test", name="Ana")
    with pytest.raises(NotReached):
        await provider.fetch_refund("re_1")
    await shop.faults(**HEALTHY)

    assert await count(shop, "customer") == 0


async def test_over_the_rate_limit_nothing_is_done(shop, provider):
    await shop.faults(rate_limit=1)
    with pytest.raises(NotReached) as caught:
        await provider.create_customer(op(), family_id=FAMILY, email="a@b.test", name="Ana")
    await shop.faults(**HEALTHY)

    assert caught.value.code == "rate-limited"
    assert await count(shop, "customer") == 0


async def test_a_provider_that_breaks_leaves_it_open_and_the_same_key_tells(shop, provider):
    operation = op()
    await shop.faults(fail_answers=1)
    with pytest.raises(OutcomeUnknown):
        await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")
    with pytest.raises(NotReached):
        await provider.fetch_refund("re_1")
    await shop.faults(**HEALTHY)

    await provider.create_customer(operation, family_id=FAMILY, email="a@b.test", name="Ana")
    assert await count(shop, "customer") == 1


async def test_a_list_whose_page_is_lost_is_not_taken_for_a_short_one(shop, provider):
    for _ in range(3):
        await shop.customer()
    await shop.faults(drop_answers=1)
    with pytest.raises(NotReached):
        await shop.events()
    await shop.faults(**HEALTHY)
