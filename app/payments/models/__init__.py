"""Tables of payments. The unique keys are the design: every effect has one, and code inserts rather than asks.

What people wrote is sealed (the address of an invited person); the rest is ids, kinds, states, amounts and times.
Amounts are minor units of `currency`.
"""

from app.payments.models.billing import (
    BillingCustomer,
    BillingSubscription,
    Dispute,
    Invoice,
    Payment,
    Refund,
)
from app.payments.models.catalog import Coupon, CouponUse, Plan, PlanVersion, Price, ProviderPrice, Trial
from app.payments.models.families import Family, Seat
from app.payments.models.operations import Checkout, ProviderOperation

__all__ = [
    "BillingCustomer",
    "BillingSubscription",
    "Checkout",
    "Coupon",
    "CouponUse",
    "Dispute",
    "Family",
    "Invoice",
    "Payment",
    "Plan",
    "PlanVersion",
    "Price",
    "ProviderOperation",
    "ProviderPrice",
    "Refund",
    "Seat",
    "Trial",
]
