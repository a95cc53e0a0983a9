"""Objects of the running simulator are read; with any field broken they are read or refused, never anything else."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.core.clock import utc_now
from app.payments.providers import wire, wire_money
from app.payments.providers.fields import Fields
from app.payments.providers.port import Line, ProviderError
from tests.payments.contract.conftest import opened
from tests.payments.contract.shop import Shop, op

JUNK = (None, "", "x", 0, -1, 10**20, True, [], [1], {}, {"id": 7}, 1.5)


@pytest.fixture
async def provider(simulator):
    provider = opened("sim", simulator)
    yield provider
    await provider.close()


def lookup(_: str) -> str | None:
    return "plus"


def read_invoice(raw: Fields) -> Any:
    return wire_money.invoice(raw, raw.sub("lines").rows("data"), lookup)


def read_preview(raw: Fields) -> Any:
    return wire_money.preview(raw, raw.sub("lines").rows("data"), lookup, utc_now())


def read_subscription(raw: Fields) -> Any:
    phase = wire.next_phase(raw.sub("schedule"))
    return wire.subscription(raw, wire.phase_lines(phase, lookup) if phase else ())


def read_payment(raw: Fields) -> Any:
    return wire_money.payment(raw, None, wire_money.redirect_url(raw))


def read_movement(raw: Fields) -> Any:
    return wire_money.movement(raw, wire_money.source_payment(raw))


def read_card(raw: Fields) -> Any:
    return wire.card(raw.text("id"), raw.sub("card"))


READERS: dict[str, Callable[[Fields], Any]] = {
    "checkout": wire.checkout,
    "subscription": read_subscription,
    "invoice": read_invoice,
    "payment": read_payment,
    "failed payment": read_payment,
    "refund": wire_money.refund,
    "dispute": wire_money.dispute,
    "movement": read_movement,
    "card": read_card,
    "event": wire.event,
    "price": wire.interval,
}


async def raw_objects(shop: Shop) -> dict[str, Any]:
    """One of each kind as the simulator says it."""
    provider = shop.provider
    plus, family = await shop.price(500), await shop.price(900)
    await provider.ensure_coupon("TEN", percent=10, amount_cents=None, currency=None, months=0)
    made = await shop.checkout(await shop.customer(), Line(family), coupon_id="TEN")
    done = await shop.complete(made.id)
    state = await provider.schedule_change(op(), done.subscription_id, [Line(plus)])
    invoice = await shop.invoice_of(state)
    payment_id = invoice.payment_ids[0]
    dispute = await shop.dispute((await shop.pay(2_000)).charge_id)
    refund = await provider.create_refund(op(), payment_id, amount_cents=100, reason="duplicate")
    form = {"amount": 100, "currency": "eur", "payment_method": "pm_card_chargeDeclined", "confirm": "true"}
    failed = (await shop.control.post("/v1/payment_intents", data={**form, "return_url": "https://a.test"})).json()
    card = (await provider.list_cards(state.customer_id))[0]
    paths = {
        "checkout": f"checkout/sessions/{made.id}",
        "subscription": f"subscriptions/{state.id}?expand[]=discounts&expand[]=schedule",
        "invoice": f"invoices/{invoice.id}?expand[]=payments",
        "payment": f"payment_intents/{payment_id}?expand[]=latest_charge",
        "failed payment": f"payment_intents/{failed['error']['payment_intent']['id']}",
        "refund": f"refunds/{refund.id}",
        "dispute": f"disputes/{dispute.id}",
        "movement": "balance_transactions?expand[]=data.source",
        "card": f"payment_methods/{card.id}",
        "event": "events",
        "price": f"prices/{plus}",
    }
    found = {kind: (await shop.control.get(f"/v1/{path}")).json() for kind, path in paths.items()}
    return {kind: raw["data"][0] if raw["object"] == "list" else raw for kind, raw in found.items()}


def broken(raw: Any) -> Iterator[Any]:
    """Copies of an object, each with one field missing or of another kind, at any depth."""
    for path in paths_in(raw):
        for junk in (..., *JUNK):
            changed = copy.deepcopy(raw)
            place = changed
            for name in path[:-1]:
                place = place[name]
            if junk is not ...:
                place[path[-1]] = junk
            elif isinstance(place, dict):
                del place[path[-1]]
            yield changed


def paths_in(raw: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for name, value in raw.items() if isinstance(raw, dict) else enumerate(raw):
        yield (*before, name)
        if isinstance(value, dict | list):
            yield from paths_in(value, (*before, name))


async def test_every_kind_of_object_is_read_and_broken_ones_are_refused(shop):
    refused: dict[str, list[str]] = {kind: [] for kind in READERS}
    for kind, raw in (await raw_objects(shop)).items():
        read = READERS[kind]
        assert read(Fields(raw, kind)) is not None
        for changed in broken(raw):
            try:
                read(Fields(changed, kind))
            except ProviderError as error:
                refused[kind].append(error.code)

    assert {code for codes in refused.values() for code in codes} == {"unexpected-answer"}
    assert all(len(codes) > 5 for codes in refused.values())


@pytest.mark.parametrize("junk", [None, [], "x", 1])
def test_what_is_no_object_is_refused(junk):
    with pytest.raises(ProviderError):
        Fields(junk, "event")


def test_an_error_tells_where_the_field_is_missing():
    raw = {"id": "pi_1", "status": "succeeded", "latest_charge": {"id": "ch_1", "amount_refunded": "7"}}

    with pytest.raises(ProviderError) as caught:
        read_payment(Fields({**raw, "currency": "eur", "amount": 1, "amount_received": 1}, "payment"))

    assert caught.value.detail == "payment.latest_charge.amount_refunded"
