"""Whether Stripe knows what we send: the SDK's types of parameters are generated from Stripe's specification."""

import importlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import stripe
from pydantic import ConfigDict, TypeAdapter

STRICT: Final = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
ID: Final = "[^/]+"
CALLS: Final = {
    ("get", "/v1/balance_transactions"): "BalanceTransactionList",
    ("post", "/v1/billing_portal/sessions"): "billing_portal.SessionCreate",
    ("get", "/v1/charges"): "ChargeList",
    ("get", "/v1/checkout/sessions"): "checkout.SessionList",
    ("post", "/v1/checkout/sessions"): "checkout.SessionCreate",
    ("get", f"/v1/checkout/sessions/{ID}"): "checkout.SessionRetrieve",
    ("post", f"/v1/checkout/sessions/{ID}/expire"): "checkout.SessionExpire",
    ("post", "/v1/coupons"): "CouponCreate",
    ("get", f"/v1/coupons/{ID}"): "CouponRetrieve",
    ("get", "/v1/customers"): "CustomerList",
    ("post", "/v1/customers"): "CustomerCreate",
    ("get", f"/v1/customers/{ID}"): "CustomerRetrieve",
    ("post", f"/v1/customers/{ID}"): "CustomerUpdate",
    ("delete", f"/v1/customers/{ID}"): "CustomerDelete",
    ("get", "/v1/disputes"): "DisputeList",
    ("get", f"/v1/disputes/{ID}"): "DisputeRetrieve",
    ("post", f"/v1/disputes/{ID}"): "DisputeUpdate",
    ("get", "/v1/events"): "EventList",
    ("get", "/v1/invoice_payments"): "InvoicePaymentList",
    ("get", "/v1/invoices"): "InvoiceList",
    ("post", "/v1/invoices/create_preview"): "InvoiceCreatePreview",
    ("get", f"/v1/invoices/{ID}"): "InvoiceRetrieve",
    ("get", f"/v1/invoices/{ID}/lines"): "InvoiceLineItemList",
    ("post", f"/v1/invoices/{ID}/pay"): "InvoicePay",
    ("get", f"/v1/payment_intents/{ID}"): "PaymentIntentRetrieve",
    ("get", "/v1/payment_methods"): "PaymentMethodList",
    ("post", f"/v1/payment_methods/{ID}/detach"): "PaymentMethodDetach",
    ("get", "/v1/prices"): "PriceList",
    ("post", "/v1/prices"): "PriceCreate",
    ("get", f"/v1/prices/{ID}"): "PriceRetrieve",
    ("post", "/v1/products"): "ProductCreate",
    ("get", "/v1/refunds"): "RefundList",
    ("post", "/v1/refunds"): "RefundCreate",
    ("get", f"/v1/refunds/{ID}"): "RefundRetrieve",
    ("get", "/v1/subscriptions"): "SubscriptionList",
    ("get", f"/v1/subscriptions/{ID}"): "SubscriptionRetrieve",
    ("post", f"/v1/subscriptions/{ID}"): "SubscriptionUpdate",
    ("delete", f"/v1/subscriptions/{ID}"): "SubscriptionCancel",
    ("post", "/v1/subscription_schedules"): "SubscriptionScheduleCreate",
    ("post", f"/v1/subscription_schedules/{ID}"): "SubscriptionScheduleUpdate",
    ("post", f"/v1/subscription_schedules/{ID}/release"): "SubscriptionScheduleRelease",
}


def check_call(method: str, path: str, params: dict[str, Any]) -> None:
    """Raises `AssertionError` for an unknown path, `ValidationError` for parameters that Stripe does not know."""
    names = [name for (verb, pattern), name in CALLS.items() if verb == method and re.fullmatch(pattern, path)]
    assert names, (method, path)
    adapter(names[0]).validate_python(_sent(params))


def _sent(value: Any) -> Any:
    """As it is sent: without what is left out."""
    if isinstance(value, dict):
        return {name: _sent(each) for name, each in value.items() if each is not None}
    return [_sent(each) for each in value] if isinstance(value, list | tuple) else value


@cache
def adapter(name: str) -> TypeAdapter[Any]:
    package, _, short = name.rpartition(".")
    module = importlib.import_module(
        ".".join(filter(None, ("stripe.params", package, "_" + _snake(short) + "_params")))
    )
    for each in vars(module).values():
        if isinstance(each, type) and hasattr(each, "__total__"):
            each.__pydantic_config__ = STRICT
    made: TypeAdapter[Any] = TypeAdapter(getattr(module, f"{short}Params"), config=None)
    made.rebuild(
        force=True, _types_namespace={"StripeContext": stripe.StripeContext, "Mapping": Mapping, **vars(module)}
    )
    return made


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
