"""Refunds, disputes, cards and invoices against the simulator."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from app.db.session import session_scope
from app.payments.models import Price, ProviderOperation, Refund
from app.payments.services import resolving
from tests.factories import TestUser, auth, make_user
from tests.payments.outbound.conftest import PAYMENTS, Shop, end_leases, operations_of, payments_of
from tests.payments.outbound.people import make_payer, operating, problem

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def bought(shop: Shop, payer: TestUser) -> dict[str, Any]:
    """A pack of credits for 500, paid."""
    async with session_scope() as session:
        pack = await session.scalar(select(Price.id).where(Price.lookup_key == "lv:credits:500:eur"))
    await shop.buy(payer, price_id=str(pack))
    found: dict[str, Any] = (await shop.get(payer, "/payments")).json()["items"][0]
    return found


async def at_provider(shop: Shop, payer: TestUser) -> int:
    """How much the provider has given back."""
    (payment,) = await payments_of(payer)
    return (await shop.provider.fetch_payment(payment.provider_id)).refunded_cents


async def reserved(payer: TestUser) -> int:
    (payment,) = await payments_of(payer)
    return payment.refunding_cents


async def test_an_operator_gives_back_a_part_and_then_the_rest(shop: Shop, payer: TestUser, bought):
    part = await shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"], "amount_cents": 120})
    rest = await shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"]})
    more = await shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"], "amount_cents": 1})

    assert [part.status_code, rest.status_code] == [201, 201]
    assert [part.json()["amount_cents"], rest.json()["amount_cents"]] == [120, 380]
    assert problem(more) == (409, "not-so-much-left")
    assert (await at_provider(shop, payer), await reserved(payer)) == (500, 0)
    shown = (await shop.get(payer, "/payments")).json()["items"][0]
    assert shown["refunded_cents"] == 500


@pytest.mark.parametrize("amount", [501, 2**31 - 1])
async def test_more_than_was_paid_is_refused_before_anybody_is_asked(shop: Shop, payer: TestUser, bought, amount: int):
    refused = await shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"], "amount_cents": amount})

    assert problem(refused) == (409, "not-so-much-left")
    assert await operations_of(payer, "refund.create") == []


async def test_two_operators_at_once_give_back_no_more_than_there_is(shop: Shop, payer: TestUser, bought):
    second = await make_user(name="Second operator")
    with operating(shop.operator, second):
        answers = await asyncio.gather(
            *(
                shop.post(who, "/admin/refunds", {"payment_id": bought["id"], "amount_cents": 300})
                for who in (shop.operator, second)
            )
        )
    await shop.catch_up()

    assert sorted(answer.status_code for answer in answers) in ([201, 202], [201, 409])
    assert (await at_provider(shop, payer), await reserved(payer)) == (300, 0)


async def test_many_at_once_give_back_no_more_than_there_is(shop: Shop, payer: TestUser, bought):
    amounts = [90, 110, 130, 150, 170, 190, 210, 230]

    await asyncio.gather(
        *(
            shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"], "amount_cents": amount})
            for amount in amounts
        )
    )
    await end_leases()
    await resolving.resolve_due(shop.provider)

    (payment,) = await payments_of(payer)
    assert 0 < payment.refunded_cents <= 500
    assert (await at_provider(shop, payer), payment.refunding_cents) == (payment.refunded_cents, 0)


async def test_the_same_key_gives_back_once(shop: Shop, payer: TestUser, bought):
    key, body = str(uuid4()), {"payment_id": bought["id"], "amount_cents": 50}

    answers = [await shop.post(shop.operator, "/admin/refunds", body, key) for _ in range(3)]
    other = await shop.post(shop.operator, "/admin/refunds", body | {"amount_cents": 60}, key)

    assert len({answer.content for answer in answers}) == 1
    assert problem(other) == (422, "idempotency-key-reused")
    assert await at_provider(shop, payer) == 50


async def test_when_the_answer_is_lost_the_money_goes_back_once(shop: Shop, payer: TestUser, bought):
    await shop.faults(drop_answers=1.0)
    lost = await shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"], "amount_cents": 200})
    assert (lost.status_code, lost.json()["state"]) == (202, "unknown")
    assert await reserved(payer) == 200
    await shop.calm()
    listed = (await shop.get(shop.operator, "/admin/operations?limit=100")).json()["items"]
    assert lost.json()["operation_id"] in {each["id"] for each in listed}
    too_much = await shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"], "amount_cents": 301})
    assert too_much.status_code == 409

    await end_leases()
    await resolving.resolve_due(shop.provider)

    assert (await at_provider(shop, payer), await reserved(payer)) == (200, 0)
    async with session_scope() as session:
        mine = select(Refund.operation_id).where(Refund.payment_id == UUID(bought["id"]))
        assert [str(each) for each in await session.scalars(mine)] == [lost.json()["operation_id"]]


@pytest.mark.parametrize("where", ["before the call", "after the call", "before it was followed"])
async def test_whoever_dies_in_between_the_money_goes_back_once(
    shop: Shop, payer: TestUser, bought, where, monkeypatch
):
    from app.payments.services import operations, refunds
    from app.payments.services.commands import HANDLERS

    handler = HANDLERS[refunds.CREATE]

    class Killed(BaseException):
        """The process ends here."""

    async def call(provider: Any, command: Any) -> Any:
        if where == "before the call":
            raise Killed
        made = await handler.call(provider, command)
        if where == "after the call":
            raise Killed
        return made

    async def follow(*_: Any) -> None:
        raise Killed

    changed = {"call": call, "follow": follow if where == "before it was followed" else handler.follow}
    monkeypatch.setitem(HANDLERS, refunds.CREATE, type(handler)(**{**_parts(handler), **changed}))
    with pytest.raises(Killed):
        await refunds.create_refund(UUID(bought["id"]), 70, "duplicate", uuid4())
    monkeypatch.undo()
    assert operations.HANDLERS[refunds.CREATE] is handler
    assert await reserved(payer) == 70

    await end_leases()
    await resolving.resolve_due(shop.provider)

    assert (await at_provider(shop, payer), await reserved(payer)) == (70, 0)
    assert len(await operations_of(payer, "refund.create")) == 1


def _parts(handler: Any) -> dict[str, Any]:
    return {name: getattr(handler, name) for name in handler.__slots__}


async def test_a_refund_that_the_provider_refuses_reserves_nothing(shop: Shop, payer: TestUser, bought):
    (payment,) = await payments_of(payer)
    await shop.provider.create_refund(
        type("Elsewhere", (), {"key": "lv:elsewhere", "id": uuid4()})(),
        payment.provider_id,
        amount_cents=450,
        reason=None,
    )  # by somebody at the provider's own pages: we have not heard of it yet

    refused = await shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"], "amount_cents": 100})

    assert problem(refused) == (409, "provider-refused")
    assert (await at_provider(shop, payer), await reserved(payer)) == (450, 0)


async def test_what_is_not_there_can_not_be_given_back(shop: Shop):
    refused = await shop.post(shop.operator, "/admin/refunds", {"payment_id": str(uuid4())})

    assert problem(refused) == (404, "payment-not-found")


async def test_a_dispute_is_answered_and_won(shop: Shop, payer: TestUser, bought):
    (payment,) = await payments_of(payer)
    opened = await shop.control("disputes", {"charge": payment.charge_id})
    await shop.catch_up()
    listed = (await shop.get(shop.operator, "/admin/disputes")).json()["items"]
    (dispute,) = [each for each in listed if each["payment_id"] == bought["id"]]
    assert problem(await shop.post(shop.operator, "/admin/refunds", {"payment_id": bought["id"]})) == (
        409,
        "not-so-much-left",
    )
    evidence = {"uncategorized_text": "quartzheron used it until May", "submit": True}

    answered = await shop.post(shop.operator, f"/admin/disputes/{dispute['id']}/evidence", evidence)

    assert (answered.status_code, answered.json()["status"]) == (200, "under_review")
    async with session_scope() as session:
        kept = await session.scalar(
            text("SELECT count(*) FROM payments_operations o WHERE o::text LIKE '%quartzheron%' OR o.body IS NOT NULL")
        )
    assert kept == 0
    await shop.control(f"disputes/{opened['id']}/settle", {"outcome": "won"})
    await shop.catch_up()
    after = (await shop.get(shop.operator, "/admin/disputes")).json()["items"]
    assert [each["status"] for each in after if each["id"] == dispute["id"]] == ["won"]


async def test_a_dispute_that_is_not_there_is_not_answered(shop: Shop):
    answer = await shop.post(shop.operator, f"/admin/disputes/{uuid4()}/evidence", {"submit": True})

    assert problem(answer) == (404, "dispute-not-found")


async def cards_of(shop: Shop, person: TestUser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await shop.get(person, "/payment-methods")).json()["items"]
    return found


async def add_card(shop: Shop, person: TestUser, card: str) -> None:
    made = await shop.post(person, "/payment-methods")
    assert (made.status_code, made.json()["purpose"]) == (200, "card")
    await shop.complete(made.json(), card)


async def remove(shop: Shop, person: TestUser, card: dict[str, Any]) -> Any:
    return await shop.client.delete(f"{PAYMENTS}/payment-methods/{card['id']}", headers=auth(person))


async def test_cards_are_added_chosen_and_removed(shop: Shop, payer: TestUser):
    assert await cards_of(shop, payer) == []
    await shop.buy(payer, "pm_card_visa")
    await add_card(shop, payer, "pm_card_mastercard")
    cards = {card["brand"]: card for card in await cards_of(shop, payer)}
    assert {brand: card["is_default"] for brand, card in cards.items()}["visa"] is True

    path = f"{PAYMENTS}/payment-methods/{cards['mastercard']['id']}/default"
    assert (await shop.client.post(path, headers=auth(payer))).status_code == 204
    assert [card["brand"] for card in await cards_of(shop, payer) if card["is_default"]] == ["mastercard"]
    assert (await remove(shop, payer, cards["mastercard"])).status_code == 204
    (left,) = await cards_of(shop, payer)
    assert (left["brand"], left["is_default"]) == ("visa", True)


async def test_the_last_card_stays_while_a_subscription_is_renewed_with_it(shop: Shop, payer: TestUser):
    await shop.buy(payer)
    (card,) = await cards_of(shop, payer)

    assert problem(await remove(shop, payer, card)) == (409, "last-card")
    await shop.post(payer, "/subscription/cancel")
    assert (await remove(shop, payer, card)).status_code == 204
    assert await cards_of(shop, payer) == []


async def test_somebody_elses_card_is_not_found(shop: Shop, payer: TestUser):
    await shop.buy(payer)
    other = (await make_payer())[1]
    await shop.buy(other)
    (card,) = await cards_of(shop, payer)

    path = f"{PAYMENTS}/payment-methods/{card['id']}/default"
    assert problem(await shop.client.post(path, headers=auth(other))) == (404, "card-not-found")
    assert problem(await remove(shop, other, card)) == (404, "card-not-found")
    assert len(await cards_of(shop, payer)) == 1


async def test_invoices_and_payments_are_the_payers_own_and_paged(shop: Shop, payer: TestUser):
    await shop.buy(payer)
    await shop.post(payer, "/subscription/cancel", {"at_period_end": False})
    for _ in range(2):
        await shop.buy(payer)
        await shop.post(payer, "/subscription/cancel", {"at_period_end": False})
    await shop.catch_up()

    first = (await shop.get(payer, "/invoices?limit=2")).json()
    second = (await shop.get(payer, f"/invoices?limit=2&cursor={first['next_cursor']}")).json()
    ids = [each["id"] for each in first["items"] + second["items"]]
    assert (len(ids), len(set(ids)), second["next_cursor"]) == (3, 3, None)
    stranger = await make_user()
    assert problem(await shop.get(stranger, f"/invoices/{ids[0]}")) == (404, "invoice-not-found")
    assert (await shop.get(stranger, "/invoices")).json()["items"] == []
    assert (await shop.get(stranger, "/payments")).json()["items"] == []
    assert len((await shop.get(payer, "/payments?limit=1")).json()["items"]) == 1
    assert problem(await shop.post(stranger, f"/invoices/{ids[0]}/pay")) == (404, "invoice-not-found")


async def test_a_plan_is_given_and_taken_back(shop: Shop):
    family_id, person = await make_payer()
    for plan, code in (("family", "family"), (None, "free")):
        given = await shop.post(shop.operator, f"/admin/families/{family_id}/grant-plan", {"plan": plan})
        assert given.json() == {"family_id": str(family_id), "plan": plan}
        assert (await shop.get(person, "/subscription")).json()["plan"]["code"] == code

    nothing = await shop.post(shop.operator, f"/admin/families/{uuid4()}/grant-plan", {"plan": "plus"})
    unknown = await shop.post(shop.operator, f"/admin/families/{family_id}/grant-plan", {"plan": "gold"})
    assert (problem(nothing), problem(unknown)) == ((404, "family-not-found"), (404, "plan-not-found"))


async def test_nothing_is_left_open_when_all_is_quiet(shop: Shop, payer: TestUser, bought):
    await end_leases()
    while await resolving.resolve_due(shop.provider):
        await end_leases()

    async with session_scope() as session:
        mine = select(func.count()).where(ProviderOperation.state.in_(("sent", "unknown")))
        assert await session.scalar(mine.where(ProviderOperation.provider == "sim")) == 0
