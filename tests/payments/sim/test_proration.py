"""A preview is what is then charged, to the cent, whatever is changed and whenever."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.payments.sim import resources
from app.payments.sim.core.perform import perform
from app.payments.sim.core.setup import Setup
from app.payments.sim.core.store import Store

pytestmark = pytest.mark.slow

assert resources.__all__  # importing them registers their calls
START = 1_800_000_000
PERIOD = 31 * 86_400
SETUP = Setup("sk_test_0123456789abcdef", "http://127.0.0.1:1")

AMOUNTS = st.sampled_from([0, 1, 99, 300, 500, 999, 1_000, 12_345, 99_999])
COUPONS = st.sampled_from(
    [
        None,
        {"percent_off": "33.3", "duration": "forever"},
        {"percent_off": "50", "duration": "once"},
        {"amount_off": "250", "currency": "usd", "duration": "forever"},
        {"amount_off": "700", "currency": "usd", "duration": "once"},
    ]
)
TAXES = st.sampled_from([None, ("19", "false"), ("7.7", "true")])
CHANGES = st.lists(
    st.tuples(
        AMOUNTS,
        st.integers(1, 7),
        st.integers(0, PERIOD // 4),
        st.sampled_from(["always_invoice", "create_prorations"]),
    ),
    min_size=1,
    max_size=4,
)


class Shop:
    """Calls on books in memory, at times of our choice."""

    def __init__(self) -> None:
        self.store = Store(None, SETUP)
        self.now = START

    def call(self, method: str, path: str, **params: Any) -> Any:
        with self.store.transaction(at=self.now) as books:
            return perform(books, method, path, params)

    def price(self, amount: int, interval: str = "month") -> str:
        params = {"unit_amount": str(amount), "currency": "usd", "product_data": {"name": "Plus"}}
        return str(self.call("POST", "/v1/prices", **params, recurring={"interval": interval})["id"])

    def subscribe(self, amount: int, quantity: int, coupon: dict[str, str] | None, tax: tuple[str, str] | None) -> Any:
        customer = self.call("POST", "/v1/customers", invoice_settings={"default_payment_method": "pm_card_visa"})
        more: dict[str, Any] = {}
        if coupon is not None:
            more["discounts"] = {"0": {"coupon": self.call("POST", "/v1/coupons", **coupon)["id"]}}
        if tax is not None:
            rate = self.call("POST", "/v1/tax_rates", display_name="VAT", percentage=tax[0], inclusive=tax[1])
            more["default_tax_rates"] = {"0": rate["id"]}
        items = {"0": {"price": self.price(amount), "quantity": str(quantity)}}
        return self.call("POST", "/v1/subscriptions", customer=customer["id"], items=items, **more)

    def invoice(self, subscription: str) -> Any:
        path = f"/v1/subscriptions/{subscription}"
        return self.call("GET", path, expand={"0": "latest_invoice"})["latest_invoice"]


def money_of(invoice: Any) -> Any:
    """What an invoice comes to, line by line."""
    lines = [
        (
            line["description"],
            line["amount"],
            [each["amount"] for each in line["discount_amounts"]],
            [each["amount"] for each in line["taxes"]],
        )
        for line in invoice["lines"]["data"]
    ]
    names = ("subtotal", "total", "amount_due", "starting_balance", "ending_balance")
    return lines, {name: invoice[name] for name in names}


@settings(max_examples=150, deadline=None)
@given(
    amount=AMOUNTS, quantity=st.integers(1, 5), coupon=COUPONS, tax=TAXES, changes=CHANGES, later=st.integers(0, 600)
)
def test_the_preview_of_a_change_is_its_invoice(amount, quantity, coupon, tax, changes, later):
    shop = Shop()
    subscription = shop.subscribe(amount, quantity, coupon, tax)
    path, item = f"/v1/subscriptions/{subscription['id']}", subscription["items"]["data"][0]["id"]
    for new_amount, new_quantity, step, behaviour in changes:
        shop.now += step
        at = str(shop.now)
        items = {"0": {"id": item, "price": shop.price(new_amount), "quantity": str(new_quantity)}}
        change = {"items": items, "proration_behavior": behaviour, "proration_date": at}
        preview = shop.call(
            "POST",
            "/v1/invoices/create_preview",
            subscription=subscription["id"],
            subscription_details=copy.deepcopy(change),
        )
        shop.now += later if step + later < PERIOD // 4 else 0
        before = shop.invoice(subscription["id"])
        shop.call("POST", path, **change)
        after = shop.invoice(subscription["id"])
        if behaviour == "always_invoice" and after["id"] != before["id"]:
            assert money_of(preview) == money_of(after)
            assert after["status"] == "paid"
    shop.store.close()


@settings(max_examples=60, deadline=None)
@given(
    amount=AMOUNTS,
    other=AMOUNTS,
    quantity=st.integers(1, 5),
    coupon=st.sampled_from([None, {"percent_off": "33.3", "duration": "forever"}]),
    step=st.integers(0, PERIOD - 1),
)
def test_a_change_and_its_return_in_the_same_second_cost_nothing(amount, other, quantity, coupon, step):
    shop = Shop()
    subscription = shop.subscribe(amount, quantity, coupon, None)
    path, first = f"/v1/subscriptions/{subscription['id']}", subscription["items"]["data"][0]
    shop.now += step
    for price, count in ((shop.price(other), 3), (first["price"]["id"], quantity)):
        items = {"0": {"id": first["id"], "price": price, "quantity": str(count)}}
        shop.call("POST", path, items=items, proration_date=str(shop.now))
    pending = shop.call("GET", "/v1/invoiceitems", limit="100")["data"]

    rounded = 0 if coupon is None else 1  # what is given back is a share of what was paid, and that was rounded
    assert abs(sum(each["net_amount"] for each in pending)) <= rounded
    shop.store.close()


@settings(max_examples=60, deadline=None)
@given(amount=AMOUNTS, quantity=st.integers(1, 5), coupon=COUPONS, tax=TAXES, step=st.integers(0, PERIOD - 1))
def test_a_credit_is_never_more_than_what_was_paid(amount, quantity, coupon, tax, step):
    shop = Shop()
    subscription = shop.subscribe(amount, quantity, coupon, tax)
    paid = shop.invoice(subscription["id"])["total"]
    shop.now += step
    items = {"0": {"id": subscription["items"]["data"][0]["id"], "price": shop.price(0)}}
    shop.call("POST", f"/v1/subscriptions/{subscription['id']}", items=items, proration_behavior="always_invoice")
    credit = shop.invoice(subscription["id"])

    assert -paid - 1 <= min(0, credit["total"]) <= 0
    shop.store.close()
